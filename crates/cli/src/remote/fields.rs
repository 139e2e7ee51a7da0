//! Settings as the fields of a request. Only what was asked for is sent: the rest is the server's to choose.

use ingle::GrammarSpec;
use ingle::sampler::{Mirostat, SamplerParams};
use serde_json::{Map, Value, json};

use crate::cmd::run::Settings;
use crate::failure::Failure;

/// The fields.
///
/// # Errors
/// If something cannot be asked of a server.
pub(super) fn fields(settings: &Settings) -> Result<Map<String, Value>, Failure> {
    let mut fields = sampler(settings);
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(max_tokens) = settings.max_tokens {
        put("max_tokens", json!(max_tokens));
    }
    if !settings.stop.is_empty() {
        put("stop", json!(settings.stop));
    }
    if settings.keep_special {
        put("skip_special_tokens", json!(false));
    }
    if settings.ignore_eos {
        put("ignore_eos", json!(true));
    }
    match &settings.grammar {
        None => {}
        Some(GrammarSpec::JsonSchema(schema)) => {
            let form = json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema } });
            put("response_format", form);
        }
        Some(GrammarSpec::Gbnf(text)) => {
            put("grammar", json!(text));
        }
        Some(GrammarSpec::Regex(text)) => {
            put("structured_outputs", json!({ "regex": text }));
        }
        Some(GrammarSpec::Choice(texts)) => {
            put("structured_outputs", json!({ "choice": texts }));
        }
        Some(_) => {
            return Err(Failure::Usage(
                "a server takes no grammars of this kind\nhint: `--grammar` takes GBNF".to_owned(),
            ));
        }
    }
    Ok(fields)
}

fn sampler(settings: &Settings) -> Map<String, Value> {
    let all = |params: &SamplerParams| {
        let samplers: Vec<_> = params.samplers.iter().map(|stage| stage.name()).collect();
        let mirostat = match params.mirostat {
            Mirostat::Off => 0,
            Mirostat::V1 => 1,
            Mirostat::V2 => 2,
        };
        json!({
            "temperature": params.temp,
            "top_k": params.top_k,
            "top_p": params.top_p,
            "min_p": params.min_p,
            "typical_p": params.typ_p,
            "top_n_sigma": params.top_n_sigma,
            "xtc_probability": params.xtc_probability,
            "xtc_threshold": params.xtc_threshold,
            "repeat_last_n": params.repeat_last_n,
            "repeat_penalty": params.repeat_penalty,
            "presence_penalty": params.presence_penalty,
            "frequency_penalty": params.frequency_penalty,
            "dry_multiplier": params.dry_multiplier,
            "dry_base": params.dry_base,
            "dry_allowed_length": params.dry_allowed_length,
            "dry_penalty_last_n": params.dry_penalty_last_n,
            "dry_sequence_breakers": params.dry_sequence_breakers,
            "dynatemp_range": params.dynatemp_range,
            "dynatemp_exponent": params.dynatemp_exponent,
            "mirostat": mirostat,
            "mirostat_eta": params.mirostat_eta,
            "mirostat_tau": params.mirostat_tau,
            "min_keep": params.min_keep,
            "samplers": samplers,
            "logit_bias": params.logit_bias,
        })
    };
    let (Value::Object(asked), Value::Object(usual)) =
        (all(&settings.params), all(&SamplerParams::default()))
    else {
        return Map::new();
    };
    let is_asked = |(name, value): &(String, Value)| {
        usual[name] != *value || settings.given.contains(&name.as_str())
    };
    asked.into_iter().filter(is_asked).collect()
}
