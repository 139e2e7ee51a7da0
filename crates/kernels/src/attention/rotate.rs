//! The rotation that int8 keys, values and queries go through.
//!
//! A few elements of a head are often far larger than the others (keys with biases above all) and would
//! spend the whole range of int8. The Walsh-Hadamard matrix `H` spreads each element over all others, and as
//! `H H = n I`, products stay what they were: `(H q)·(H k) = n q·k`, `H (Σ p H v) = n Σ p v`. The same for
//! 4-bit caches: QuaRot, Ashkboos et al. 2024, arXiv:2404.00456.

use crate::isa::{Isa, LANES};

/// Length of the stretches that are rotated: the largest power of two that divides `head_dim`.
pub(super) fn size(head_dim: usize) -> usize {
    1 << head_dim.trailing_zeros()
}

/// `x = H x` for each stretch of `size` elements, `x` being whole vectors. Only sums and differences, so `|x|`
/// grows by `sqrt(size)`.
#[inline(always)]
pub(super) fn rotate<I: Isa>(isa: I, x: &mut [f32], size: usize) {
    let x = x.as_chunks_mut::<LANES>().0;
    let mut half = size / 2;
    while half >= LANES {
        let vectors = half / LANES;
        for pair in x.chunks_exact_mut(2 * vectors) {
            let (a, b) = pair.split_at_mut(vectors);
            for i in 0..vectors {
                let (low, high) = (isa.load(&a[i]), isa.load(&b[i]));
                isa.store(isa.add(low, high), &mut a[i]);
                isa.store(isa.sub(low, high), &mut b[i]);
            }
        }
        half /= 2;
    }
    for x in x {
        let mut lanes = isa.load(x);
        if half >= 8 {
            lanes = isa.butterfly::<8>(lanes);
        }
        if half >= 4 {
            lanes = isa.butterfly::<4>(lanes);
        }
        if half >= 2 {
            lanes = isa.butterfly::<2>(lanes);
        }
        if half >= 1 {
            lanes = isa.butterfly::<1>(lanes);
        }
        isa.store(lanes, x);
    }
}
