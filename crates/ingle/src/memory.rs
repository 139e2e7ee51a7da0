//! What a model needs and what it may have.

use std::fs;

use engine::{MAX_STEP_TOKENS, Window};
use model::config::ModelConfig;
use model::placement::WeightBytes;
use model::{KvCache, KvType, LoadError, NumBlocks, Placement, Workspace};

use crate::cgroup;
pub use crate::cgroup::CgroupLimit;

/// Memory of this machine, and of the control group that this process lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available {
    /// All that the machine has, in bytes.
    pub total: u64,
    /// What can be had without swapping, in bytes; page cache that can be dropped included.
    pub free: u64,
    /// The tightest limit of a control group, if one is set.
    pub cgroup: Option<CgroupLimit>,
}

/// Memory of this machine; none if the system does not say.
pub fn available() -> Option<Available> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    Some(Available {
        total: meminfo_bytes(&meminfo, "MemTotal:")?,
        free: meminfo_bytes(&meminfo, "MemAvailable:")?,
        cgroup: cgroup::of_this_process(),
    })
}

fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What a model may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes.
    pub bytes: u64,
    /// What sets it.
    pub source: BudgetSource,
}

/// What sets a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetSource {
    /// The user.
    Given,
    /// What is left of a control group's limit.
    Cgroup,
    /// What is free on the machine, less a sixteenth for everybody else.
    Free,
}

impl BudgetSource {
    /// For people: `given`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Cgroup => "cgroup",
            Self::Free => "free memory",
        }
    }
}

/// What a model may take: what is given, or what is free, and in any case what the control group has left,
/// as nothing helps against that. None if nothing is known.
pub fn budget(given: Option<u64>, available: Option<&Available>) -> Option<Budget> {
    let cgroup = available.and_then(|memory| memory.cgroup);
    let given = given.map(|bytes| Budget {
        bytes,
        source: BudgetSource::Given,
    });
    let free = available.map(|memory| Budget {
        bytes: memory.free - memory.free / 16,
        source: BudgetSource::Free,
    });
    let cgroup = cgroup.map(|limit| Budget {
        bytes: limit.left(),
        source: BudgetSource::Cgroup,
    });
    let all = [given.or(free), cgroup].into_iter().flatten();
    all.min_by_key(|budget| budget.bytes)
}

/// Bytes that a model takes at a context length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Weights in memory: all of them, mapped from the file, unless [`Estimate::place`] found better.
    pub weights: u64,
    /// Keys and values.
    pub kv: u64,
    /// States of layers that recur.
    pub state: u64,
    /// Buffers of a step.
    pub workspace: u64,
    /// The program, its vocabulary, and the page tables of all this.
    pub process: u64,
}

/// What requests have room in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Tokens of all keys and values.
    pub kv_tokens: usize,
    /// States, of models that keep one for each sequence.
    pub states: usize,
    /// Texts whose windows are kept, for layers that see no more.
    pub windows: usize,
    /// Tokens of a step.
    pub step_tokens: usize,
    /// Rows of logits of a step.
    pub max_outputs: usize,
}

/// States and windows that are kept of texts for later, beside those of the sequences.
const KEPT_TEXTS: usize = 4;

/// Rows of logits for guesses, beside those of the sequences.
const GUESSED_ROWS: usize = 16;

impl Room {
    /// For `parallel` sequences of up to `ctx` tokens, with keys and values of `kv_tokens` tokens in all.
    pub fn of_requests(ctx: usize, parallel: usize, kv_tokens: usize) -> Self {
        let step_tokens = MAX_STEP_TOKENS.min(ctx).max(parallel);
        Self {
            kv_tokens,
            states: parallel + KEPT_TEXTS,
            windows: parallel.max(kv_tokens / ctx.max(1)) + KEPT_TEXTS,
            step_tokens,
            max_outputs: (parallel + GUESSED_ROWS).min(step_tokens),
        }
    }

