//! Top-k: only the k best candidates stay (Fan, Lewis & Dauphin 2018, arXiv:1805.04833).

use super::candidates::Candidates;

/// Keeps the `k` best; 0 keeps all.
pub(super) fn apply(candidates: &mut Candidates, k: usize) {
    candidates.keep_top(k);
}
