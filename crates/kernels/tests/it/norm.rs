//! RMSNorm and LayerNorm against f64, and the same bits however computed.

use kernels::{Context, Level, Sizes, layer_norm, rms_norm};

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

#[test]
fn layer_norms_are_near_f64_and_the_same_bits_at_all_levels() {
    let norm = |level, num_threads, x: &[f32], gain: &[f32], bias: &[f32]| {
        let sizes = Sizes {
            max_k: 256,
            max_head_dim: 16,
        };
        let context = Context::new(level, num_threads, sizes).expect("threads");
        let mut out = vec![f32::NAN; x.len()];
        layer_norm(&context, x, gain, bias, 1e-5, &mut out);
        out
    };
    for reference in references() {
        let mut random = Random(5);
        for (width, has_bias) in [(2, true), (15, false), (16, true), (17, true), (100, false)] {
            let (rows, gain) = (9, random.floats(width));
            let x: Vec<f32> = random.floats(rows * width);
            // Far from 0, as streams are.
            let x: Vec<f32> = x.into_iter().map(|x| 5.0 + 3.0 * x).collect();
            let bias = random.floats(if has_bias { width } else { 0 });
            let expected = norm(reference, 1, &x, &gain, &bias);
            for (x, y) in x.chunks_exact(width).zip(expected.chunks_exact(width)) {
                let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
                let square = |&x: &f32| (f64::from(x) - mean).powi(2);
                let variance = x.iter().map(square).sum::<f64>() / width as f64;
                for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
                    let bias = bias.get(i).map_or(0.0, |&bias| f64::from(bias));
                    let scaled = (f64::from(x) - mean) / (variance + 1e-5).sqrt();
                    let exact = scaled * f64::from(gain[i]) + bias;
                    assert!((f64::from(y) - exact).abs() <= 4e-6, "{y} for {exact}");
                }
            }
            for level in same_as(reference) {
                let found = norm(level, 3, &x, &gain, &bias);
                assert_eq!(found, expected, "{} width={width}", level.name());
            }
        }
    }
}