    /// For one sequence of `ctx` tokens and `max_outputs` rows of logits a step, as measurements take it: all layers keep
    /// all of it.
    pub fn of_one(ctx: usize, max_outputs: usize) -> Self {
        Self {
            kv_tokens: ctx,
            states: 1,
            windows: usize::MAX,
            step_tokens: MAX_STEP_TOKENS.min(ctx),
            max_outputs,
        }
    }

    /// KV blocks. Layers with a window need no more than it for each text, and what a step computes.
    pub fn num_blocks(&self, config: &ModelConfig) -> NumBlocks {
        let all = KvCache::blocks_for(self.kv_tokens);
        let most = KvCache::window_of(config).map_or(all, |len| {
            let texts = self.windows.saturating_mul(Window::blocks_per_text(len));
            texts.saturating_add(KvCache::blocks_for(self.step_tokens))
        });
        let window = most.min(all);
        NumBlocks { all, window }
    }
}

/// The program with a vocabulary of 256,000 tokens takes 40 MB.
const PROCESS: u64 = 64 << 20;

impl Estimate {
    /// For weights of `weights` bytes, and keys and values of `kv_type`.
    pub fn new(config: &ModelConfig, kv_type: KvType, weights: u64, room: Room) -> Self {
        let kv = KvCache::size_bytes(config, kv_type, room.num_blocks(config)) as u64;
        let (step, outputs) = (room.step_tokens, room.max_outputs);
        Self {
            weights,
            kv,
            state: (KvCache::state_bytes(config) as u64).saturating_mul(room.states as u64),
            workspace: Workspace::size_bytes(config, step, outputs) as u64,
            // An entry of 8 bytes for every page.
            process: PROCESS + weights.saturating_add(kv) / 512,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.besides())
    }

    /// All but the weights.
    pub fn besides(&self) -> u64 {
        let sum = self.kv.saturating_add(self.state);
        let sum = sum.saturating_add(self.workspace);
        sum.saturating_add(self.process)
    }

    /// Whether mapped weights can be copied into memory of our own, which cannot be reclaimed: of what is free for
    /// everybody, an eighth of them must be to spare, of what is ours alone a 32nd.
    pub fn has_room_to_repack(&self, budget: Option<Budget>) -> bool {
        let Some(Budget { bytes, source }) = budget else {
            return true;
        };
        let spare = match source {
            BudgetSource::Free => self.weights / 8,
            BudgetSource::Given | BudgetSource::Cgroup => self.weights / 32,
        };
        self.total().saturating_add(spare) <= bytes
    }

    /// Where weights of these sizes go, so that all of it stays in the budget; corrects what they take.
    ///
    /// # Errors
    /// If they cannot do with what is left.
    pub fn place(
        &mut self,
        weights: &WeightBytes,
        budget: Option<Budget>,
    ) -> Result<Placement, LoadError> {
        let budget = budget.map_or(u64::MAX, |budget| budget.bytes);
        if self.total() <= budget {
            return Ok(Placement::Mapped);
        }
        // Norms and biases are in `self.weights` alone; a plan that leaves no room for them is none.
        let small = self.weights.saturating_sub(weights.total());
        let left = budget.saturating_sub(self.besides()).saturating_sub(small);
        let placement = Placement::plan(weights, left)?;
        if let Placement::Own(plan) = &placement {
            self.weights = plan.total() + small;
        }
        Ok(placement)
    }
}

