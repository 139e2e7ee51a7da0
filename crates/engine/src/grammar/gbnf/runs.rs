//! Loops over a class of characters that can be read in one go.
//!
//! In `"\"" ([^"\\] | "\\" .)* "\""` the lexer may take as many characters of the first class as come, instead of
//! handing each to the parser, because nothing else that is possible there begins with one of them. That is what is
//! computed here, safely: which characters of the grammar (occurrences, as in Glushkov's construction of automata)
//! may follow which, whatever rule they are in; then which of them may be possible at one place in a text. A class
//! that loops and meets no other one at any place becomes a run.

use std::collections::BTreeSet;

use super::chars::Chars;
use super::{Item, Rules};

/// Larger grammars are left as they are.
const MAX_OCCURRENCES: usize = 2_000;
const MAX_PAIRS: usize = 100_000;

/// Makes runs of all loops that can be.
pub(super) fn find(rules: &mut Rules) {
    let Some(is_run) = analyse(rules) else {
        return;
    };
    let mut at = 0;
    for rule in &mut rules.rules {
        for item in rule.body.iter_mut().flatten() {
            replace(item, &is_run, &mut at);
        }
    }
}

/// Goes through occurrences in the order of [`Analysis::item`].
fn replace(item: &mut Item, is_run: &[bool], at: &mut usize) {
    match item {
        Item::Text(text) => *at += text.chars().count(),
        Item::Any | Item::Run { .. } => *at += 1,
        Item::Class { is_negated, ranges } => {
            if is_run[*at] {
                *item = Item::Run {
                    is_negated: *is_negated,
                    ranges: std::mem::take(ranges),
                };
            }
            *at += 1;
        }
        Item::Rule(_) => {}
        Item::Group(body) => body
            .iter_mut()
            .flatten()
            .for_each(|inner| replace(inner, is_run, at)),
        Item::Repeat { item, .. } => replace(item, is_run, at),
    }
}

type Set = BTreeSet<usize>;

/// What an item may begin and end with, and whether it may be nothing.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ends {
    empty: bool,
    first: Set,
    last: Set,
}

#[derive(Default)]
struct Analysis {
    chars: Vec<Chars>,
    next: Vec<Set>,
    /// Occurrences of classes that are all of a case of a loop without end.
    loops: Vec<usize>,
    rules: Vec<Ends>,
    /// Number of the occurrence that comes next in the walk.
    at: usize,
}

fn analyse(rules: &Rules) -> Option<Vec<bool>> {
    let mut analysis = Analysis {
        rules: vec![Ends::default(); rules.rules.len()],
        ..Analysis::default()
    };
    loop {
        let before = analysis.rules.clone();
        analysis.at = 0;
        analysis.loops.clear();
        for (id, rule) in rules.rules.iter().enumerate() {
            analysis.rules[id] = analysis.body(&rule.body, false)?;
        }
        if analysis.rules == before {
            break;
        }
    }
    let pairs = analysis.pairs(rules.root)?;
    let mut is_run = vec![false; analysis.chars.len()];
    for &id in &analysis.loops {
        is_run[id] = true;
    }
    for (a, b) in pairs {
        if a != b && analysis.chars[a].meets(&analysis.chars[b]) {
            is_run[a] = false;
            is_run[b] = false;
        }
    }
    Some(is_run)
}

impl Analysis {
    fn body(&mut self, body: &[Vec<Item>], is_loop: bool) -> Option<Ends> {
        let mut all = Ends::default();
        for sequence in body {
            let mut whole = Ends {
                empty: true,
                ..Ends::default()
            };
            for item in sequence {
                let item = self.item(item, is_loop && sequence.len() == 1)?;
                self.follow(&whole.last, &item.first);
                if whole.empty {
                    whole.first.extend(&item.first);
                }
                if item.empty {
                    whole.last.extend(&item.last);
                } else {
                    whole.last.clone_from(&item.last);
                }
                whole.empty &= item.empty;
            }
            all.empty |= whole.empty;
            all.first.extend(whole.first);
            all.last.extend(whole.last);
        }
        Some(all)
    }

    /// `is_loop`: the item is all that is repeated, or one of several such.
    fn item(&mut self, item: &Item, is_loop: bool) -> Option<Ends> {
        match item {
            Item::Text(text) => {
                let mut ends = Ends {
                    empty: text.is_empty(),
                    ..Ends::default()
                };
                for (i, c) in text.chars().enumerate() {
                    let id = self.occurrence(Chars::one(c))?;
                    if i == 0 {
                        ends.first.insert(id);
                    }
                    let before = std::mem::replace(&mut ends.last, Set::from([id]));
                    self.follow(&before, &Set::from([id]));
                }
                Some(ends)
            }
            Item::Any | Item::Class { .. } | Item::Run { .. } => {
                let id = self.occurrence(Chars::of(item)?)?;
                if is_loop && matches!(item, Item::Class { .. }) {
                    self.loops.push(id);
                }
                Some(Ends {
                    empty: false,
                    first: Set::from([id]),
                    last: Set::from([id]),
                })
            }
            Item::Rule(id) => Some(self.rules[*id].clone()),
            Item::Group(body) => self.body(body, is_loop),
            Item::Repeat { item, least, most } => {
                let mut ends = self.item(item, most.is_none() && *least <= 1)?;
                if *most != Some(1) {
                    let (last, first) = (ends.last.clone(), ends.first.clone());
                    self.follow(&last, &first);
                }
                ends.empty |= *least == 0;
                Some(ends)
            }
        }
    }

    fn occurrence(&mut self, chars: Chars) -> Option<usize> {
        let id = self.at;
        self.at += 1;
        if id == self.chars.len() {
            if id == MAX_OCCURRENCES {
                return None;
            }
            self.chars.push(chars);
            self.next.push(Set::new());
        }
        Some(id)
    }

    fn follow(&mut self, last: &Set, first: &Set) {
        for &id in last {
            self.next[id].extend(first);
        }
    }

    /// Occurrences that may both be possible at one place of some text.
    fn pairs(&self, root: usize) -> Option<BTreeSet<(usize, usize)>> {
        let mut found = BTreeSet::new();
        let mut todo = Vec::new();
        let mut add = |a: &Set, b: &Set, todo: &mut Vec<(usize, usize)>| {
            for &a in a {
                for &b in b {
                    let pair = (a.min(b), a.max(b));
                    if found.insert(pair) {
                        todo.push(pair);
                    }
                }
            }
            found.len() <= MAX_PAIRS
        };
        let first = &self.rules[root].first;
        let mut fits = add(first, first, &mut todo);
        while let Some((a, b)) = todo.pop() {
            if self.chars[a].meets(&self.chars[b]) {
                // After a character that both are.
                fits &= add(&self.next[a], &self.next[b], &mut todo);
            }
            // Each of them may be the only one that goes on.
            fits &= add(&self.next[a], &self.next[a], &mut todo);
            fits &= add(&self.next[b], &self.next[b], &mut todo);
            if !fits {
                return None;
            }
        }
        Some(found)
    }
}
