//! Sets of characters.

use super::Item;

/// Ranges of code points, both ends included, sorted and apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chars(Vec<(u32, u32)>);

const LAST: u32 = char::MAX as u32;

impl Chars {
    pub(super) fn one(c: char) -> Self {
        Self(vec![(c as u32, c as u32)])
    }

    /// What a class or `.` matches.
    pub(super) fn of(item: &Item) -> Option<Self> {
        match item {
            Item::Any => Some(Self(vec![(0, LAST)])),
            Item::Class { is_negated, ranges } | Item::Run { is_negated, ranges } => {
                let mut sorted: Vec<(u32, u32)> =
                    ranges.iter().map(|&(a, b)| (a as u32, b as u32)).collect();
                sorted.sort_unstable();
                let mut joined: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
                for (first, last) in sorted {
                    match joined.last_mut() {
                        Some(before) if first <= before.1.saturating_add(1) => {
                            before.1 = before.1.max(last)
                        }
                        _ => joined.push((first, last)),
                    }
                }
                Some(if *is_negated {
                    Self(outside(&joined))
                } else {
                    Self(joined)
                })
            }
            _ => None,
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            if a.1 < b.0 {
                i += 1;
            } else if b.1 < a.0 {
                j += 1;
            } else {
                return true;
            }
        }
        false
    }
}

fn outside(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut out = Vec::with_capacity(ranges.len() + 1);
    let mut from = 0;
    for &(first, last) in ranges {
        if from < first {
            out.push((from, first - 1));
        }
        from = last + 1;
    }
    if from <= LAST {
        out.push((from, LAST));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(is_negated: bool, ranges: &[(char, char)]) -> Chars {
        let ranges = ranges.to_vec();
        Chars::of(&Item::Class { is_negated, ranges }).expect("a class")
    }

    #[test]
    fn classes_meet_where_they_share_a_character() {
        let letters = class(false, &[('m', 'z'), ('a', 'n')]);
        assert_eq!(letters, class(false, &[('a', 'z')]));
        let others = class(true, &[('a', 'z')]);
        assert!(!letters.meets(&others) && others.meets(&Chars::one('A')));
        assert!(letters.meets(&Chars::one('z')) && !letters.meets(&Chars::one('{')));
        assert!(others.meets(&Chars::of(&Item::Any).expect("all")));
        assert_eq!(class(true, &[('\0', char::MAX)]), Chars(vec![]));
    }
}
