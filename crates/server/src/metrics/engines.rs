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

const FIGURES: [Figure; 13] = [
    Figure {
        ours: "requests_running",
        of_vllm: Some("num_requests_running"),
        help: "Requests that are computed",
        value: Value::Gauge(|stats| stats.num_running as f64),
    },
    Figure {
        ours: "requests_waiting",
        of_vllm: Some("num_requests_waiting"),
        help: "Requests that wait to be computed",
        value: Value::Gauge(|stats| stats.num_waiting as f64),
    },
    Figure {
        ours: "kv_cache_usage_ratio",
        of_vllm: Some("kv_cache_usage_perc"),
        help: "KV blocks that requests hold, of all (1: all)",
        value: Value::Gauge(|stats| stats.num_held_blocks as f64 / stats.num_blocks.max(1) as f64),
    },
    Figure {
        ours: "steps",
        of_vllm: None,
        help: "Steps of the model",
        value: Value::Counter(|stats| stats.num_steps),
    },
    Figure {
        ours: "computed_tokens",
        of_vllm: None,
        help: "Tokens that were computed, guesses included",
        value: Value::Counter(|stats| stats.num_computed_tokens),
    },
    Figure {
        ours: "prompt_tokens",
        of_vllm: Some("prompt_tokens"),
        help: "Tokens of prompts",
        value: Value::Counter(|stats| stats.prompt_tokens),
    },
    Figure {
        ours: "generated_tokens",
        of_vllm: Some("generation_tokens"),
        help: "Tokens of replies that have ended",
        value: Value::Counter(|stats| stats.generated_tokens),
    },
    Figure {
        ours: "prefix_cache_queries",
        of_vllm: Some("prefix_cache_queries"),
        help: "Tokens of prompts that were looked for in the cache",
        value: Value::Counter(|stats| stats.prompt_tokens),
    },
    Figure {
        ours: "prefix_cache_hits",
        of_vllm: Some("prefix_cache_hits"),
        help: "Tokens of prompts that were found there",
        value: Value::Counter(|stats| stats.cached_tokens),
    },
    Figure {
        ours: "preemptions",
        of_vllm: Some("num_preemptions"),
        help: "Requests that had to give their blocks back for a while",
        value: Value::Counter(|stats| stats.num_preemptions),
    },
    Figure {
        ours: "drafted_tokens",
        of_vllm: Some("spec_decode_num_draft_tokens"),
        help: "Tokens that were guessed",
        value: Value::Counter(|stats| stats.drafted_tokens),
    },
    Figure {
        ours: "accepted_tokens",
        of_vllm: Some("spec_decode_num_accepted_tokens"),
        help: "Guesses that were right",
        value: Value::Counter(|stats| stats.accepted_tokens),
    },
    Figure {
        ours: "kv_cache_blocks",
        of_vllm: None,
        help: "KV blocks that there are",
        value: Value::Gauge(|stats| stats.num_blocks as f64),
    },
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
