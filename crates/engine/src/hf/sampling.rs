//! Sampler defaults that a model's makers recommend: `generation_config.json`.

use std::path::Path;

use formats::hf::{GENERATION, read_object};
use serde_json::Value;

use super::Error;
use crate::sampler::SamplerParams;

/// What a model says of sampling; the rest is the engine's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SamplerDefaults {
    /// `temperature`, or 0 where `do_sample` is false.
    pub temp: Option<f32>,
    /// `top_k`.
    pub top_k: Option<usize>,
    /// `top_p`.
    pub top_p: Option<f32>,
    /// `min_p`.
    pub min_p: Option<f32>,
    /// `typical_p`.
    pub typ_p: Option<f32>,
    /// `repetition_penalty`.
    pub repeat_penalty: Option<f32>,
}

impl SamplerDefaults {
    /// `params` with what the model says in place of what is there.
    pub fn apply(&self, params: &mut SamplerParams) {
        for (value, field) in [
            (self.temp, &mut params.temp),
            (self.top_p, &mut params.top_p),
            (self.min_p, &mut params.min_p),
            (self.typ_p, &mut params.typ_p),
            (self.repeat_penalty, &mut params.repeat_penalty),
        ] {
            *field = value.unwrap_or(*field);
        }
        params.top_k = self.top_k.unwrap_or(params.top_k);
    }

    /// Names (as in [`SamplerParams`]) and values of what the model says.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let float = |x: Option<f32>| x.map(|x| x.to_string().parse().unwrap_or(f64::from(x)));
        [
            ("temp", float(self.temp)),
            ("top_k", self.top_k.map(|k| k as f64)),
            ("top_p", float(self.top_p)),
            ("min_p", float(self.min_p)),
            ("typ_p", float(self.typ_p)),
            ("repeat_penalty", float(self.repeat_penalty)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// What the folder at `path` says of sampling.
///
/// # Errors
/// If the file is broken or a value is out of range.
pub fn sampler_defaults(path: &Path) -> Result<SamplerDefaults, Error> {
    let Some(config) = read_object(&path.join(GENERATION))? else {
        return Ok(SamplerDefaults::default());
    };
    let number = |key: &str, expected: &str, holds: fn(f64) -> bool| match config.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().filter(|&x| holds(x)) {
            Some(x) => Ok(Some(x)),
            None => Err(Error::Value {
                path: path.join(GENERATION),
                key: key.to_owned(),
                expected: expected.to_owned(),
                found: value.to_string(),
            }),
        },
    };
    let unit = "a number from 0 to 1";
    let is_unit = |x: f64| (0.0..=1.0).contains(&x);
    let whole = |x: f64| x >= 0.0 && x.fract() == 0.0 && x < 1e9;
    let f32 = |x: Option<f64>| x.map(|x| x as f32);
    let is_greedy = config.get("do_sample") == Some(&Value::Bool(false));
    let temp = number("temperature", "a number from 0", |x| x >= 0.0)?;
    Ok(SamplerDefaults {
        temp: f32(temp.map(|temp| if is_greedy { 0.0 } else { temp })).or(is_greedy.then_some(0.0)),
        top_k: number("top_k", "a whole number", whole)?.map(|k| k as usize),
        top_p: f32(number("top_p", unit, is_unit)?),
        min_p: f32(number("min_p", unit, is_unit)?),
        typ_p: f32(number("typical_p", unit, is_unit)?),
        repeat_penalty: f32(number("repetition_penalty", "a number above 0", |x| {
            x > 0.0
        })?),
    })
}
