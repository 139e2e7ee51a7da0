//! The roles tensors play, and what files call them.

/// What a tensor is for. Layer roles carry `{i}` for the layer in their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// `[vocab_size, d_model]`.
    TokenEmbedding,
    /// `[d_model]`.
    OutputNorm,
    /// `[vocab_size, d_model]`; absent if tied to the embedding.
    Output,
    /// `[rope_dim / 2]`: divisors of the rotary frequencies.
    RopeFrequencies,
    /// `[d_model]`.
    MixerNorm,
    /// `[q_dim, d_model]`.
    AttentionQ,
    /// `[kv_dim, d_model]`.
    AttentionK,
    /// `[kv_dim, d_model]`.
    AttentionV,
    /// `[d_model, q_dim]`.
    AttentionOutput,
    /// `[d_model]`: of what the mixer gives.
    MixerPostNorm,
    /// `[d_model]`.
    FfnNorm,
    /// `[d_ff, d_model]`.
    FfnGate,
    /// `[d_ff, d_model]`.
    FfnUp,
    /// `[d_model, d_ff]`.
    FfnDown,
    /// `[d_model]`: of what the feed-forward network gives.
    FfnPostNorm,
}

/// One row per role: its name in GGUF and in Hugging Face checkpoints, without `.weight` or `.bias`.
pub const NAMES: &[(Role, &str, &str)] = &[
    (Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    (Role::OutputNorm, "output_norm", "model.norm"),
    (Role::Output, "output", "lm_head"),
    (Role::RopeFrequencies, "rope_freqs", "rope_freqs"),
    (
        Role::MixerNorm,
        "blk.{i}.attn_norm",
        "model.layers.{i}.input_layernorm",
    ),
    (
        Role::AttentionQ,
        "blk.{i}.attn_q",
        "model.layers.{i}.self_attn.q_proj",
    ),
    (
        Role::AttentionK,
        "blk.{i}.attn_k",
        "model.layers.{i}.self_attn.k_proj",
    ),
    (
        Role::AttentionV,
        "blk.{i}.attn_v",
        "model.layers.{i}.self_attn.v_proj",
    ),
    (
        Role::AttentionOutput,
        "blk.{i}.attn_output",
        "model.layers.{i}.self_attn.o_proj",
    ),
    (
        Role::MixerPostNorm,
        "blk.{i}.post_attention_norm",
        "model.layers.{i}.post_attention_layernorm",
    ),
    (
        Role::FfnNorm,
        "blk.{i}.ffn_norm",
        "model.layers.{i}.post_attention_layernorm",
    ),
    (
        Role::FfnGate,
        "blk.{i}.ffn_gate",
        "model.layers.{i}.mlp.gate_proj",
    ),
    (
        Role::FfnUp,
        "blk.{i}.ffn_up",
        "model.layers.{i}.mlp.up_proj",
    ),
    (
        Role::FfnDown,
        "blk.{i}.ffn_down",
        "model.layers.{i}.mlp.down_proj",
    ),
    (
        Role::FfnPostNorm,
        "blk.{i}.post_ffw_norm",
        "model.layers.{i}.post_feedforward_layernorm",
    ),
];

/// Roles with another Hugging Face name in layers that have [`Role::MixerPostNorm`]: what is called
/// `post_attention_layernorm` comes before the feed-forward network elsewhere.
pub const HF_WITH_POST_NORMS: &[(Role, &str)] =
    &[(Role::FfnNorm, "model.layers.{i}.pre_feedforward_layernorm")];

impl Role {
    /// The GGUF name without suffix, `layer` filled in.
    pub fn gguf(self, layer: usize) -> String {
        let (_, gguf, _) = NAMES
            .iter()
            .find(|(role, ..)| *role == self)
            .expect("every role has a row");
        gguf.replace("{i}", &layer.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{HF_WITH_POST_NORMS, NAMES, Role};

    #[test]
    fn names_are_unique_and_layers_are_numbered_in_both_columns() {
        for (i, (role, gguf, hf)) in NAMES.iter().enumerate() {
            assert_eq!(gguf.contains("{i}"), hf.contains("{i}"), "{role:?}");
            let unique = |row: &(Role, &str, &str)| row.0 != *role && row.1 != *gguf;
            assert!(NAMES[..i].iter().all(unique), "{role:?}");
        }
        assert_eq!(Role::FfnDown.gguf(12), "blk.12.ffn_down");
    }

    #[test]
    fn hugging_face_names_are_unique_in_layers_of_either_kind() {
        let plain = NAMES
            .iter()
            .filter(|(role, ..)| !matches!(role, Role::MixerPostNorm | Role::FfnPostNorm));
        let plain: Vec<&str> = plain.map(|&(.., hf)| hf).collect();
        let with_post_norms = NAMES.iter().map(|&(role, _, hf)| {
            let other = HF_WITH_POST_NORMS.iter().find(|(other, _)| *other == role);
            other.map_or(hf, |&(_, hf)| hf)
        });
        for mut names in [plain, with_post_norms.collect()] {
            let len = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), len);
        }
    }
}
