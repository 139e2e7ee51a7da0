//! What is counted and measured, for Prometheus: under our names, and under those of vLLM that schedulers in front of
//! several servers read (Gateway API inference extension, llm-d).

mod engines;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use ingle::{Ending, FinishReason};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry as Names;

use crate::registry::Registry;
use engines::Engines;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Model {
    model_name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Finished {
    model_name: String,
    finished_reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Http {
    method: String,
    route: String,
    status: u16,
}

/// Methods that have labels of their own.
static METHODS: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

type Histograms = Family<Model, Histogram, fn() -> Histogram>;

/// Counts and histograms since the start.
pub(crate) struct Metrics {
    names: Mutex<Names>,
    first_token: Histograms,
    between_tokens: Histograms,
    whole_reply: Histograms,
    queued: Histograms,
    prompt: Histograms,
    generation: Histograms,
    prompt_tokens: Histograms,
    generated_tokens: Histograms,
    finished: Family<Finished, Counter>,
    http: Family<Http, Counter>,
    places: Gauge,
}

/// Times of a model's tokens. They are looked up once for a reply: each of its tokens has one.
pub(crate) struct TokenTimes {
    first: Histogram,
    between: Histogram,
}

impl TokenTimes {
    /// A reply's first token came so long after its request.
    pub(crate) fn first(&self, time: Duration) {
        self.first.observe(time.as_secs_f64());
    }

    /// Another came so long after the one before.
    pub(crate) fn next(&self, time: Duration) {
        self.between.observe(time.as_secs_f64());
    }
}

fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        120.0,
    ])
}

fn tokens() -> Histogram {
    Histogram::new((0..18).map(|power| f64::from(1 << power)))
}

impl Metrics {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        let mut names = Names::default();
        names.register_collector(Box::new(Engines(registry)));
        let mut histograms = |ours: &str, of_vllm: &str, help: &str, new: fn() -> Histogram| {
            let family: Histograms = Family::new_with_constructor(new);
            names.register(format!("ingle_{ours}"), help, family.clone());
            names.register(format!("vllm:{of_vllm}"), help, family.clone());
            family
        };
        let mut times =
            |ours: &str, of_vllm: &str, help: &str| histograms(ours, of_vllm, help, seconds);
        let first_token = times(
            "time_to_first_token_seconds",
            "time_to_first_token_seconds",
            "From a request to the first token of its reply",
        );
        let between_tokens = times(
            "inter_token_latency_seconds",
            "inter_token_latency_seconds",
            "Between two tokens of a reply",
        );
        let whole_reply = times(
            "request_duration_seconds",
            "e2e_request_latency_seconds",
            "From a request to the end of its reply",
        );
        let queued = times(
            "request_queue_time_seconds",
            "request_queue_time_seconds",
            "From a request to the first step for it",
        );
        let prompt = times(
            "request_prompt_time_seconds",
            "request_prefill_time_seconds",
            "Computing a prompt",
        );
        let generation = times(
            "request_generation_time_seconds",
            "request_decode_time_seconds",
            "From the first token of a reply to its last",
        );
        let prompt_tokens = histograms(
            "request_prompt_tokens",
            "request_prompt_tokens",
            "Tokens of a prompt",
            tokens,
        );
        let generated_tokens = histograms(
            "request_generated_tokens",
            "request_generation_tokens",
            "Tokens of a reply",
            tokens,
        );
        let finished = Family::<Finished, Counter>::default();
        for name in ["ingle_requests", "vllm:request_success"] {
            names.register(name, "Replies that have ended", finished.clone());
        }
        let http = Family::<Http, Counter>::default();
        names.register(
            "ingle_http_requests",
            "Requests that were answered",
            http.clone(),
        );
        let places = Gauge::default();
        let help = "Replies under way or waiting, of all models";
        names.register("ingle_places_taken", help, places.clone());
        Self {
            names: Mutex::new(names),
            first_token,
            between_tokens,
            whole_reply,
            queued,
            prompt,
            generation,
            prompt_tokens,
            generated_tokens,
            finished,
            http,
            places,
        }
    }

    /// Where the times of a model's tokens go.
    pub(crate) fn token_times(&self, model: &str) -> TokenTimes {
        let model_name = model.to_owned();
        let model = Model { model_name };
        TokenTimes {
            first: self.first_token.get_or_create_owned(&model),
            between: self.between_tokens.get_or_create_owned(&model),
        }
    }

    /// A reply has ended, so long after its request.
    pub(crate) fn end(&self, model: &str, ending: &Ending, time: Duration) {
        let usage = &ending.usage;
        let values = [
            (&self.whole_reply, time.as_secs_f64()),
            (&self.queued, usage.queue_time.as_secs_f64()),
            (&self.prompt, usage.prompt_time.as_secs_f64()),
            (&self.generation, usage.generation_time.as_secs_f64()),
            (&self.prompt_tokens, usage.prompt_tokens as f64),
            (&self.generated_tokens, usage.generated_tokens as f64),
        ];
        for (family, value) in values {
            observe(family, model, value);
        }
        let finished_reason = match ending.reason {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "abort",
        };
        self.finish(model, finished_reason);
    }

    /// Nobody wanted the rest of a reply.
    pub(crate) fn abandoned(&self, model: &str) {
        self.finish(model, "abort");
    }

    fn finish(&self, model: &str, finished_reason: &'static str) {
        let labels = Finished {
            model_name: model.to_owned(),
            finished_reason,
        };
        self.finished.get_or_create(&labels).inc();
    }

    /// A request was answered. The route is one of ours, and a method that none has is not told apart from others, so
    /// there are not many labels.
    pub(crate) fn http(&self, method: &Method, route: &str, status: u16) {
        let known = METHODS.iter().find(|known| *known == method);
        let labels = Http {
            method: known.map_or("other", |known| known.as_str()).to_owned(),
            route: route.to_owned(),
            status,
        };
        self.http.get_or_create(&labels).inc();
    }

    /// How many replies there are, for the next text.
    pub(crate) fn set_places(&self, taken: usize) {
        self.places.set(i64::try_from(taken).unwrap_or(i64::MAX));
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &names).expect("a string takes everything");
        text
    }
}

fn observe(family: &Histograms, model: &str, value: f64) {
    let model_name = model.to_owned();
    family.get_or_create(&Model { model_name }).observe(value);
}
