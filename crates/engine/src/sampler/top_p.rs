//! Top-p, nucleus sampling: the fewest best candidates whose probabilities sum to at least p
//! (Holtzman et al. 2020, arXiv:1904.09751).

use super::candidates::Candidates;

/// Keeps a mass of `p`; 1 keeps all.
pub(super) fn apply(candidates: &mut Candidates, p: f32, min_keep: usize) {
    if p < 1.0 {
        candidates.keep_top_mass(p, min_keep);
    }
}
