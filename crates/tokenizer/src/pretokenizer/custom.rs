//! Splitting rules that a `tokenizer.json` spells out, instead of one of the names.
//!
//! Expressions are Oniguruma's and are run by an automaton, so not all of them can be: lookahead and
//! backreferences cannot, but for the two lookaheads that tokenizers use (see the parent module). What is
//! left is an error that shows the expression.

use std::ops::Range;

use regex_automata::meta::{BuildError, Regex};

use super::{PreTokenizer, Rule, TAIL, Tail, Traits, digits};
use crate::Error;
use crate::normalizer::{Normalizer, check_growth};
use crate::rules::{Behavior, Cut, Pattern, Rules, Step};

/// Expressions with lookahead, each alone in a rule, and what they mean.
const DIGITS: [(&str, digits::Rule); 4] = [
    (r"\d{1,3}(?=(?:\d{3})*\b)", digits::Rule::BeforeBoundary),
    (r"(?=(\d{3})+(?!\d))", digits::Rule::BoundariesOnly),
    (r"(?=(?:\d{3})+(?!\d))", digits::Rule::BoundariesOnly),
    (
        r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
        digits::Rule::Numbers,
    ),
];

impl PreTokenizer {
    /// The rules that a `tokenizer.json` spells out.
    pub(crate) fn custom(rules: &Rules) -> Result<Self, Error> {
        let steps: Vec<Rule> = rules.steps.iter().map(step).collect::<Result<_, _>>()?;
        let growth = steps.iter().map(|step| match step {
            Rule::Write(normalizer) => normalizer.growth(),
            _ => 1.0,
        });
        check_growth(growth.product())?;
        Ok(Self {
            traits: Traits {
                ignore_merges: rules.ignore_merges,
                add_bos: false,
                plain_text: rules.plain_text,
                spm_style: false,
                byte_fallback: rules.byte_fallback,
                fuse_unk: rules.fuse_unk,
            },
            rules: steps,
        })
    }
}

fn step(step: &Step) -> Result<Rule, Error> {
    match step {
        Step::Cut(cut) => rule(cut),
        Step::Write(change) => Ok(Rule::Write(Normalizer::new(std::slice::from_ref(change))?)),
    }
}

fn rule(cut: &Cut) -> Result<Rule, Error> {
    let rule = match &cut.pattern {
        Pattern::Text(text) => Rule::Regex(compile(&regex_syntax::escape(text))?, Tail::None),
        Pattern::Regex(pattern) => expression(pattern)?,
    };
    Ok(match (cut.behavior, cut.invert) {
        (Behavior::Isolated, _) => rule,
        (behavior, invert) => Rule::Behaving(Box::new(rule), behavior, invert),
    })
}

fn expression(pattern: &str) -> Result<Rule, Error> {
    if let Some((_, rule)) = DIGITS.iter().find(|(known, _)| *known == pattern) {
        return Ok(Rule::Digits(*rule));
    }
    // Without the last `\s+` a single space before text is left over, and a piece all the same.
    let head = pattern
        .strip_suffix(TAIL)
        .or_else(|| pattern.strip_suffix(r"|\s+(?!\S)"));
    let Some(head) = head else {
        return Ok(Rule::Regex(compile(pattern)?, Tail::None));
    };
    check(head)?;
    let regex = Regex::new_many(&[&translated(head), r"\s+"]);
    let regex = regex.map_err(|error| refused(pattern, reason(&error)))?;
    Ok(Rule::Regex(regex, Tail::LeaveOne))
}

/// An expression of Oniguruma's as an automaton.
///
/// # Errors
/// If it needs lookahead or backreferences, or is too large.
pub(crate) fn compile(pattern: &str) -> Result<Regex, Error> {
    check(pattern)?;
    Regex::new(&translated(pattern)).map_err(|error| refused(pattern, reason(&error)))
}

/// The last line says what is wrong, those before it show where.
fn reason(error: &BuildError) -> String {
    let text = error
        .syntax_error()
        .map_or_else(|| error.to_string(), ToString::to_string);
    text.lines().last().unwrap_or_default().to_owned()
}

/// In Oniguruma's syntax `^` and `$` are the ends of a line.
fn translated(pattern: &str) -> String {
    format!("(?m:{pattern})")
}

/// Finds what would be read without an error, but with another meaning: possessive quantifiers, and `\h`.
fn check(pattern: &str) -> Result<(), Error> {
    let mut in_class = 0_usize;
    let mut last = ' ';
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                last = ' ';
                continue;
            }
            '[' => in_class += 1,
            ']' => in_class = in_class.saturating_sub(1),
            '+' if in_class == 0 && matches!(last, '?' | '*' | '+') => {
                let what = "possessive quantifiers are not supported";
                return Err(refused(pattern, what.to_owned()));
            }
            _ => {}
        }
        last = c;
    }
    Ok(())
}

fn refused(pattern: &str, reason: String) -> Error {
    Error::Pattern {
        pattern: pattern.to_owned(),
        reason,
    }
}

