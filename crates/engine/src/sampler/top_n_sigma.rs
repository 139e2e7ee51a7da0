//! Top-nσ: candidates within n standard deviations of the best logit (Tang et al. 2024,
//! arXiv:2411.07641).
//!
//! Mean and deviation are over the candidates with a finite logit, so the cut does not move with
//! temperature. llama.cpp masks the rest; here it is dropped, which differs only for a dynamic
//! temperature after it, whose scale is the number of candidates.

use super::candidates::Candidates;

/// Keeps logits from `best - n * σ`; 0 or less keeps all.
pub(super) fn apply(candidates: &mut Candidates, n: f32) {
    if n <= 0.0 || candidates.len() <= 1 {
        return;
    }
    let finite = || candidates.logits().map(f64::from).filter(|l| l.is_finite());
    let count = finite().count() as f64;
    if count == 0.0 {
        return;
    }
    let mean = finite().sum::<f64>() / count;
    let deviation = (finite().map(|l| (l - mean).powi(2)).sum::<f64>() / count).sqrt();
    let least = f64::from(candidates.best().logit) - f64::from(n) * deviation;
    candidates.keep_logits(|logit| f64::from(logit) >= least);
}
