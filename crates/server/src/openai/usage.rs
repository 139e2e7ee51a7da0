//! What a reply cost: OpenAI's counts and llama.cpp's times.

use std::time::Duration;

use ingle::Usage;
use serde::Serialize;
use serde_json::{Value, json};

/// OpenAI's counts, of prompts and all replies to them: `per_prompt` to the first, as many to the second. Of each prompt
/// what none of its replies had to compute was cached.
pub(crate) fn usage(prompt_tokens: usize, replies: &[&Usage], per_prompt: usize) -> Value {
    let generated: usize = replies.iter().map(|usage| usage.generated_tokens).sum();
    let cached = |replies: &[&Usage]| replies.iter().map(|usage| usage.cached_tokens).min();
    let cached: usize = replies.chunks(per_prompt.max(1)).filter_map(cached).sum();
    let accepted: usize = replies.iter().map(|usage| usage.accepted_tokens).sum();
    let drafted: usize = replies.iter().map(|usage| usage.drafted_tokens).sum();
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": generated,
        "total_tokens": prompt_tokens + generated,
        "prompt_tokens_details": { "cached_tokens": cached },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cached_of_each_prompt_adds_up() {
        let reply = |cached_tokens| Usage {
            cached_tokens,
            generated_tokens: 1,
            ..Usage::default()
        };
        let replies = [reply(0), reply(7), reply(64), reply(64)];
        let replies: Vec<_> = replies.iter().collect();
        let cached = |per_prompt| {
            let counts = usage(140, &replies, per_prompt);
            assert_eq!(counts["total_tokens"], 144);
            counts["prompt_tokens_details"]["cached_tokens"].clone()
        };
        assert_eq!(cached(1), 135);
        assert_eq!(cached(2), 64);
        assert_eq!(cached(4), 0);
    }
}