/// Cuts `text[part]` by `rule` and does with matches and gaps as `behavior` says.
pub(super) fn split(
    rule: &Rule,
    behavior: Behavior,
    invert: bool,
    text: &str,
    part: Range<usize>,
    emit: &mut dyn FnMut(Range<usize>),
) {
    let mut parts: Vec<(Range<usize>, bool)> = Vec::new();
    rule.parts(text, part, &mut |part, is_match| {
        parts.push((part, is_match != invert));
    });
    let mut open: Option<(Range<usize>, bool)> = None;
    for (part, is_match) in parts {
        let joins = open.as_ref().is_some_and(|(_, before)| match behavior {
            Behavior::Isolated | Behavior::Removed => false,
            Behavior::MergedWithPrevious => is_match && !before,
            Behavior::MergedWithNext => !is_match && *before,
            Behavior::Contiguous => is_match == *before,
        });
        match &mut open {
            Some((piece, before)) if joins => {
                piece.end = part.end;
                *before = is_match;
            }
            open => {
                let dropped = behavior == Behavior::Removed && is_match;
                let next = (!dropped).then_some((part, is_match));
                if let Some((piece, _)) = std::mem::replace(open, next) {
                    emit(piece);
                }
            }
        }
    }
    if let Some((piece, _)) = open {
        emit(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Normalize;

    fn pieces(pattern: Pattern, behavior: Behavior, invert: bool, text: &str) -> Vec<String> {
        let cut = Cut {
            pattern,
            behavior,
            invert,
        };
        all_pieces(vec![Step::Cut(cut)], text)
    }

    fn all_pieces(steps: Vec<Step>, text: &str) -> Vec<String> {
        let rules = Rules {
            steps,
            ..Rules::default()
        };
        let pre = PreTokenizer::custom(&rules).expect("sound");
        let mut pieces = Vec::new();
        pre.split(text, true, |piece| pieces.push(piece.to_owned()));
        pieces
    }

    /// Only the piece at the very start is the first one.
    #[test]
    fn pieces_are_written_and_cut_again() {
        let cut = |pattern: &str, behavior| {
            Step::Cut(Cut {
                pattern: Pattern::Text(pattern.into()),
                behavior,
                invert: false,
            })
        };
        let prepend = |first| {
            Step::Write(Normalize::Prepend {
                text: "_".into(),
                once: true,
                first,
            })
        };
        let steps = |first| {
            vec![
                cut(" ", Behavior::Removed),
                prepend(first),
                cut("_", Behavior::MergedWithNext),
            ]
        };
        assert_eq!(all_pieces(steps(false), "a_b c"), ["_a", "_b", "_c"]);
        assert_eq!(all_pieces(steps(true), "a_b c"), ["_a", "_b", "c"]);
    }

    /// As the `tokenizers` library's documentation has them for `the-final--countdown` cut at `-`.
    #[test]
    fn behaviours_are_those_of_the_library() {
        let dash = |behavior, invert| {
            let text = "the-final--countdown";
            pieces(Pattern::Text("-".into()), behavior, invert, text).join("|")
        };
        assert_eq!(dash(Behavior::Removed, false), "the|final|countdown");
        assert_eq!(dash(Behavior::Isolated, false), "the|-|final|-|-|countdown");
        assert_eq!(
            dash(Behavior::MergedWithPrevious, false),
            "the-|final-|-|countdown"
        );
        assert_eq!(
            dash(Behavior::MergedWithNext, false),
            "the|-final|-|-countdown"
        );
        assert_eq!(
            dash(Behavior::Contiguous, false),
            "the|-|final|--|countdown"
        );
        assert_eq!(dash(Behavior::Removed, true), "-|-|-");
    }

    #[test]
    fn the_tail_keeps_its_meaning_under_every_behaviour() {
        let pattern = Pattern::Regex(r"\p{L}+| ?\p{L}+|\s+(?!\S)|\s+".into());
        for (behavior, invert) in [(Behavior::Isolated, false), (Behavior::Removed, true)] {
            let found = pieces(pattern.clone(), behavior, invert, "a   b  ");
            assert_eq!(found, ["a", "  ", " b", "  "]);
        }
    }

    #[test]
    fn an_end_is_that_of_a_line() {
        let found = pieces(
            Pattern::Regex(" $".into()),
            Behavior::Isolated,
            false,
            "a \nb ",
        );
        assert_eq!(found, ["a", " ", "\nb", " "]);
    }

    #[test]
    fn what_an_automaton_cannot_do_is_an_error_that_shows_it() {
        for pattern in [
            r"a(?=b)",
            r"(a)\1",
            r"a(?!b)|c",
            r"\p{L}++",
            r"(?<=a)b",
            r"(",
        ] {
            let error = compile(pattern).expect_err(pattern).to_string();
            assert!(error.contains(pattern), "{error}");
        }
        for sound in [r"[?+]+", r"\?+", r"\p{N}{1,3}", r"(?i:'s|'t)"] {
            assert!(compile(sound).is_ok(), "{sound}");
        }
    }
}
