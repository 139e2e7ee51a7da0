//! Settings as the fields of a request. Only what was asked for is sent: the rest is the server's to choose.

use ingle::{GrammarSpec, SamplerParams, bias_field, sampler_fields};
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
        let mut fields = sampler_fields(params);
        let biases = params.logit_bias.iter();
        let biases = biases.map(|&(token, bias)| json!([token, bias_field(bias)]));
        fields.insert("logit_bias".to_owned(), biases.collect());
        fields
    };
    let (asked, usual) = (all(&settings.params), all(&SamplerParams::default()));
    let is_asked = |(name, value): &(String, Value)| {
        usual[name] != *value || settings.given.contains(&name.as_str())
    };
    asked.into_iter().filter(is_asked).collect()
}
