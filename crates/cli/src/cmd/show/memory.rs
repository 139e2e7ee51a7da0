//! What a model needs, what it may have, and what becomes of it at which context.

use std::io::{self, Write};

use ingle::KvType;
use ingle::memory::{self, Budget, Estimate, Room};
use ingle::model::Placement;
use ingle::model::config::ModelConfig;
use ingle::model::placement::{OwnMemory, WeightBytes};
use serde_json::{Value, json};

use super::print::{indented, line, list, size};
use crate::text::{self, Align};

/// The weights of a file.
pub(super) struct Weights {
    /// All tensors, in bytes.
    pub(super) all: u64,
    /// The matrices by layer; none if the model does not run here.
    pub(super) sizes: Option<WeightBytes>,
}

/// What the model takes, and where its weights would be.
struct Plan {
    need: Estimate,
    /// None if there is no way.
    placement: Option<Placement>,
}

impl Plan {
    fn new(
        config: &ModelConfig,
        kv_type: KvType,
        weights: &Weights,
        ctx: usize,
        budget: Option<Budget>,
    ) -> Self {
        let mut need = Estimate::new(config, kv_type, weights.all, Room::of_requests(ctx, 1, ctx));
        let sizes = weights.sizes.as_ref();
        let placement = sizes.and_then(|sizes| need.place(sizes, budget).ok());
        Self { need, placement }
    }

    fn fits(&self, budget: Option<Budget>) -> bool {
        budget.is_none_or(|budget| self.need.total() <= budget.bytes)
    }

    /// Bytes that a step reads from disk.
    fn streamed(&self) -> Option<u64> {
        self.placement.as_ref().map(|placement| match placement {
            Placement::Mapped => 0,
            Placement::Own(plan) => plan.streamed_bytes,
        })
    }

    fn is_mapped(&self, budget: Option<Budget>) -> bool {
        self.fits(budget) && !matches!(self.placement, Some(Placement::Own(_)))
    }
}

/// The facts: for the context asked for, or the one that `ingle run` would take, and for others.
pub(super) fn collect(
    config: &ModelConfig,
    kv_type: KvType,
    weights: &Weights,
    ctx: Option<usize>,
    given: Option<u64>,
) -> Value {
    let have = memory::available();
    let budget = memory::budget(given, have.as_ref());
    let ctx = ctx.unwrap_or_else(|| memory::default_ctx(config, kv_type, weights.all, budget));
    let plan = |ctx| Plan::new(config, kv_type, weights, ctx, budget);
    let chosen = plan(ctx);
    let own = match &chosen.placement {
        Some(Placement::Own(plan)) => own(plan, weights),
        _ => Value::Null,
    };
    let doubling = std::iter::successors(Some(1024), |ctx| Some(ctx * 2));
    let below = doubling.take_while(|&ctx| ctx < config.max_seq_len);
    let contexts = below.chain([config.max_seq_len]).map(|ctx| {
        let plan = plan(ctx);
        json!({
            "ctx": ctx,
            "kv_cache": plan.need.kv,
            "needed": plan.need.total(),
            "fits": plan.fits(budget),
            "streamed_per_step": plan.streamed(),
        })
    });
    json!({
        "ctx": ctx,
        "max_ctx": config.max_seq_len,
        "weights": weights.all,
        "weights_in_memory": chosen.need.weights,
        "streamed_per_step": chosen.streamed(),
        "own": own,
        "kv_cache": chosen.need.kv,
        "kv_type": kv_type.name(),
        "state": chosen.need.state,
        "workspace": chosen.need.workspace,
        "process": chosen.need.process,
        "needed": chosen.need.total(),
        "fits": chosen.fits(budget),
        "budget": budget.map(|budget| budget.bytes),
        "budget_source": budget.map(|budget| budget.source.name()),
        "available": have.map(|have| have.free),
        "total": have.map(|have| have.total),
        "cgroup_limit": have.and_then(|have| have.cgroup).map(|cgroup| cgroup.limit),
        "cgroup_used": have.and_then(|have| have.cgroup).map(|cgroup| cgroup.used),
        "longest_ctx_mapped": memory::longest_ctx(config, |ctx| plan(ctx).is_mapped(budget)),
        "longest_ctx": memory::longest_ctx(config, |ctx| plan(ctx).fits(budget)),
        "contexts": contexts.collect::<Vec<_>>(),
    })
}

