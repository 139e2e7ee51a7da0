//! The tokens that may still be chosen, with their logits, always in the order of their ids.
//!
//! Filters look for a cut on a scratch copy by selection, in linear time, and then drop what lies
//! beyond it; nothing sorts the vocabulary. Because the order of ids survives, the final draw does
//! not depend on how a selection happened to arrange its scratch, and ties go to the lower id.

use std::cmp::Ordering;

/// A token that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) id: u32,
    pub(super) logit: f32,
}

/// Candidates in ascending order of ids, and room to work in. Never empty after [`Self::load`].
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    pub(super) list: Vec<Candidate>,
    scratch: Vec<Ranked>,
    probs: Vec<f32>,
}

/// What a filter ranks: better first, that is by descending `rank`, then by ascending id.
#[derive(Debug, Clone, Copy)]
struct Ranked {
    rank: f32,
    id: u32,
    mass: f32,
}

impl Ranked {
    fn new(rank: f32, candidate: Candidate, mass: f32) -> Self {
        Self {
            rank,
            id: candidate.id,
            mass,
        }
    }

    fn order(a: &Self, b: &Self) -> Ordering {
        b.rank.total_cmp(&a.rank).then(a.id.cmp(&b.id))
    }
}

impl Candidates {
    /// Starts over with the whole vocabulary. A NaN counts as minus infinity and infinity as the
    /// largest finite number, so everything after this may do arithmetic.
    pub(super) fn load(&mut self, logits: &[f32]) {
        assert!(!logits.is_empty(), "a vocabulary has tokens");
        self.list.clear();
        self.list
            .extend((0_u32..).zip(logits).map(|(id, &logit)| Candidate {
                id,
                logit: if logit.is_nan() {
                    f32::NEG_INFINITY
                } else {
                    logit.min(f32::MAX)
                },
            }));
    }

    /// Keeps the tokens of a bit set.
    pub(super) fn keep_set(&mut self, allowed: &[u32]) {
        let is_allowed = |id: u32| {
            let word = allowed.get(id as usize / 32);
            word.is_some_and(|word| word >> (id % 32) & 1 == 1)
        };
        self.list.retain(|candidate| is_allowed(candidate.id));
        assert!(
            !self.list.is_empty(),
            "who restricts a choice leaves something to choose"
        );
    }

    /// Drops these tokens, unless nothing would be left.
    pub(super) fn drop_all(&mut self, banned: &[u32]) {
        let is_banned = |candidate: &Candidate| banned.contains(&candidate.id);
        if !banned.is_empty() && !self.list.iter().all(is_banned) {
            self.list.retain(|candidate| !is_banned(candidate));
        }
    }

    /// The largest logit and its token; the lowest id among equals.
    pub(super) fn best(&self) -> Candidate {
        let mut best = self.list[0];
        for &candidate in &self.list[1..] {
            if candidate.logit > best.logit {
                best = candidate;
            }
        }
        best
    }

    /// The candidate's place in the list.
    pub(super) fn position(&self, id: u32) -> Option<usize> {
        // Until something is dropped, the id is the place.
        match self.list.get(id as usize) {
            Some(candidate) if candidate.id == id => Some(id as usize),
            _ => self
                .list
                .binary_search_by_key(&id, |candidate| candidate.id)
                .ok(),
        }
    }

    /// Softmax of the candidates' logits, in their order. Without any finite logit it is uniform.
    pub(super) fn probs(&mut self) -> &[f32] {
        let max = self.best().logit;
        self.probs.clear();
        if max == f32::NEG_INFINITY {
            self.probs
                .resize(self.list.len(), 1.0 / self.list.len() as f32);
            return &self.probs;
        }
        self.probs.extend(
            self.list
                .iter()
                .map(|candidate| (candidate.logit - max).exp()),
        );
        let sum: f64 = self.probs.iter().map(|&p| f64::from(p)).sum();
        let scale = (1.0 / sum) as f32;
        self.probs.iter_mut().for_each(|p| *p *= scale);
        &self.probs
    }

