//! Rotary position embedding (RoPE, Su et al. 2021, arXiv:2104.09864).

use crate::Context;

/// Which two elements of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Neighbours `2i, 2i + 1` (GGUF's llama family).
    Interleaved,
    /// `i` and `i + dim / 2` (GPT-NeoX, qwen).
    HalfSplit,
    /// As [`Pairing::HalfSplit`], and the result is stored as [`Pairing::Interleaved`] has it: for weights of
    /// families whose rows GGUF permutes, taken from files that do not, with the same bits either way.
    HalfSplitToInterleaved,
}

/// Widest head that can be turned.
const MAX_TURNED: usize = 1024;

/// Angles of some positions: `[n_tokens, dim / 2]` pairs of cosine and sine.
#[derive(Default)]
pub struct RopeTable {
    dim: usize,
    turns: Vec<(f32, f32)>,
}

impl RopeTable {
    /// Room for `max_tokens` of `dim` turned elements.
    pub fn new(max_tokens: usize, dim: usize) -> Self {
        Self {
            dim,
            turns: Vec::with_capacity(max_tokens * dim / 2),
        }
    }

    /// Fills the table: pair `i` of position `p` turns by `p * frequencies[i]`, both parts times `magnitude`.
    ///
    /// Angles are taken in f64, so that long contexts keep their precision.
    ///
    /// # Panics
    /// If there are not `dim / 2` frequencies.
    pub fn fill(
        &mut self,
        positions: impl Iterator<Item = u32>,
        frequencies: &[f64],
        magnitude: f32,
    ) {
        assert_eq!(frequencies.len(), self.dim / 2, "one frequency per pair");
        self.turns.clear();
        for position in positions {
            self.turns.extend(frequencies.iter().map(|frequency| {
                let (sin, cos) = (f64::from(position) * frequency).sin_cos();
                (cos as f32 * magnitude, sin as f32 * magnitude)
            }));
        }
    }
}

/// Turns the first `dim` elements of every head of `x` `[n_tokens, n_heads, head_dim]` in place.
///
/// # Panics
/// If the table has not `n_tokens` rows or `dim` exceeds `head_dim`.
pub fn rope(
    context: &Context,
    table: &RopeTable,
    pairing: Pairing,
    x: &mut [f32],
    n_heads: usize,
    head_dim: usize,
) {
    let half = table.dim / 2;
    assert!(table.dim <= head_dim, "turned elements are part of a head");
    assert_eq!(
        x.len() / (n_heads * head_dim) * half,
        table.turns.len(),
        "one row of angles per token"
    );
    if half == 0 {
        return;
    }
    let tokens = x
        .chunks_exact_mut(n_heads * head_dim)
        .zip(table.turns.chunks_exact(half));
    let run = |(token, turns): (&mut [f32], &[(f32, f32)])| {
        for head in token.chunks_exact_mut(head_dim) {
            turn_head(pairing, &mut head[..table.dim], turns);
        }
    };
    if tokens.len() < 8 {
        tokens.for_each(run);
    } else {
        context.pool.each(tokens, |token, _| run(token));
    }
}

fn turn_head(pairing: Pairing, head: &mut [f32], turns: &[(f32, f32)]) {
    match pairing {
        Pairing::Interleaved => {
            for ([a, b], &(cos, sin)) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                (*a, *b) = turn(*a, *b, cos, sin);
            }
        }
        Pairing::HalfSplitToInterleaved => {
            let mut copy = [0.0; MAX_TURNED];
            let copy = &mut copy[..head.len()];
            copy.copy_from_slice(head);
            let (low, high) = copy.split_at(turns.len());
            let pairs = head.as_chunks_mut::<2>().0.iter_mut();
            for (([a, b], (&x, &y)), &(cos, sin)) in pairs.zip(low.iter().zip(high)).zip(turns) {
                (*a, *b) = turn(x, y, cos, sin);
            }
        }
        Pairing::HalfSplit => {
            let (low, high) = head.split_at_mut(turns.len());
            for ((a, b), &(cos, sin)) in low.iter_mut().zip(high).zip(turns) {
                (*a, *b) = turn(*a, *b, cos, sin);
            }
        }
    }
}

/// Plain multiplications and additions, which compilers may not fuse: the same bits on every level.
#[inline(always)]
fn turn(a: f32, b: f32, cos: f32, sin: f32) -> (f32, f32) {
    (a * cos - b * sin, a * sin + b * cos)
}
