//! A mixture of experts: a router chooses a few networks for each token, and only these are computed.
//!
//! Tokens of a batch are gathered by expert ([`Visits`]), so that each expert's weights are read once in a step, and
//! all experts' matrices are one job. A token's sum goes by ascending expert whatever it was batched with.

use std::ops::Range;

use crate::LoadError;
use crate::config::{ExpertsConfig, Ffn, Gating};
use crate::hparams::MAX_GROUPS;
use crate::names::Role;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

use super::dense::{DenseWeights, shared_roles};

pub(crate) struct ExpertsWeights {
    config: ExpertsConfig,
    router: Linear,
    /// Added to scores for the choice; empty if there is none.
    router_bias: Vec<f32>,
    experts: Vec<Expert>,
    shared: Option<Shared>,
}

struct Expert {
    /// None if there is no gate.
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
}

/// What every token goes through.
struct Shared {
    weights: DenseWeights,
    /// Its weight is `sigmoid(router · x)`; 1 without.
    router: Option<Vec<f32>>,
}

impl ExpertsWeights {
    pub(super) fn load(
        config: ExpertsConfig,
        d: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let (n, d_ff) = (config.n_experts, config.d_ff);
        let in_one = (Role::ExpertGateUps, Role::ExpertUp);
        let (gates, ups) = if config.gated && loader.has(in_one.0, layer) {
            let both = loader.experts(in_one, layer, (n, 2 * d_ff, d))?;
            let rows = |rows: Range<usize>| both.iter().map(|it| it.rows(rows.clone())).collect();
            (rows(0..d_ff), rows(d_ff..2 * d_ff))
        } else {
            let gates = match config.gated {
                true => {
                    loader.experts((Role::ExpertGates, Role::ExpertGate), layer, (n, d_ff, d))?
                }
                false => Vec::new(),
            };
            let ups = loader.experts((Role::ExpertUps, Role::ExpertUp), layer, (n, d_ff, d))?;
            (gates, ups)
        };
        let mut gates = gates.into_iter();
        let downs = loader.experts((Role::ExpertDowns, Role::ExpertDown), layer, (n, d, d_ff))?;
        let experts = ups.into_iter().zip(downs).map(|(up, down)| {
            let gate = gates.next();
            Expert { gate, up, down }
        });
        let shared = match config.shared_d_ff {
            Some(d_ff) => {
                let activation = config.activation;
                let ffn = match config.gated {
                    true => Ffn::Gated {
                        d_ff,
                        activation,
                        sub_norm: None,
                    },
                    false => Ffn::Plain { d_ff, activation },
                };
                let roles = shared_roles();
                let has_router = loader.has(Role::SharedRouter, layer);
                let router = has_router.then(|| loader.row(Role::SharedRouter, layer, d));
                Some(Shared {
                    weights: DenseWeights::load(&ffn, roles, d, layer, loader)?,
                    router: router.transpose()?,
                })
            }
            None => None,
        };
        let router_bias = loader.bias(Role::RouterBias, layer, n)?;
        Ok(Self {
            config,
            router: loader.linear(Role::Router, layer, n, d)?,
            router_bias: router_bias.unwrap_or_default(),
            experts: experts.collect(),
            shared,
        })
    }

    pub(super) fn linears(&self) -> Vec<&Linear> {
        let mut linears = vec![&self.router];
        linears.extend(
            self.shared
                .iter()
                .flat_map(|shared| shared.weights.linears()),
        );
        for Expert { gate, up, down } in &self.experts {
            linears.extend(gate);
            linears.extend([up, down]);
        }
        linears
    }

    pub(super) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = vec![&mut self.router];
        let shared = self.shared.iter_mut();
        linears.extend(shared.flat_map(|shared| shared.weights.linears_mut()));
        for Expert { gate, up, down } in &mut self.experts {
            linears.extend(gate);
            linears.extend([up, down]);
        }
        linears
    }

    /// `delta = Σ weight * expert(normed)`.
    pub(super) fn forward(
        &self,
        ops: &Ops<'_>,
        m: usize,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        let (config, d) = (&self.config, self.router.k);
        let scores = &mut w.scores[..m * config.n_experts];
        let normed = &w.normed[..m * d];
        ops.linear(normed, &mut w.activations, [(&self.router, &mut *scores)]);
        tap("ffn_moe_logits", scores);
        for (row, chosen) in scores
            .chunks_exact_mut(config.n_experts)
            .zip(w.chosen.chunks_exact_mut(config.n_used))
        {
            choose(config, &self.router_bias, row, chosen);
        }
        if let Some(shared) = &self.shared {
            shared.weights.forward(ops, m, w);
            if let Some(router) = &shared.router {
                weigh_rows(router, &w.normed[..m * d], &mut w.delta[..m * d]);
            }
        } else {
            w.delta[..m * d].fill(0.0);
        }
        let most_rows = w.max_tokens.max(config.n_used);
        let Workspace {
            visits,
            chosen,
            normed,
            gathered,
            gate,
            up,
            delta,
            activations,
            ..
        } = w;
        visits.sort(&chosen[..m * config.n_used], config.n_used);
        while let Some(group) = visits.next(most_rows) {
            let (rows, d_ff) = (group.of.len(), config.d_ff);
            let x = if m == 1 {
                &normed[..d]
            } else {
                for (row, visit) in gathered.chunks_exact_mut(d).zip(group.of) {
                    row.copy_from_slice(&normed[visit.token * d..][..d]);
                }
                &gathered[..rows * d]
            };
            let (gate, up) = (&mut gate[..rows * d_ff], &mut up[..rows * d_ff]);
            let expert = |part: usize| &self.experts[group.experts[part]];
            let middle = if config.gated {
                ops.linear_parts(x, activations, group.ends, [&mut *gate, &mut *up], |part| {
                    let Expert { gate, up, .. } = expert(part);
                    [gate.as_ref().expect("loaded with one"), up]
                });
                ops.gate(config.activation, gate, up);
                gate
            } else {
                ops.linear_parts(x, activations, group.ends, [&mut *up], |part| {
                    [&expert(part).up]
                });
                ops.activate(config.activation, up);
                up
            };
            let results = &mut gathered[..rows * d];
            ops.linear_parts(middle, activations, group.ends, [&mut *results], |part| {
                [&expert(part).down]
            });
            for (result, visit) in results.chunks_exact(d).zip(group.of) {
                let delta = &mut delta[visit.token * d..][..d];
                for (delta, result) in delta.iter_mut().zip(result) {
                    *delta += visit.weight * result;
                }
            }
        }
    }
}

