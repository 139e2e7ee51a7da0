//! Guesses from the text itself: what came after the longest end of it the last time that end came.
//!
//! A suffix automaton (Blumer et al. 1985, doi:10.1016/0304-3975(85)90157-4) over prompt and reply, grown token by
//! token, finds in constant time per token the longest suffix that stands earlier in the text (Hu et al. 2024,
//! "SAM decoding", arXiv:2411.10666). No second model is needed; it pays where a text repeats itself or its prompt,
//! as edited code does.

use std::collections::HashMap;

/// The longest end of a text that stands earlier in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Match {
    /// Its length in tokens; 0 if there is none.
    pub(crate) len: usize,
    /// Where its earlier occurrence ends: the position of the token that came next.
    pub(crate) next: usize,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Length of the longest string that leads here.
    len: u32,
    /// The state of the longest suffix that leads elsewhere.
    link: u32,
    /// Position after an occurrence, the latest that was asked for.
    end: u32,
    /// Its first edge; the others follow from there.
    edge: u32,
}

/// A token that leads from one state to another.
#[derive(Clone, Copy, Debug)]
struct Edge {
    token: u32,
    to: u32,
    /// The next of the same state.
    next: u32,
}

const ROOT: u32 = 0;
/// No edge.
const NONE: u32 = u32::MAX;

/// The automaton of one text.
#[derive(Debug)]
pub(crate) struct Lookup {
    states: Vec<State>,
    edges: Vec<Edge>,
    /// Which edge leads from a state by a token.
    index: HashMap<(u32, u32), u32>,
    /// The state of the whole text.
    last: u32,
    /// The state and length of the longest suffix that stands earlier.
    matched: (u32, u32),
    len: u32,
}

impl Lookup {
    /// Of no text, with room for `max_len` tokens.
    pub(crate) fn with_capacity(max_len: usize) -> Self {
        let root = State {
            len: 0,
            link: ROOT,
            end: 0,
            edge: NONE,
        };
        let mut states = Vec::with_capacity(2 * max_len + 1);
        states.push(root);
        Self {
            states,
            edges: Vec::with_capacity(3 * max_len),
            index: HashMap::with_capacity(3 * max_len),
            last: ROOT,
            matched: (ROOT, 0),
            len: 0,
        }
    }

    /// Tokens so far.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Adds a token; the longest suffix that stands earlier.
    pub(crate) fn push(&mut self, token: u32) -> Match {
        self.follow(token);
        self.extend(token);
        let (mut at, len) = self.matched;
        // The state may have been split: the match is then the part of the shorter strings.
        let link = self.states[at as usize].link;
        if len > 0 && self.states[link as usize].len >= len {
            at = link;
        }
        self.matched.0 = at;
        let state = &mut self.states[at as usize];
        let next = state.end as usize;
        // The next to ask gets this occurrence.
        state.end = self.len;
        Match {
            len: len as usize,
            next,
        }
    }

    /// Moves the match along `token`, before it is part of the automaton.
    fn follow(&mut self, token: u32) {
        let (mut at, mut len) = self.matched;
        loop {
            if let Some(next) = self.to(at, token) {
                self.matched = (next, len + 1);
                return;
            }
            if at == ROOT {
                self.matched = (ROOT, 0);
                return;
            }
            at = self.states[at as usize].link;
            len = self.states[at as usize].len;
        }
    }

    fn extend(&mut self, token: u32) {
        self.len += 1;
        let new = self.add(State {
            len: self.len,
            link: ROOT,
            end: self.len,
            edge: NONE,
        });
        let mut at = self.last;
        self.last = new;
        loop {
            if let Some(next) = self.to(at, token) {
                self.states[new as usize].link = self.split(at, next, token);
                return;
            }
            self.lead(at, token, new);
            if at == ROOT {
                return;
            }
            at = self.states[at as usize].link;
        }
    }

    /// The state that `at` leads to by `token` and by no longer string; a copy of `next` if that has longer ones.
    fn split(&mut self, at: u32, next: u32, token: u32) -> u32 {
        let len = self.states[at as usize].len + 1;
        if self.states[next as usize].len == len {
            return next;
        }
        let State { edge, .. } = self.states[next as usize];
        let copy = self.add(State {
            len,
            edge: NONE,
            ..self.states[next as usize]
        });
        self.states[next as usize].link = copy;
        let mut edge = edge;
        while edge != NONE {
            let Edge { token, to, next } = self.edges[edge as usize];
            self.lead(copy, token, to);
            edge = next;
        }
        let mut at = at;
        while self.to(at, token) == Some(next) {
            let edge = self.index[&(at, token)];
            self.edges[edge as usize].to = copy;
            if at == ROOT {
                break;
            }
            at = self.states[at as usize].link;
        }
        copy
    }

    fn to(&self, from: u32, token: u32) -> Option<u32> {
        let edge = self.index.get(&(from, token))?;
        Some(self.edges[*edge as usize].to)
    }

    fn lead(&mut self, from: u32, token: u32, to: u32) {
        let edge = self.edges.len() as u32;
        let state = &mut self.states[from as usize];
        let next = std::mem::replace(&mut state.edge, edge);
        self.edges.push(Edge { token, to, next });
        self.index.insert((from, token), edge);
    }

    fn add(&mut self, state: State) -> u32 {
        self.states.push(state);
        self.states.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use testkit::Random;

    use super::*;

    /// The longest end of `text` that also ends earlier, by trying.
    fn longest(text: &[u32]) -> usize {
        let n = text.len();
        let ends_earlier = |len: &usize| {
            let end = &text[n - len..];
            (*len..n).any(|at| &text[at - len..at] == end)
        };
        (1..n).rev().find(ends_earlier).unwrap_or(0)
    }

    #[test]
    fn the_longest_earlier_end_is_found() {
        for seed in 0..12 {
            let mut random = Random::new(seed);
            let vocab = 2 + random.below(5);
            let mut text: Vec<u32> = Vec::new();
            let mut lookup = Lookup::with_capacity(160);
            while text.len() < 160 {
                let token = random.below(vocab) as u32;
                text.push(token);
                let found = lookup.push(token);
                assert_eq!(found.len, longest(&text), "{text:?}");
                if found.len > 0 {
                    let (end, earlier) = (text.len(), found.next);
                    assert!(earlier < end);
                    let len = found.len;
                    assert_eq!(text[earlier - len..earlier], text[end - len..], "{text:?}");
                }
            }
            assert_eq!(lookup.len(), 160);
            assert!(lookup.states.len() <= 320 && lookup.edges.len() <= 480);
        }
    }

    #[test]
    fn what_came_last_time_is_guessed() {
        let mut lookup = Lookup::with_capacity(20);
        let mut found = Match { len: 0, next: 0 };
        for token in [1, 2, 3, 4, 9, 1, 2, 3, 5, 9, 8, 2, 3] {
            found = lookup.push(token);
        }
        // After `2 3` came 4, then 5.
        assert_eq!(found, Match { len: 2, next: 8 });
    }
}
