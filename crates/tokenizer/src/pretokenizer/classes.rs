//! Unicode character classes by name, from the tables the regex compiler already carries.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// A set of characters: sorted, disjoint ranges.
#[derive(Debug)]
pub(crate) struct CharClass(Vec<(char, char)>);

impl CharClass {
    /// The class a bracket expression or property names, such as `\p{Mn}`.
    ///
    /// # Panics
    /// If `pattern` is not one class. Patterns are constants of this crate.
    pub(crate) fn new(pattern: &str) -> Self {
        let hir = regex_syntax::parse(pattern).expect("a constant pattern parses");
        match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => Self(
                class
                    .iter()
                    .map(|range| (range.start(), range.end()))
                    .collect(),
            ),
            _ => panic!("`{pattern}` is not a character class"),
        }
    }

    /// Whether `c` is in the set.
    pub(crate) fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

/// `\p{N}`.
pub(crate) fn is_number(c: char) -> bool {
    static CLASS: LazyLock<CharClass> = LazyLock::new(|| CharClass::new(r"\p{N}"));
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        CLASS.contains(c)
    }
}

/// `\d`, which is `\p{Nd}`.
pub(crate) fn is_decimal(c: char) -> bool {
    static CLASS: LazyLock<CharClass> = LazyLock::new(|| CharClass::new(r"\p{Nd}"));
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        CLASS.contains(c)
    }
}

/// `\w`.
pub(crate) fn is_word(c: char) -> bool {
    static CLASS: LazyLock<CharClass> = LazyLock::new(|| CharClass::new(r"\w"));
    CLASS.contains(c)
}

/// Non-spacing marks, `\p{Mn}`: what is left of an accent after decomposition.
pub(crate) fn is_nonspacing_mark(c: char) -> bool {
    static CLASS: LazyLock<CharClass> = LazyLock::new(|| CharClass::new(r"\p{Mn}"));
    !c.is_ascii() && CLASS.contains(c)
}

/// `\p{P}`, and every ASCII character that is neither letter, digit, space nor control.
pub(crate) fn is_punctuation(c: char) -> bool {
    static CLASS: LazyLock<CharClass> = LazyLock::new(|| CharClass::new(r"\p{P}"));
    if c.is_ascii() {
        c.is_ascii_punctuation()
    } else {
        CLASS.contains(c)
    }
}

/// `\p{Cc}`, `\p{Cf}` and `\p{Co}`: control, format and private-use characters.
pub(crate) fn is_control(c: char) -> bool {
    static CLASS: LazyLock<CharClass> = LazyLock::new(|| CharClass::new(r"[\p{Cc}\p{Cf}\p{Co}]"));
    if c.is_ascii() {
        c.is_ascii_control()
    } else {
        CLASS.contains(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        assert!(is_nonspacing_mark('\u{301}') && !is_nonspacing_mark('a'));
        assert!(is_punctuation('$') && is_punctuation('。') && !is_punctuation('€'));
        assert!(is_control('\u{200d}') && !is_control(' '));
        assert!(is_number('½') && !is_decimal('½') && is_decimal('٣'));
        assert!(is_word('_') && !is_word('-'));
    }
}
