//! Digits in groups of three counted from the right, as thousands are written: `1234567` is `1 234 567`.
//!
//! Models state this with lookaheads such as `\d{1,3}(?=(?:\d{3})*\b)`, which a backtracking engine
//! evaluates in quadratic time. Walking each run of digits once needs none of that.

use std::ops::Range;

use super::classes::{is_decimal, is_number, is_word};

/// How a family groups digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Every run of `\p{N}` becomes groups.
    Numbers,
    /// A run of `\d` becomes groups if no word character follows: `\d{1,3}(?=(?:\d{3})*\b)`.
    BeforeBoundary,
    /// Runs of `\d` are cut between groups, but not off what stands before: `(?=(\d{3})+(?!\d))`.
    BoundariesOnly,
}

/// Cuts `text[piece]` by `rule`, passing each part to `emit` in order.
pub(super) fn split(
    rule: Rule,
    text: &str,
    piece: Range<usize>,
    emit: &mut impl FnMut(Range<usize>),
) {
    let in_run = if rule == Rule::Numbers {
        is_number
    } else {
        is_decimal
    };
    let mut start = piece.start; // of the part not yet emitted
    let mut at = piece.start;
    while at < piece.end {
        let rest = &text[at..piece.end];
        let run_len = rest.find(|c| !in_run(c)).unwrap_or(rest.len());
        let run_end = at + run_len;
        let next = text[run_end..piece.end].chars().next();
        let grouped = rule != Rule::BeforeBoundary || !next.is_some_and(is_word);
        if run_len > 0 && grouped {
            let run = &text[at..run_end];
            let n_digits = run.chars().count();
            for (i, (offset, _)) in run.char_indices().enumerate() {
                let boundary =
                    (n_digits - i).is_multiple_of(3) || (i == 0 && rule != Rule::BoundariesOnly);
                if boundary && start < at + offset {
                    emit(start..at + offset);
                    start = at + offset;
                }
            }
            if rule != Rule::BoundariesOnly {
                emit(start..run_end);
                start = run_end;
            }
        }
        at = run_end + next.map_or(0, char::len_utf8);
    }
    if start < piece.end {
        emit(start..piece.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(rule: Rule, text: &str) -> Vec<&str> {
        let mut parts = Vec::new();
        split(rule, text, 0..text.len(), &mut |part| {
            parts.push(&text[part])
        });
        parts
    }

    #[test]
    fn groups_count_from_the_right() {
        assert_eq!(
            cut(Rule::Numbers, "a1234567b"),
            ["a", "1", "234", "567", "b"]
        );
        assert_eq!(cut(Rule::Numbers, "123456"), ["123", "456"]);
        assert_eq!(cut(Rule::Numbers, ""), [""; 0]);
    }

    #[test]
    fn a_word_character_after_the_run_keeps_it_whole() {
        assert_eq!(
            cut(Rule::BeforeBoundary, "x12345 67890y"),
            ["x", "12", "345", " 67890y"]
        );
        assert_eq!(cut(Rule::BeforeBoundary, "1234_"), ["1234_"]);
    }

    #[test]
    fn boundaries_alone_leave_the_first_group_where_it_is() {
        assert_eq!(cut(Rule::BoundariesOnly, "½1234"), ["½1", "234"]);
        assert_eq!(cut(Rule::BoundariesOnly, "a123b12"), ["a", "123b12"]);
    }
}
