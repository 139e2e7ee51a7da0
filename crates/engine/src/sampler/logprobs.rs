//! Log-probabilities of the model itself: log-softmax of the raw logits, before bias, penalties
//! and temperature; and those that a token was drawn by.

use super::candidates::Candidates;

/// Log-probability of `chosen` and those of the `n` best tokens, best first, and of `others`.
///
/// A single pass for the maximum and one for the sum, which is in f64; the best are selected, not
/// sorted out of the whole vocabulary. `work` is overwritten.
pub(super) fn of(
    logits: &[f32],
    chosen: u32,
    n: usize,
    others: &[u32],
    work: &mut Candidates,
) -> (f32, Vec<(u32, f32)>) {
    work.load(logits);
    let max = work.best().logit;
    let log_sum = if max.is_finite() {
        let terms = work.logits().map(|logit| f64::from((logit - max).exp()));
        f64::from(max) + terms.sum::<f64>().ln()
    } else {
        f64::NAN
    };
    // Without any finite logit the distribution is uniform, as for drawing.
    let uniform = -(logits.len() as f64).ln();
    let logprob = |logit: f32| {
        (if log_sum.is_nan() {
            uniform
        } else {
            f64::from(logit) - log_sum
        }) as f32
    };
    let of = |id: u32, work: &Candidates| logprob(work.at(id as usize).logit);
    let chosen = of(chosen, work);
    let others: Vec<_> = others.iter().map(|&id| (id, of(id, work))).collect();
    if n == 0 {
        return (chosen, others);
    }
    work.keep_top(n);
    let mut best = work.list().clone();
    best.sort_by(|a, b| b.logit.total_cmp(&a.logit).then(a.id.cmp(&b.id)));
    best.truncate(n);
    (
        chosen,
        best.into_iter()
            .map(|c| (c.id, logprob(c.logit)))
            .chain(others)
            .collect(),
    )
}

/// The same of the candidates that are left after all stages, of which `chosen` is one.
pub(super) fn after(chosen: u32, n: usize, candidates: &mut Candidates) -> (f32, Vec<(u32, f32)>) {
    let probs = candidates.probs().to_vec();
    let ids = (0..probs.len()).map(|place| candidates.at(place).id);
    let mut all: Vec<(u32, f32)> = ids.zip(&probs).map(|(id, prob)| (id, prob.ln())).collect();
    let found = all.iter().find(|(id, _)| *id == chosen);
    let logprob = found.map_or(f32::NEG_INFINITY, |&(_, logprob)| logprob);
    all.retain(|(_, logprob)| logprob.is_finite());
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(n);
    (logprob, all)
}
