//! Choosing scales: the least-squares search that the K types' and some other writers share.
//!
//! Given a group of weights `x`, codes `q` and importances `v`, the scale that makes
//! `sum v (x - d q)^2` least is `d = sum v x q / sum v q q`. But the codes depend on the scale. So
//! try a row of scales around the one that maps the largest weight to the end of the code range,
//! round to codes with each, solve for the best scale under these codes, and keep the best of all.
//! Types with minimums solve for scale and minimum together, a 2 × 2 system.
//!
//! Then the scales of a block's groups become integers themselves, times one f16 `d`.
//!
//! The idea is that of k-quants (<https://github.com/ggml-org/llama.cpp/pull/1684>); the search
//! here is our own, so files differ from llama.cpp's in some codes. It weighs all weights of a group by
//! [`importances`] and knows no importance matrix.

use super::field::round_f16;

/// Scales tried on either side of the obvious one, [`STEP`] of a code apart.
const TRIALS: i32 = 9;
const STEP: f32 = 0.1;

/// The one of greatest magnitude, with its sign; the first of equals. A NaN counts only if first.
pub(super) fn extreme(x: &[f32]) -> f32 {
    x.iter()
        .fold(x[0], |best, &v| if v.abs() > best.abs() { v } else { best })
}

/// Greatest magnitude in `x`, NaNs aside.
pub(super) fn magnitude(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |max, v| v.abs().max(max))
}

/// `1 / d`, and 0 for 0, so that a block of zeros gets codes of zero.
pub(super) fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// Index of the entry of `values` that times `d` comes closest to `x`; the first of equals.
pub(super) fn nearest_index(values: &[i8; 16], d: f32, x: f32) -> u8 {
    let (mut best, mut least) = (0, f32::INFINITY);
    for (i, &value) in values.iter().enumerate() {
        let error = (d * f32::from(value) - x).abs();
        if error < least {
            (best, least) = (i as u8, error);
        }
    }
    best
}

/// Integer nearest to `v` within the integers `lo..=hi`, which are small; halves go to even.
pub(super) fn round_within(v: f32, lo: f32, hi: f32) -> f32 {
    // At this size floats are whole numbers, so the sum is rounded; the standard library's rounding
    // is a function call on plain x86-64.
    const WHOLE: f32 = (3 << 22) as f32;
    (v.clamp(lo, hi) + WHOLE) - WHOLE
}

/// -1, 0 or 1, whichever is nearest to `v`; halves away from 0.
pub(super) fn ternary(v: f32) -> i8 {
    v.round().clamp(-1.0, 1.0) as i8
}

/// How much the error of each weight counts: large weights somewhat more than small ones.
pub(super) fn importances(x: &[f32]) -> Vec<f32> {
    let rms = (x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32).sqrt();
    x.iter().map(|v| rms + v.abs()).collect()
}

/// Scale `d` for which `d * nearest(x / d)` is closest to `x`.
///
/// `nearest` rounds to a value that has a code; `ends` are the least and greatest of these. Returns
/// 0 where nothing can be gained, for instance if all of `x` is 0.
pub(super) fn scale(
    x: &[f32],
    importances: &[f32],
    ends: [f32; 2],
    nearest: impl Fn(f32) -> f32,
) -> f32 {
    let extreme = extreme(x);
    // The error is `sum v x x` less a gain of `xq * xq / qq`.
    let (mut best_gain, mut best) = (0.0, 0.0);
    for end in ends {
        for trial in -TRIALS..=TRIALS {
            let inverse = (end + STEP * trial as f32) / extreme;
            let (mut xq, mut qq) = (0.0, 0.0);
            for (&x, &v) in x.iter().zip(importances) {
                let q = nearest(x * inverse);
                xq += v * x * q;
                qq += v * q * q;
            }
            let gain = xq * xq / qq;
            if gain > best_gain {
                (best_gain, best) = (gain, xq / qq);
            }
        }
    }
    best
}

/// Scale and minimum for which `scale * q - min` is closest to `x`, with `q` in `0..=hi`.
///
/// Neither is below 0, for the formats store them unsigned.
pub(super) fn scale_and_min(x: &[f32], importances: &[f32], hi: f32) -> (f32, f32) {
    let least = x.iter().fold(0.0f32, |a, &b| a.min(b));
    let span = x.iter().fold(least, |a, &b| a.max(b)) - least;
    let code = |x: f32, (scale, min)| round_within((x + min) * inverse(scale), 0.0, hi);
    let (mut best_error, mut best) = (f32::INFINITY, (0.0, -least));
    for trial in -TRIALS..=TRIALS {
        let mut line = (span / (hi + STEP * trial as f32), -least);
        // The second time corrects codes that the first line moved away from.
        for _ in 0..2 {
            line = solve(x, importances, |x| code(x, line));
        }
        let (scale, min) = line;
        let error: f32 = (x.iter().zip(importances))
            .map(|(&x, &v)| v * (scale * code(x, line) - min - x).powi(2))
            .sum();
        if error < best_error {
            (best_error, best) = (error, line);
        }
    }
    best
}

