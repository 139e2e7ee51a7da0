//! Every sampler against an oracle that sorts everything and computes in f64, and the chain as a
//! whole: distribution of draws, order, determinism, extremes.

mod chain;
mod cuts;
mod logit_changes;

use std::collections::BTreeSet;

use super::candidates::Candidates;
use super::*;

/// Logits like a model's: a few high ones, a long tail, some ties and some that are banned.
fn logits(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let mut gauss = || (0..6).map(|_| rng.uniform() - 0.5).sum::<f64>() * 4.0;
    (0..n)
        .map(|i| match i % 17 {
            3 => f32::NEG_INFINITY,
            5 => 1.0,
            _ => gauss() as f32,
        })
        .collect()
}

fn loaded(logits: &[f32]) -> Candidates {
    let mut candidates = Candidates::default();
    candidates.load(logits);
    candidates
}

fn ids(candidates: &Candidates) -> BTreeSet<u32> {
    let list = candidates.clone().list().clone();
    assert!(
        list.windows(2).all(|pair| pair[0].id < pair[1].id),
        "in order of ids"
    );
    list.iter().map(|c| c.id).collect()
}

/// The oracle's view: (id, logit, probability), best first, ties by id.
fn ranked(logits: &[f32]) -> Vec<(u32, f64, f64)> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f64> = logits.iter().map(|&l| f64::from(l - max).exp()).collect();
    let sum: f64 = exp.iter().sum();
    let mut all: Vec<_> = (0..logits.len())
        .map(|i| (i as u32, f64::from(logits[i]), exp[i] / sum))
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}
