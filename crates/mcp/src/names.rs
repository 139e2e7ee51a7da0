//! What a model calls the tools: each by a name of its own, of letters, digits, `_`, `-` and `.`.

use std::collections::BTreeMap;

/// Longest name that models are offered, as OpenAI has it.
const MAX_NAME: usize = 64;

/// Names for tools, given as (server, tool): the tool's own where no other has it, else with the server's before it.
pub(crate) fn offered(tools: &[(String, String)]) -> Vec<String> {
    let mut count = BTreeMap::new();
    for (_, tool) in tools {
        *count.entry(plain(tool)).or_insert(0) += 1;
    }
    let mut names: Vec<String> = Vec::new();
    for (server, tool) in tools {
        let own = plain(tool);
        let name = match count[&own] {
            1 => own,
            _ => plain(&format!("{server}_{tool}")),
        };
        // Names may still meet, cut or cleaned as they are.
        let mut unique = name.clone();
        for number in 2.. {
            if !names.contains(&unique) {
                break;
            }
            let suffix = format!("_{number}");
            unique = name[..name.len().min(MAX_NAME - suffix.len())].to_owned() + &suffix;
        }
        names.push(unique);
    }
    names
}

fn plain(name: &str) -> String {
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() || "_-.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(clean).take(MAX_NAME).collect();
    match name.as_str() {
        "" => "tool".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_unlike() {
        let tools = [
            ("a", "read"),
            ("b", "read"),
            ("b", "write file"),
            ("c", "b_read"),
            ("c", ""),
        ];
        let tools = tools.map(|(server, tool)| (server.to_owned(), tool.to_owned()));
        assert_eq!(
            offered(&tools),
            ["a_read", "b_read", "write_file", "b_read_2", "tool"]
        );
        let long = "x".repeat(200);
        let tools = [("a".to_owned(), long.clone()), ("a".to_owned(), long)];
        let names = offered(&tools);
        assert!(names[0] != names[1] && names.iter().all(|name| name.len() <= MAX_NAME));
    }
}
