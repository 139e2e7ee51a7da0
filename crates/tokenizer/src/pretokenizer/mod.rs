//! Splits text into the pieces inside which BPE may merge.
//!
//! Each model family states its pieces as regular expressions, applied one after the other: an expression
//! cuts every piece so far into its matches and the gaps between them ("isolated" in Hugging Face's terms).
//! They are in the table of [`names`].
//!
//! All engines here are automata, so the time is linear in the text whatever the text is. Automata have no
//! lookahead, and the families need two:
//! - `\s+(?!\S)|\s+`, "spaces, but leave the last one to the next word": matched as `\s+`, which always
//!   takes a whole run, and then shortened by one character if text follows. See [`Tail`].
//! - digits grouped from the right: [`digits`].
//!
//! A `tokenizer.json` brings expressions of its own: [`custom`].

pub(crate) mod classes;
mod custom;
mod digits;
mod names;

use std::ops::Range;

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

pub(crate) use custom::compile;
pub(crate) use names::Traits;

use crate::Error;
use crate::normalizer::Normalizer;
use crate::rules::Behavior;

/// One splitting rule.
#[derive(Debug, Clone, Copy)]
enum Split {
    /// Matches and gaps of a regular expression.
    Regex(&'static str),
    /// The same, with runs of spaces cut into powers of two.
    RegexJais2(&'static str),
    /// Groups of three digits.
    Digits(digits::Rule),
}

/// The splitting rules of one family, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct PreTokenizer {
    pub(crate) traits: Traits,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
enum Rule {
    /// Pattern 0 is the expression; pattern 1, if there is a tail, is `\s+`.
    Regex(Regex, Tail),
    Digits(digits::Rule),
    /// A rule whose matches and gaps do not all become pieces; the flag makes matches of gaps.
    Behaving(Box<Self>, Behavior, bool),
    /// Writes the piece in another way.
    Write(Normalizer),
}

/// What becomes of a run of spaces that the expression's last alternatives match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// The expression does not end in `\s+(?!\S)|\s+`.
    None,
    /// One piece, but the last space goes to the text after it.
    LeaveOne,
    /// `\s{512}(?!\S)|\s{256}(?!\S)|…|\s{4}(?!\S)|\s{1,2}(?!\S)|\s`: the largest of these sizes that fits,
    /// again and again, and the last space goes to the text after it.
    PowersOfTwo,
}

/// The lookahead that [`Tail::LeaveOne`] stands for.
const TAIL: &str = r"|\s+(?!\S)|\s+";

impl PreTokenizer {
    /// The rules that `tokenizer.ggml.pre` names; empty means `default`.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let name = if name.is_empty() { "default" } else { name };
        let family = names::FAMILIES
            .iter()
            .find(|family| family.names.contains(&name));
        let family = family.ok_or_else(|| Error::PreTokenizer {
            name: name.to_owned(),
            hint: hint(name),
        })?;
        Ok(Self {
            traits: family.traits,
            rules: family.splits.iter().map(Rule::new).collect(),
        })
    }

    /// Passes the pieces of `text` to `piece`, in order. Together they are the text, unless a rule of a
    /// `tokenizer.json` changes something. `first` says whether nothing stands before the text.
    pub(crate) fn split(&self, text: &str, first: bool, mut piece: impl FnMut(&str)) {
        self.apply(&self.rules, text, 0..text.len(), first, &mut piece);
    }

    /// Applies the first rule and, inside each of its parts, the others: depth first, so nothing is stored.
    fn apply(
        &self,
        rules: &[Rule],
        text: &str,
        part: Range<usize>,
        first: bool,
        emit: &mut dyn FnMut(&str),
    ) {
        match rules {
            [] => emit(&text[part]),
            [Rule::Write(normalizer), rest @ ..] => {
                let first = first && part.start == 0;
                let written = normalizer.apply(&text[part], first);
                self.apply(rest, &written, 0..written.len(), first, emit);
            }
            [rule, rest @ ..] => {
                rule.split(text, part, &mut |part| {
                    self.apply(rest, text, part, first, emit);
                });
            }
        }
    }
}

/// All names of `tokenizer.ggml.pre` that are understood, sorted.
pub fn pre_tokenizer_names() -> Vec<&'static str> {
    let mut names: Vec<_> = names::FAMILIES
        .iter()
        .flat_map(|family| family.names)
        .copied()
        .collect();
    names.sort_unstable();
    names
}

