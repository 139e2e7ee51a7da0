//! Rules as Lark. A rule's name is its number: names of GBNF are not names of Lark.

use std::fmt::Write as _;

use super::{Item, Rules};
use crate::grammar::choice::quoted;

/// Lark has two kinds of rules: those of the parser are lower case, those of the lexer (one regular
/// expression each, without recursion) upper case.
pub(super) fn lark(rules: &Rules, is_recursive: bool) -> String {
    let prefix = if is_recursive { 'r' } else { 'R' };
    let mut out = format!("start: {prefix}{}\n", rules.root);
    let mut todo = vec![rules.root];
    let mut is_listed = vec![false; rules.rules.len()];
    is_listed[rules.root] = true;
    while let Some(id) = todo.pop() {
        let mut writer = Writer {
            out: &mut out,
            prefix,
            used: Vec::new(),
        };
        let _ = write!(writer.out, "{prefix}{id}: ");
        writer.alternatives(&rules.rules[id].body);
        writer.out.push('\n');
        for used in writer.used {
            if !std::mem::replace(&mut is_listed[used], true) {
                todo.push(used);
            }
        }
    }
    out
}

struct Writer<'a> {
    out: &'a mut String,
    prefix: char,
    used: Vec<usize>,
}

impl Writer<'_> {
    fn alternatives(&mut self, body: &[Vec<Item>]) {
        for (i, sequence) in body.iter().enumerate() {
            if i > 0 {
                self.out.push_str(" | ");
            }
            if sequence.is_empty() {
                self.out.push_str("\"\"");
            }
            for (i, item) in sequence.iter().enumerate() {
                if i > 0 {
                    self.out.push(' ');
                }
                self.item(item);
            }
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Text(text) => self.text(text),
            Item::Any => self.out.push_str("/(?s:.)/"),
            Item::Class { is_negated, ranges } => self.class(*is_negated, ranges, "]/"),
            Item::Run { is_negated, ranges } => self.class(*is_negated, ranges, "]+/"),
            Item::Rule(id) => {
                let _ = write!(self.out, "{}{id}", self.prefix);
                self.used.push(*id);
            }
            Item::Group(body) => {
                self.out.push('(');
                self.alternatives(body);
                self.out.push(')');
            }
            Item::Repeat { item, least, most } => {
                self.out.push('(');
                self.item(item);
                self.out.push(')');
                match (least, most) {
                    (0, None) => self.out.push('*'),
                    (1, None) => self.out.push('+'),
                    (0, Some(1)) => self.out.push('?'),
                    (least, None) => {
                        let _ = write!(self.out, "{{{least},}}");
                    }
                    (least, Some(most)) => {
                        let _ = write!(self.out, "{{{least},{most}}}");
                    }
                }
            }
        }
    }

    fn class(&mut self, is_negated: bool, ranges: &[(char, char)], end: &str) {
        self.out.push_str(if is_negated { "/[^" } else { "/[" });
        for &(first, last) in ranges {
            let _ = write!(self.out, "\\u{{{:x}}}", first as u32);
            if first != last {
                let _ = write!(self.out, "-\\u{{{:x}}}", last as u32);
            }
        }
        self.out.push_str(end);
    }

    /// One string for each character, see the module's notes; a regular expression takes them together.
    fn text(&mut self, text: &str) {
        if text.is_empty() || self.prefix == 'R' {
            self.out.push_str(&quoted(text));
            return;
        }
        self.out.push('(');
        for (i, c) in text.chars().enumerate() {
            if i > 0 {
                self.out.push(' ');
            }
            self.out.push_str(&quoted(c.encode_utf8(&mut [0; 4])));
        }
        self.out.push(')');
    }
}
