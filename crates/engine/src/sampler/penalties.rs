//! Penalties on tokens that were seen already, and the bias that the caller sets on any token.
//!
//! ```text
//! logit /= repeat   if positive, else  logit *= repeat        (Keskar et al. 2019, arXiv:1909.05858)
//! logit -= count * frequency + presence                       (OpenAI's API)
//! ```

use super::candidates::Candidates;
use super::params::SamplerParams;

/// Adds the biases; a bias for a token outside the vocabulary does nothing.
pub(super) fn apply_bias(candidates: &mut Candidates, bias: &[(u32, f32)]) {
    for &(id, bias) in bias {
        if let Some(logit) = candidates.logit_mut(id) {
            let sum = *logit + bias;
            // Infinity and minus infinity together: the ban wins.
            *logit = if sum.is_nan() {
                f32::NEG_INFINITY
            } else {
                sum.min(f32::MAX)
            };
        }
    }
}

/// Penalises the tokens of the last `repeat_last_n` of `history`.
pub(super) fn apply(
    candidates: &mut Candidates,
    params: &SamplerParams,
    history: &[u32],
    window: &mut Vec<u32>,
) {
    let (repeat, frequency) = (params.repeat_penalty, params.frequency_penalty);
    if repeat == 1.0 && frequency == 0.0 && params.presence_penalty == 0.0 {
        return;
    }
    window.clear();
    window.extend_from_slice(last_n(history, params.repeat_last_n));
    window.sort_unstable();
    for run in window.chunk_by(|a, b| a == b) {
        let Some(logit) = candidates.logit_mut(run[0]) else {
            continue;
        };
        if *logit == f32::NEG_INFINITY {
            continue;
        }
        // In f64, so that extreme parameters meet at a bound and not at infinity.
        let (old, repeat) = (f64::from(*logit), f64::from(repeat));
        let scaled = if old <= 0.0 {
            old * repeat
        } else {
            old / repeat
        };
        let counted = run.len() as f64 * f64::from(frequency);
        let new = scaled - counted - f64::from(params.presence_penalty);
        *logit = new.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
    }
}

/// The last `n` tokens; -1 is all.
pub(super) fn last_n(history: &[u32], n: i32) -> &[u32] {
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    &history[history.len().saturating_sub(n)..]
}