/// The context that is taken if none is asked for: what the model was trained for, or as much of it as fits with
/// all weights in memory, keys and values in a quarter of it. A model that has to be streamed gets 2,048.
pub fn default_ctx(
    config: &ModelConfig,
    kv_type: KvType,
    weights: u64,
    budget: Option<Budget>,
) -> usize {
    const SHORT: usize = 1024;
    const USUAL: usize = 2048;
    let Some(Budget { bytes, .. }) = budget else {
        return config.max_seq_len.min(USUAL);
    };
    let fits = |ctx: usize| {
        let room = Room::of_requests(ctx, 1, ctx);
        let need = Estimate::new(config, kv_type, weights, room);
        need.total() <= bytes && (ctx <= USUAL || need.kv <= bytes / 4)
    };
    let halves = std::iter::successors(Some(config.max_seq_len), |ctx| Some(ctx / 2));
    let mut long_enough = halves.take_while(|&ctx| ctx >= SHORT.min(config.max_seq_len));
    let fitting = long_enough.find(|&ctx| fits(ctx));
    fitting.unwrap_or(USUAL.min(config.max_seq_len))
}

/// Tokens of keys and values for `parallel` sequences of up to `ctx`: room for all, or as much of it as leaves the
/// weights in memory and takes no more than a quarter of it; at least for one. What sequences do not need keeps
/// prefixes.
pub fn default_kv_tokens(
    config: &ModelConfig,
    kv_type: KvType,
    weights: u64,
    (ctx, parallel): (usize, usize),
    budget: Option<Budget>,
) -> usize {
    let Some(Budget { bytes, .. }) = budget else {
        return ctx;
    };
    let fits = |&tokens: &usize| {
        let room = Room::of_requests(ctx, parallel, tokens);
        let need = Estimate::new(config, kv_type, weights, room);
        need.total() <= bytes && need.kv <= bytes / 4
    };
    let most = (1..=parallel).rev().map(|n| n.saturating_mul(ctx));
    most.into_iter().find(fits).unwrap_or(ctx)
}

/// The longest context with which `fits` says yes; none if there is none. It must say yes to all shorter ones.
pub fn longest_ctx(config: &ModelConfig, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut least, mut most) = (0, config.max_seq_len);
    while least < most {
        let ctx = least + (most - least).div_ceil(2);
        if fits(ctx) {
            least = ctx;
        } else {
            most = ctx - 1;
        }
    }
    (least > 0).then_some(least)
}

#[cfg(test)]
mod tests {
    use model::{LoadOptions, Model};
    use testkit::TinyModel;

    use super::*;

    #[test]
    fn meminfo_is_read_in_kib() {
        let text = "MemTotal:       24569584 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(meminfo_bytes(text, "MemTotal:"), Some(24_569_584 * 1024));
        assert_eq!(meminfo_bytes(text, "SwapTotal:"), None);
    }

    fn bytes(bytes: u64) -> Option<Budget> {
        let source = BudgetSource::Given;
        Some(Budget { bytes, source })
    }

    #[test]
    fn budgets_are_given_or_found() {
        let found = |given, limit: Option<(u64, u64)>| {
            let memory = Available {
                total: 2000,
                free: 1600,
                cgroup: limit.map(|(limit, used)| CgroupLimit { limit, used }),
            };
            let budget = budget(given, Some(&memory)).expect("known");
            (budget.bytes, budget.source)
        };
        assert_eq!(found(None, None), (1500, BudgetSource::Free));
        assert_eq!(found(None, Some((900, 100))), (800, BudgetSource::Cgroup));
        assert_eq!(found(None, Some((9000, 100))), (1500, BudgetSource::Free));
        assert_eq!(
            found(Some(700), Some((900, 100))),
            (700, BudgetSource::Given)
        );
        assert_eq!(
            found(Some(850), Some((900, 100))),
            (800, BudgetSource::Cgroup)
        );
        // The user may know better what is free, but not what the kernel allows.
        assert_eq!(found(Some(1900), None), (1900, BudgetSource::Given));
        assert_eq!(found(None, Some((50, 100))), (0, BudgetSource::Cgroup));
        assert_eq!(budget(None, None), None);
        assert_eq!(budget(Some(5), None), bytes(5));
    }

    fn tiny() -> (Model, u64) {
        let tiny = TinyModel {
            max_seq_len: 8192,
            n_layers: 8,
            ..TinyModel::default()
        };
        let model = Model::load(&tiny.build(), &LoadOptions::default()).expect("a sound model");
        let weights = model.weight_bytes().total() + 640;
        (model, weights)
    }

