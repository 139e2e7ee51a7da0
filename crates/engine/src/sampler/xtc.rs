//! XTC, "exclude top choices": now and then drops all candidates above a threshold but the least
//! probable of them, so that a viable but less expected token is taken.
//!
//! By p-e-w, text-generation-webui pull request 6335 (2024); llama.cpp's definition.

use super::candidates::Candidates;
use super::rng::Rng;

/// Acts with chance `probability` (one draw each time); 0, or a threshold above 0.5, keeps all.
pub(super) fn apply(
    candidates: &mut Candidates,
    probability: f32,
    threshold: f32,
    min_keep: usize,
    rng: &mut Rng,
) {
    if probability <= 0.0 || threshold > 0.5 || candidates.len() < 2 {
        return;
    }
    if rng.uniform() > f64::from(probability) {
        return;
    }
    candidates.probs();
    let mut tops = 0;
    let mut least: Option<(f32, u32)> = None;
    candidates.retain_by_prob(|candidate, prob| {
        if prob >= threshold {
            tops += 1;
            // Among equals the highest id ranks last.
            if least.is_none_or(|(lowest, _)| prob <= lowest) {
                least = Some((prob, candidate.id));
            }
        }
        true
    });
    let Some((_, kept)) = least.filter(|_| tops > 1) else {
        return;
    };
    if candidates.len() - (tops - 1) >= min_keep {
        candidates.retain_by_prob(|candidate, prob| prob < threshold || candidate.id == kept);
    }
}
