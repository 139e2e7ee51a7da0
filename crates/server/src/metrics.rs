//! What is counted and measured, for Prometheus.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use ingle::{Ending, FinishReason};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Model {
    model_name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Finished {
    model_name: String,
    finished_reason: &'static str,
}

type Histograms = Family<Model, Histogram, fn() -> Histogram>;

/// Counts and histograms since the start.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    first_token: Histograms,
    between_tokens: Histograms,
    whole_reply: Histograms,
    finished: Family<Finished, Counter>,
}

fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        120.0,
    ])
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let mut histograms = |names: [&str; 2], help: &str| {
            let family: Histograms = Family::new_with_constructor(seconds);
            names
                .into_iter()
                .for_each(|name| registry.register(name, help, family.clone()));
            family
        };
        let first_token = histograms(
            [
                "ingle_time_to_first_token_seconds",
                "vllm:time_to_first_token_seconds",
            ],
            "From a request to the first token of its reply",
        );
        let between_tokens = histograms(
            [
                "ingle_inter_token_latency_seconds",
                "vllm:inter_token_latency_seconds",
            ],
            "Between two tokens of a reply",
        );
        let whole_reply = histograms(
            [
                "ingle_request_duration_seconds",
                "vllm:e2e_request_latency_seconds",
            ],
            "From a request to the end of its reply",
        );
        let finished = Family::<Finished, Counter>::default();
        for name in ["ingle_requests", "vllm:request_success"] {
            registry.register(name, "Replies that have ended", finished.clone());
        }
        Self {
            registry: Mutex::new(registry),
            first_token,
            between_tokens,
            whole_reply,
            finished,
        }
    }

    pub(crate) fn first_token(&self, model: &str, time: Duration) {
        observe(&self.first_token, model, time);
    }

    pub(crate) fn next_token(&self, model: &str, time: Duration) {
        observe(&self.between_tokens, model, time);
    }

    pub(crate) fn end(&self, model: &str, ending: &Ending, time: Duration) {
        observe(&self.whole_reply, model, time);
        let finished_reason = match ending.reason {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "abort",
        };
        let labels = Finished {
            model_name: model.to_owned(),
            finished_reason,
        };
        self.finished.get_or_create(&labels).inc();
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry).expect("a string takes everything");
        text
    }
}

fn observe(family: &Histograms, model: &str, time: Duration) {
    let model_name = model.to_owned();
    family
        .get_or_create(&Model { model_name })
        .observe(time.as_secs_f64());
}
