//! Locally typical sampling: candidates whose surprise is closest to the entropy, up to a mass of
//! p (Meister et al. 2022, arXiv:2202.00666).
//!
//! As in llama.cpp the run of candidates ends where its mass is *more* than p.

use super::candidates::Candidates;

/// Keeps a mass of `p` around the expected surprise; 1 keeps all.
pub(super) fn apply(candidates: &mut Candidates, p: f32, min_keep: usize) {
    if p >= 1.0 {
        return;
    }
    let entropy = candidates.entropy();
    candidates.keep_mass(p, true, min_keep, |prob| {
        -(-f64::from(prob).ln() - entropy).abs() as f32
    });
}
