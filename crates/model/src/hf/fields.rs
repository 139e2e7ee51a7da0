//! `config.json` as GGUF metadata.

use formats::Tensor;
use formats::gguf::{Array, Metadata, Value};
use serde_json::{Map, Value as Json};

use super::rows::f32s;
use crate::LoadError;
use crate::arch::DIVIDED_WAVES;
use crate::names::Role;

/// Whole numbers that most configs have, and their keys in GGUF.
const SIZES: &[(&str, &str)] = &[
    ("hidden_size", "embedding_length"),
    ("num_hidden_layers", "block_count"),
    ("intermediate_size", "feed_forward_length"),
    ("num_attention_heads", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"),
    ("head_dim", "attention.key_length"),
    ("head_dim", "attention.value_length"),
    ("max_position_embeddings", "context_length"),
    ("num_local_experts", "expert_count"),
    ("num_experts", "expert_count"),
    ("n_routed_experts", "expert_count"),
    ("num_experts_per_tok", "expert_used_count"),
    ("moe_intermediate_size", "expert_feed_forward_length"),
    (
        "shared_expert_intermediate_size",
        "expert_shared_feed_forward_length",
    ),
    ("n_shared_experts", "expert_shared_count"),
    ("first_k_dense_replace", "leading_dense_block_count"),
    ("n_group", "expert_group_count"),
    ("topk_group", "expert_group_used_count"),
];

/// Floats that most configs have.
const FLOATS: &[(&str, &str)] = &[
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("layer_norm_eps", "attention.layer_norm_epsilon"),
    ("layer_norm_epsilon", "attention.layer_norm_epsilon"),
    ("norm_epsilon", "attention.layer_norm_epsilon"),
    ("routed_scaling_factor", "expert_weights_scale"),
];

/// The architecture's name.
pub(super) fn architecture(json: &Map<String, Json>) -> Result<&str, LoadError> {
    let names = json.get("architectures").and_then(Json::as_array);
    let name = names.and_then(|names| names.first()).and_then(Json::as_str);
    name.ok_or_else(|| {
        wrong(
            "architectures",
            "a list with one name",
            json.get("architectures"),
        )
    })
}

/// What a family reads of `config.json`, and writes into metadata.
pub struct Fields<'a> {
    json: &'a Map<String, Json>,
    prefix: &'static str,
    metadata: &'a mut Metadata,
    tensors: Vec<Tensor>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        json: &'a Map<String, Json>,
        prefix: &'static str,
        metadata: &'a mut Metadata,
    ) -> Self {
        let tensors = Vec::new();
        Self {
            json,
            prefix,
            metadata,
            tensors,
        }
    }

    /// Tensors that come from the config.
    pub(super) fn into_tensors(self) -> Vec<Tensor> {
        self.tensors
    }

    /// What most families have.
    pub(super) fn common(&mut self, more: &[(&str, &str)]) -> Result<(), LoadError> {
        for &(from, to) in SIZES {
            if let Some(size) = self.size(from)? {
                self.set(to, Value::U32(size));
            }
        }
        for &(from, to) in FLOATS {
            if let Some(x) = self.float(from)? {
                self.set(to, Value::F32(x));
            }
        }
        self.copy("norm_topk_prob", "expert_weights_norm")?;
        // Layers that guess further tokens are not counted in folders, and are in GGUF.
        if let (Some(extra @ 1..), Some(n)) = (
            self.size("num_nextn_predict_layers")?,
            self.written("block_count"),
        ) {
            self.set("nextn_predict_layers", Value::U32(extra));
            self.set("block_count", Value::U32(n.saturating_add(extra)));
        }
        for &(from, to) in more {
            self.copy(from, to)?;
        }
        if self.flag("use_sliding_window")?.unwrap_or(true)
            && let Some(window) = self.size("sliding_window")?
        {
            self.set("attention.sliding_window", Value::U32(window));
            if let Some(types) = self.get("layer_types").and_then(Json::as_array) {
                let windowed = types.iter().map(|kind| kind == "sliding_attention");
                let windowed = Value::Array(Array::Bool(windowed.collect()));
                self.set("attention.sliding_window_pattern", windowed);
            }
        }
        self.rope()
    }

    /// Copies a number, truth value, string or list of numbers, if it is there.
    pub fn copy(&mut self, from: &str, to: &str) -> Result<(), LoadError> {
        let value = match self.get(from) {
            None => return Ok(()),
            Some(Json::Bool(x)) => Value::Bool(*x),
            Some(Json::String(x)) => Value::String(x.as_str().into()),
            Some(Json::Number(x)) if x.is_u64() => Value::U32(self.size(from)?.unwrap_or(0)),
            Some(Json::Number(_)) => Value::F32(self.float(from)?.unwrap_or(0.0)),
            other => return Err(wrong(from, "a number, a truth value or a string", other)),
        };
        self.set(to, value);
        Ok(())
    }

    /// A value, unless it is absent or null. Dots lead into objects.
    pub fn get(&self, key: &str) -> Option<&'a Json> {
        let mut parts = key.split('.');
        let first = self.json.get(parts.next()?)?;
        let found = parts.try_fold(first, |object, part| object.get(part))?;
        (!found.is_null()).then_some(found)
    }

    /// A whole number, if it is there; or one for each layer, all the same.
    pub fn size(&self, key: &str) -> Result<Option<u32>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let one = match value.as_array().map(Vec::as_slice) {
            Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => first,
            _ => value,
        };
        let size = one.as_u64().and_then(|x| u32::try_from(x).ok());
        size.map(Some)
            .ok_or_else(|| wrong(key, "a whole number", Some(value)))
    }

    /// A number, if it is there.
    pub fn float(&self, key: &str) -> Result<Option<f32>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let x = value.as_f64().map(|x| x as f32);
        x.map(Some)
            .ok_or_else(|| wrong(key, "a number", Some(value)))
    }

    /// A truth value, if it is there.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::Bool(x)) => Ok(Some(*x)),
            other => Err(wrong(key, "true or false", other)),
        }
    }

    /// A string, if it is there.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::String(x)) => Ok(Some(x)),
            other => Err(wrong(key, "a string", other)),
        }
    }

    /// A list of numbers, if it is there.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let list = value.as_array().and_then(|list| {
            let numbers = list.iter().map(|x| Some(x.as_f64()? as f32));
            numbers.collect()
        });
        list.map(Some)
            .ok_or_else(|| wrong(key, "a list of numbers", Some(value)))
    }

    /// Fails unless `key` is absent or one of `supported`, for what changes the computation.
    pub fn only(&self, key: &str, supported: &[&str]) -> Result<(), LoadError> {
        let found = self.get(key).map(|value| match value {
            Json::String(x) => x.clone(),
            other => other.to_string(),
        });
        match found {
            Some(found) if !supported.contains(&found.as_str()) => Err(LoadError::Unsupported {
                what: format!("`{key}` = `{found}` in config.json"),
            }),
            _ => Ok(()),
        }
    }

    /// Hunyuan's stretch of the rotary base: `theta * alpha^(dim / (dim - 2))`.
    pub fn ntk_alpha(&mut self) -> Result<(), LoadError> {
        for object in ["rope_parameters", "rope_scaling"] {
            let Some(alpha) = self.float(&format!("{object}.alpha"))? else {
                continue;
            };
            let theta = self.float(&format!("{object}.rope_theta"))?;
            let theta = theta.or(self.float("rope_theta")?).unwrap_or(10_000.0);
            let dim = self.head_dim().unwrap_or(0) as f32;
            let theta = theta * alpha.powf(dim / (dim - 2.0));
            self.set("rope.freq_base", Value::F32(theta));
        }
        Ok(())
    }

    /// Elements of a head, as written or from the width.
    fn head_dim(&self) -> Option<u32> {
        let heads = self.written("attention.head_count").filter(|&n| n > 0);
        self.written("attention.key_length")
            .or_else(|| Some(self.written("embedding_length")? / heads?))
    }

    /// Writes a value under the architecture's prefix.
    pub fn set(&mut self, key: &str, value: Value) {
        self.metadata
            .insert(&format!("{}.{key}", self.prefix), value);
    }

    /// Writes a value that GGUF has no key for, see [`crate::hparams::Hparams::own`].
    pub fn set_own(&mut self, key: &str, value: Value) {
        self.metadata.insert(&format!("ingle.{key}"), value);
    }

    /// A whole number that has been written.
    fn written(&self, key: &str) -> Option<u32> {
        match self.metadata.get(&format!("{}.{key}", self.prefix)) {
            Some(Value::U32(x)) => Some(*x),
            _ => None,
        }
    }

    /// Rotary embedding: base, part of a head that turns, scaling.
    fn rope(&mut self) -> Result<(), LoadError> {
        // Layers of two kinds have one object for each; that of the layers that see all is meant.
        if self.get("rope_parameters.full_attention").is_some() {
            let local = self.float("rope_parameters.sliding_attention.rope_theta")?;
            if let Some(theta) = local {
                self.set("rope.freq_base_swa", Value::F32(theta));
            }
        } else if let Some(theta) = self.float("rope_local_base_freq")? {
            self.set("rope.freq_base_swa", Value::F32(theta));
        }
        // Older files have the base beside `rope_scaling`; newer ones have all in `rope_parameters`.
        let object = [
            "rope_parameters.full_attention",
            "rope_parameters",
            "rope_scaling",
        ]
        .into_iter()
        .find(|key| self.get(key).is_some())
        .unwrap_or("rope_parameters");
        let key = |name: &str| format!("{object}.{name}");
        let either = |this: &Self, name: &str| -> Result<Option<f32>, LoadError> {
            Ok(this.float(&key(name))?.or(this.float(name)?))
        };
        if let Some(theta) = either(self, "rope_theta")?.or(self.float("rotary_emb_base")?) {
            self.set("rope.freq_base", Value::F32(theta));
        }
        let head_dim = self.head_dim();
        let part = either(self, "partial_rotary_factor")?.or(self.float("rotary_pct")?);
        if let (Some(part), Some(head_dim)) = (part, head_dim) {
            let rope_dim = (head_dim as f32 * part) as u32;
            self.set("rope.dimension_count", Value::U32(rope_dim));
        }
        let kind = match self.text(&key("rope_type"))? {
            Some(kind) => Some(kind),
            None => self.text(&key("type"))?,
        };
        let original = self.size(&key("original_max_position_embeddings"))?;
        let original = original.or(self.size("original_max_position_embeddings")?);
        if let Some(original) = original {
            self.set("rope.scaling.original_context_length", Value::U32(original));
        }
        let factor = self.float(&key("factor"))?;
        match kind {
            // Dynamic scaling changes nothing up to the length the model was trained for.
            None | Some("default" | "dynamic" | "mrope") => {}
            Some("linear") => {
                self.set("rope.scaling.type", Value::String("linear".into()));
                let factor = factor.ok_or_else(|| wrong(&key("factor"), "a number", None))?;
                self.set("rope.scaling.factor", Value::F32(factor));
            }
            Some("yarn") => {
                self.set("rope.scaling.type", Value::String("yarn".into()));
                let factor = factor.ok_or_else(|| wrong(&key("factor"), "a number", None))?;
                self.set("rope.scaling.factor", Value::F32(factor));
                for (from, to) in [
                    ("beta_fast", "rope.scaling.yarn_beta_fast"),
                    ("beta_slow", "rope.scaling.yarn_beta_slow"),
                ] {
                    if let Some(x) = self.float(&key(from))? {
                        self.set(to, Value::F32(x));
                    }
                }
                for name in ["attention_factor", "mscale", "mscale_all_dim"] {
                    if let Some(x) = self.float(&key(name))? {
                        self.set_own(&format!("rope.{name}"), Value::F32(x));
                    }
                }
            }
            Some(DIVIDED_WAVES) => self.divide_waves(object, head_dim)?,
            Some("longrope" | "su") => {
                self.set("rope.scaling.type", Value::String("longrope".into()));
                for (from, role) in [
                    ("short_factor", Role::RopeShort),
                    ("long_factor", Role::RopeLong),
                ] {
                    let Some(list) = self.floats(&key(from))? else {
                        return Err(wrong(&key(from), "a list of numbers", None));
                    };
                    let name = format!("{}.weight", role.gguf(0));
                    self.tensors.push(f32s(name, vec![list.len()], list));
                }
                if let Some(x) = self.float(&key("attention_factor"))? {
                    self.set("rope.scaling.attn_factor", Value::F32(x));
                }
            }
            Some(kind) => {
                let what = format!("rope scaling `{kind}` (`{object}` in config.json)");
                return Err(LoadError::Unsupported { what });
            }
        }
        Ok(())
    }

    /// Divisors of the frequencies, as a tensor: 1 for short waves, `factor` for long ones.
    fn divide_waves(&mut self, object: &str, head_dim: Option<u32>) -> Result<(), LoadError> {
        let get = |name: &str| -> Result<f64, LoadError> {
            let key = format!("{object}.{name}");
            let x = self.float(&key)?.map(f64::from).filter(|x| *x > 0.0);
            x.ok_or_else(|| wrong(&key, "a positive number", self.get(&key)))
        };
        let (factor, original) = (get("factor")?, get("original_max_position_embeddings")?);
        let (low, high) = (get("low_freq_factor")?, get("high_freq_factor")?);
        let theta = get("rope_theta").or_else(|error| {
            let x = self.float("rope_theta")?.map(f64::from);
            x.ok_or(error)
        })?;
        let dim = self
            .written("rope.dimension_count")
            .or(head_dim)
            .unwrap_or(0);
        let divisors: Vec<f32> = (0..dim / 2)
            .map(|i| {
                let wave = std::f64::consts::TAU * theta.powf(2.0 * f64::from(i) / f64::from(dim));
                if wave < original / high {
                    return 1.0;
                }
                if wave > original / low {
                    return factor as f32;
                }
                let smooth = (original / wave - low) / (high - low);
                (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
            })
            .collect();
        let name = format!("{}.weight", Role::RopeFrequencies.gguf(0));
        self.tensors
            .push(f32s(name, vec![divisors.len()], divisors));
        Ok(())
    }
}

/// An error that names a key of `config.json`.
pub(super) fn wrong(key: &str, expected: &str, found: Option<&Json>) -> LoadError {
    LoadError::Hyperparameter {
        key: format!("{key} (config.json)"),
        expected: expected.into(),
        found: found.map_or("nothing".into(), Json::to_string),
    }
}
