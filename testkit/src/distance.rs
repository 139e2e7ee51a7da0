//! How far apart two results are.

/// Root of the mean squared difference over that of `expected`: 0 for equal, about 1 for unrelated.
///
/// Infinite if a number of either side is not finite, so that no bound lets it pass.
pub fn relative_rms(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "both have one shape");
    let pairs = || found.iter().map(|&x| f64::from(x)).zip(expected);
    if pairs().any(|(a, b)| !a.is_finite() || !b.is_finite()) {
        return f64::INFINITY;
    }
    let error: f64 = pairs().map(|(a, b)| (a - b).powi(2)).sum();
    let size: f64 = expected.iter().map(|b| b * b).sum();
    if error == 0.0 {
        0.0
    } else {
        (error / size).sqrt()
    }
}

/// Root of the mean squared difference.
pub fn rms(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "both have one shape");
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

/// The first index at which bits differ.
pub fn first_difference(a: &[f32], b: &[f32]) -> Option<usize> {
    assert_eq!(a.len(), b.len(), "both have one shape");
    (0..a.len()).find(|&i| a[i].to_bits() != b[i].to_bits())
}

/// The largest logit's index (the first of equals) and its lead over the second.
pub fn best(logits: &[f32]) -> (usize, f32) {
    let mut best = 0;
    let mut second = f32::NEG_INFINITY;
    for (i, &logit) in logits.iter().enumerate().skip(1) {
        if logit > logits[best] {
            second = logits[best];
            best = i;
        } else {
            second = second.max(logit);
        }
    }
    (best, logits[best] - second)
}
