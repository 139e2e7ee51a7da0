//! The roles tensors play, and what files call them.

/// What a tensor is for. Layer roles carry `{i}` for the layer in their names, experts `{e}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// `[vocab_size, d_model]`.
    TokenEmbedding,
    /// `[max_seq_len, d_model]`: learned positions.
    PositionEmbedding,
    /// `[d_model]`: of the embedding.
    EmbeddingNorm,
    /// `[d_model]`.
    OutputNorm,
    /// `[vocab_size, d_model]`; absent if tied to the embedding.
    Output,
    /// `[rope_dim / 2]`: divisors of the rotary frequencies.
    RopeFrequencies,
    /// `[rope_dim / 2]`: the same for long contexts.
    RopeLong,
    /// `[rope_dim / 2]`: and for short ones.
    RopeShort,
    /// `[d_model]`.
    MixerNorm,
    /// `[d_model]`: of the mixer, where it and the FFN stand side by side and both have one.
    ParallelMixerNorm,
    /// `[q_dim + 2 kv_dim, d_model]`: query, key and value in one.
    AttentionQkv,
    /// `[q_dim, d_model]`.
    AttentionQ,
    /// `[kv_dim, d_model]`.
    AttentionK,
    /// `[kv_dim, d_model]`.
    AttentionV,
    /// `[head_dim]`, or of all heads.
    QueryNorm,
    /// `[head_dim]`, or of all heads.
    KeyNorm,
    /// `[q_rank, d_model]`: first half of the query's matrix.
    LatentQA,
    /// `[q_rank]`.
    LatentQNorm,
    /// `[n_heads * (nope_dim + rope_dim), q_rank]`: its second half.
    LatentQB,
    /// `[kv_rank + rope_dim, d_model]`: the latent and the turned part of keys.
    LatentKvA,
    /// `[kv_rank]`.
    LatentKvNorm,
    /// `[n_heads, kv_rank, nope_dim]`: from queries to latents.
    LatentKB,
    /// `[n_heads, value_dim, kv_rank]`: from latents to values.
    LatentVB,
    /// `[n_heads]`: scores of a key that is always there.
    Sinks,
    /// `[q_dim]`: of what attention gives.
    AttentionSubNorm,
    /// `[d_model, q_dim]`.
    AttentionOutput,
    /// `[d_inner + …, d_model]`: everything that goes into a state space model.
    ScanIn,
    /// `[channels, width]`: of its convolution.
    ScanConv,
    /// `[rank + 2 n_state, channels]`: what makes the step, writes the state and reads it.
    ScanProjection,
    /// `[rank]`: of what makes the step.
    ScanStepNorm,
    /// `[n_state]`: of what writes the state.
    ScanInNorm,
    /// `[n_state]`: of what reads it.
    ScanOutNorm,
    /// `[channels, rank]`, with a bias; or a bias alone, one for each head.
    ScanStep,
    /// `[channels, n_state]` or one for each head: how the state decays, negative.
    ScanDecay,
    /// One for each channel or head: what goes past the state.
    ScanSkip,
    /// `[n_groups, d_inner / n_groups]`, or one head's: of what it gives.
    ScanGroupNorm,
    /// `[d_model, d_inner]`.
    ScanOut,
    /// `[d_value, d_model]`: what gates the values of linear attention.
    DeltaGate,
    /// `[2 n_heads, d_model]`: how much is replaced and how much decays, by key head.
    DeltaBetaAlpha,
    /// `[n_heads, d_model]`: how much is replaced.
    DeltaBeta,
    /// `[n_heads, d_model]`: how much decays.
    DeltaAlpha,
    /// `[3 channels, d_model]`: what goes into a short convolution, and its two gates.
    ShortConvIn,
    /// `[channels, width]`.
    ShortConv,
    /// `[d_model, channels]`.
    ShortConvOut,
    /// `[d_model]`: of what the mixer gives.
    MixerPostNorm,
    /// `[d_model]`.
    FfnNorm,
    /// `[d_ff, d_model]`.
    FfnGate,
    /// `[d_ff, d_model]`; gate and up in one if there is no gate.
    FfnUp,
    /// `[d_ff]`: before `down`.
    FfnSubNorm,
    /// `[d_model, d_ff]`.
    FfnDown,
    /// `[d_model]`: of what the feed-forward network gives.
    FfnPostNorm,
    /// `[n_experts, d_model]`.
    Router,
    /// `[n_experts]`: for the choice, not the weight.
    RouterBias,
    /// `[n_experts, d_ff, d_model]`.
    ExpertGates,
    /// `[n_experts, d_ff, d_model]`.
    ExpertUps,
    /// `[n_experts, d_model, d_ff]`.
    ExpertDowns,
    /// `[d_ff, d_model]`: of one expert.
    ExpertGate,
    /// `[d_ff, d_model]`: of one expert.
    ExpertUp,
    /// `[d_model, d_ff]`: of one expert.
    ExpertDown,
    /// `[d_model]`: weight of the shared experts.
    SharedRouter,
    /// `[shared_d_ff, d_model]`.
    SharedGate,
    /// `[shared_d_ff, d_model]`.
    SharedUp,
    /// `[d_model, shared_d_ff]`.
    SharedDown,
}