/// `x *= sigmoid(router · normed)`, row by row.
fn weigh_rows(router: &[f32], normed: &[f32], x: &mut [f32]) {
    let d = router.len();
    for (normed, x) in normed.chunks_exact(d).zip(x.chunks_exact_mut(d)) {
        let score: f32 = normed.iter().zip(router).map(|(a, b)| a * b).sum();
        let weight = 1.0 / (1.0 + (-score).exp());
        x.iter_mut().for_each(|x| *x *= weight);
    }
}

/// Chooses the experts of one token from its logits, which are used up.
fn choose(config: &ExpertsConfig, bias: &[f32], logits: &mut [f32], chosen: &mut [(usize, f32)]) {
    match config.gating {
        Gating::Softmax => softmax(logits, |x| x),
        Gating::Sigmoid => logits
            .iter_mut()
            .for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
        Gating::SoftmaxOfChosen | Gating::SparseMixer { .. } => {}
    }
    let probs = &*logits;
    let score = |expert: usize| probs[expert] + bias.get(expert).copied().unwrap_or(0.0);
    let mut open = u64::MAX;
    if let Some(groups) = config.groups {
        let size = config.n_experts / groups.n_groups;
        let mut best: [(f32, usize); MAX_GROUPS] = [(0.0, 0); MAX_GROUPS];
        let best = &mut best[..groups.n_groups];
        for (group, best) in best.iter_mut().enumerate() {
            let members = group * size..(group + 1) * size;
            *best = (sum_of_largest(groups.n_scores, members.map(score)), group);
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        open = best[..groups.n_used]
            .iter()
            .fold(0, |open, &(_, group)| open | 1 << group);
    }
    let group_size = config.groups.map_or(config.n_experts, |groups| {
        config.n_experts / groups.n_groups
    });
    for i in 0..chosen.len() {
        let (taken, rest) = chosen.split_at_mut(i);
        let mut best: Option<(f32, usize)> = None;
        for expert in 0..config.n_experts {
            let free = open >> (expert / group_size) & 1 == 1
                && taken.iter().all(|&(other, _)| other != expert);
            // Not-a-number loses against everything, so that something is always chosen.
            if free && best.is_none_or(|(top, _)| score(expert) > top || top.is_nan()) {
                best = Some((score(expert), expert));
            }
        }
        let (_, expert) = best.expect("a family checks that there are enough experts");
        rest[0] = (expert, probs[expert]);
    }
    if config.gating == Gating::SoftmaxOfChosen {
        softmax(chosen, |(_, weight)| weight);
    }
    if let Gating::SparseMixer { jitter } = config.gating {
        sparse_mixer(jitter, probs, chosen);
    }
    let mut factor = config.scale;
    if config.normalise {
        let sum: f32 = chosen.iter().map(|&(_, weight)| weight).sum();
        factor /= sum.max(f32::MIN_POSITIVE);
    }
    chosen.iter_mut().for_each(|(_, weight)| *weight *= factor);
}

/// Weights of those chosen, the largest first, from all scores.
fn sparse_mixer(jitter: f32, scores: &[f32], chosen: &mut [(usize, f32)]) {
    for i in 0..chosen.len() {
        let (before, rest) = chosen.split_at_mut(i);
        let (expert, weight) = &mut rest[0];
        let top = scores[*expert];
        let near = |&(other, &score): &(usize, &f32)| {
            let is_near = (top - score) / score.abs().max(top) <= 2.0 * jitter;
            other == *expert || is_near && before.iter().all(|&(taken, _)| taken != other)
        };
        let near = scores.iter().enumerate().filter(near);
        *weight = 1.0 / near.map(|(_, score)| (score - top).exp()).sum::<f32>();
    }
}

/// The sum of the `n` largest numbers.
fn sum_of_largest(n: usize, numbers: impl Iterator<Item = f32>) -> f32 {
    let mut largest = [f32::NEG_INFINITY; 8];
    let largest = &mut largest[..n];
    for x in numbers {
        let mut x = x;
        for place in largest.iter_mut() {
            if x > *place {
                std::mem::swap(&mut x, place);
            }
        }
    }
    largest.iter().filter(|x| x.is_finite()).sum()
}

/// Softmax of what `at` yields; it is asked three times.
fn softmax<T>(items: &mut [T], at: impl Fn(&mut T) -> &mut f32) {
    let mut max = f32::NEG_INFINITY;
    for x in items.iter_mut() {
        max = max.max(*at(x));
    }
    let mut sum = 0.0;
    for x in items.iter_mut() {
        let x = at(x);
        *x = (*x - max).exp();
        sum += *x;
    }
    for x in items.iter_mut() {
        *at(x) /= sum;
    }
}
