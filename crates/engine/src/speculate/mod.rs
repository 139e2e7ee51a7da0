//! Guessing tokens ahead, so that one step checks several (Leviathan et al. 2023, arXiv:2211.17192).
//!
//! Lossless, and more: a guess is kept only if it is the very token that the sequence's own sampler draws from the
//! logits before it, so with a seed the text is the same as without guesses, bit for bit.

mod costs;
mod drafter;
mod lookup;

/// How many tokens are guessed in a row. How many pay is found out while they are made; these are bounds to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guesses {
    /// Fewer are not made at all.
    pub min: usize,
    /// Most; 0 is none.
    pub max: usize,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            min: 0,
            max: usize::MAX,
        }
    }
}

pub(crate) use costs::Costs;
pub(crate) use drafter::Drafter;
pub(crate) use lookup::{Lookup, Match};
