//! The parser: recursive descent, as deep as brackets are nested.

use std::collections::HashMap;

use super::scan::Scanner;
use super::{Alternatives, Item, Place, Rule, Rules, wrong};
use crate::grammar::{GrammarError, limits};

pub(super) fn read(text: &str) -> Result<Rules, GrammarError> {
    let mut reader = Reader {
        scan: Scanner::new(text),
        ids: HashMap::new(),
        found: Vec::new(),
    };
    reader.scan.skip_space(true);
    while reader.scan.peek().is_some() {
        reader.rule()?;
        reader.scan.skip_space(true);
    }
    let Some(&root) = reader.ids.get("root") else {
        return Err(wrong(
            reader.scan.place(),
            "expected a rule `root`, found none",
        ));
    };
    let mut rules = Vec::with_capacity(reader.found.len());
    for (name, place, body) in reader.found {
        let Some(body) = body else {
            return Err(wrong(place, format!("unknown rule `{name}`")));
        };
        rules.push(Rule { name, place, body });
    }
    Ok(Rules { rules, root })
}

struct Reader<'a> {
    scan: Scanner<'a>,
    ids: HashMap<String, usize>,
    /// Name, where it was met first, and its body once that has been read.
    found: Vec<(String, Place, Option<Alternatives>)>,
}

