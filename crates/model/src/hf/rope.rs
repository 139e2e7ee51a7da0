//! Rotary embedding of a `config.json`.

use formats::gguf::Value;

use super::Fields;
use super::fields::wrong;
use super::rows::f32s;
use crate::LoadError;
use crate::arch::DIVIDED_WAVES;
use crate::names::Role;

impl Fields<'_> {
    /// Rotary embedding: base, part of a head that turns, scaling.
    pub(super) fn rope(&mut self) -> Result<(), LoadError> {
        // Layers of two kinds have one object for each; that of the layers that see all is meant.
        if self.peek("rope_parameters.full_attention").is_some() {
            let local = self.float("rope_parameters.sliding_attention.rope_theta")?;
            self.only("rope_parameters.sliding_attention.rope_type", &["default"])?;
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
        .find(|key| self.peek(key).is_some())
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
        let (kind, old_kind) = (self.text(&key("rope_type"))?, self.text(&key("type"))?);
        if let (Some(kind), Some(_)) = (kind, old_kind.filter(|old| kind != Some(*old))) {
            return Err(self.wrong(&key("type"), &format!("{kind}, as `rope_type`")));
        }
        let kind = kind.or(old_kind);
        let trained = self.size(&key("max_position_embeddings"))?;
        let said = self.written("context_length");
        if let (Some(said), Some(_)) = (said, trained.filter(|trained| said != Some(*trained))) {
            let expected = format!("{said}, as outside of `{object}`");
            return Err(self.wrong(&key("max_position_embeddings"), &expected));
        }
        let original = self.size(&key("original_max_position_embeddings"))?;
        let original = original.or(self.size("original_max_position_embeddings")?);
        if let Some(original) = original {
            self.set("rope.scaling.original_context_length", Value::U32(original));
        }
        let factor = |this: &Self| {
            let factor = this.float(&key("factor"))?;
            factor.ok_or_else(|| wrong(&key("factor"), "a number", None))
        };
        match kind {
            None | Some("default" | "mrope") => {}
            // Dynamic scaling begins beyond the length the model was trained for (transformers'
            // `_compute_dynamic_ntk_parameters` takes the larger of that and the sequence's), and no context is
            // longer than that here.
            Some("dynamic") => {
                factor(self)?;
            }
            Some("linear") => {
                self.set("rope.scaling.type", Value::String("linear".into()));
                self.set("rope.scaling.factor", Value::F32(factor(self)?));
            }
            Some("yarn") => {
                self.set("rope.scaling.type", Value::String("yarn".into()));
                self.set("rope.scaling.factor", Value::F32(factor(self)?));
                for (from, to) in [
                    ("beta_fast", "rope.scaling.yarn_beta_fast"),
                    ("beta_slow", "rope.scaling.yarn_beta_slow"),
                ] {
                    if let Some(x) = self.float(&key(from))? {
                        self.set(to, Value::F32(x));
                    }
                }
                if self.flag(&key("truncate"))? == Some(false) {
                    self.set_own("rope.smooth", Value::Bool(true));
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
                    self.add_tensor(f32s(name, vec![list.len()], list));
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
        self.add_tensor(f32s(name, vec![divisors.len()], divisors));
        Ok(())
    }

    /// LongRoPE's factor on cosine and sine where it is written out, as long as it is one.
    pub fn longrope_scale(&mut self) -> Result<(), LoadError> {
        for object in ["rope_parameters", "rope_scaling"] {
            let [short, long] =
                ["short_mscale", "long_mscale"].map(|key| format!("{object}.{key}"));
            let (Some(scale), Some(other)) = (self.float(&short)?, self.float(&long)?) else {
                continue;
            };
            if scale != other {
                return Err(self.wrong(&short, &format!("{other}, as `{long}`")));
            }
            self.set("rope.scaling.attn_factor", Value::F32(scale));
        }
        Ok(())
    }

    /// Hunyuan's stretch of the rotary base: `theta * alpha^(dim / (dim - 2))`.
    pub fn ntk_alpha(&mut self) -> Result<(), LoadError> {
        for object in ["rope_parameters", "rope_scaling"] {
            let Some(alpha) = self.float(&format!("{object}.alpha"))? else {
                continue;
            };
            for unused in [
                "beta_fast",
                "beta_slow",
                "factor",
                "mscale",
                "mscale_all_dim",
            ] {
                self.get(&format!("{object}.{unused}"));
            }
            let theta = self.float(&format!("{object}.rope_theta"))?;
            let theta = theta.or(self.float("rope_theta")?).unwrap_or(10_000.0);
            let dim = self.head_dim().unwrap_or(0) as f32;
            let theta = theta * alpha.powf(dim / (dim - 2.0));
            self.set("rope.freq_base", Value::F32(theta));
        }
        Ok(())
    }
}
