//! What a reply was made with, in llama.cpp's words (`generation_settings`).

use ingle::{SamplerParams, bias_field, sampler_fields};
use serde_json::{Map, Value, json};

/// How tokens are chosen.
pub(crate) fn sampling(params: &SamplerParams) -> Map<String, Value> {
    let biases = params
        .logit_bias
        .iter()
        .map(|&(token, bias)| json!({ "token": token, "bias": bias_field(bias) }));
    let mut settings = sampler_fields(params);
    let more = [
        ("seed", json!(params.seed)),
        ("logit_bias", biases.collect()),
        ("n_probs", json!(params.logprobs.unwrap_or(0))),
        ("lora", json!([])),
    ];
    let more = more.into_iter();
    settings.extend(more.map(|(name, value)| (name.to_owned(), value)));
    settings
}

/// The values at these paths (`timings/predicted_ms`), each by the last part of its path; what is not there is left
/// out.
pub(crate) fn only(value: &Value, paths: &[String]) -> Value {
    let at = |path: &String| {
        let found = value.pointer(&format!("/{path}"))?;
        let name = path.rsplit('/').next()?;
        Some((name.to_owned(), found.clone()))
    };
    Value::Object(paths.iter().filter_map(at).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_paths() {
        let value = json!({ "a": 1, "b": { "c": [2, 3] } });
        let paths = ["a", "b/c", "b/d", "x"].map(String::from);
        assert_eq!(only(&value, &paths), json!({ "a": 1, "c": [2, 3] }));
    }

    #[test]
    fn a_banned_token_is_no_infinity() {
        let params = SamplerParams {
            logit_bias: vec![(7, f32::NEG_INFINITY)],
            ..SamplerParams::default()
        };
        let settings = sampling(&params);
        assert_eq!(
            settings["logit_bias"],
            json!([{ "token": 7, "bias": false }])
        );
        assert_eq!(settings["samplers"][0], "penalties");
    }
}
