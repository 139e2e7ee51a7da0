//! Log-probabilities, in the two forms of OpenAI's.

use ingle::{TokenInfo, Tokenizer};
use serde_json::{Map, Value, json};

/// Of a chat: one entry for each token.
pub(crate) fn of_chat(tokenizer: &Tokenizer, tokens: &[TokenInfo]) -> Value {
    let entry = |id: u32, logprob: f32| {
        let bytes = tokenizer.token_bytes(id);
        json!({
            "id": id,
            "token": String::from_utf8_lossy(&bytes),
            "bytes": bytes,
            "logprob": finite(logprob),
        })
    };
    let tokens = tokens.iter().map(|token| {
        let mut value = entry(token.id, token.logprob.unwrap_or(0.0));
        let top = token
            .top_logprobs
            .iter()
            .map(|&(id, logprob)| entry(id, logprob));
        value["top_logprobs"] = top.collect();
        value
    });
    json!({ "content": tokens.collect::<Value>(), "refusal": null })
}

/// Probabilities that tokens were drawn by, as llama.cpp has them.
pub(crate) fn drawn_by(tokenizer: &Tokenizer, tokens: &[TokenInfo]) -> Value {
    let entry = |id: u32, logprob: f32| {
        let bytes = tokenizer.token_bytes(id);
        let token = String::from_utf8_lossy(&bytes);
        json!({ "id": id, "token": token, "bytes": bytes, "prob": logprob.exp() })
    };
    let tokens = tokens.iter().map(|token| {
        let mut value = entry(token.id, token.logprob.unwrap_or(f32::NEG_INFINITY));
        let top = token.top_logprobs.iter();
        value["top_probs"] = top.map(|&(id, logprob)| entry(id, logprob)).collect();
        value
    });
    tokens.collect()
}

/// Of a completion: lists side by side. `offset` is where the first token's text begins.
pub(crate) fn of_completion(
    tokenizer: &Tokenizer,
    tokens: &[TokenInfo],
    mut offset: usize,
) -> Value {
    let text = |id: u32| String::from_utf8_lossy(&tokenizer.token_bytes(id)).into_owned();
    let (mut texts, mut logprobs, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for token in tokens {
        let shown = text(token.id);
        offsets.push(offset);
        offset += shown.chars().count();
        logprobs.push(token.logprob.map(finite));
        let top = token
            .top_logprobs
            .iter()
            .map(|&(id, logprob)| (text(id), finite(logprob)));
        let mut top: Map<String, Value> = top.collect();
        // The token itself is among them, whether it is one of the best or not; the first of all has none.
        tops.push(token.logprob.map(|logprob| {
            top.entry(shown.as_str()).or_insert(finite(logprob));
            top
        }));
        texts.push(shown);
    }
    json!({
        "tokens": texts,
        "token_logprobs": logprobs,
        "top_logprobs": tops,
        "text_offset": offsets,
    })
}

/// JSON has no infinity; OpenAI's own floor stands for it.
fn finite(logprob: f32) -> Value {
    json!(logprob.max(-9999.0))
}
