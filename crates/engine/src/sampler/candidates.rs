//! The tokens that may still be chosen, with their logits, always in the order of their ids.
//!
//! Filters look for a cut on a scratch copy by selection, in linear time, and then drop what lies
//! beyond it; nothing sorts the vocabulary. Because the order of ids survives, the final draw does
//! not depend on how a selection happened to arrange its scratch, and ties go to the lower id.
//!
//! Until something is dropped there is no list but a row of logits, in which a processor compares
//! many at once: a cut passes over most of the vocabulary without touching a token.

use std::cmp::Ordering;

/// A token that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) id: u32,
    pub(super) logit: f32,
}

/// Tokens of a row that are looked at together.
const CHUNK: usize = 64;

/// Candidates in ascending order of ids, and room to work in. Never empty after [`Self::load`].
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    /// Logits of all tokens, as long as none is dropped.
    row: Vec<f32>,
    /// Whether that is so; otherwise the candidates are in `list`.
    is_whole: bool,
    list: Vec<Candidate>,
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
        self.is_whole = true;
        self.row.clear();
        let number = |logit: f32| match logit.is_nan() {
            true => f32::NEG_INFINITY,
            false => logit.min(f32::MAX),
        };
        self.row.extend(logits.iter().map(|&logit| number(logit)));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self.is_whole {
            true => self.row.len(),
            false => self.list.len(),
        }
    }

    /// The candidates.
    pub(super) fn list(&mut self) -> &mut Vec<Candidate> {
        if std::mem::take(&mut self.is_whole) {
            let Self { row, list, .. } = self;
            list.clear();
            let all = (0..).zip(&*row);
            list.extend(all.map(|(id, &logit)| Candidate { id, logit }));
        }
        &mut self.list
    }

    /// The candidate at this place of the list.
    pub(super) fn at(&self, place: usize) -> Candidate {
        match self.is_whole {
            true => Candidate {
                id: place as u32,
                logit: self.row[place],
            },
            false => self.list[place],
        }
    }

    /// The logits, in the order of the list.
    pub(super) fn logits(&self) -> impl Iterator<Item = f32> {
        let (row, list) = match self.is_whole {
            true => (self.row.as_slice(), &[][..]),
            false => (&[][..], self.list.as_slice()),
        };
        let list = list.iter().map(|candidate| candidate.logit);
        row.iter().copied().chain(list)
    }

    /// Keeps the tokens of a bit set.
    pub(super) fn keep_set(&mut self, allowed: &[u32]) {
        let is_allowed = |id: u32| {
            let word = allowed.get(id as usize / 32);
            word.is_some_and(|word| word >> (id % 32) & 1 == 1)
        };
        self.list().retain(|candidate| is_allowed(candidate.id));
        assert!(
            !self.list.is_empty(),
            "who restricts a choice leaves something to choose"
        );
    }

    /// Drops these tokens, unless nothing would be left.
    pub(super) fn drop_all(&mut self, banned: &[u32]) {
        let is_banned = |candidate: &Candidate| banned.contains(&candidate.id);
        if !banned.is_empty() && !self.list().iter().all(is_banned) {
            self.list.retain(|candidate| !is_banned(candidate));
        }
    }

    /// Keeps one alone.
    pub(super) fn keep_only(&mut self, candidate: Candidate) {
        self.is_whole = false;
        self.list.clear();
        self.list.push(candidate);
    }

    /// Keeps those whose logit passes.
    pub(super) fn keep_logits(&mut self, passes: impl Fn(f32) -> bool) {
        if !self.is_whole {
            return self.list.retain(|candidate| passes(candidate.logit));
        }
        let Self { row, list, .. } = self;
        list.clear();
        for (chunk, logits) in row.chunks(CHUNK).enumerate() {
            if any(logits, &passes) {
                let all = (chunk * CHUNK..).zip(logits);
                let passing = all.filter(|(_, logit)| passes(**logit));
                list.extend(passing.map(|(id, &logit)| Candidate {
                    id: id as u32,
                    logit,
                }));
            }
        }
        self.is_whole = false;
    }

    /// Divides all logits.
    pub(super) fn divide(&mut self, by: f32) {
        match self.is_whole {
            true => self.row.iter_mut().for_each(|logit| *logit /= by),
            false => self.list.iter_mut().for_each(|c| c.logit /= by),
        }
    }

    /// The largest logit and its token; the lowest id among equals.
    pub(super) fn best(&self) -> Candidate {
        if self.is_whole {
            return best_of_row(&self.row);
        }
        let mut best = self.list[0];
        for &candidate in &self.list[1..] {
            if candidate.logit > best.logit {
                best = candidate;
            }
        }
        best
    }

    /// The token's logit, if it is a candidate.
    pub(super) fn logit_mut(&mut self, id: u32) -> Option<&mut f32> {
        if self.is_whole {
            return self.row.get_mut(id as usize);
        }
        let place = self.list.binary_search_by_key(&id, |c| c.id).ok()?;
        Some(&mut self.list[place].logit)
    }

    /// Softmax of the candidates' logits, in their order. Without any finite logit it is uniform.
    pub(super) fn probs(&mut self) -> &[f32] {
        let max = self.best().logit;
        self.probs.clear();
        if max == f32::NEG_INFINITY {
            let len = self.len();
            self.probs.resize(len, 1.0 / len as f32);
            return &self.probs;
        }
        let mut probs = std::mem::take(&mut self.probs);
        probs.extend(self.logits().map(|logit| (logit - max).exp()));
        self.probs = probs;
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
        self.list();
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
        if k == 0 || k >= self.len() {
            return;
        }
        let Self {
            list,
            scratch,
            row,
            is_whole,
            ..
        } = self;
        scratch.clear();
        let mut least = f32::NEG_INFINITY;
        let mut offer = |candidate: Candidate| {
            // An equal one that comes later has a higher id and is worse.
            if candidate.logit > least || scratch.len() < k {
                scratch.push(Ranked::new(candidate.logit, candidate, 0.0));
                if scratch.len() == 2 * k {
                    least = keep_best(scratch, k);
                }
            }
            (scratch.len() >= k).then_some(least)
        };
        if std::mem::take(is_whole) {
            let mut least = None;
            for (chunk, logits) in row.chunks(CHUNK).enumerate() {
                if least.is_none_or(|least| any(logits, |logit| logit > least)) {
                    for (id, &logit) in (chunk * CHUNK..).zip(logits) {
                        let id = id as u32;
                        least = offer(Candidate { id, logit });
                    }
                }
            }
        } else {
            list.iter().for_each(|&candidate| {
                offer(candidate);
            });
        }
        keep_best(scratch, k);
        scratch.sort_unstable_by_key(|ranked| ranked.id);
        list.clear();
        list.extend(scratch.iter().map(|r| Candidate {
            id: r.id,
            logit: r.rank,
        }));
    }

    /// Keeps the shortest run of most probable candidates, at least `min_keep`, whose probabilities sum to at least
    /// `mass`.
    pub(super) fn keep_top_mass(&mut self, mass: f32, min_keep: usize) {
        let len = self.len();
        // All that are less probable than this come to half of what may be left out, so the run ends before them.
        let least = (1.0 - mass) / (2 * len) as f32;
        let reach = |p: f32| p >= least;
        let num_near = self.probs().iter().filter(|&&p| reach(p)).count();
        if num_near >= min_keep.max(1) && num_near < len {
            self.retain_by_prob(|_, p| reach(p));
            self.probs.retain(|&p| reach(p));
        }
        self.keep_fresh_mass(mass, false, min_keep, |prob| prob);
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
        self.keep_fresh_mass(mass, strictly, min_keep, rank);
    }

    /// [`Self::keep_mass`] by probabilities that are there.
    fn keep_fresh_mass(
        &mut self,
        mass: f32,
        strictly: bool,
        min_keep: usize,
        rank: impl Fn(f32) -> f32,
    ) {
        self.list();
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

/// Whether some logit passes; all are looked at, which takes less time than to stop.
fn any(logits: &[f32], passes: impl Fn(f32) -> bool) -> bool {
    logits.iter().fold(false, |any, &logit| any | passes(logit))
}

/// The largest logit and its first place.
fn best_of_row(row: &[f32]) -> Candidate {
    // A maximum in eight parts, which fit a vector register; there are no NaNs.
    let mut parts = [f32::NEG_INFINITY; 8];
    let (eights, rest) = row.as_chunks::<8>();
    for eight in eights {
        for (part, &logit) in parts.iter_mut().zip(eight) {
            *part = if logit > *part { logit } else { *part };
        }
    }
    let all = parts.iter().chain(rest);
    let max = all.fold(f32::NEG_INFINITY, |max, &logit| max.max(logit));
    let place = row.iter().position(|&logit| logit == max);
    let place = place.expect("the maximum is one of them");
    Candidate {
        id: place as u32,
        logit: row[place],
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
