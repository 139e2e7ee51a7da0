//! DRY, "don't repeat yourself": a penalty that grows with the length of the repetition that a
//! token would continue.
//!
//! ```text
//! text    a b c x a b c          the end `a b c` (3 tokens) stood before, followed by x
//! logit[x] -= multiplier * base^(3 - allowed_length)
//! ```
//!
//! A sequence breaker, such as a newline or a quotation mark, ends the stretch in which repetition
//! is seen. By p-e-w, text-generation-webui pull request 5677 (2024); llama.cpp's definition, with
//! the breakers of pi6am (koboldcpp pull request 982). The lengths come from one pass of the
//! Z-algorithm (Gusfield 1997, section 1.4) over the reversed text.

use std::collections::HashMap;

use super::candidates::Candidates;
use super::params::SamplerParams;
use super::penalties::last_n;

/// Longest breaker text that is looked at, in bytes.
const MAX_BREAKER_BYTES: usize = 40;
/// Most tokens that may follow the first of a breaker.
const MAX_TAIL: usize = 20;

/// Sequence breakers in tokens: the first token, and what may follow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryBreakers {
    tails: HashMap<u32, Vec<Vec<u32>>>,
}

impl DryBreakers {
    /// Breakers given as token sequences; empty ones are ignored.
    pub fn from_tokens(sequences: &[Vec<u32>]) -> Self {
        let mut breakers = Self::default();
        for sequence in sequences {
            if let [head, tail @ ..] = &sequence[..] {
                breakers.add(*head, tail.to_vec());
            }
        }
        breakers
    }

    /// Breakers given as texts: every token that holds the text, and every token that ends in its
    /// beginning, followed by the tokens of the rest.
    ///
    /// `pieces` are the tokens' bytes; `tokenize` encodes without special tokens. One pass over
    /// the vocabulary for each text.
    pub fn from_texts<'v>(
        texts: &[String],
        pieces: impl Iterator<Item = (u32, &'v [u8])> + Clone,
        mut tokenize: impl FnMut(&str) -> Vec<u32>,
    ) -> Self {
        let mut breakers = Self::default();
        for text in texts {
            let text = &text[..text.floor_char_boundary(MAX_BREAKER_BYTES)];
            if text.is_empty() {
                continue;
            }
            for (id, piece) in pieces.clone() {
                if piece
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
                {
                    breakers.add(id, Vec::new());
                    continue;
                }
                let longest = (text.len() - 1).min(piece.len());
                for length in (1..=longest).filter(|&length| text.is_char_boundary(length)) {
                    if piece.ends_with(&text.as_bytes()[..length]) {
                        let mut tail = tokenize(&text[length..]);
                        tail.truncate(MAX_TAIL);
                        breakers.add(id, tail);
                    }
                }
            }
        }
        breakers
    }

    fn add(&mut self, head: u32, tail: Vec<u32>) {
        let tails = self.tails.entry(head).or_default();
        if !tails.contains(&tail) {
            tails.push(tail);
        }
    }

    /// Number of tokens after the last breaker in `recent`, which begins with the newest token.
    fn stretch(&self, recent: &[u32]) -> usize {
        for (back, token) in recent.iter().enumerate() {
            let tails = self.tails.get(token).into_iter().flatten();
            let fits = |tail: &&Vec<u32>| {
                tail.len() <= back
                    && tail
                        .iter()
                        .zip(recent[..back].iter().rev())
                        .all(|(a, b)| a == b)
            };
            if let Some(longest) = tails.filter(fits).map(Vec::len).max() {
                return back - longest;
            }
        }
        recent.len()
    }

    fn is_breaker(&self, token: u32) -> bool {
        self.tails
            .get(&token)
            .is_some_and(|tails| tails.iter().any(Vec::is_empty))
    }
}

/// Working memory of one sampler, kept between tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct DryScratch {
    recent: Vec<u32>,
    repeats: Vec<usize>,
    /// Tokens that would continue a repetition, with its length.
    continued: Vec<(u32, usize)>,
}

/// Penalises tokens that would continue a repetition in `history`.
pub(super) fn apply(
    candidates: &mut Candidates,
    params: &SamplerParams,
    breakers: &DryBreakers,
    history: &[u32],
    scratch: &mut DryScratch,
) {
    let (multiplier, base, allowed) = (
        params.dry_multiplier,
        params.dry_base,
        params.dry_allowed_length,
    );
    if multiplier == 0.0 || base < 1.0 {
        return;
    }
    let DryScratch {
        recent,
        repeats,
        continued,
    } = scratch;
    recent.clear();
    recent.extend(last_n(history, params.dry_penalty_last_n).iter().rev());
    if recent.len() <= allowed {
        return;
    }
    let stretch = breakers.stretch(recent);
    if stretch < allowed {
        return;
    }
    z_values(recent, repeats);
    continued.clear();
    // A text that repeats more has more of them; room for all, so that none is taken token by token.
    continued.reserve(repeats.len());
    for (place, &length) in repeats.iter().enumerate().skip(1) {
        let length = length.min(stretch);
        if length >= allowed {
            // What stood right after that earlier occurrence would continue it.
            continued.push((recent[place - 1], length));
        }
    }
    continued.sort_unstable();
    // Beyond this exponent the power overflows.
    let max_exponent = if base > 1.000_001 {
        (f32::MAX.ln() / base.ln()) as usize
    } else {
        0
    };
    for run in continued.chunk_by(|a, b| a.0 == b.0) {
        let (token, longest) = run[run.len() - 1];
        if breakers.is_breaker(token) {
            continue;
        }
        let Some(logit) = candidates.logit_mut(token) else {
            continue;
        };
        let exponent = longest - allowed;
        let exponent = if max_exponent > 0 {
            exponent.min(max_exponent)
        } else {
            exponent
        };
        let penalty = multiplier * base.powi(i32::try_from(exponent).unwrap_or(i32::MAX));
        if *logit > f32::NEG_INFINITY {
            *logit = (*logit - penalty).max(f32::MIN);
        }
    }
}

/// `z[i]` = length of the longest common prefix of `text` and `text[i..]`, for i from 1; `z[0]` is 0.
fn z_values(text: &[u32], z: &mut Vec<usize>) {
    z.clear();
    z.resize(text.len(), 0);
    // text[left..right] is the match that reaches furthest so far.
    let (mut left, mut right) = (0, 0);
    for at in 1..text.len() {
        let mut length = if at < right {
            z[at - left].min(right - at)
        } else {
            0
        };
        while at + length < text.len() && text[length] == text[at + length] {
            length += 1;
        }
        z[at] = length;
        if at + length > right {
            (left, right) = (at, at + length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z_values_count_common_prefixes() {
        let mut z = Vec::new();
        z_values(&[1, 1, 2, 1, 1, 2, 1, 1, 1], &mut z);
        assert_eq!(z, [0, 1, 0, 5, 1, 0, 2, 2, 1]);
        z_values(&[], &mut z);
        assert!(z.is_empty());
    }

    #[test]
    fn texts_become_tokens_that_overlap_them() {
        let pieces: [&[u8]; 6] = [b"a", b"\n", b"x\n", b"User", b"Us", b"er:"];
        let pieces = (0_u32..).zip(pieces);
        let texts = ["\n".to_owned(), "User:".to_owned()];
        let breakers = DryBreakers::from_texts(&texts, pieces, |rest| match rest {
            ":" => vec![7],
            "er:" => vec![5],
            other => panic!("{other}"),
        });
        let expected = DryBreakers::from_tokens(&[vec![1], vec![2], vec![3, 7], vec![4, 5]]);
        assert_eq!(breakers, expected);
    }
}
