//! Temperature, and dynamic temperature, which follows the entropy.
//!
//! ```text
//! logit / T                         T = temp
//! T = low + (high - low) * (H / H_max)^exponent      low, high = temp -+ range
//! ```
//!
//! H is the candidates' entropy and H_max that of as many equal ones: a sure model is sampled
//! coldly and an unsure one warmly (EDT, Zhang et al. 2024, arXiv:2403.14541, in the form of
//! kalomaze's that llama.cpp uses).

use super::candidates::Candidates;

/// Divides the logits by `temp`; 0 or less leaves only the best candidate.
pub(super) fn apply(candidates: &mut Candidates, temp: f32, range: f32, exponent: f32) {
    if range <= 0.0 {
        return scale(candidates, temp);
    }
    let count = candidates.len();
    if count <= 1 {
        return;
    }
    let (low, high) = ((temp - range).max(0.0), (temp + range).min(f32::MAX));
    let normalised = (candidates.entropy() / (count as f64).ln()) as f32;
    scale(candidates, low + (high - low) * normalised.powf(exponent));
}

fn scale(candidates: &mut Candidates, temp: f32) {
    let best = candidates.best();
    // A temperature so small that the best logit overflows is as good as 0.
    let overflows = best.logit.is_finite() && !(best.logit / temp).is_finite();
    if temp <= 0.0 || overflows {
        return candidates.keep_only(best);
    }
    candidates.divide(temp);
}
