//! Runs the changes of text that [`Rules`](crate::Rules) list.
//!
//! [`Normalize::CharsMap`] does what the `tokenizers` library does, which is not what SentencePiece does: a whole
//! grapheme of less than six bytes is replaced if the table knows its beginning, else each of its characters, and of
//! several keys that match it is the shortest that counts (`normalizers/precompiled.rs`).

use std::borrow::Cow;

use regex_automata::meta::Regex;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

use crate::Error;
use crate::charsmap::CharsMap;
use crate::pretokenizer::compile;
use crate::rules::{Normalize, Pattern};

/// How many times as long all stages together may make a text: a sequence of stages that each double it would
/// take any amount of memory. Real ones turn a space into the three bytes of `▁`.
const MAX_GROWTH: f64 = 256.0;
/// Longest text that is put before another without counting, in bytes.
const MAX_PREFIX: usize = 16;

/// Changes of text, ready to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Normalizer(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Simple(Normalize),
    Replace(Regex, String),
    Space(Regex),
    CharsMap(CharsMap),
}

impl Normalizer {
    pub(crate) fn new(steps: &[Normalize]) -> Result<Self, Error> {
        let steps: Vec<Step> = steps.iter().map(Step::new).collect::<Result<_, _>>()?;
        let normalizer = Self(steps);
        check_growth(normalizer.growth())?;
        Ok(normalizer)
    }

    /// How many times as long it makes a text at most.
    pub(crate) fn growth(&self) -> f64 {
        self.0.iter().map(growth).product()
    }

    /// The text after all changes; `first` says whether nothing stands before it.
    pub(crate) fn apply<'t>(&self, text: &'t str, first: bool) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for step in &self.0 {
            let changed = match step {
                Step::Simple(step) => simple(step, &text, first),
                Step::Replace(regex, with) => replace(regex, &text, |out, _| out.push_str(with)),
                Step::Space(regex) => replace(regex, &text, |out, found| {
                    out.extend([" ", found, " "]);
                }),
                Step::CharsMap(map) => Some(replace_graphemes(map, &text)),
            };
            if let Some(changed) = changed {
                text = Cow::Owned(changed);
            }
        }
        text
    }
}

impl Step {
    fn new(step: &Normalize) -> Result<Self, Error> {
        Ok(match step {
            Normalize::Replace {
                pattern: Pattern::Regex(pattern),
                with,
            } => Self::Replace(compile(pattern)?, with.clone()),
            Normalize::Space(Pattern::Regex(pattern)) => Self::Space(compile(pattern)?),
            Normalize::Space(Pattern::Text(text)) => {
                Self::Space(compile(&regex_syntax::escape(text))?)
            }
            Normalize::CharsMap(table) => Self::CharsMap(CharsMap::new(table)?),
            step => Self::Simple(step.clone()),
        })
    }
}

/// # Errors
/// If all stages together may make a text more than [`MAX_GROWTH`] times as long.
pub(crate) fn check_growth(growth: f64) -> Result<(), Error> {
    if growth <= MAX_GROWTH {
        return Ok(());
    }
    Err(Error::Key {
        key: "normalizer".to_owned(),
        expected: format!("stages that make text at most {MAX_GROWTH} times as long"),
        found: format!("{growth}"),
    })
}

/// How many times as long a step makes a text at most.
fn growth(step: &Step) -> f64 {
    let ratio = |with: &str, from: usize| (with.len() as f64 / from as f64).max(1.0);
    let step = match step {
        Step::Simple(step) => step,
        // An expression may match nothing, before every character.
        Step::Replace(_, with) => return 1.0 + with.len() as f64,
        Step::Space(_) => return 3.0,
        Step::CharsMap(map) => return (map.longest_replacement() as f64).max(1.0),
    };
    match step {
        Normalize::Strip { .. } => 1.0,
        // Unicode's own bounds on bytes of UTF-8 (annex 15, "Stabilized Strings"; special casing).
        Normalize::Nfc | Normalize::Nfd | Normalize::Lowercase => 3.0,
        Normalize::Nfkc | Normalize::Nfkd => 11.0,
        Normalize::Prepend { text, .. } if text.len() <= MAX_PREFIX => 1.0,
        Normalize::Prepend { text, .. } => ratio(text, 1),
        Normalize::Replace {
            pattern: Pattern::Text(from),
            with,
        } => ratio(with, from.len().max(1)),
        Normalize::Replace { .. } | Normalize::Space(_) | Normalize::CharsMap(_) => {
            unreachable!("steps of their own")
        }
    }
}

