//! RMSNorm against f64, and the same bits however computed.

use kernels::{Context, Level, Sizes, rms_norm};

use crate::levels::{best_as, references, same_as};
use crate::random::Random;

fn norm(level: Level, num_threads: usize, x: &[f32], gain: &[f32], eps: f32) -> Vec<f32> {
    let sizes = Sizes {
        max_k: 256,
        max_head_dim: 16,
    };
    let context = Context::new(level, num_threads, sizes).expect("threads");
    let mut out = vec![f32::NAN; x.len()];
    rms_norm(&context, x, gain, eps, &mut out);
    out
}

#[test]
fn norms_are_near_f64_and_the_same_bits_at_all_levels() {
    for reference in references() {
        let mut random = Random(4);
        for width in [1, 2, 15, 16, 17, 64, 100, 576] {
            for rows in [1, 7, 8, 21] {
                let x: Vec<f32> = random
                    .floats(rows * width)
                    .into_iter()
                    .map(|x| x * 7.0)
                    .collect();
                let gain = random.floats(width);
                let eps = 1e-5;
                let expected = norm(reference, 1, &x, &gain, eps);
                for (x, y) in x.chunks_exact(width).zip(expected.chunks_exact(width)) {
                    let squares = x.iter().map(|&x| f64::from(x) * f64::from(x));
                    let mean = squares.sum::<f64>() / width as f64 + f64::from(eps);
                    for ((&x, &gain), &y) in x.iter().zip(&gain).zip(y) {
                        let exact = f64::from(x) / mean.sqrt() * f64::from(gain);
                        assert!(
                            (f64::from(y) - exact).abs() <= 1e-6 * exact.abs(),
                            "{y} for {exact}"
                        );
                    }
                }
                for level in same_as(reference) {
                    for num_threads in [1, 3] {
                        let found = norm(level, num_threads, &x, &gain, eps);
                        let same = found
                            .iter()
                            .zip(&expected)
                            .all(|(a, b)| a.to_bits() == b.to_bits());
                        assert!(same, "{} width={width} rows={rows}", level.name());
                    }
                }
                // A row's result does not depend on the rows beside it.
                let alone = norm(best_as(reference), 1, &x[..width], &gain, eps);
                assert_eq!(alone, expected[..width]);
            }
        }
    }
}

#[test]
fn a_row_of_zeros_stays_zero() {
    assert_eq!(
        norm(Level::best(), 1, &[0.0; 40], &[3.0; 40], 1e-6),
        [0.0; 40]
    );
}