impl Rule {
    fn new(split: &Split) -> Self {
        let (pattern, tail) = match *split {
            Split::Digits(rule) => return Self::Digits(rule),
            Split::Regex(pattern) => (pattern, Tail::LeaveOne),
            Split::RegexJais2(pattern) => (pattern, Tail::PowersOfTwo),
        };
        let regex = match pattern.strip_suffix(TAIL) {
            Some(head) => Regex::new_many(&[head, r"\s+"]),
            None => Regex::new(pattern),
        };
        let tail = if pattern.ends_with(TAIL) {
            tail
        } else {
            Tail::None
        };
        Self::Regex(
            regex.expect("every pattern of the table compiles: there is a test"),
            tail,
        )
    }

    /// Cuts `text[part]` into matches and gaps, or into what the rule's behaviour makes of them.
    fn split(&self, text: &str, part: Range<usize>, emit: &mut dyn FnMut(Range<usize>)) {
        match self {
            Self::Behaving(rule, behavior, invert) => {
                custom::split(rule, *behavior, *invert, text, part, emit);
            }
            rule => rule.parts(text, part, &mut |part, _| emit(part)),
        }
    }

    /// Cuts `text[part]` into matches and gaps; `emit` is told whether a part is a match.
    fn parts(&self, text: &str, part: Range<usize>, emit: &mut dyn FnMut(Range<usize>, bool)) {
        let (regex, tail) = match self {
            Self::Digits(rule) => {
                return digits::split(*rule, text, part, &mut |part| emit(part, true));
            }
            Self::Behaving(rule, ..) => return rule.parts(text, part, emit),
            Self::Write(_) => return emit(part, true), // cuts nothing
            Self::Regex(regex, tail) => (regex, *tail),
        };
        let text = &text[..part.end]; // `$` means the end of the piece
        let mut start = part.start;
        while start < part.end {
            // The piece is a text of its own: what lies before it must not be seen.
            let rest = &text[start..];
            let input = Input::new(rest).anchored(Anchored::No);
            let Some(found) = regex.search(&input) else {
                break;
            };
            if found.start() > 0 {
                emit(start..start + found.start(), false);
            }
            let run = start + found.start()..start + found.end();
            start = if found.pattern().as_usize() == 1 {
                split_spaces(text, run, tail, &mut |part| emit(part, true))
            } else if run.is_empty() {
                break; // no pattern of the table matches nothing
            } else {
                emit(run.clone(), true);
                run.end
            };
        }
        if start < part.end {
            emit(start..part.end, false);
        }
    }
}

/// Emits the pieces of a whole run of spaces and returns where the next search starts.
fn split_spaces(
    text: &str,
    run: Range<usize>,
    tail: Tail,
    emit: &mut impl FnMut(Range<usize>),
) -> usize {
    let last = text[run.clone()]
        .chars()
        .next_back()
        .map_or(run.start, |c| run.end - c.len_utf8());
    let at_end = run.end == text.len();
    if last == run.start || (at_end && tail != Tail::PowersOfTwo) {
        emit(run.clone());
        return run.end;
    }
    if tail != Tail::PowersOfTwo {
        emit(run.start..last);
        return last;
    }
    let end = if at_end { run.end } else { last };
    let mut n_left = text[run.start..end].chars().count();
    let mut start = run.start;
    while n_left > 0 {
        let size = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
            .into_iter()
            .find(|&size| size <= n_left);
        let size = size.unwrap_or(1);
        let cut = text[start..end]
            .char_indices()
            .nth(size)
            .map_or(end, |(offset, _)| start + offset);
        emit(start..cut);
        start = cut;
        n_left -= size;
    }
    end
}

/// Names the known pre-tokenizer nearest to `name`, or says where the list is.
fn hint(name: &str) -> String {
    let names = pre_tokenizer_names();
    let near = names
        .iter()
        .map(|known| (distance(name, known), known))
        .min();
    match near {
        Some((steps, known)) if steps <= 2 => format!("did you mean `{known}`?"),
        _ => format!("{} names are known: {}", names.len(), names.join(", ")),
    }
}

/// Levenshtein distance of two short names.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (&a.as_bytes()[..a.len().min(64)], b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
