//! The labelled set of the example `crud_classifier`: balanced, of all kinds, and not told to the model.

#![allow(missing_docs, dead_code, reason = "tests, of part of a program")]

#[path = "../../../examples/crud_classifier/classifier.rs"]
mod classifier;

use std::collections::{BTreeMap, BTreeSet};

use classifier::{EXAMPLES, INSTRUCTIONS, LABELS, prompt};

const STATEMENTS: &str = include_str!("../../../examples/crud_classifier/statements.tsv");

fn rows() -> Vec<[&'static str; 3]> {
    let fields = |line: &'static str| {
        line.splitn(3, '\t')
            .collect::<Vec<_>>()
            .try_into()
            .expect("three fields")
    };
    STATEMENTS.lines().skip(1).map(fields).collect()
}

#[test]
fn the_set_is_balanced() {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for [label, kind, statement] in rows() {
        assert!(LABELS.contains(&label), "{label}");
        assert!(seen.insert(statement.to_lowercase()), "twice: {statement}");
        *counts.entry((label, kind)).or_default() += 1;
    }
    assert!(rows().len() >= 400);
    for kind in ["sql", "orm", "http", "english"] {
        let each: Vec<usize> = LABELS.iter().map(|&label| counts[&(label, kind)]).collect();
        assert!(
            each.iter().all(|&n| n == each[0] && n >= 12),
            "{kind}: {each:?}"
        );
    }
}

#[test]
fn the_model_is_not_told_the_answers() {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    for [_, _, statement] in rows() {
        assert!(
            !INSTRUCTIONS
                .to_lowercase()
                .contains(&statement.to_lowercase())
                || statement.len() < 7,
            "{statement}"
        );
        for (example, _) in EXAMPLES {
            assert_ne!(statement.to_lowercase(), example.to_lowercase());
            let (a, b) = (words(statement), words(example));
            let shared = a.intersection(&b).count();
            // The same words in another order would be telling, too. Short commands share their only word.
            assert!(
                shared * 10 < 8 * a.len().max(b.len()).max(3),
                "{statement} / {example}"
            );
        }
    }
    assert_eq!(prompt("x").len(), 2 + 2 * EXAMPLES.len());
    let labels: BTreeSet<&str> = EXAMPLES.iter().map(|&(_, label)| label).collect();
    assert_eq!(labels.len(), LABELS.len(), "an example for each label");
}

#[test]
fn what_the_prompt_was_tuned_on_is_not_what_it_is_measured_on() {
    let development = include_str!("../../../examples/crud_classifier/development.tsv");
    let measured: BTreeSet<String> = rows().iter().map(|row| row[2].to_lowercase()).collect();
    for line in development.lines().skip(1) {
        let [label, _, statement] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("expected three fields, found `{line}`");
        };
        assert!(LABELS.contains(&label), "{label}");
        assert!(!measured.contains(&statement.to_lowercase()), "{statement}");
    }
}