/// Best scale and minimum under given codes: the weighted regression line of `x` over `q`.
fn solve(x: &[f32], importances: &[f32], code: impl Fn(f32) -> f32) -> (f32, f32) {
    let (mut sum, mut sum_q, mut sum_qq, mut sum_x, mut sum_xq) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (&x, &v) in x.iter().zip(importances) {
        let q = code(x);
        sum += v;
        sum_q += v * q;
        sum_qq += v * q * q;
        sum_x += v * x;
        sum_xq += v * x * q;
    }
    let determinant = sum * sum_qq - sum_q * sum_q;
    let min = (sum_q * sum_xq - sum_qq * sum_x) / determinant;
    if min > 0.0 {
        ((sum * sum_xq - sum_q * sum_x) / determinant, min)
    } else {
        // The line would cross above 0, where no minimum can be stored: take it through 0.
        (sum_xq / sum_qq, 0.0)
    }
}

/// The scales of a block with `G` groups that has no minimums, as integers in `ends_of_scale` times
/// `d`, which is as f16 will hold it. `ends` and `nearest` are those of [`scale`].
pub(super) fn block_scales<const G: usize>(
    x: &[f32],
    ends: [f32; 2],
    ends_of_scale: [f32; 2],
    nearest: impl Fn(f32) -> f32,
) -> (f32, [i8; G]) {
    let mut scales = [0.0; G];
    for (scale_of, x) in scales.iter_mut().zip(x.chunks_exact(x.len() / G)) {
        *scale_of = scale(x, &importances(x), ends, &nearest);
    }
    let d = round_f16(extreme(&scales) / ends_of_scale[0]);
    let inverse = inverse(d);
    let [lo, hi] = ends_of_scale;
    (
        d,
        scales.map(|scale| round_within(scale * inverse, lo, hi) as i8),
    )
}

/// A block of `G` groups with minimums, ready to be packed; `d` and `dmin` as f16 will hold them.
pub(super) struct AffineBlock<const G: usize> {
    pub(super) d: f32,
    pub(super) dmin: f32,
    pub(super) scales: [u8; G],
    pub(super) mins: [u8; G],
    pub(super) codes: [u8; 256],
}

/// Fits 256 weights by codes `0..=hi` with scales and minimums `0..=hi_of_scale`.
pub(super) fn affine_block<const G: usize>(
    x: &[f32; 256],
    hi: f32,
    hi_of_scale: f32,
) -> AffineBlock<G> {
    let group_len = 256 / G;
    let (mut scales, mut mins) = ([0.0; G], [0.0; G]);
    for (g, x) in x.chunks_exact(group_len).enumerate() {
        (scales[g], mins[g]) = scale_and_min(x, &importances(x), hi);
    }
    let integers = |values: [f32; G]| {
        let d = round_f16(magnitude(&values) / hi_of_scale);
        let inverse = inverse(d);
        (
            d,
            values.map(|v| round_within(v * inverse, 0.0, hi_of_scale) as u8),
        )
    };
    let (d, scales) = integers(scales);
    let (dmin, mins) = integers(mins);

    let mut codes = [0; 256];
    for (i, (code, &x)) in codes.iter_mut().zip(x).enumerate() {
        let dl = d * f32::from(scales[i / group_len]);
        let ml = dmin * f32::from(mins[i / group_len]);
        *code = round_within((x + ml) * inverse(dl), 0.0, hi) as u8;
    }
    AffineBlock {
        d,
        dmin,
        scales,
        mins,
        codes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_fits_exactly_is_found() {
        let x: Vec<f32> = (-4..4).map(|q| 0.5 * q as f32).collect();
        let d = scale(&x, &[1.0; 8], [-4.0, 3.0], |v| round_within(v, -4.0, 3.0));
        assert_eq!(d, 0.5);

        let x: Vec<f32> = (0..16).map(|q| 0.25 * q as f32 - 1.5).collect();
        let (scale, min) = scale_and_min(&x, &[1.0; 16], 15.0);
        assert!(
            (scale - 0.25).abs() < 1e-6 && (min - 1.5).abs() < 1e-6,
            "{scale} {min}"
        );
    }

    #[test]
    fn a_minimum_above_zero_is_not_stored() {
        let (scale, min) = scale_and_min(&[2.0, 3.0, 3.0, 3.0], &[1.0; 4], 3.0);
        assert_eq!((scale, min), (1.0, 0.0));
    }

    #[test]
    fn zeros_and_constants() {
        assert_eq!(scale(&[0.0; 4], &[1.0; 4], [-4.0, 3.0], f32::round), 0.0);
        assert_eq!(scale_and_min(&[0.0; 4], &[1.0; 4], 15.0), (0.0, 0.0));
        assert_eq!(scale_and_min(&[-2.0; 4], &[1.0; 4], 15.0), (0.0, 2.0));
    }

    #[test]
    fn nearest_index_takes_the_first_of_equals() {
        let values = std::array::from_fn(|i| i as i8 / 2);
        assert_eq!(nearest_index(&values, 2.0, 5.9), 6);
        assert_eq!(nearest_index(&values, 2.0, 5.0), 4);
        assert_eq!(nearest_index(&values, 1.0, f32::NAN), 0);
    }
}
