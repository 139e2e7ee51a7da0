//! Links in Markdown files lead to files and headings that are there.
//!
//! Only inline links, `[text](path#heading)`, to places inside the repository: no host is asked.

use std::fs;
use std::path::Path;

/// Links that lead nowhere.
pub(super) fn check(root: &Path, files: &[String]) -> Vec<String> {
    let mut broken = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".md")) {
        let text = fs::read_to_string(root.join(path)).unwrap_or_default();
        for (line, link) in links(&text) {
            if !resolves(root, path, link) {
                broken.push(format!("{path}:{line}: the link `{link}` leads nowhere"));
            }
        }
    }
    broken
}

/// The links outside of code, each with its line from 1.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        // Pieces between backticks alternate between text and code.
        for piece in line.split('`').step_by(2) {
            let mut rest = piece;
            while let Some((_, link)) = rest.split_once("](") {
                let Some((link, behind)) = link.split_once(')') else {
                    break;
                };
                found.push((number + 1, link));
                rest = behind;
            }
        }
    }
    found
}

fn resolves(root: &Path, from: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let from = Path::new(from);
    let target = match file {
        "" => root.join(from),
        file => root.join(from.parent().unwrap_or(Path::new(""))).join(file),
    };
    if heading.is_empty() || !file.is_empty() && !file.ends_with(".md") {
        return target.exists();
    }
    let text = fs::read_to_string(target).unwrap_or_default();
    text.lines()
        .any(|line| line.starts_with('#') && anchor(line) == heading)
}

/// The name that a heading gets: lower case, hyphens for blanks, no other punctuation.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let keeps = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let kept = title.chars().filter(keeps);
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "See [a](b.md) and [c](d#e).\n```\n[x](y)\n```\n`[p](q)` [z](w)";
        assert_eq!(links(text), [(1, "b.md"), (1, "d#e"), (5, "w")]);
        assert_eq!(anchor("## How close is `it`?"), "how-close-is-it");
    }
}
