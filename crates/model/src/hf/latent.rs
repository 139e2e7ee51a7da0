//! Latent attention of a `config.json`.

use formats::gguf::Value;

use super::Fields;
use crate::LoadError;

impl Fields<'_> {
    /// Sizes of latents and of the one key head that they make.
    pub fn latents(&mut self) -> Result<(), LoadError> {
        for (from, to) in [
            ("q_lora_rank", "attention.q_lora_rank"),
            ("kv_lora_rank", "attention.kv_lora_rank"),
            ("v_head_dim", "attention.value_length_mla"),
            ("qk_rope_head_dim", "rope.dimension_count"),
        ] {
            self.copy(from, to)?;
        }
        let size = |key| self.size(key).map(|size| size.unwrap_or(0));
        let (nope, rope) = (size("qk_nope_head_dim")?, size("qk_rope_head_dim")?);
        let (rank, head_dim) = (size("kv_lora_rank")?, nope.saturating_add(rope));
        self.only("qk_head_dim", &[&head_dim.to_string()])?;
        self.only("rope_interleave", &["true"])?;
        let log = self.float("rope_parameters.mscale_all_dim")?;
        let log = log.or(self.float("rope_scaling.mscale_all_dim")?);
        if let Some(log) = log {
            self.set("rope.scaling.yarn_log_multiplier", Value::F32(0.1 * log));
        }
        for (key, size) in [
            ("attention.head_count_kv", 1),
            ("attention.key_length", rank.saturating_add(rope)),
            ("attention.value_length", rank),
            ("attention.key_length_mla", head_dim),
        ] {
            self.set(key, Value::U32(size));
        }
        Ok(())
    }
}
