//! Layers of which each is one thing: a state space model, attention, a feed-forward network, or experts.

use formats::gguf::{Array, Value};
use serde_json::Value as Json;

use super::Fields;
use crate::LoadError;

impl Fields<'_> {
    /// Writes how many KV heads and how wide a network each layer has: none where it is something else. Kinds are letters,
    /// `M` for a state space model, `*` for attention, `-` for a network, `E` for experts; or words that stand for them.
    pub fn layers_apart(&mut self) -> Result<(), LoadError> {
        let kinds = self.kinds()?;
        let has_experts = kinds.contains('E');
        let mixed = has_experts && kinds.contains('-');
        if kinds.is_empty() || mixed || !kinds.chars().all(|kind| "M*-E".contains(kind)) {
            let expected = "letters M, *, and - or E, one for each layer";
            return Err(self.wrong("hybrid_override_pattern", expected));
        }
        let (n_kv_heads, d_ff, d_expert) = (
            self.size("num_key_value_heads")?.unwrap_or(0),
            self.size("intermediate_size")?.unwrap_or(0),
            self.size("moe_intermediate_size")?.unwrap_or(0),
        );
        let of_layer = |value: fn(char) -> usize, n: [u32; 3]| {
            let numbers = kinds.chars().map(|kind| n[value(kind)]);
            Value::Array(Array::U32(numbers.collect()))
        };
        let heads = of_layer(|kind| usize::from(kind == '*'), [0, n_kv_heads, 0]);
        let network = |kind| match kind {
            '-' => 1,
            'E' => 2,
            _ => 0,
        };
        let widths = of_layer(network, [0, d_ff, d_expert]);
        self.set("attention.head_count_kv", heads);
        self.set("feed_forward_length", widths);
        self.set("block_count", Value::U32(kinds.chars().count() as u32));
        self.set("nextn_predict_layers", Value::U32(0));
        if !has_experts {
            self.set("expert_count", Value::U32(0));
        }
        Ok(())
    }

    fn kinds(&self) -> Result<String, LoadError> {
        let key = "layers_block_type";
        let list = self.get(key);
        if let Some(letters) = self.text("hybrid_override_pattern")? {
            return Ok(letters.into());
        }
        let letter = |word: &Json| match word.as_str()? {
            "linear_attention" => Some('M'),
            "full_attention" => Some('*'),
            "mlp" => Some('-'),
            "moe" => Some('E'),
            _ => None,
        };
        let list = list.and_then(Json::as_array);
        let letters = list.and_then(|list| list.iter().map(letter).collect());
        letters.ok_or_else(|| self.wrong(key, "a list with one kind for each layer"))
    }
}
