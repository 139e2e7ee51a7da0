//! What a reply cost: OpenAI's counts and llama.cpp's times.

use std::time::Duration;

use ingle::Usage;
use serde::Serialize;
use serde_json::{Value, json};

/// OpenAI's counts, of one prompt and all replies to it.
pub(crate) fn usage(prompt_tokens: usize, replies: &[&Usage]) -> Value {
    let generated: usize = replies.iter().map(|usage| usage.generated_tokens).sum();
    let cached = replies.iter().map(|usage| usage.cached_tokens).min();
    let accepted: usize = replies.iter().map(|usage| usage.accepted_tokens).sum();
    let drafted: usize = replies.iter().map(|usage| usage.drafted_tokens).sum();
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": generated,
        "total_tokens": prompt_tokens + generated,
        "prompt_tokens_details": { "cached_tokens": cached.unwrap_or(0) },
        "completion_tokens_details": {
            "accepted_prediction_tokens": accepted,
            "rejected_prediction_tokens": drafted - accepted,
        },
    })
}

/// llama.cpp's times, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Timings {
    cache_n: usize,
    prompt_n: usize,
    prompt_ms: f64,
    prompt_per_token_ms: f64,
    prompt_per_second: f64,
    predicted_n: usize,
    predicted_ms: f64,
    predicted_per_token_ms: f64,
    predicted_per_second: f64,
    draft_n: usize,
    draft_n_accepted: usize,
}

impl Timings {
    pub(crate) fn new(usage: &Usage) -> Self {
        let computed = usage.prompt_tokens - usage.cached_tokens.min(usage.prompt_tokens);
        let (prompt, predicted) = (usage.prompt_time, usage.generation_time);
        Self {
            cache_n: usage.cached_tokens,
            prompt_n: computed,
            prompt_ms: ms(prompt),
            prompt_per_token_ms: per(ms(prompt), computed as f64),
            prompt_per_second: per(computed as f64, prompt.as_secs_f64()),
            predicted_n: usage.generated_tokens,
            predicted_ms: ms(predicted),
            predicted_per_token_ms: per(ms(predicted), usage.generated_tokens as f64),
            predicted_per_second: per(usage.generated_tokens as f64, predicted.as_secs_f64()),
            draft_n: usage.drafted_tokens,
            draft_n_accepted: usage.accepted_tokens,
        }
    }
}

/// How much of a prompt is computed, in llama.cpp's words.
#[derive(Debug, Serialize)]
pub(crate) struct PromptProgress {
    total: usize,
    cache: usize,
    processed: usize,
    time_ms: u64,
}

impl PromptProgress {
    /// What a piece tells of it, if it comes before the first token.
    pub(crate) fn of(usage: &Usage) -> Option<Self> {
        (usage.generated_tokens == 0).then_some(Self {
            total: usage.prompt_tokens,
            cache: usage.cached_tokens,
            processed: usage.computed_tokens,
            time_ms: usage.prompt_time.as_millis() as u64,
        })
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn per(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}
