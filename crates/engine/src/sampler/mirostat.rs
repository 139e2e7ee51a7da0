//! Mirostat: keeps the surprise of the text near a target τ by feedback (Basu et al. 2021,
//! arXiv:2007.14966).
//!
//! ```text
//! v2: drop candidates with surprise > μ        v1: top-k, with k from μ and an estimated Zipf exponent
//! draw; s = surprise of the drawn token among those left;  μ -= η (s - τ);  μ starts at 2 τ
//! ```
//!
//! Surprise is `-log2 p`, in bits.

use super::candidates::Candidates;
use super::params::{Mirostat, SamplerParams};

/// Most candidates from which version 1 estimates the exponent.
const ESTIMATE_FROM: usize = 100;

/// Truncates the candidates by the current `mu`.
pub(super) fn truncate(candidates: &mut Candidates, version: Mirostat, mu: f32, vocab_size: usize) {
    match version {
        Mirostat::Off => {}
        Mirostat::V1 => {
            let k = top_k_of(candidates, mu, vocab_size);
            candidates.keep_top(k);
        }
        Mirostat::V2 => {
            let least = (-mu).exp2();
            let best = candidates.best().id;
            candidates.probs();
            // The best one stays even if it is a surprise.
            candidates.retain_by_prob(|c, prob| c.id == best || prob >= least);
        }
    }
}

/// μ after a token of probability `prob` (among the candidates left) was drawn.
pub(super) fn next_mu(mu: f32, prob: f32, params: &SamplerParams) -> f32 {
    // A probability that rounded to nothing must not make μ infinite for ever.
    let surprise = -prob.max(f32::MIN_POSITIVE).log2();
    mu - params.mirostat_eta * (surprise - params.mirostat_tau)
}

/// Version 1's k: fits the exponent of the best candidates' probabilities, then inverts the
/// expected surprise (equations 30 and 36 of the paper).
fn top_k_of(candidates: &mut Candidates, mu: f32, vocab_size: usize) -> usize {
    let mut head = candidates.clone();
    head.keep_top(ESTIMATE_FROM);
    head.list().sort_by(|a, b| b.logit.total_cmp(&a.logit));
    let (mut fit, mut norm) = (0.0_f64, 0.0_f64);
    for (i, pair) in head.list().windows(2).enumerate() {
        let t = ((i + 2) as f64 / (i + 1) as f64).ln();
        // The log of a ratio of probabilities is a difference of logits.
        let b = f64::from(pair[0].logit) - f64::from(pair[1].logit);
        if b.is_finite() {
            fit += t * b;
            norm += t * t;
        }
    }
    let exponent = if norm > 0.0 { fit / norm } else { 1.0 };
    let epsilon = exponent - 1.0;
    let numerator = epsilon * f64::from(mu).exp2();
    let k = (numerator / (1.0 - (vocab_size as f64).powf(-epsilon))).powf(1.0 / exponent);
    // As `int(k)` clamps: NaN and what is below 1 give 1.
    (k as usize).max(1)
}
