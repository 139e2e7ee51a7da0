//! SwiGLU, GeGLU, soft caps and addition, and through them the exponential and the hyperbolic tangent.

use kernels::{Context, Level, Sizes, add, gelu_mul, silu_mul, softcap};

use crate::levels::{references, same_as};
use crate::random::Random;

fn context(level: Level, num_threads: usize) -> Context {
    let sizes = Sizes {
        max_k: 256,
        max_head_dim: 16,
    };
    Context::new(level, num_threads, sizes).expect("threads")
}

fn silu(level: Level, gate: &[f32]) -> Vec<f32> {
    let mut out = gate.to_vec();
    silu_mul(&context(level, 1), &mut out, &vec![1.0; gate.len()]);
    out
}

fn gelu(level: Level, gate: &[f32]) -> Vec<f32> {
    let mut out = gate.to_vec();
    gelu_mul(&context(level, 1), &mut out, &vec![1.0; gate.len()]);
    out
}

fn capped(level: Level, x: &[f32], cap: f32) -> Vec<f32> {
    let mut out = x.to_vec();
    softcap(&context(level, 1), &mut out, cap);
    out
}

/// Distance in units in the last place of `expected` as f32.
fn ulps(found: f32, expected: f64) -> f64 {
    let size = (expected.abs() as f32).max(f32::MIN_POSITIVE);
    let unit = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
    (f64::from(found) - expected).abs() / unit
}

#[test]
fn silu_is_within_four_units_of_f64() {
    for reference in references() {
        // For x far below 0 the result is x e^x: the exponential's own error shows, and no more than
        // two roundings beside it (e^-x, then 1 + e^-x and the quotient).
        let xs: Vec<f32> = (-87 * 512..88 * 512)
            .map(|i| i as f32 / 512.0 + 1e-4)
            .collect();
        let worst = silu(reference, &xs)
            .into_iter()
            .zip(&xs)
            .map(|(found, &x)| {
                let x = f64::from(x);
                (ulps(found, x / (1.0 + (-x).exp())), x)
            });
        let worst = worst.max_by(|a, b| a.0.total_cmp(&b.0)).expect("some");
        assert!(worst.0 <= 4.0, "{} units at {}", worst.0, worst.1);
    }
}

#[test]
fn silu_holds_at_the_edges() {
    for level in Level::available() {
        let found = silu(
            level,
            &[
                0.0,
                -0.0,
                88.5,
                1000.0,
                f32::MAX,
                f32::INFINITY,
                -88.5,
                -1000.0,
            ],
        );
        let name = level.name();
        assert_eq!(found[..2], [0.0, 0.0], "{name}");
        assert_eq!(
            found[2..6],
            [88.5, 1000.0, f32::MAX, f32::INFINITY],
            "{name}"
        );
        assert!(
            found[6..].iter().all(|x| x.abs() < 1e-34),
            "{name}: {found:?}"
        );
        assert!(
            silu(level, &[f32::NAN])[0].is_nan() || level != Level::Scalar,
            "{name}"
        );
    }
}

#[test]
fn gelu_is_within_a_millionth_of_f64() {
    for reference in references() {
        // Below 0 the result is about x e^2u: an error of e^2u's exponent, a few units of 2u, shows as it is.
        let xs = (-9 * 512..20 * 512).map(|i| i as f32 / 512.0 + 1e-4);
        let xs: Vec<f32> = xs.chain([1e-30, -1e-30, 1e-6, -1e-6]).collect();
        for (found, &x) in gelu(reference, &xs).into_iter().zip(&xs) {
            let x = f64::from(x);
            let u = std::f64::consts::FRAC_2_SQRT_PI / std::f64::consts::SQRT_2
                * (x + 0.044715 * x.powi(3));
            // 1 + tanh u without cancellation.
            let expected = x / (1.0 + (-2.0 * u).exp());
            let units = ulps(found, expected);
            // The argument's own rounding, up to 40 of e's exponent at -9, is multiplied by its size.
            let bound = 4.0 + 4.0 * (2.0 * u).abs().min(90.0) * f64::from(u8::from(x < 0.0));
            assert!(units <= bound, "{units} units at {x}, {bound} allowed");
            assert!((f64::from(found) - expected).abs() <= 1e-6 * (1e-3 + x.abs()));
        }
    }
}

#[test]
fn softcap_is_within_eight_units_of_f64() {
    for reference in references() {
        for cap in [30.0, 50.0, 0.5] {
            let xs = (-4000..4000).map(|i| i as f32 * cap / 300.0 + 1e-5);
            let xs: Vec<f32> = xs.chain([1e-20, -1e-20, 0.0]).collect();
            for (found, &x) in capped(reference, &xs, cap).into_iter().zip(&xs) {
                let cap = f64::from(cap);
                let expected = cap * (f64::from(x) / cap).tanh();
                let units = ulps(found, expected);
                assert!(units <= 8.0, "{units} units at {x} of {cap}");
            }
        }
    }
}

#[test]
fn gelu_and_softcap_hold_at_the_edges() {
    for level in Level::available() {
        let name = level.name();
        let found = gelu(
            level,
            &[0.0, -0.0, 1000.0, f32::MAX, f32::INFINITY, -30.0, -1e10],
        );
        assert_eq!(found[..2], [0.0, 0.0], "{name}");
        assert_eq!(found[2..5], [1000.0, f32::MAX, f32::INFINITY], "{name}");
        assert!(
            found[5..].iter().all(|x| x.abs() < 1e-27),
            "{name}: {found:?}"
        );
        let found = capped(level, &[f32::INFINITY, f32::MIN, 1e9, 0.0], 30.0);
        assert_eq!(found, [30.0, -30.0, 30.0, 0.0], "{name}");
    }
}

#[test]
fn all_levels_and_threads_give_the_same_bits() {
    for reference in references() {
        let mut random = Random(9);
        for len in (1..40).chain([4096, 8191, 20_000]) {
            let gate: Vec<f32> = random.floats(len).into_iter().map(|x| x * 30.0).collect();
            let up = random.floats(len);
            let run = |level, num_threads| {
                let context = context(level, num_threads);
                let [mut silu, mut sum, mut gelu, mut capped] = [(); 4].map(|()| gate.clone());
                silu_mul(&context, &mut silu, &up);
                add(&context, &mut sum, &up);
                gelu_mul(&context, &mut gelu, &up);
                softcap(&context, &mut capped, 20.0);
                let all = [silu, sum, gelu, capped].concat();
                all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let expected = run(reference, 1);
            for level in same_as(reference) {
                for num_threads in [1, 3] {
                    assert_eq!(run(level, num_threads), expected, "{} {len}", level.name());
                }
            }
            let plain = gate.iter().zip(&up).map(|(a, b)| (a + b).to_bits());
            assert!(
                plain.eq(expected[len..2 * len].iter().copied()),
                "addition is addition"
            );
        }
    }
}
