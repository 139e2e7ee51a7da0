//! Families are data: files in `arch/` stay short and do not repeat each other.

use std::collections::HashMap;

use super::names::ARCH;
use super::source::Source;

/// Most lines of the median family.
const MAX_MEDIAN: usize = 60;
/// Most lines of any.
const MAX_LINES: usize = 90;
/// Largest share of lines in repeated blocks, in percent.
const MAX_REPEATED: usize = 5;
/// Lines of code that make a block.
const BLOCK: usize = 6;

/// What is said of the families.
pub(super) struct Report {
    families: usize,
    median: usize,
    /// In percent.
    repeated: f64,
    /// What breaks a rule.
    pub(super) broken: Vec<String>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            families,
            median,
            repeated,
            ..
        } = self;
        write!(
            f,
            "{families} families of {median} lines (median), {repeated:.1} % of their code in repeated blocks"
        )
    }
}

/// Measures the files of families.
pub(super) fn check(sources: &[Source]) -> Report {
    let files = sources.iter().filter(|source| {
        let file = source.path.strip_prefix(ARCH);
        file.is_some_and(|file| file != "mod.rs")
    });
    let files: Vec<&Source> = files.collect();
    let mut lengths: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let repeated = repeated(&files.iter().map(|file| &*file.code).collect::<Vec<_>>());
    let mut broken = Vec::new();
    for file in &files {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            let path = &file.path;
            broken.push(format!(
                "{path}: {lines} lines, a family has at most {MAX_LINES}"
            ));
        }
    }
    if median > MAX_MEDIAN {
        broken.push(format!(
            "{ARCH}: median of {median} lines, expected at most {MAX_MEDIAN}"
        ));
    }
    if repeated > MAX_REPEATED as f64 {
        broken.push(format!(
            "{ARCH}: {repeated:.1} % of lines in repeated blocks, expected at most {MAX_REPEATED}"
        ));
    }
    Report {
        families: files.len(),
        median,
        repeated,
        broken,
    }
}

/// The share of lines, in percent, that stand in blocks which are somewhere else too.
fn repeated(files: &[&str]) -> f64 {
    let lines = |file: &&str| -> Vec<String> {
        let lines = file.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    let files: Vec<Vec<String>> = files.iter().map(lines).collect();
    let mut counts: HashMap<&[String], usize> = HashMap::new();
    for block in files.iter().flat_map(|lines| lines.windows(BLOCK)) {
        *counts.entry(block).or_default() += 1;
    }
    let (mut all, mut repeated) = (0, 0);
    for lines in &files {
        let mut is_repeated = vec![false; lines.len()];
        for (start, block) in lines.windows(BLOCK).enumerate() {
            if counts[block] > 1 {
                is_repeated[start..start + BLOCK].fill(true);
            }
        }
        all += lines.len();
        repeated += is_repeated.iter().filter(|&&is| is).count();
    }
    100.0 * repeated as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::repeated;

    #[test]
    fn blocks_of_six_lines_count() {
        let block = "a\nb\n\n  c\nd\ne\nf\n";
        assert_eq!(
            repeated(&[&format!("x\n{block}"), &format!("{block}y\n")]),
            100.0 * 12.0 / 14.0
        );
        assert_eq!(repeated(&["a\nb\nc\nd\ne\n", "a\nb\nc\nd\ne\n"]), 0.0);
    }
}
