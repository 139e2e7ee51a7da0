//! Rotary positions against f64 in both pairings.

use kernels::{Context, Level, Pairing, RopeTable, Sizes, rope};

use crate::levels::{references, same_as};
use crate::random::Random;

const THETA: f64 = 10_000.0;

fn frequencies(dim: usize) -> Vec<f64> {
    (0..dim / 2)
        .map(|i| THETA.powf(-2.0 * i as f64 / dim as f64))
        .collect()
}

fn turned(
    (level, num_threads): (Level, usize),
    pairing: Pairing,
    positions: &[u32],
    (dim, head_dim): (usize, usize),
    x: &[f32],
    magnitude: f32,
) -> Vec<f32> {
    let sizes = Sizes {
        max_k: 256,
        max_head_dim: head_dim,
    };
    let context = Context::new(level, num_threads, sizes).expect("threads");
    let mut table = RopeTable::new(positions.len(), dim);
    table.fill(positions.iter().copied(), &frequencies(dim), magnitude);
    let mut x = x.to_vec();
    let n_heads = x.len() / positions.len() / head_dim;
    rope(&context, &table, pairing, &mut x, n_heads, head_dim);
    x
}

#[test]
fn all_pairings_are_near_f64_and_the_same_bits_at_all_levels() {
    for reference in references() {
        let mut random = Random(6);
        for (dim, head_dim) in [(8, 8), (64, 64), (20, 64), (80, 80), (2, 6)] {
            for pairing in [
                Pairing::Interleaved,
                Pairing::HalfSplit,
                Pairing::HalfSplitToInterleaved,
            ] {
                let positions = [0, 1, 2, 31, 32, 33, 511, 2047, 131_071];
                let x = random.floats(positions.len() * 3 * head_dim);
                let run = |how| turned(how, pairing, &positions, (dim, head_dim), &x, 1.5);
                let found = run((reference, 1));
                let heads = found.chunks_exact(head_dim).zip(x.chunks_exact(head_dim));
                for (i, (found, x)) in heads.enumerate() {
                    let position = f64::from(positions[i / 3]);
                    for (pair, frequency) in frequencies(dim).into_iter().enumerate() {
                        let (a, b) = match pairing {
                            Pairing::Interleaved => (2 * pair, 2 * pair + 1),
                            Pairing::HalfSplit | Pairing::HalfSplitToInterleaved => {
                                (pair, pair + dim / 2)
                            }
                        };
                        let (to_a, to_b) = match pairing {
                            Pairing::HalfSplitToInterleaved => (2 * pair, 2 * pair + 1),
                            _ => (a, b),
                        };
                        let (sin, cos) = (position * frequency).sin_cos();
                        let (u, v) = (f64::from(x[a]), f64::from(x[b]));
                        let exact = [1.5 * (u * cos - v * sin), 1.5 * (u * sin + v * cos)];
                        for (found, exact) in [found[to_a], found[to_b]].into_iter().zip(exact) {
                            assert!(
                                (f64::from(found) - exact).abs() <= 5e-7,
                                "{found} for {exact}"
                            );
                        }
                    }
                    assert_eq!(found[dim..], x[dim..], "the rest of a head is left alone");
                }
                for level in same_as(reference) {
                    assert_eq!(run((level, 3)), found, "{}", level.name());
                }
            }
        }
    }
}
