//! What is wrong with rules that parse: left recursion, and no end. And whether there is any recursion at all.

use super::{Item, Rules, wrong};
use crate::grammar::GrammarError;

/// Whether a rule that `root` needs leads back to itself.
///
/// # Errors
/// If a rule leads back to itself before any character is read, or no text of it is finite.
pub(super) fn check(rules: &Rules) -> Result<bool, GrammarError> {
    let is_nullable = fixed_point(rules, Kind::Empty);
    let can_end = fixed_point(rules, Kind::Finite);
    if let Some(id) = can_end.iter().position(|can_end| !can_end) {
        let rule = &rules.rules[id];
        let why = format!(
            "rule `{}` has no end: it always needs itself again",
            rule.name
        );
        return Err(wrong(rule.place, why));
    }
    let first: Vec<Vec<usize>> = each(rules, |body, out| {
        for sequence in body {
            leading(sequence, &is_nullable, out);
        }
    });
    if let Some(id) = on_cycle(&first, 0..rules.rules.len()) {
        let rule = &rules.rules[id];
        return Err(wrong(
            rule.place,
            format!(
                "rule `{}` is left-recursive: it begins with itself",
                rule.name
            ),
        ));
    }
    let all: Vec<Vec<usize>> = each(rules, |body, out| {
        for sequence in body {
            sequence.iter().for_each(|item| mentioned(item, out));
        }
    });
    Ok(on_cycle(&all, std::iter::once(rules.root)).is_some())
}

fn each(rules: &Rules, mut add: impl FnMut(&[Vec<Item>], &mut Vec<usize>)) -> Vec<Vec<usize>> {
    rules
        .rules
        .iter()
        .map(|rule| {
            let mut out = Vec::new();
            add(&rule.body, &mut out);
            out.sort_unstable();
            out.dedup();
            out
        })
        .collect()
}

/// Which rules have some text of this kind: the least fixed point.
fn fixed_point(rules: &Rules, kind: Kind) -> Vec<bool> {
    let mut known = vec![false; rules.rules.len()];
    loop {
        let mut changed = false;
        for (id, rule) in rules.rules.iter().enumerate() {
            if !known[id] && any_has(&rule.body, kind, &known) {
                known[id] = true;
                changed = true;
            }
        }
        if !changed {
            return known;
        }
    }
}

/// A kind of text.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Empty,
    Finite,
}

fn any_has(body: &[Vec<Item>], kind: Kind, known: &[bool]) -> bool {
    body.iter()
        .any(|sequence| sequence.iter().all(|item| has(item, kind, known)))
}

fn has(item: &Item, kind: Kind, known: &[bool]) -> bool {
    match item {
        Item::Text(text) => kind == Kind::Finite || text.is_empty(),
        Item::Class { .. } | Item::Run { .. } | Item::Any => kind == Kind::Finite,
        Item::Rule(id) => known[*id],
        Item::Group(body) => any_has(body, kind, known),
        Item::Repeat { item, least, most } => {
            *least == 0 || *most == Some(0) || has(item, kind, known)
        }
    }
}

/// Rules that `sequence` may begin with.
fn leading(sequence: &[Item], is_nullable: &[bool], out: &mut Vec<usize>) {
    for item in sequence {
        match item {
            Item::Rule(id) => out.push(*id),
            Item::Group(body) => body
                .iter()
                .for_each(|inner| leading(inner, is_nullable, out)),
            Item::Repeat { item, .. } => leading(std::slice::from_ref(item), is_nullable, out),
            Item::Text(_) | Item::Class { .. } | Item::Run { .. } | Item::Any => {}
        }
        if !has(item, Kind::Empty, is_nullable) {
            return;
        }
    }
}

fn mentioned(item: &Item, out: &mut Vec<usize>) {
    match item {
        Item::Rule(id) => out.push(*id),
        Item::Group(body) => body
            .iter()
            .flatten()
            .for_each(|inner| mentioned(inner, out)),
        Item::Repeat { item, .. } => mentioned(item, out),
        Item::Text(_) | Item::Class { .. } | Item::Run { .. } | Item::Any => {}
    }
}

/// A node on a cycle that can be reached from `from`. Without recursion: a grammar may have many rules in a row.
fn on_cycle(edges: &[Vec<usize>], from: impl IntoIterator<Item = usize>) -> Option<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    for start in from {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, at)) = path.last_mut() {
            match edges[*node].get(*at) {
                Some(&next) => {
                    *at += 1;
                    match marks[next] {
                        Mark::Open => return Some(next),
                        Mark::New => {
                            marks[next] = Mark::Open;
                            path.push((next, 0));
                        }
                        Mark::Done => {}
                    }
                }
                None => {
                    marks[*node] = Mark::Done;
                    path.pop();
                }
            }
        }
    }
    None
}
