//! The roles tensors play, and what files call them.

mod table;

pub use table::NAMES;

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
    /// `[n_labels, d_model]`: of rerankers.
    Rank,
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
    /// RWKV: `[n, d_model]`: how much of the token before goes into each of what is made of a token.
    WkvLerps,
    /// `[d_model]`: the same for one thing, here for what decides about the others (RWKV 6).
    WkvLerpX,
    /// `[d_model]`: for decays.
    WkvLerpW,
    /// `[d_model]`: for keys.
    WkvLerpK,
    /// `[d_model]`: for values.
    WkvLerpV,
    /// `[d_model]`: for what reads.
    WkvLerpR,
    /// `[d_model]`: for rates (RWKV 7).
    WkvLerpA,
    /// `[d_model]`: for gates.
    WkvLerpG,
    /// `[d_model]`: decays before a token says anything (RWKV 7).
    WkvW0,
    /// `[rank, d_model]`: first half of what makes decays; in RWKV 6, of what decides how much goes where.
    WkvW1,
    /// `[d_model, rank]`: its second half; in RWKV 6 `[5, d_model, rank]`.
    WkvW2,
    /// `[d_model]`: the same three for rates.
    WkvA0,
    /// `[rank, d_model]`.
    WkvA1,
    /// `[d_model, rank]`.
    WkvA2,
    /// `[d_model]`: and for how much of the first layer's value is taken.
    WkvV0,
    /// `[rank, d_model]`.
    WkvV1,
    /// `[d_model, rank]`.
    WkvV2,
    /// `[rank, d_model]`: and the two for gates.
    WkvG1,
    /// `[d_model, rank]`.
    WkvG2,
    /// `[d_model]`: factor on keys that are replaced.
    WkvKeyFactor,
    /// `[d_model]`: how much rates weaken keys.
    WkvKeyRate,
    /// `[d_model]`: how much a token's own value counts (RWKV 7).
    WkvOwn,
    /// `[n_heads, head_dim]`: the same (RWKV 6).
    WkvFirst,
    /// `[d_model]`: decays before a token says anything (RWKV 6).
    WkvDecay,
    /// `[rank, d_model]`: first half of what makes decays (RWKV 6).
    WkvDecayIn,
    /// `[d_model, rank]`: its second half.
    WkvDecayOut,
    /// `[d_model, d_model]`.
    WkvKey,
    /// `[d_model, d_model]`.
    WkvValue,
    /// `[d_model, d_model]`: what reads the state.
    WkvReceptance,
    /// `[d_model, d_model]` (RWKV 6).
    WkvGate,
    /// `[d_model]`: of each head, with a bias.
    WkvNorm,
    /// `[d_model, d_model]`.
    WkvOutput,
    /// `[d_model]`: how much of the token before goes into the feed-forward network.
    ChannelLerpK,
    /// `[d_model]`: and into its gate.
    ChannelLerpR,
    /// `[d_ff, d_model]`.
    ChannelKey,
    /// `[d_model, d_model]`: the gate (RWKV 6).
    ChannelReceptance,
    /// `[d_model, d_ff]`.
    ChannelValue,
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
    /// `[n_experts, 2 * d_ff, d_model]`: gates and what they multiply in one.
    ExpertGateUps,
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
                | Self::WkvFirst
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
            WkvNorm,
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
