//! What a reply was made with, in llama.cpp's words (`generation_settings`).

use ingle::SamplerParams;
use ingle::sampler::{Mirostat, Stage};
use serde_json::{Map, Value, json};

/// How tokens are chosen.
pub(crate) fn sampling(params: &SamplerParams) -> Map<String, Value> {
    let mirostat = match params.mirostat {
        Mirostat::Off => 0,
        Mirostat::V1 => 1,
        Mirostat::V2 => 2,
    };
    let biases = params.logit_bias.iter().map(|&(token, bias)| {
        // JSON has no infinity; clients write false for it.
        let bias = if bias.is_finite() {
            json!(bias)
        } else {
            json!(false)
        };
        json!({ "token": token, "bias": bias })
    });
    let stages = params.samplers.iter().map(|stage: &Stage| stage.name());
    let settings = json!({
        "seed": params.seed,
        "temperature": params.temp,
        "dynatemp_range": params.dynatemp_range,
        "dynatemp_exponent": params.dynatemp_exponent,
        "top_k": params.top_k,
        "top_p": params.top_p,
        "min_p": params.min_p,
        "top_n_sigma": params.top_n_sigma,
        "xtc_probability": params.xtc_probability,
        "xtc_threshold": params.xtc_threshold,
        "typical_p": params.typ_p,
        "repeat_last_n": params.repeat_last_n,
        "repeat_penalty": params.repeat_penalty,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "dry_multiplier": params.dry_multiplier,
        "dry_base": params.dry_base,
        "dry_allowed_length": params.dry_allowed_length,
        "dry_penalty_last_n": params.dry_penalty_last_n,
        "dry_sequence_breakers": params.dry_sequence_breakers,
        "mirostat": mirostat,
        "mirostat_tau": params.mirostat_tau,
        "mirostat_eta": params.mirostat_eta,
        "min_keep": params.min_keep,
        "logit_bias": biases.collect::<Value>(),
        "samplers": stages.collect::<Value>(),
        "n_probs": params.logprobs.unwrap_or(0),
        "lora": [],
    });
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
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
