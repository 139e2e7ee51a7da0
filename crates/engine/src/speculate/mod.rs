//! Guessing tokens ahead, so that one step checks several (Leviathan et al. 2023, arXiv:2211.17192).
//!
//! Lossless, and more: a guess is kept only if it is the very token that the sequence's own sampler draws from the
//! logits before it, so with a seed the text is the same as without guesses, bit for bit.

mod costs;
mod drafter;
mod lookup;

pub(crate) use costs::Costs;
pub(crate) use drafter::Drafter;
pub(crate) use lookup::{Lookup, Match};