fn own(plan: &OwnMemory, weights: &Weights) -> Value {
    let layers = weights.sizes.iter().flat_map(|sizes| &sizes.layers);
    let is_whole = |(sizes, &held): (&Vec<u64>, &usize)| sizes.len() == held;
    let num_whole = layers.zip(&plan.num_held).filter(|&layer| is_whole(layer));
    json!({
        "held": plan.held_bytes,
        "whole_layers": num_whole.count(),
        "layers": plan.num_held.len(),
        "buffers": plan.num_buffers,
        "buffer": plan.buffer_bytes,
    })
}

/// The facts for people.
pub(super) fn print(facts: &Value, out: &mut dyn Write) -> io::Result<()> {
    if facts.is_null() {
        return writeln!(out, "  unknown, as this model does not run here");
    }
    let verdict = match facts["fits"].as_bool() {
        Some(true) => "it fits",
        _ => "it does not fit",
    };
    let (ctx, max_ctx) = (line(&facts["ctx"]), line(&facts["max_ctx"]));
    let kv = format!(
        "{} in {} for a context of {ctx} tokens (the model was trained for {max_ctx})",
        size(&facts["kv_cache"]),
        line(&facts["kv_type"]),
    );
    let rows = [
        ("weights", weights(facts)),
        ("kv cache", kv),
        ("state", size(&facts["state"])),
        ("workspace", size(&facts["workspace"])),
        ("program", size(&facts["process"])),
        ("needed", format!("{}: {verdict}", size(&facts["needed"]))),
        ("budget", budget(facts)),
        ("longest", longest(facts)),
    ];
    let has_state = facts["state"].as_u64() != Some(0);
    for (name, value) in rows {
        if name == "state" && !has_state {
            continue;
        }
        writeln!(out, "  {name:<14} {value}")?;
    }
    let names = ["context", "kv cache", "needed", ""].map(str::to_owned);
    let mut rows = vec![names.to_vec()];
    rows.extend(list(&facts["contexts"]).iter().map(|row| {
        let what = match (row["fits"].as_bool(), row["streamed_per_step"].as_u64()) {
            (Some(true), Some(0) | None) => "in memory".to_owned(),
            (Some(true), Some(bytes)) => format!("{} a step from disk", text::bytes(bytes)),
            _ => "does not fit".to_owned(),
        };
        let (kv, needed) = (size(&row["kv_cache"]), size(&row["needed"]));
        vec![line(&row["ctx"]), kv, needed, what]
    }));
    let align = [Align::Right, Align::Right, Align::Right, Align::Left];
    indented(&text::table(&align, &rows), out)
}

fn weights(facts: &Value) -> String {
    let own = &facts["own"];
    let all = size(&facts["weights"]);
    if own.is_null() {
        return format!("{all} (mapped from the file)");
    }
    let held = size(&own["held"]);
    match facts["streamed_per_step"].as_u64() {
        None | Some(0) => format!("{held} of {all} (read into memory)"),
        Some(streamed) => format!(
            "{held} of {all} in memory ({} of {} layers whole), {} read from disk in every step, \
             through {} buffers of {}",
            line(&own["whole_layers"]),
            line(&own["layers"]),
            text::bytes(streamed),
            line(&own["buffers"]),
            size(&own["buffer"]),
        ),
    }
}

fn budget(facts: &Value) -> String {
    let limit = match &facts["cgroup_limit"] {
        Value::Null => String::new(),
        limit => format!(
            ", cgroup limit {} ({} used)",
            size(limit),
            size(&facts["cgroup_used"])
        ),
    };
    format!(
        "{} ({}); the machine has {} free of {}{limit}",
        size(&facts["budget"]),
        line(&facts["budget_source"]),
        size(&facts["available"]),
        size(&facts["total"]),
    )
}

fn longest(facts: &Value) -> String {
    let streamed = match facts["longest_ctx"].as_u64() {
        Some(ctx) => format!("{ctx} tokens"),
        None => return "no context fits".to_owned(),
    };
    match facts["longest_ctx_mapped"].as_u64() {
        Some(mapped) if Some(mapped) == facts["longest_ctx"].as_u64() => streamed,
        Some(mapped) => format!("{mapped} tokens with all weights in memory, {streamed} without"),
        None => format!("{streamed}, with weights read in every step"),
    }
}