/// The changed text; `None` if nothing changes.
fn simple(step: &Normalize, text: &str, first: bool) -> Option<String> {
    match step {
        Normalize::Nfc if is_nfc_quick(text.chars()) == IsNormalized::Yes => None,
        Normalize::Nfc => Some(text.nfc().collect()),
        Normalize::Nfd => Some(text.nfd().collect()),
        Normalize::Nfkc if is_nfkc_quick(text.chars()) == IsNormalized::Yes => None,
        Normalize::Nfkc => Some(text.nfkc().collect()),
        Normalize::Nfkd => Some(text.nfkd().collect()),
        Normalize::Lowercase => Some(text.chars().flat_map(char::to_lowercase).collect()),
        Normalize::Strip { left, right } => {
            let stripped = if *left { text.trim_start() } else { text };
            let stripped = if *right {
                stripped.trim_end()
            } else {
                stripped
            };
            (stripped.len() < text.len()).then(|| stripped.to_owned())
        }
        Normalize::Prepend {
            text: added,
            once,
            first: only_first,
        } => {
            let there = *once && text.starts_with(added.as_str());
            let wanted = !text.is_empty() && !there && (first || !only_first);
            wanted.then(|| format!("{added}{text}"))
        }
        Normalize::Replace {
            pattern: Pattern::Text(from),
            with,
        } => text
            .contains(from.as_str())
            .then(|| text.replace(from.as_str(), with)),
        Normalize::Replace { .. } | Normalize::Space(_) | Normalize::CharsMap(_) => {
            unreachable!("steps of their own")
        }
    }
}

/// Has `write` write something for each match.
fn replace(regex: &Regex, text: &str, write: impl Fn(&mut String, &str)) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for found in regex.find_iter(text) {
        out.push_str(&text[done..found.start()]);
        write(&mut out, &text[found.range()]);
        done = found.end();
    }
    if done == 0 && out.is_empty() {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}

fn replace_graphemes(map: &CharsMap, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        if let Some(with) = map.shortest(grapheme).filter(|_| grapheme.len() < 6) {
            out.push_str(with);
            continue;
        }
        for c in grapheme.chars() {
            match map.shortest(c.encode_utf8(&mut [0; 4])) {
                Some(with) => out.push_str(with),
                None => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[Normalize], text: &str, first: bool) -> String {
        let normalizer = Normalizer::new(steps).expect("sound");
        normalizer.apply(text, first).into_owned()
    }

    #[test]
    fn steps_run_in_order() {
        let replace = |from: &str, with: &str| Normalize::Replace {
            pattern: Pattern::Text(from.into()),
            with: with.into(),
        };
        let prepend = |once, first| Normalize::Prepend {
            text: "▁".into(),
            once,
            first,
        };
        let steps = [prepend(false, false), replace(" ", "▁")];
        assert_eq!(run(&steps, " a b", false), "▁▁a▁b");
        assert_eq!(run(&steps, "", true), "");
        let steps = [replace(" ", "▁"), prepend(true, true)];
        assert_eq!(run(&steps, " a", true), "▁a");
        assert_eq!(run(&steps, "a", true), "▁a");
        assert_eq!(run(&steps, "a", false), "a");
    }

    #[test]
    fn stages_that_multiply_are_refused() {
        let double = Normalize::Replace {
            pattern: Pattern::Text("a".into()),
            with: "aa".into(),
        };
        assert!(Normalizer::new(&vec![double.clone(); 8]).is_ok());
        let error = Normalizer::new(&vec![double; 60])
            .expect_err("2^60")
            .to_string();
        assert!(
            error.contains("`normalizer`") && error.contains("256"),
            "{error}"
        );
        let prefix = |len: usize| Normalize::Prepend {
            text: "a".repeat(len),
            once: false,
            first: false,
        };
        assert!(Normalizer::new(&[prefix(3)]).is_ok());
        assert!(Normalizer::new(&[prefix(1000)]).is_err());
    }

    #[test]
    fn spaces_around_matches() {
        let space = |pattern| [Normalize::Space(pattern)];
        let vowels = space(Pattern::Regex("[ao]".into()));
        assert_eq!(run(&vowels, "banjo", true), "b a nj o ");
        assert_eq!(run(&space(Pattern::Text(".".into())), "a.b", true), "a . b");
    }

    #[test]
    fn forms_and_expressions() {
        assert_eq!(run(&[Normalize::Nfc], "e\u{301}", true), "é");
        assert_eq!(run(&[Normalize::Nfkc], "ﬁ²", true), "fi2");
        assert_eq!(run(&[Normalize::Lowercase], "ÄB", true), "äb");
        let strip = Normalize::Strip {
            left: true,
            right: false,
        };
        assert_eq!(run(&[strip], " \u{a0}a ", true), "a ");
        let spaces = Normalize::Replace {
            pattern: Pattern::Regex(" {2,}".into()),
            with: " ".into(),
        };
        assert_eq!(run(&[spaces], "a   b c  ", true), "a b c ");
    }
}
