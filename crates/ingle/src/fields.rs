//! How tokens are chosen, as the fields of a request: llama.cpp's names.

use engine::sampler::{Mirostat, SamplerParams, Stage};
use serde_json::{Map, Value, json};

/// The parameters as servers that speak llama.cpp's dialect take them and report them, but for the seed, log-probabilities
/// and biases, which have different forms in questions and answers.
pub fn sampler_fields(params: &SamplerParams) -> Map<String, Value> {
    let mirostat = match params.mirostat {
        Mirostat::Off => 0,
        Mirostat::V1 => 1,
        Mirostat::V2 => 2,
    };
    let stages = params.samplers.iter().map(|stage: &Stage| stage.name());
    let pairs = [
        ("temperature", json!(params.temp)),
        ("dynatemp_range", json!(params.dynatemp_range)),
        ("dynatemp_exponent", json!(params.dynatemp_exponent)),
        ("top_k", json!(params.top_k)),
        ("top_p", json!(params.top_p)),
        ("min_p", json!(params.min_p)),
        ("top_n_sigma", json!(params.top_n_sigma)),
        ("xtc_probability", json!(params.xtc_probability)),
        ("xtc_threshold", json!(params.xtc_threshold)),
        ("typical_p", json!(params.typ_p)),
        ("repeat_last_n", json!(params.repeat_last_n)),
        ("repeat_penalty", json!(params.repeat_penalty)),
        ("presence_penalty", json!(params.presence_penalty)),
        ("frequency_penalty", json!(params.frequency_penalty)),
        ("dry_multiplier", json!(params.dry_multiplier)),
        ("dry_base", json!(params.dry_base)),
        ("dry_allowed_length", json!(params.dry_allowed_length)),
        ("dry_penalty_last_n", json!(params.dry_penalty_last_n)),
        ("dry_sequence_breakers", json!(params.dry_sequence_breakers)),
        ("mirostat", json!(mirostat)),
        ("mirostat_tau", json!(params.mirostat_tau)),
        ("mirostat_eta", json!(params.mirostat_eta)),
        ("min_keep", json!(params.min_keep)),
        ("samplers", stages.collect()),
    ];
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What is added to a token's logit, as such servers take it and report it: JSON has no infinity, so false stands for
/// minus infinity, which bans the token.
pub fn bias_field(bias: f32) -> Value {
    match bias == f32::NEG_INFINITY {
        true => json!(false),
        false => json!(bias),
    }
}
