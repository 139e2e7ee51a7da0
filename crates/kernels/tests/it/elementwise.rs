//! SwiGLU and addition, and through SwiGLU the exponential.

use kernels::{Context, Level, Sizes, add, silu_mul};

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

/// Distance in units in the last place of `expected` as f32.
fn ulps(found: f32, expected: f64) -> f64 {
    let size = (expected.abs() as f32).max(f32::MIN_POSITIVE);
    let unit = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
    (f64::from(found) - expected).abs() / unit
}

#[test]
fn silu_is_within_four_units_of_f64() {
    // For x far below 0 the result is x e^x: the exponential's own error shows, and no more than
    // two roundings beside it (e^-x, then 1 + e^-x and the quotient).
    let xs: Vec<f32> = (-87 * 512..88 * 512)
        .map(|i| i as f32 / 512.0 + 1e-4)
        .collect();
    let worst = silu(Level::Scalar, &xs)
        .into_iter()
        .zip(&xs)
        .map(|(found, &x)| {
            let x = f64::from(x);
            (ulps(found, x / (1.0 + (-x).exp())), x)
        });
    let worst = worst.max_by(|a, b| a.0.total_cmp(&b.0)).expect("some");
    assert!(worst.0 <= 4.0, "{} units at {}", worst.0, worst.1);
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
fn all_levels_and_threads_give_the_same_bits() {
    let mut random = Random(9);
    for len in (1..40).chain([4096, 8191, 20_000]) {
        let gate: Vec<f32> = random.floats(len).into_iter().map(|x| x * 30.0).collect();
        let up = random.floats(len);
        let run = |level, num_threads| {
            let context = context(level, num_threads);
            let (mut product, mut sum) = (gate.clone(), gate.clone());
            silu_mul(&context, &mut product, &up);
            add(&context, &mut sum, &up);
            product
                .into_iter()
                .chain(sum)
                .map(f32::to_bits)
                .collect::<Vec<_>>()
        };
        let expected = run(Level::Scalar, 1);
        for level in Level::available() {
            for num_threads in [1, 3] {
                assert_eq!(run(level, num_threads), expected, "{} {len}", level.name());
            }
        }
        let plain = gate.iter().zip(&up).map(|(a, b)| (a + b).to_bits());
        assert!(
            plain.eq(expected[len..].iter().copied()),
            "addition is addition"
        );
    }
}
