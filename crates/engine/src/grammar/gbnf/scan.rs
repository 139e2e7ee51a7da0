//! Characters of a GBNF text, with their places.

use super::{Place, wrong};
use crate::grammar::GrammarError;

pub(super) struct Scanner<'a> {
    rest: std::str::Chars<'a>,
    place: Place,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            place: Place { line: 1, column: 1 },
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    /// Takes `text` if it is next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let is_next = self.rest.as_str().starts_with(text);
        if is_next {
            for _ in text.chars() {
                self.next();
            }
        }
        is_next
    }

    /// Takes characters as long as `wanted` holds.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let before = self.rest.as_str();
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        &before[..before.len() - self.rest.as_str().len()]
    }

    /// Passes over blanks and comments, and line ends if `newlines`.
    pub(super) fn skip_space(&mut self, newlines: bool) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => {
                    self.next();
                }
                Some('\r' | '\n') if newlines => {
                    self.next();
                }
                Some('#') => {
                    self.take_while(|c| c != '\n' && c != '\r');
                }
                _ => return,
            }
        }
    }

    /// One character of a text or class, escapes resolved.
    pub(super) fn character(&mut self) -> Result<char, GrammarError> {
        let place = self.place;
        let Some(c) = self.next() else {
            return Err(wrong(place, "expected a character, found the end"));
        };
        if c != '\\' {
            return Ok(c);
        }
        match self.next() {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some(c @ ('\\' | '"' | '[' | ']')) => Ok(c),
            Some('x') => self.hex(2, place),
            Some('u') => self.hex(4, place),
            Some('U') => self.hex(8, place),
            Some(c) => Err(wrong(place, format!("unknown escape `\\{c}`"))),
            None => Err(wrong(place, "expected an escape, found the end")),
        }
    }

    fn hex(&mut self, digits: usize, place: Place) -> Result<char, GrammarError> {
        let mut number = 0_u32;
        for _ in 0..digits {
            let digit = self.next().and_then(|c| c.to_digit(16));
            let wanted = || wrong(place, format!("expected {digits} hexadecimal digits"));
            number = number << 4 | digit.ok_or_else(wanted)?;
        }
        char::from_u32(number)
            .ok_or_else(|| wrong(place, format!("expected a character, found U+{number:04X}")))
    }
}
