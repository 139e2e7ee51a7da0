//! What the engines of loaded models count, read when it is asked for.

use std::fmt;
use std::sync::Arc;

use ingle::EngineStats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::registry::Registry;

/// Counts of all models that are loaded.
#[derive(Debug)]
pub(super) struct Engines(pub(super) Arc<Registry>);

/// What a number is called by us and, if it is known there, by vLLM; what it says.
struct Figure {
    ours: &'static str,
    of_vllm: Option<&'static str>,
    help: &'static str,
    value: Value,
}

enum Value {
    /// Now.
    Gauge(fn(&EngineStats) -> f64),
    /// Since the model was loaded.
    Counter(fn(&EngineStats) -> u64),
}

const fn gauge(
    ours: &'static str,
    of_vllm: Option<&'static str>,
    help: &'static str,
    value: fn(&EngineStats) -> f64,
) -> Figure {
    let value = Value::Gauge(value);
    Figure {
        ours,
        of_vllm,
        help,
        value,
    }
}

const fn counter(
    ours: &'static str,
    of_vllm: Option<&'static str>,
    help: &'static str,
    value: fn(&EngineStats) -> u64,
) -> Figure {
    let value = Value::Counter(value);
    Figure {
        ours,
        of_vllm,
        help,
        value,
    }
}

/// Our name, vLLM's, what it says, where it stands.
#[rustfmt::skip]
const FIGURES: [Figure; 15] = [
    gauge("requests_running", Some("num_requests_running"), "Requests that are computed", |stats| stats.num_running as f64),
    gauge("requests_waiting", Some("num_requests_waiting"), "Requests that wait to be computed", |stats| stats.num_waiting as f64),
    gauge("kv_cache_usage_ratio", Some("kv_cache_usage_perc"), "KV blocks that requests hold, of all (1: all)", |stats| {
        stats.num_held_blocks as f64 / stats.num_blocks.max(1) as f64
    }),
    gauge("kv_cache_blocks", None, "KV blocks that there are", |stats| stats.num_blocks as f64),
    gauge("kv_cache_window_usage_ratio", None, "KV blocks for layers with a sliding window that requests hold, of all (1: all)", |stats| {
        stats.num_held_window_blocks as f64 / stats.num_window_blocks.max(1) as f64
    }),
    gauge("kv_cache_window_blocks", None, "KV blocks that there are for layers with a sliding window (0: no layer has one)", |stats| {
        stats.num_window_blocks as f64
    }),
    counter("steps", None, "Steps of the model", |stats| stats.num_steps),
    counter("computed_tokens", None, "Tokens that were computed, guesses included", |stats| stats.num_computed_tokens),
    counter("prompt_tokens", Some("prompt_tokens"), "Tokens of prompts", |stats| stats.prompt_tokens),
    counter("generated_tokens", Some("generation_tokens"), "Tokens of replies that have ended", |stats| stats.generated_tokens),
    counter("prefix_cache_queries", Some("prefix_cache_queries"), "Tokens of prompts that were looked for in the cache", |stats| stats.prompt_tokens),
    counter("prefix_cache_hits", Some("prefix_cache_hits"), "Tokens of prompts that were found there", |stats| stats.cached_tokens),
    counter("preemptions", Some("num_preemptions"), "Requests that had to give their blocks back for a while", |stats| stats.num_preemptions),
    counter("drafted_tokens", Some("spec_decode_num_draft_tokens"), "Tokens that were guessed", |stats| stats.drafted_tokens),
    counter("accepted_tokens", Some("spec_decode_num_accepted_tokens"), "Guesses that were right", |stats| stats.accepted_tokens),
];

impl Collector for Engines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let loaded = self.0.loaded();
        let stats: Vec<_> = loaded
            .iter()
            .map(|(id, model)| (id, model.latest_stats()))
            .collect();
        for figure in &FIGURES {
            let names = [
                Some(format!("ingle_{}", figure.ours)),
                figure.of_vllm.map(|name| format!("vllm:{name}")),
            ];
            for name in names.iter().flatten() {
                let kind = match figure.value {
                    Value::Gauge(_) => MetricType::Gauge,
                    Value::Counter(_) => MetricType::Counter,
                };
                let mut metric = encoder.encode_descriptor(name, figure.help, None, kind)?;
                for (id, stats) in &stats {
                    let labels = [("model_name", id.as_str())];
                    let family = metric.encode_family(&labels)?;
                    match figure.value {
                        Value::Gauge(value) => ConstGauge::new(value(stats)).encode(family)?,
                        Value::Counter(value) => ConstCounter::new(value(stats)).encode(family)?,
                    }
                }
            }
        }
        let help = "How keys and values are kept";
        let name = "vllm:cache_config_info";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (id, stats) in &stats {
            let (size, blocks) = (
                ingle::BLOCK_TOKENS.to_string(),
                stats.num_blocks.to_string(),
            );
            // vLLM's word for the blocks there are, wherever they are.
            let labels = [
                ("model_name", id.as_str()),
                ("block_size", size.as_str()),
                ("num_gpu_blocks", blocks.as_str()),
            ];
            ConstGauge::new(1.0).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
