//! How to choose tokens.

use ingle::sampler::{Mirostat, Stage};
use ingle::{Model, SamplerParams};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::OneOrMany;
use crate::error::{ApiError, Outcome};
use crate::ids;
use crate::state::App;

/// Everything about choosing tokens; what is left out is as the model's makers recommend.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct SamplingFields {
    /// 0 always takes the most probable token.
    temperature: Option<f32>,
    dynatemp_range: Option<f32>,
    dynatemp_exponent: Option<f32>,
    /// 0 or less: all.
    top_k: Option<i64>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    typical_p: Option<f32>,
    top_n_sigma: Option<f32>,
    xtc_probability: Option<f32>,
    xtc_threshold: Option<f32>,
    repeat_last_n: Option<i32>,
    repeat_penalty: Option<f32>,
    /// vLLM's name of `repeat_penalty`.
    repetition_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    dry_multiplier: Option<f32>,
    dry_base: Option<f32>,
    dry_allowed_length: Option<usize>,
    dry_penalty_last_n: Option<i32>,
    dry_sequence_breakers: Option<Vec<String>>,
    /// 0: off, 1, 2.
    mirostat: Option<u8>,
    mirostat_tau: Option<f32>,
    mirostat_eta: Option<f32>,
    min_keep: Option<usize>,
    /// Names in their order, or a string of letters.
    samplers: Option<OneOrMany<String>>,
    /// -1 or nothing: another one each time.
    seed: Option<i64>,
    /// `{"ID": BIAS}` or `[[ID or TEXT, BIAS or false]]`.
    logit_bias: Option<Value>,
}

/// Most entries of `logit_bias`.
const MAX_BIASES: usize = 4096;

impl SamplingFields {
    /// What requests to `model` start from, with these fields in place.
    ///
    /// # Errors
    /// A field that cannot be understood; ranges are checked with the request.
    pub(crate) fn params(&self, app: &App, model: &Model) -> Outcome<SamplerParams> {
        let mut params = SamplerParams::default();
        model.info().sampler.apply(&mut params);
        (app.options.sampler)(&mut params);
        let floats = [
            (&mut params.temp, self.temperature),
            (&mut params.dynatemp_range, self.dynatemp_range),
            (&mut params.dynatemp_exponent, self.dynatemp_exponent),
            (&mut params.top_p, self.top_p),
            (&mut params.min_p, self.min_p),
            (&mut params.typ_p, self.typical_p),
            (&mut params.top_n_sigma, self.top_n_sigma),
            (&mut params.xtc_probability, self.xtc_probability),
            (&mut params.xtc_threshold, self.xtc_threshold),
            (
                &mut params.repeat_penalty,
                self.repeat_penalty.or(self.repetition_penalty),
            ),
            (&mut params.frequency_penalty, self.frequency_penalty),
            (&mut params.presence_penalty, self.presence_penalty),
            (&mut params.dry_multiplier, self.dry_multiplier),
            (&mut params.dry_base, self.dry_base),
            (&mut params.mirostat_tau, self.mirostat_tau),
            (&mut params.mirostat_eta, self.mirostat_eta),
        ];
        for (param, given) in floats {
            set(param, given);
        }
        set(&mut params.repeat_last_n, self.repeat_last_n);
        set(&mut params.dry_penalty_last_n, self.dry_penalty_last_n);
        set(&mut params.dry_allowed_length, self.dry_allowed_length);
        set(&mut params.min_keep, self.min_keep);
        set(
            &mut params.top_k,
            self.top_k.map(|k| usize::try_from(k).unwrap_or(0)),
        );
        set(
            &mut params.dry_sequence_breakers,
            self.dry_sequence_breakers.clone(),
        );
        set(&mut params.mirostat, self.mirostat()?);
        set(&mut params.samplers, self.stages()?);
        params.seed = match self.seed {
            Some(seed) if seed >= 0 => seed.unsigned_abs(),
            _ => app.options.seed.unwrap_or_else(ids::number),
        };
        if let Some(bias) = &self.logit_bias {
            params.logit_bias = biases(bias, model)?;
        }
        Ok(params)
    }

    fn mirostat(&self) -> Outcome<Option<Mirostat>> {
        Ok(match self.mirostat {
            None => None,
            Some(0) => Some(Mirostat::Off),
            Some(1) => Some(Mirostat::V1),
            Some(2) => Some(Mirostat::V2),
            Some(other) => {
                let message = format!("`mirostat`: expected 0, 1 or 2, found {other}");
                return Err(ApiError::field("mirostat", message));
            }
        })
    }

    fn stages(&self) -> Outcome<Option<Vec<Stage>>> {
        let parsed = match &self.samplers {
            None => return Ok(None),
            Some(OneOrMany::One(letters)) => Stage::parse_letters(letters),
            Some(OneOrMany::Many(names)) => Stage::parse_list(&names.join(";")),
        };
        parsed
            .map(Some)
            .map_err(|error| ApiError::field("samplers", error.to_string()))
    }
}

fn set<T>(param: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *param = given;
    }
}

/// Both forms that clients send.
fn biases(value: &Value, model: &Model) -> Outcome<Vec<(u32, f32)>> {
    let wrong = |what: &str| {
        let message = format!("`logit_bias`: {what}");
        ApiError::field("logit_bias", message)
    };
    let mut biases = Vec::new();
    let mut add = |token: &Value, bias: &Value| {
        let bias = match bias {
            Value::Bool(false) => f32::NEG_INFINITY,
            Value::Number(number) => number.as_f64().unwrap_or(f64::NAN) as f32,
            other => return Err(wrong(&format!("expected a number or false, found {other}"))),
        };
        match token {
            Value::Number(id) => {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                biases.push((
                    id.ok_or_else(|| wrong(&format!("{token} is no token")))?,
                    bias,
                ));
            }
            Value::String(text) => {
                let ids = model.tokenizer().encode(text, false, true);
                biases.extend(ids.into_iter().map(|id| (id, bias)));
            }
            other => return Err(wrong(&format!("expected a token, found {other}"))),
        }
        match biases.len() > MAX_BIASES {
            true => Err(wrong(&format!("expected at most {MAX_BIASES} tokens"))),
            false => Ok(()),
        }
    };
    match value {
        Value::Object(object) => {
            for (token, bias) in object {
                let id = token.parse::<u32>().map(Value::from);
                add(&id.unwrap_or_else(|_| token.as_str().into()), bias)?;
            }
        }
        Value::Array(pairs) => {
            for pair in pairs {
                match pair.as_array().map(Vec::as_slice) {
                    Some([token, bias]) => add(token, bias)?,
                    _ => return Err(wrong("expected pairs of token and bias")),
                }
            }
        }
        other => {
            return Err(wrong(&format!(
                "expected an object or a list, found {other}"
            )));
        }
    }
    Ok(biases)
}
