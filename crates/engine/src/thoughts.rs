//! A bound on thoughts: after so many tokens of them, what ends them is written in the model's stead.
//!
//! Thoughts stand between two marks of the model's chat format. The marks are looked for in the bytes of the reply, since
//! a vocabulary may write them in more than one way; what ends the thoughts is given as tokens. All of it follows from
//! the reply's own tokens, so the text does not depend on who else is computed, nor on guesses.
//!
//! llama.cpp has the same as `--reasoning-budget`.

/// Where thoughts end at the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThoughtLimit {
    /// Most tokens of thoughts, of all that a reply has between the marks.
    pub max_tokens: usize,
    /// The mark before thoughts.
    pub open: String,
    /// The mark after them.
    pub close: String,
    /// Whether the prompt ends with the mark before them.
    pub is_open: bool,
    /// What ends them; the mark after them is part of it.
    pub ending: Vec<u32>,
}

/// How far a reply is with its thoughts.
pub(crate) struct Thoughts {
    limit: ThoughtLimit,
    left: usize,
    state: State,
    /// The last bytes, in which a mark may have begun.
    tail: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    /// So many tokens of the ending have come.
    Ending(usize),
    /// The ending may not come here: thoughts go on as they do.
    GivenUp,
}

impl Thoughts {
    pub(crate) fn new(limit: ThoughtLimit) -> Self {
        let mut thoughts = Self {
            left: limit.max_tokens,
            state: State::Outside,
            tail: Vec::new(),
            limit,
        };
        if thoughts.limit.is_open {
            thoughts.enter();
        }
        thoughts
    }

    /// The token that must come next, if one must.
    pub(crate) fn forced(&self) -> Option<u32> {
        match self.state {
            State::Ending(at) => self.limit.ending.get(at).copied(),
            _ => None,
        }
    }

    /// What must come cannot.
    pub(crate) fn give_up(&mut self) {
        self.state = State::GivenUp;
    }

    /// A token of the reply, and the bytes that it stands for.
    pub(crate) fn push(&mut self, id: u32, bytes: &[u8]) {
        match self.state {
            State::GivenUp => {}
            State::Ending(at) if self.limit.ending.get(at) == Some(&id) => {
                self.state = match at + 1 < self.limit.ending.len() {
                    true => State::Ending(at + 1),
                    false => State::Outside,
                };
                self.tail.clear();
            }
            State::Ending(_) => self.give_up(),
            State::Outside => {
                if self.comes(bytes, true) {
                    self.enter();
                }
            }
            State::Inside => self.think(bytes),
        }
    }

    fn think(&mut self, bytes: &[u8]) {
        if self.comes(bytes, false) {
            self.state = State::Outside;
            return;
        }
        self.left = self.left.saturating_sub(1);
        // Not in the middle of a character.
        if self.left == 0 && is_whole(&self.tail) {
            self.state = State::Ending(0);
        }
    }

    fn enter(&mut self) {
        self.state = match self.left {
            0 => State::Ending(0),
            _ => State::Inside,
        };
    }

    /// Whether a mark is complete with these bytes: the one before thoughts, or the one after them.
    fn comes(&mut self, bytes: &[u8], opens: bool) -> bool {
        let mark = match opens {
            true => self.limit.open.as_bytes(),
            false => self.limit.close.as_bytes(),
        };
        self.tail.extend_from_slice(bytes);
        let mut places = self.tail.windows(mark.len().max(1));
        let found = places.position(|window| window == mark);
        // A character has at most four bytes.
        let kept = mark.len().saturating_sub(1).max(4);
        let from = match found {
            Some(at) => at + mark.len(),
            None => self.tail.len().saturating_sub(kept),
        };
        self.tail.drain(..from);
        found.is_some()
    }
}

/// Whether these bytes do not end within a character.
fn is_whole(bytes: &[u8]) -> bool {
    // Only the first byte of a character says how many there are.
    let lead = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80);
    lead.is_none_or(|at| {
        let len = match bytes[at] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        bytes.len() - at >= len
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDING: [u32; 2] = [900, 901];

    fn limit(max_tokens: usize, is_open: bool) -> ThoughtLimit {
        ThoughtLimit {
            max_tokens,
            open: "<think>".into(),
            close: "</think>".into(),
            is_open,
            ending: ENDING.to_vec(),
        }
    }

    /// After how many of these pieces the ending is forced, if it is.
    fn forced_after(limit: ThoughtLimit, pieces: &[&str]) -> Option<usize> {
        let mut thoughts = Thoughts::new(limit);
        for (at, piece) in pieces.iter().enumerate() {
            if thoughts.forced().is_some() {
                return Some(at);
            }
            thoughts.push(at as u32, piece.as_bytes());
        }
        thoughts.forced().map(|_| pieces.len())
    }

    #[test]
    fn the_ending_comes_after_so_many_tokens() {
        let long = ["<th", "ink>", "a", "b", "c", "d"];
        assert_eq!(forced_after(limit(3, false), &long), Some(5));
        assert_eq!(forced_after(limit(0, false), &long), Some(2));
        assert_eq!(forced_after(limit(2, true), &["a", "b", "c"]), Some(2));
        assert_eq!(forced_after(limit(0, true), &["a"]), Some(0));
        assert_eq!(forced_after(limit(1, false), &["a", "b", "c"]), None);
        let short = ["<think>", "a", "</th", "ink>", "b", "c", "d"];
        assert_eq!(forced_after(limit(4, false), &short), None);
    }

    #[test]
    fn it_waits_for_whole_characters() {
        let mut thoughts = Thoughts::new(limit(1, true));
        let bytes = "é".as_bytes();
        thoughts.push(0, &bytes[..1]);
        assert_eq!(thoughts.forced(), None);
        thoughts.push(1, &bytes[1..]);
        assert_eq!(thoughts.forced(), Some(900));
    }

    #[test]
    fn it_comes_token_by_token_and_again_for_more_thoughts() {
        let mut thoughts = Thoughts::new(limit(1, true));
        thoughts.push(0, b"a");
        for token in ENDING {
            assert_eq!(thoughts.forced(), Some(token));
            thoughts.push(token, b"");
        }
        assert_eq!(thoughts.forced(), None);
        thoughts.push(0, b"<think>");
        assert_eq!(thoughts.forced(), Some(900), "nothing is left");
        thoughts.push(3, b"b");
        assert_eq!(thoughts.forced(), None, "another token came in its place");
    }
}