    #[test]
    fn the_usual_context_leaves_weights_in_memory() {
        let (model, weights) = tiny();
        let config = model.config();
        let needed = |ctx| {
            Estimate::new(config, KvType::F16, weights, Room::of_requests(ctx, 1, ctx)).total()
        };
        let taken = |budget| default_ctx(config, KvType::F16, weights, budget);
        assert_eq!(taken(None), 2048);
        assert_eq!(taken(bytes(needed(8192))), 8192);
        assert_eq!(taken(bytes(needed(8192) - 1)), 4096);
        assert_eq!(taken(bytes(needed(2048) - 1)), 1024);
        // Nothing helps: then rather long than short.
        assert_eq!(taken(bytes(needed(1024) - 1)), 2048);
        let fits = |bytes| move |ctx| needed(ctx) <= bytes;
        assert_eq!(
            longest_ctx(config, fits(needed(3000))),
            Some(3008),
            "whole KV blocks"
        );
        assert_eq!(longest_ctx(config, fits(u64::MAX)), Some(8192));
        assert_eq!(longest_ctx(config, fits(0)), None);
    }

    #[test]
    fn layers_with_a_window_take_no_more_for_longer_texts() {
        let tiny = TinyModel {
            max_seq_len: 65_536,
            n_layers: 6,
            ..TinyModel::gemma2()
        };
        let model = Model::load(&tiny.build(), &LoadOptions::default()).expect("a sound model");
        let config = model.config();
        let kv = |room: Room| Estimate::new(config, KvType::F16, 0, room).kv;
        let of_ctx = |ctx| kv(Room::of_requests(ctx, 2, 2 * ctx));
        // Half of the layers see 20 positions: three blocks for each of six texts, and four for a step.
        let half = kv(Room::of_one(64, 1)) / 2;
        assert_eq!(of_ctx(512), half * (16 + 16), "all there is");
        assert_eq!(of_ctx(8192), half * (256 + 22));
        assert_eq!(of_ctx(65_536), half * (2048 + 22));
        assert_eq!(kv(Room::of_one(65_536, 1)), half * 2048, "measured whole");
    }

    #[test]
    fn weights_are_repacked_only_with_room_to_spare() {
        let need = Estimate {
            weights: 800,
            kv: 100,
            state: 0,
            workspace: 50,
            process: 50,
        };
        let has_room = |bytes, source| need.has_room_to_repack(Some(Budget { bytes, source }));
        assert!(need.has_room_to_repack(None));
        assert!(has_room(1100, BudgetSource::Free) && !has_room(1099, BudgetSource::Free));
        for source in [BudgetSource::Given, BudgetSource::Cgroup] {
            assert!(has_room(1025, source) && !has_room(1024, source));
        }
    }

    #[test]
    fn places_keep_the_budget() {
        let (model, weights) = tiny();
        let sizes = model.weight_bytes();
        let whole = Estimate::new(model.config(), KvType::F16, weights, Room::of_one(100, 1));
        let mut need = whole;
        let placement = need.place(&sizes, bytes(whole.total())).expect("it fits");
        assert_eq!((placement, need), (Placement::Mapped, whole));
        assert_eq!(need.place(&sizes, None).ok(), Some(Placement::Mapped));
        for missing in [1, weights / 4, weights / 2] {
            let (mut need, budget) = (whole, whole.total() - missing);
            let placement = need
                .place(&sizes, bytes(budget))
                .expect("it can be streamed");
            assert!(matches!(placement, Placement::Own(_)), "{placement:?}");
            assert!(need.total() <= budget, "{need:?} in {budget}");
        }
        let error = { whole }
            .place(&sizes, bytes(1000))
            .expect_err("too little");
        assert!(
            matches!(error, LoadError::Memory { budget: 0, .. }),
            "{error}"
        );
    }
}
