//! Pointwise functions alone and on a gate, against f64, and the same bits at all levels.

use kernels::{Activation, Context, Level, Sizes, activate, activate_gate, clamp, scale};

use crate::levels::{references, same_as};

const ALL: [Activation; 10] = [
    Activation::Silu,
    Activation::GeluTanh,
    Activation::Gelu,
    Activation::Relu,
    Activation::ReluSquared,
    Activation::ClampedSwiglu {
        alpha: 1.702,
        limit: 7.0,
    },
    Activation::Sigmoid,
    Activation::Softplus,
    Activation::Exp,
    Activation::Tanh,
];

fn context(level: Level, num_threads: usize) -> Context {
    let sizes = Sizes {
        max_k: 256,
        max_head_dim: 16,
    };
    Context::new(level, num_threads, sizes).expect("threads")
}

/// `erf` by its series near 0 and its continued fraction far away.
fn erf(x: f64) -> f64 {
    let z = x.abs();
    let size = if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..100 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let tail = (1..60)
            .rev()
            .fold(0.0, |tail, n| f64::from(n) / 2.0 / (z + tail));
        1.0 - (-z * z).exp() / ((z + tail) * std::f64::consts::PI.sqrt())
    };
    size.copysign(x)
}

fn exact(f: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match f {
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Softplus => x.exp().ln_1p(),
        Activation::Exp => x.exp(),
        Activation::Tanh => x.tanh(),
        Activation::GeluTanh => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            x / 2.0 * (1.0 + u.tanh())
        }
        Activation::Gelu => x / 2.0 * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Activation::Relu => x.max(0.0),
        Activation::ReluSquared => x.max(0.0).powi(2),
        Activation::ClampedSwiglu { alpha, limit } => {
            let x = x.min(f64::from(limit));
            x * sigmoid(f64::from(alpha) * x)
        }
    }
}

#[test]
fn functions_are_near_f64_and_the_same_bits_at_all_levels() {
    // Long enough for threads to share, and no whole number of vectors.
    let xs: Vec<f32> = (-10_001..10_000).map(|i| i as f32 / 800.0 + 1e-4).collect();
    let ups: Vec<f32> = xs.iter().rev().copied().collect();
    for reference in references() {
        for f in ALL {
            let run = |level, num_threads| {
                let (mut alone, mut gate) = (xs.clone(), xs.clone());
                let context = context(level, num_threads);
                activate(&context, f, &mut alone);
                activate_gate(&context, f, &mut gate, &ups);
                (alone, gate)
            };
            let (alone, gate) = run(reference, 1);
            for (i, (&x, &up)) in xs.iter().zip(&ups).enumerate() {
                let expected = exact(f, f64::from(x));
                let bound = 2e-6 * expected.abs().max(1.0);
                let error = (f64::from(alone[i]) - expected).abs();
                assert!(error <= bound, "{f:?} of {x}: {} for {expected}", alone[i]);
                let up = match f {
                    Activation::ClampedSwiglu { limit, .. } => up.clamp(-limit, limit) + 1.0,
                    _ => up,
                };
                let expected = expected * f64::from(up);
                let error = (f64::from(gate[i]) - expected).abs();
                let bound = bound * f64::from(up).abs().max(1.0);
                assert!(error <= bound, "{f:?} of {x} times {up}: {}", gate[i]);
            }
            for level in same_as(reference) {
                assert!(
                    run(level, 3) == (alone.clone(), gate.clone()),
                    "{f:?} {}",
                    level.name()
                );
            }
        }
    }
}

#[test]
fn factors_and_bounds_are_exact() {
    for level in Level::available() {
        let context = context(level, 2);
        let xs: Vec<f32> = (-50..51).map(|i| i as f32 / 7.0).collect();
        let (mut scaled, mut clamped) = (xs.clone(), xs.clone());
        scale(&context, &mut scaled, 0.3);
        clamp(&context, &mut clamped, 2.5);
        for (i, &x) in xs.iter().enumerate() {
            assert_eq!((scaled[i], clamped[i]), (x * 0.3, x.clamp(-2.5, 2.5)));
        }
    }
}