    /// Entropy in nats of the candidates' softmax.
    pub(super) fn entropy(&mut self) -> f64 {
        let terms = self.probs().iter().map(|&p| f64::from(p));
        terms.filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
    }

    /// Keeps those for which `keep(candidate, its probability)` holds. The probabilities must be
    /// fresh from [`Self::probs`].
    pub(super) fn retain_by_prob(&mut self, mut keep: impl FnMut(Candidate, f32) -> bool) {
        let mut probs = self.probs.iter();
        self.list.retain(|&candidate| {
            keep(
                candidate,
                *probs.next().expect("one probability per candidate"),
            )
        });
    }

    /// Keeps the `k` with the largest logits; all, if there are no more than that.
    ///
    /// One pass over the list: most candidates are only compared with the worst of the best so far,
    /// which a selection raises each time twice as many as needed have come together.
    pub(super) fn keep_top(&mut self, k: usize) {
        if k == 0 || k >= self.list.len() {
            return;
        }
        let Self { list, scratch, .. } = self;
        scratch.clear();
        let mut least = f32::NEG_INFINITY;
        for &c in &*list {
            // An equal one that comes later has a higher id and is worse.
            if c.logit > least || scratch.len() < k {
                scratch.push(Ranked::new(c.logit, c, 0.0));
                if scratch.len() == 2 * k {
                    least = keep_best(scratch, k);
                }
            }
        }
        keep_best(scratch, k);
        scratch.sort_unstable_by_key(|ranked| ranked.id);
        list.clear();
        list.extend(scratch.iter().map(|r| Candidate {
            id: r.id,
            logit: r.rank,
        }));
    }

    /// Keeps the shortest run of best-ranked candidates, at least `min_keep`, whose probabilities
    /// sum to `mass`: more than it if `strictly`, else at least it. `rank` sees the probability;
    /// a higher rank is better.
    pub(super) fn keep_mass(
        &mut self,
        mass: f32,
        strictly: bool,
        min_keep: usize,
        rank: impl Fn(f32) -> f32,
    ) {
        self.probs();
        self.scratch.clear();
        let pairs = self.list.iter().zip(&self.probs);
        self.scratch
            .extend(pairs.map(|(&c, &p)| Ranked::new(rank(p), c, p)));
        let count = prefix_of_mass(&mut self.scratch, mass.into(), strictly)
            .max(min_keep)
            .max(1);
        if count >= self.list.len() {
            return;
        }
        let (_, &mut last, _) = self
            .scratch
            .select_nth_unstable_by(count - 1, Ranked::order);
        self.retain_by_prob(|c, p| Ranked::order(&Ranked::new(rank(p), c, p), &last).is_le());
    }
}

/// Truncates `items` to the `k` best, in any order; the rank of the worst of them.
fn keep_best(items: &mut Vec<Ranked>, k: usize) -> f32 {
    let (_, &mut last, _) = items.select_nth_unstable_by(k - 1, Ranked::order);
    items.truncate(k);
    last.rank
}

/// How many of the best-ranked items it takes until their mass reaches `target`: quickselect by
/// mass. Each round halves what is left, so the whole takes linear time.
fn prefix_of_mass(items: &mut [Ranked], target: f64, strictly: bool) -> usize {
    let reached = |mass: f64| {
        if strictly {
            mass > target
        } else {
            mass >= target
        }
    };
    let (mut low, mut high, mut before) = (0, items.len(), 0.0);
    while high - low > 32 {
        let half = (high - low) / 2;
        items[low..high].select_nth_unstable_by(half, Ranked::order);
        let mass: f64 = items[low..low + half]
            .iter()
            .map(|item| f64::from(item.mass))
            .sum();
        if reached(before + mass) {
            high = low + half;
        } else {
            before += mass;
            low += half;
        }
    }
    items[low..high].sort_unstable_by(Ranked::order);
    for (count, item) in (low + 1..).zip(&items[low..high]) {
        before += f64::from(item.mass);
        if reached(before) {
            return count;
        }
    }
    high
}
