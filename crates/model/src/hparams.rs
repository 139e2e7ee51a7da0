//! Hyperparameters out of GGUF metadata: read under the architecture's prefix, and checked.

use formats::gguf::{FromScalar, Metadata, Value};

use kernels::{Activation, Pairing};

use crate::LoadError;
use crate::config::{ExpertGroups, ExpertsConfig, Gating, ModelConfig};

/// Set where rows of query and key stand as they were trained, not as GGUF permutes them; never in a file.
pub(crate) const ROWS_AS_TRAINED: &str = "ingle.rows_as_trained";

/// Most layers that are believed.
const MAX_LAYERS: usize = 512;
/// Largest width, head count or vocabulary that is believed.
const MAX_WIDTH: usize = 1 << 24;

/// Most shared experts, and most groups of experts.
const MAX_SHARED: usize = 64;
pub(crate) const MAX_GROUPS: usize = 64;

/// Widest head that is believed.
const MAX_HEAD_DIM: usize = 1024;

/// The metadata of one model, seen from its architecture.
pub struct Hparams<'a> {
    metadata: &'a Metadata,
    prefix: &'a str,
}

impl<'a> Hparams<'a> {
    /// Keys are looked up as `prefix.key`.
    pub fn new(metadata: &'a Metadata, prefix: &'a str) -> Self {
        Self { metadata, prefix }
    }

    /// The whole name of a key.
    pub fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    /// A number or truth value, if the key is there.
    pub fn opt<T: FromScalar>(&self, key: &str) -> Result<Option<T>, LoadError> {
        Ok(self.metadata.opt(&self.key(key))?)
    }

    /// A number or truth value under our own prefix, which no file has: what a folder says and GGUF cannot.
    pub fn own<T: FromScalar>(&self, key: &str) -> Result<Option<T>, LoadError> {
        Ok(self.metadata.opt(&format!("ingle.{key}"))?)
    }

    /// A string, if the key is there.
    pub fn opt_str(&self, key: &str) -> Result<Option<String>, LoadError> {
        Ok(self.metadata.opt(&self.key(key))?)
    }

    /// A size: positive and not absurd.
    pub fn size(&self, key: &str) -> Result<usize, LoadError> {
        let size = self.metadata.require::<usize>(&self.key(key))?;
        self.check(
            key,
            size,
            "a number from 1 to 16777216",
            (1..=MAX_WIDTH).contains(&size),
        )
    }

    /// A size, or `default` if the key is not there.
    pub fn size_or(&self, key: &str, default: usize) -> Result<usize, LoadError> {
        if !self.has(key) {
            return Ok(default);
        }
        self.size(key)
    }

    /// The number of layers.
    pub fn n_layers(&self) -> Result<usize, LoadError> {
        let n = self.size("block_count")?;
        self.check("block_count", n, "at most 512 layers", n <= MAX_LAYERS)?;
        // The last ones may be there to guess further tokens.
        let extra = self.opt::<usize>("nextn_predict_layers")?.unwrap_or(0);
        let expected = format!("fewer than {n}, the number of layers");
        self.check("nextn_predict_layers", extra, &expected, extra < n)?;
        Ok(n - extra)
    }

    /// A number for each layer, or 0: one for all, or an array with one for each.
    pub fn count_per_layer(&self, key: &str, n_layers: usize) -> Result<Vec<usize>, LoadError> {
        if !matches!(self.metadata.get(&self.key(key)), Some(Value::Array(_))) {
            let count = self.metadata.require::<usize>(&self.key(key))?;
            let sane = count <= MAX_WIDTH;
            self.check(key, count, "a number from 1 to 16777216", sane)?;
            return Ok(vec![count; n_layers]);
        }
        let sizes = self.metadata.require(&self.key(key))?;
        let sizes: Vec<usize> = self.own_layers(sizes, n_layers)?;
        let len = sizes.len();
        self.check(
            key,
            format!("{len} numbers"),
            &format!("{n_layers} numbers"),
            len == n_layers,
        )?;
        let ok = sizes.iter().all(|&size| size <= MAX_WIDTH);
        self.check(key, format!("{sizes:?}"), "numbers from 1 to 16777216", ok)?;
        Ok(sizes)
    }

    /// A list without what layers that guess further tokens have behind the others.
    fn own_layers<T>(&self, mut list: Vec<T>, n_layers: usize) -> Result<Vec<T>, LoadError> {
        let extra = self.opt::<usize>("nextn_predict_layers")?.unwrap_or(0);
        if list.len() == n_layers.saturating_add(extra) {
            list.truncate(n_layers);
        }
        Ok(list)
    }

    /// What [`Hparams::count_per_layer`] gave for a layer that cannot do without.
    pub fn of_layer(&self, key: &str, counts: &[usize], layer: usize) -> Result<usize, LoadError> {
        let count = counts[layer];
        if count == 0 {
            let all = counts.iter().all(|&count| count == 0);
            let found = if all {
                "0".into()
            } else {
                format!("{counts:?}")
            };
            self.check(key, found, "numbers from 1 to 16777216", false)?;
        }
        Ok(count)
    }

