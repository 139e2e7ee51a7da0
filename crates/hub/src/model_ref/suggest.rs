//! "Did you mean": the short names that look like a mistyped one.

use crate::catalogue::CATALOGUE;

/// The short names nearest to a word, best first.
pub(super) fn similar(text: &str) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    let mut scored: Vec<(usize, &str)> = CATALOGUE
        .iter()
        .map(|entry| {
            let stem = entry.name.split(':').next().unwrap_or(entry.name);
            let by_prefix = text.starts_with(stem) || stem.starts_with(&text);
            let distance = edit_distance(&text, entry.name).min(edit_distance(&text, stem));
            (
                if by_prefix { distance.min(1) } else { distance },
                entry.name,
            )
        })
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .collect();
    scored.sort();
    scored
        .into_iter()
        .take(3)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Levenshtein distance in bytes.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