impl Reader<'_> {
    fn id(&mut self, name: &str, place: Place) -> usize {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.found.len();
        self.ids.insert(name.to_owned(), id);
        self.found.push((name.to_owned(), place, None));
        id
    }

    fn name(&mut self) -> Result<(String, Place), GrammarError> {
        let place = self.scan.place();
        let name = self.scan.take_while(is_word);
        if name.is_empty() {
            let found = self.found_next();
            return Err(wrong(
                place,
                format!("expected a rule's name, found {found}"),
            ));
        }
        Ok((name.to_owned(), place))
    }

    fn rule(&mut self) -> Result<(), GrammarError> {
        let (name, place) = self.name()?;
        self.scan.skip_space(false);
        if !self.scan.take("::=") {
            let found = self.found_next();
            return Err(wrong(
                self.scan.place(),
                format!("expected `::=`, found {found}"),
            ));
        }
        self.scan.skip_space(true);
        let id = self.id(&name, place);
        if self.found[id].2.is_some() {
            return Err(wrong(place, format!("rule `{name}` is defined twice")));
        }
        let body = self.alternatives(0)?;
        self.found[id].1 = place;
        self.found[id].2 = Some(body);
        match self.scan.peek() {
            None | Some('\n' | '\r') => Ok(()),
            Some(_) => {
                let found = self.found_next();
                Err(wrong(
                    self.scan.place(),
                    format!("expected the end of the line, found {found}"),
                ))
            }
        }
    }

    fn alternatives(&mut self, depth: usize) -> Result<Alternatives, GrammarError> {
        limits::check("nested brackets", limits::MAX_DEPTH, depth)?;
        let mut all = vec![self.sequence(depth)?];
        while self.scan.take("|") {
            self.scan.skip_space(true);
            all.push(self.sequence(depth)?);
        }
        Ok(all)
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Item>, GrammarError> {
        let mut items = Vec::new();
        loop {
            let place = self.scan.place();
            let item = match self.scan.peek() {
                Some('"') => self.text()?,
                Some('[') => self.class()?,
                Some('.') => {
                    self.scan.next();
                    Item::Any
                }
                Some('(') => {
                    self.scan.next();
                    self.scan.skip_space(true);
                    let inner = self.alternatives(depth + 1)?;
                    if !self.scan.take(")") {
                        let found = self.found_next();
                        return Err(wrong(
                            self.scan.place(),
                            format!("expected `)`, found {found}"),
                        ));
                    }
                    Item::Group(inner)
                }
                Some('<' | '!') => {
                    return Err(wrong(place, "tokens by name or number cannot be used"));
                }
                Some('*' | '+' | '?' | '{') => {
                    return Err(wrong(place, "expected something to repeat before this"));
                }
                Some(c) if is_word(c) => {
                    let (name, place) = self.name()?;
                    Item::Rule(self.id(&name, place))
                }
                _ => return Ok(items),
            };
            let item = self.repeated(item, depth)?;
            items.push(item);
        }
    }

    fn repeated(&mut self, mut item: Item, depth: usize) -> Result<Item, GrammarError> {
        loop {
            self.scan.skip_space(depth > 0);
            let place = self.scan.place();
            let (least, most) = match self.scan.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => {
                    self.scan.next();
                    let times = self.times(place)?;
                    item = repeat(item, times, place)?;
                    continue;
                }
                _ => return Ok(item),
            };
            self.scan.next();
            item = repeat(item, (least, most), place)?;
        }
    }

    /// `m}`, `m,}` or `m,n}`.
    fn times(&mut self, place: Place) -> Result<(u32, Option<u32>), GrammarError> {
        let least = self.number()?;
        let most = if self.scan.take(",") {
            self.scan.skip_space(false);
            match self.scan.peek() {
                Some('}') => None,
                _ => Some(self.number()?),
            }
        } else {
            Some(least)
        };
        if !self.scan.take("}") {
            let found = self.found_next();
            return Err(wrong(
                self.scan.place(),
                format!("expected `}}`, found {found}"),
            ));
        }
        if most.is_some_and(|most| most < least) {
            return Err(wrong(place, "the second number is less than the first"));
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Result<u32, GrammarError> {
        self.scan.skip_space(false);
        let place = self.scan.place();
        let digits = self.scan.take_while(|c| c.is_ascii_digit());
        self.scan.skip_space(false);
        let number = digits.parse().ok().filter(|&n: &u32| n <= MAX_TIMES);
        number.ok_or_else(|| {
            wrong(
                place,
                format!("expected a number up to {MAX_TIMES}, found `{digits}`"),
            )
        })
    }

    fn text(&mut self) -> Result<Item, GrammarError> {
        let place = self.scan.place();
        self.scan.next();
        let mut text = String::new();
        loop {
            match self.scan.peek() {
                Some('"') => break,
                None => return Err(wrong(place, "this text has no end")),
                Some(_) => text.push(self.scan.character()?),
            }
        }
        self.scan.next();
        Ok(Item::Text(text))
    }

    fn class(&mut self) -> Result<Item, GrammarError> {
        let place = self.scan.place();
        self.scan.next();
        let is_negated = self.scan.take("^");
        let mut ranges = Vec::new();
        loop {
            match self.scan.peek() {
                Some(']') => break,
                None => return Err(wrong(place, "this class has no end")),
                Some(_) => {}
            }
            let at = self.scan.place();
            let first = self.scan.character()?;
            let last = if self.scan.peek() == Some('-') {
                self.scan.next();
                match self.scan.peek() {
                    // A `-` before the end is one.
                    Some(']') => {
                        ranges.push(('-', '-'));
                        first
                    }
                    _ => self.scan.character()?,
                }
            } else {
                first
            };
            if last < first {
                return Err(wrong(
                    at,
                    format!("the range ends before it begins: `{first}-{last}`"),
                ));
            }
            ranges.push((first, last));
        }
        self.scan.next();
        if ranges.is_empty() {
            return Err(wrong(place, "expected characters, found an empty class"));
        }
        Ok(Item::Class { is_negated, ranges })
    }

    fn found_next(&self) -> String {
        self.scan.peek().map_or_else(
            || "the end".to_owned(),
            |c| format!("`{}`", c.escape_debug()),
        )
    }
}

/// As in llama.cpp.
const MAX_TIMES: u32 = 2_000;

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn repeat(
    item: Item,
    (least, most): (u32, Option<u32>),
    place: Place,
) -> Result<Item, GrammarError> {
    let mut nested = 0;
    let mut inner = &item;
    while let Item::Repeat { item, .. } = inner {
        nested += 1;
        inner = item;
    }
    if nested >= 4 {
        return Err(wrong(place, "too many repetitions of one thing"));
    }
    Ok(Item::Repeat {
        item: Box::new(item),
        least,
        most,
    })
}