    /// A positive, finite float.
    pub fn positive(&self, key: &str) -> Result<f32, LoadError> {
        let x = self.metadata.require::<f32>(&self.key(key))?;
        self.check(key, x, "a positive number", x > 0.0 && x.is_finite())
    }

    /// A positive, finite float, or `default` if the key is not there.
    pub fn positive_or(&self, key: &str, default: f32) -> Result<f32, LoadError> {
        if !self.has(key) {
            return Ok(default);
        }
        self.positive(key)
    }

    /// Whether the key is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.metadata.get(&self.key(key)).is_some()
    }

    /// The experts that the metadata describes; none if there are none.
    ///
    /// # Errors
    /// If there are fewer than a token goes through, or groups that are not of equal size.
    pub fn experts(&self) -> Result<Option<ExpertsConfig>, LoadError> {
        let n_experts = self.opt::<usize>("expert_count")?.unwrap_or(0);
        if n_experts == 0 {
            return Ok(None);
        }
        let n_experts = self.size("expert_count")?;
        let n_used = self.size("expert_used_count")?;
        let expected = format!("at most {n_experts}, the number of experts");
        self.check("expert_used_count", n_used, &expected, n_used <= n_experts)?;
        let d_ff = if self.has("expert_feed_forward_length") {
            self.size("expert_feed_forward_length")?
        } else {
            self.size("feed_forward_length")?
        };
        let gating = match self.opt::<u32>("expert_gating_func")?.unwrap_or(0) {
            0 | 1 => Gating::Softmax,
            2 => Gating::Sigmoid,
            3 => Gating::SoftmaxOfChosen,
            other => {
                let expected = "1 (softmax), 2 (sigmoid) or 3 (softmax of those chosen)";
                return self
                    .check("expert_gating_func", other, expected, false)
                    .map(|_| None);
            }
        };
        // A scale of 0 stands for none.
        let scale = self
            .opt("expert_weights_scale")?
            .filter(|&scale| scale != 0.0);
        Ok(Some(ExpertsConfig {
            n_experts,
            n_used,
            d_ff,
            gated: true,
            activation: Activation::Silu,
            gating,
            normalise: self.opt("expert_weights_norm")?.unwrap_or(true),
            scale: scale.unwrap_or(1.0),
            groups: self.expert_groups(n_experts, n_used)?,
            shared_d_ff: self.shared_d_ff(d_ff)?,
        }))
    }

    /// Width of the network that every token goes through: given, or so many times an expert's.
    fn shared_d_ff(&self, d_ff: usize) -> Result<Option<usize>, LoadError> {
        let key = "expert_shared_feed_forward_length";
        if self.has(key) {
            return Ok(self.opt(key)?.filter(|&d_ff: &usize| d_ff > 0));
        }
        let key = "expert_shared_count";
        let count = self.opt::<usize>(key)?.unwrap_or(0);
        let few = count <= MAX_SHARED;
        self.check(key, count, "at most 64 shared experts", few)?;
        Ok(Some(count * d_ff).filter(|&d_ff| d_ff > 0))
    }

    fn expert_groups(
        &self,
        n_experts: usize,
        n_used: usize,
    ) -> Result<Option<ExpertGroups>, LoadError> {
        let n_groups = self.opt::<usize>("expert_group_count")?.unwrap_or(1);
        if n_groups <= 1 {
            return Ok(None);
        }
        let n_open = self.size("expert_group_used_count")?;
        let equal = n_groups <= MAX_GROUPS && n_experts.is_multiple_of(n_groups);
        let expected = format!("a divisor of {n_experts}, the number of experts, up to 64");
        self.check("expert_group_count", n_groups, &expected, equal)?;
        let expected = format!("at most {n_groups} groups, with {n_used} experts in them");
        let enough = n_open <= n_groups && n_open * (n_experts / n_groups) >= n_used;
        self.check("expert_group_used_count", n_open, &expected, enough)?;
        Ok(Some(ExpertGroups {
            n_groups,
            n_used: n_open,
            n_scores: 2.min(n_experts / n_groups),
        }))
    }

    /// Which layers see a window only: as the file says, else all but the last of every `period`.
    pub fn windowed_layers(&self, n_layers: usize, period: usize) -> Result<Vec<bool>, LoadError> {
        let key = "attention.sliding_window_pattern";
        match self.metadata.get(&self.key(key)) {
            Some(Value::Array(_)) | None => self.layers(key, n_layers, period),
            Some(_) => Ok(all_but_last(n_layers, self.size(key)?)),
        }
    }

    /// Which layers see a window only, where the file has a list of them; else all.
    pub fn listed_windows(&self, n_layers: usize) -> Result<Vec<bool>, LoadError> {
        match self
            .metadata
            .get(&self.key("attention.sliding_window_pattern"))
        {
            Some(Value::Array(_)) => self.windowed_layers(n_layers, 1),
            _ => Ok(vec![true; n_layers]),
        }
    }

    /// Which layers a list of truth values names; if it is not there, all but the last of every `period`.
    pub fn layers(
        &self,
        key: &str,
        n_layers: usize,
        period: usize,
    ) -> Result<Vec<bool>, LoadError> {
        if !self.has(key) {
            return Ok(all_but_last(n_layers, period));
        }
        let layers = self.metadata.require(&self.key(key))?;
        let layers: Vec<bool> = self.own_layers(layers, n_layers)?;
        let (found, expected) = (layers.len(), format!("{n_layers} truth values"));
        self.check(key, found, &expected, found == n_layers)?;
        Ok(layers)
    }

    /// Which elements of a head turn together in Llama's layers, whose rows GGUF permutes.
    pub fn pairing(&self) -> Result<Pairing, LoadError> {
        let as_trained: Option<bool> = self.metadata.opt(ROWS_AS_TRAINED)?;
        Ok(match as_trained {
            Some(true) => Pairing::HalfSplitToInterleaved,
            _ => Pairing::Interleaved,
        })
    }

    /// Elements of a head: `attention.key_length`, else `d_model / n_heads`.
    pub fn head_dim(&self, d_model: usize, n_heads: usize) -> Result<usize, LoadError> {
        if !self.has("attention.key_length") {
            let whole = d_model.is_multiple_of(n_heads);
            let expected = format!("a divisor of {d_model}, the model's width");
            self.check("attention.head_count", n_heads, &expected, whole)?;
            return Ok(d_model / n_heads);
        }
        let head_dim = self.size("attention.key_length")?;
        if self.has("attention.key_length_mla") {
            // Of latents, whose values are as wide as their keys here.
            return Ok(head_dim);
        }
        let v_head_dim = self.size_or("attention.value_length", head_dim)?;
        let expected = format!("{head_dim}, as `attention.key_length`");
        self.check(
            "attention.value_length",
            v_head_dim,
            &expected,
            v_head_dim == head_dim,
        )
    }

    /// Checks that layers have the activation that a folder names.
    pub(crate) fn check_activation(&self, config: &ModelConfig) -> Result<(), LoadError> {
        let Some(name) = self.metadata.opt::<String>("ingle.activation")? else {
            return Ok(());
        };
        let fits = |activation| match name.as_str() {
            "silu" | "swish" => matches!(
                activation,
                Activation::Silu | Activation::ClampedSwiglu { .. }
            ),
            "gelu" | "gelu_python" => activation == Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => activation == Activation::GeluTanh,
            "relu" => activation == Activation::Relu,
            "relu2" | "sqrelu" => activation == Activation::ReluSquared,
            _ => false,
        };
        let ffns = config.layers.iter();
        let mut ffns = ffns.filter_map(|layer| layer.ffn.activation());
        match ffns.find(|&activation| !fits(activation)) {
            None => Ok(()),
            Some(other) => Err(LoadError::Hyperparameter {
                key: "hidden_act (config.json)".into(),
                expected: format!("{other:?}, as the architecture has it"),
                found: name,
            }),
        }
    }

    /// Tokens that a short convolution sees.
    pub fn conv_width(&self, key: &str) -> Result<usize, LoadError> {
        let width = self.size(key)?;
        self.check(key, width, "2 to 64 tokens", (2..=64).contains(&width))
    }

    /// Checks that heads can be grouped and a head can be turned in pairs.
    pub fn check_heads(
        &self,
        n_heads: usize,
        n_kv_heads: usize,
        head_dim: usize,
    ) -> Result<(), LoadError> {
        let expected = format!("a divisor of {n_heads}, the number of heads");
        self.check(
            "attention.head_count_kv",
            n_kv_heads,
            &expected,
            n_heads.is_multiple_of(n_kv_heads),
        )?;
        let usable = head_dim.is_multiple_of(2) && head_dim <= MAX_HEAD_DIM;
        self.check(
            "attention.key_length",
            head_dim,
            "an even number up to 1024",
            usable,
        )?;
        Ok(())
    }

    /// `value` if `ok`, else an error that names the key.
    pub fn check<T: std::fmt::Display>(
        &self,
        key: &str,
        value: T,
        expected: &str,
        ok: bool,
    ) -> Result<T, LoadError> {
        if ok {
            return Ok(value);
        }
        let (key, found) = (self.key(key), value.to_string());
        Err(LoadError::Hyperparameter {
            key,
            expected: expected.into(),
            found,
        })
    }
}

/// Whether each layer is another than the last of every `period`.
fn all_but_last(n_layers: usize, period: usize) -> Vec<bool> {
    let layers = (0..n_layers).map(|layer| !(layer + 1).is_multiple_of(period));
    layers.collect()
}
