//! Min-p: candidates at least p times as probable as the best one (Nguyen et al. 2024,
//! arXiv:2407.01082).

use super::candidates::Candidates;

/// Keeps candidates whose probability is at least `p` of the best one's; 0 keeps all.
pub(super) fn apply(candidates: &mut Candidates, p: f32, min_keep: usize) {
    if p <= 0.0 {
        return;
    }
    // On logits: a ratio of probabilities is a difference there, and no softmax is needed.
    let least = candidates.best().logit + p.ln();
    let survivors = candidates.logits().filter(|&logit| logit >= least).count();
    if survivors < min_keep.max(1) {
        candidates.keep_top(min_keep.max(1));
    } else {
        candidates.keep_logits(|logit| logit >= least);
    }
}
