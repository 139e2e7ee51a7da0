//! What `ingle bench` prints: a table, or a JSON object a line with llama-bench's names.

use std::io::Write;

use ingle::bench::{Case, Speed};
use ingle::limits::Limits;
use ingle::model::Placement;
use ingle::{Level, Model};
use serde_json::json;

use crate::failure::Failure;
use crate::text;

/// One test's outcome.
pub(super) struct Measured {
    /// The test.
    pub(super) case: Case,
    /// Tokens before it.
    pub(super) depth: usize,
    /// Its speeds.
    pub(super) speed: Speed,
    /// Time of a step by that of a step of one token, where both were measured.
    pub(super) cost: Option<f64>,
    /// What the machine could do meanwhile.
    pub(super) limits: Option<Limits>,
}

/// Lines of output, with a head before the first.
pub(super) struct Report {
    json: bool,
    head: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, head: !json }
    }

    /// The machine alone.
    pub(super) fn machine(
        &mut self,
        level: Level,
        threads: usize,
        limits: Limits,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        if self.json {
            let line = json!({"threads": threads, "level": level.name(), "limits": fields(limits)});
            writeln!(out, "{line}")?;
        } else {
            writeln!(
                out,
                "{threads} threads, {}: {:.3} T int8 operations/s, {:.1} GB/s read ({:.1} by one thread)",
                level.name(),
                limits.int8_ops / 1e12,
                limits.read_all / 1e9,
                limits.read_one / 1e9
            )?;
        }
        Ok(())
    }

    /// One test.
    pub(super) fn test(
        &mut self,
        model: &Model,
        measured: &Measured,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let Measured {
            case,
            depth,
            ref speed,
            cost,
            limits,
        } = *measured;
        let (info, test) = (model.info(), case.name(depth));
        let share = limits.map(|limits| limits.share(model, case, depth, speed.mean()));
        if self.json {
            let (n_prompt, n_gen) = match case {
                Case::Generate(n) => (0, n),
                Case::Prompt(n) | Case::Step(n) => (n, 0),
            };
            let mut line = json!({
                "model": info.name,
                "size": info.file_bytes,
                "threads": info.num_threads,
                "level": info.level,
                "kv_type": info.kv_type.name(),
                "test": test,
                "n_prompt": n_prompt,
                "n_gen": n_gen,
                "n_depth": depth,
                "streamed_per_step": streamed(model),
                "avg_ts": speed.mean(),
                "stddev_ts": speed.stddev(),
                "samples_ts": speed.samples,
            });
            if let Some(cost) = cost {
                line["step_cost"] = cost.into();
            }
            if let (Some(limits), Some(share)) = (limits, share) {
                line["limits"] = fields(limits);
                line["limit_share"] = share.into();
            }
            writeln!(out, "{line}")?;
            return Ok(());
        }
        if std::mem::take(&mut self.head) {
            let names = row(["model", "size", "threads", "level", "test", "t/s"], "");
            writeln!(out, "{names}\n{}", "-".repeat(names.chars().count()))?;
        }
        let mut notes = String::new();
        if let Some(cost) = cost {
            notes += &format!("  {cost:.2} x step1");
        }
        if let Some((limits, share)) = limits.zip(share) {
            let of = match case {
                Case::Prompt(_) => format!("{:.3} T int8 op/s", limits.int8_ops / 1e12),
                Case::Generate(_) | Case::Step(_) => format!("{:.1} GB/s", limits.read_all / 1e9),
            };
            notes += &format!("  {:.0} % of {of}", 100.0 * share);
        }
        if streamed(model) > 0 {
            notes += &format!("  {} a step from disk", text::bytes(streamed(model)));
        }
        let columns = [
            short(&info.name),
            &text::bytes(info.file_bytes),
            &info.num_threads.to_string(),
            info.level,
            &test,
            &format!("{:.2} ± {:.2}", speed.mean(), speed.stddev()),
        ];
        writeln!(out, "{}", row(columns, &notes))?;
        Ok(())
    }
}

fn fields(limits: Limits) -> serde_json::Value {
    json!({
        "int8_ops_per_s": limits.int8_ops,
        "read_bytes_per_s_1": limits.read_one,
        "read_bytes_per_s": limits.read_all,
    })
}

/// Bytes that every step reads from disk.
fn streamed(model: &Model) -> u64 {
    match &model.info().placement {
        Placement::Mapped => 0,
        Placement::Own(plan) => plan.streamed_bytes,
    }
}

/// The last part of a path.
fn short(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

fn row([model, size, threads, level, test, speed]: [&str; 6], notes: &str) -> String {
    format!("{model:<32}  {size:>10}  {threads:>7}  {level:<11}  {test:>14}  {speed:>18}{notes}")
}
