//! What most families' `config.json` say alike.

use formats::gguf::{Array, Value};
use serde_json::Value as Json;

use super::Fields;
use super::fields::wrong;
use crate::LoadError;

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
    (
        "moe_shared_expert_intermediate_size",
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

/// Both.
pub(super) const KEYS: [&[(&str, &str)]; 2] = [SIZES, FLOATS];

impl Fields<'_> {
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
        self.dense_layers()?;
        self.windows()?;
        self.activation(&["hidden_activation", "hidden_act", "activation_function"])?;
        let method = "quantization_config.quant_method";
        self.only(method, &["fp8", "compressed-tensors", "mxfp4"])?;
        self.rope()
    }

    /// Layers without experts, where each has a kind: the first ones.
    fn dense_layers(&mut self) -> Result<(), LoadError> {
        let key = "mlp_layer_types";
        let Some(kinds) = self.get(key).and_then(Json::as_array) else {
            return Ok(());
        };
        let first = kinds.iter().take_while(|kind| *kind == "dense").count();
        if kinds[first..].iter().any(|kind| kind != "sparse") {
            return Err(self.wrong(key, "`dense` for the first layers, `sparse` for the others"));
        }
        self.set("leading_dense_block_count", Value::U32(first as u32));
        Ok(())
    }

    /// Positions that layers see: one window, and which layers have it.
    fn windows(&mut self) -> Result<(), LoadError> {
        let on = self.flag("use_sliding_window")?.unwrap_or(true);
        let (window, size) = (
            self.size("sliding_window")?,
            self.size("sliding_window_size")?,
        );
        let window = window.or(size).filter(|_| on);
        let extra = self.written("nextn_predict_layers").unwrap_or(0);
        let n_layers = self
            .written("block_count")
            .unwrap_or(0)
            .saturating_sub(extra);
        // Qwen's first layers see all, unless each layer's kind is written.
        let first = self.size("max_window_layers")?;
        let by_kind = self.layer_kinds()?;
        let pattern = self.window_pattern(n_layers)?;
        let Some(window) = window else {
            return match by_kind {
                Some(windowed) if windowed.contains(&true) => {
                    Err(wrong("sliding_window", "a number, as layers have it", None))
                }
                _ => Ok(()),
            };
        };
        self.set("attention.sliding_window", Value::U32(window));
        let switched = self.peek("use_sliding_window").is_some();
        let by_number = first.filter(|_| switched);
        let by_number = by_number.map(|first| (0..n_layers).map(|layer| layer >= first).collect());
        if let Some(windowed) = by_kind.or(pattern).or(by_number) {
            let windowed = Value::Array(Array::Bool(windowed));
            self.set("attention.sliding_window_pattern", windowed);
        }
        Ok(())
    }

    /// Which layers see a window, where each has a kind. Other kinds are for a family to read.
    fn layer_kinds(&self) -> Result<Option<Vec<bool>>, LoadError> {
        let Some(kinds) = self.peek("layer_types").and_then(Json::as_array) else {
            return Ok(None);
        };
        let windowed = kinds.iter().map(|kind| match kind.as_str()? {
            "sliding_attention" => Some(true),
            "full_attention" => Some(false),
            _ => None,
        });
        let windowed: Option<Vec<bool>> = windowed.collect();
        if windowed.is_some() {
            self.get("layer_types");
        }
        Ok(windowed)
    }

    /// Which layers see a window, where their order repeats: all but the last of so many, or `LLLG`.
    fn window_pattern(&self, n_layers: u32) -> Result<Option<Vec<bool>>, LoadError> {
        let keys = [
            "sliding_window_pattern",
            "_sliding_window_pattern",
            "layer_switch",
        ];
        // All are read: they say the same.
        let mut found = keys
            .map(|key| Some((key, self.get(key)?)))
            .into_iter()
            .flatten();
        let Some((key, value)) = found.next() else {
            return Ok(None);
        };
        let period: Vec<bool> = match (value, value.as_u64()) {
            (_, Some(n @ 1..=512)) => (1..=n).map(|i| i < n).collect(),
            (Json::String(kinds), _) if kinds.chars().all(|kind| "LG".contains(kind)) => {
                kinds.chars().map(|kind| kind == 'L').collect()
            }
            _ => return Err(self.wrong(key, "a number of layers, or letters L and G")),
        };
        let layers = period.iter().copied().cycle().take(n_layers as usize);
        Ok(Some(layers.collect()))
    }

    /// The activation that one of `keys` names, to be compared with the family's: the first that is there counts.
    pub fn activation(&mut self, keys: &[&str]) -> Result<(), LoadError> {
        let mut name = None;
        for key in keys {
            name = name.or(self.text(key)?);
        }
        if let Some(name) = name {
            self.set_own("activation", Value::String(name.into()));
        }
        Ok(())
    }
}