/// One row per role: its name in GGUF and in most Hugging Face checkpoints, without `.weight` or `.bias`.
pub const NAMES: &[(Role, &str, &str)] = &[
    (Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    (
        Role::PositionEmbedding,
        "position_embd",
        "model.embed_positions",
    ),
    (
        Role::EmbeddingNorm,
        "token_embd_norm",
        "model.embed_layernorm",
    ),
    (Role::OutputNorm, "output_norm", "model.norm"),
    (Role::Output, "output", "lm_head"),
    (Role::RopeFrequencies, "rope_freqs", "rope_freqs"),
    (Role::RopeLong, "rope_factors_long", "rope_factors_long"),
    (Role::RopeShort, "rope_factors_short", "rope_factors_short"),
    (
        Role::MixerNorm,
        "blk.{i}.attn_norm",
        "model.layers.{i}.input_layernorm",
    ),
    (
        Role::ParallelMixerNorm,
        "blk.{i}.attn_norm_2",
        "model.layers.{i}.ln_attn",
    ),
    (
        Role::AttentionQkv,
        "blk.{i}.attn_qkv",
        "model.layers.{i}.self_attn.qkv_proj",
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
        Role::QueryNorm,
        "blk.{i}.attn_q_norm",
        "model.layers.{i}.self_attn.q_norm",
    ),
    (
        Role::KeyNorm,
        "blk.{i}.attn_k_norm",
        "model.layers.{i}.self_attn.k_norm",
    ),
    (
        Role::LatentQA,
        "blk.{i}.attn_q_a",
        "model.layers.{i}.self_attn.q_a_proj",
    ),
    (
        Role::LatentQNorm,
        "blk.{i}.attn_q_a_norm",
        "model.layers.{i}.self_attn.q_a_layernorm",
    ),
    (
        Role::LatentQB,
        "blk.{i}.attn_q_b",
        "model.layers.{i}.self_attn.q_b_proj",
    ),
    (
        Role::LatentKvA,
        "blk.{i}.attn_kv_a_mqa",
        "model.layers.{i}.self_attn.kv_a_proj_with_mqa",
    ),
    (
        Role::LatentKvNorm,
        "blk.{i}.attn_kv_a_norm",
        "model.layers.{i}.self_attn.kv_a_layernorm",
    ),
    (
        Role::LatentKB,
        "blk.{i}.attn_k_b",
        "model.layers.{i}.self_attn.kv_b_proj",
    ),
    (
        Role::LatentVB,
        "blk.{i}.attn_v_b",
        "model.layers.{i}.self_attn.v_b_proj",
    ),
    (
        Role::Sinks,
        "blk.{i}.attn_sinks",
        "model.layers.{i}.self_attn.sinks",
    ),
    (
        Role::AttentionSubNorm,
        "blk.{i}.attn_sub_norm",
        "model.layers.{i}.self_attn.attn_sub_norm",
    ),
    (
        Role::AttentionOutput,
        "blk.{i}.attn_output",
        "model.layers.{i}.self_attn.o_proj",
    ),
    (
        Role::ScanIn,
        "blk.{i}.ssm_in",
        "backbone.layers.{i}.mixer.in_proj",
    ),
    (
        Role::ScanConv,
        "blk.{i}.ssm_conv1d",
        "backbone.layers.{i}.mixer.conv1d",
    ),
    (
        Role::ScanProjection,
        "blk.{i}.ssm_x",
        "backbone.layers.{i}.mixer.x_proj",
    ),
    (
        Role::ScanStepNorm,
        "blk.{i}.ssm_dt_norm",
        "backbone.layers.{i}.mixer.dt_layernorm",
    ),
    (
        Role::ScanInNorm,
        "blk.{i}.ssm_b_norm",
        "backbone.layers.{i}.mixer.b_layernorm",
    ),
    (
        Role::ScanOutNorm,
        "blk.{i}.ssm_c_norm",
        "backbone.layers.{i}.mixer.c_layernorm",
    ),
    (
        Role::ScanStep,
        "blk.{i}.ssm_dt",
        "backbone.layers.{i}.mixer.dt_proj",
    ),
    (
        Role::ScanDecay,
        "blk.{i}.ssm_a",
        "backbone.layers.{i}.mixer.A_log",
    ),
    (
        Role::ScanSkip,
        "blk.{i}.ssm_d",
        "backbone.layers.{i}.mixer.D",
    ),
    (
        Role::ScanGroupNorm,
        "blk.{i}.ssm_norm",
        "backbone.layers.{i}.mixer.norm",
    ),
    (
        Role::ScanOut,
        "blk.{i}.ssm_out",
        "backbone.layers.{i}.mixer.out_proj",
    ),
    (
        Role::DeltaGate,
        "blk.{i}.attn_gate",
        "model.layers.{i}.linear_attn.in_proj_z",
    ),
    (
        Role::DeltaBetaAlpha,
        "blk.{i}.ssm_ba",
        "model.layers.{i}.linear_attn.in_proj_ba",
    ),
    (
        Role::DeltaBeta,
        "blk.{i}.ssm_beta",
        "model.layers.{i}.linear_attn.in_proj_b",
    ),
    (
        Role::DeltaAlpha,
        "blk.{i}.ssm_alpha",
        "model.layers.{i}.linear_attn.in_proj_a",
    ),
    (
        Role::ShortConvIn,
        "blk.{i}.shortconv.in_proj",
        "model.layers.{i}.conv.in_proj",
    ),
    (
        Role::ShortConv,
        "blk.{i}.shortconv.conv",
        "model.layers.{i}.conv.conv",
    ),
    (
        Role::ShortConvOut,
        "blk.{i}.shortconv.out_proj",
        "model.layers.{i}.conv.out_proj",
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
        Role::FfnSubNorm,
        "blk.{i}.ffn_sub_norm",
        "model.layers.{i}.mlp.ffn_sub_norm",
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
    (
        Role::Router,
        "blk.{i}.ffn_gate_inp",
        "model.layers.{i}.mlp.gate",
    ),
    (
        Role::RouterBias,
        "blk.{i}.exp_probs_b",
        "model.layers.{i}.mlp.gate.e_score_correction_bias",
    ),
    (
        Role::ExpertGates,
        "blk.{i}.ffn_gate_exps",
        "model.layers.{i}.mlp.experts.gate_proj",
    ),
    (
        Role::ExpertUps,
        "blk.{i}.ffn_up_exps",
        "model.layers.{i}.mlp.experts.up_proj",
    ),
    (
        Role::ExpertDowns,
        "blk.{i}.ffn_down_exps",
        "model.layers.{i}.mlp.experts.down_proj",
    ),
    (
        Role::ExpertGate,
        "blk.{i}.ffn_gate.{e}",
        "model.layers.{i}.mlp.experts.{e}.gate_proj",
    ),
    (
        Role::ExpertUp,
        "blk.{i}.ffn_up.{e}",
        "model.layers.{i}.mlp.experts.{e}.up_proj",
    ),
    (
        Role::ExpertDown,
        "blk.{i}.ffn_down.{e}",
        "model.layers.{i}.mlp.experts.{e}.down_proj",
    ),
    (
        Role::SharedRouter,
        "blk.{i}.ffn_gate_inp_shexp",
        "model.layers.{i}.mlp.shared_expert_gate",
    ),
    (
        Role::SharedGate,
        "blk.{i}.ffn_gate_shexp",
        "model.layers.{i}.mlp.shared_expert.gate_proj",
    ),
    (
        Role::SharedUp,
        "blk.{i}.ffn_up_shexp",
        "model.layers.{i}.mlp.shared_expert.up_proj",
    ),
    (
        Role::SharedDown,
        "blk.{i}.ffn_down_shexp",
        "model.layers.{i}.mlp.shared_expert.down_proj",
    ),
];

/// Roles with another Hugging Face name in layers that have [`Role::MixerPostNorm`]: what is called
/// `post_attention_layernorm` comes before the feed-forward network elsewhere.
pub const HF_POST_NORMS: &[(Role, &str)] =
    &[(Role::FfnNorm, "model.layers.{i}.pre_feedforward_layernorm")];

impl Role {
    /// The GGUF name without suffix, `layer` filled in.
    pub fn gguf(self, layer: usize) -> String {
        self.pattern().replace("{i}", &layer.to_string())
    }

    /// The GGUF name without suffix, numbers as `{i}` and `{e}`.
    pub fn pattern(self) -> &'static str {
        let row = NAMES.iter().find(|(role, ..)| *role == self);
        row.expect("every role has a row").1
    }

    /// The name in most Hugging Face checkpoints, numbers as `{i}` and `{e}`.
    pub fn hf(self) -> &'static str {
        let row = NAMES.iter().find(|(role, ..)| *role == self);
        row.expect("every role has a row").2
    }

    /// Whether it is small and kept in f32: vectors of more than norms, and routers.
    pub fn is_small(self) -> bool {
        matches!(
            self,
            Self::Router
                | Self::RouterBias
                | Self::SharedRouter
                | Self::Sinks
                | Self::ShortConv
                | Self::ScanConv
                | Self::ScanSkip
        )
    }

    /// Whether files name it without a suffix.
    pub fn is_bare(self) -> bool {
        matches!(self, Self::ScanDecay | Self::ScanSkip)
    }

    /// Whether it is the gain of a norm.
    pub fn is_norm(self) -> bool {
        use Role::*;
        let norms = [
            EmbeddingNorm,
            OutputNorm,
            MixerNorm,
            ParallelMixerNorm,
            QueryNorm,
            KeyNorm,
            AttentionSubNorm,
        ];
        let more = [
            LatentQNorm,
            LatentKvNorm,
            MixerPostNorm,
            FfnNorm,
            FfnSubNorm,
            FfnPostNorm,
            ScanStepNorm,
            ScanInNorm,
            ScanOutNorm,
            ScanGroupNorm,
        ];
        norms.contains(&self) || more.contains(&self)
    }

    /// The same for one expert.
    pub fn gguf_of_expert(self, layer: usize, expert: usize) -> String {
        self.gguf(layer).replace("{e}", &expert.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{HF_POST_NORMS, NAMES, Role};

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
            let other = HF_POST_NORMS.iter().find(|(other, _)| *other == role);
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
