//! An architecture as data: everything the forward pass must know, and no model's name.
//!
//! A family file in [`crate::arch`] fills these types while a model is loaded; what can be seen from
//! the tensors that are present (biases, an own output matrix) is not repeated here.

use kernels::Pairing;

/// A whole decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Rows of the embedding and of the logits.
    pub vocab_size: usize,
    /// Context length that the model was trained for.
    pub max_seq_len: usize,
    /// Factor on rows of the embedding, as they enter the first layer.
    pub embedding_scale: Option<f32>,
    /// One row per layer.
    pub layers: Vec<LayerConfig>,
    /// The norm before the output matrix.
    pub output_norm: NormConfig,
    /// Bound on logits: `cap * tanh(logit / cap)` instead of `logit`; none if none.
    pub logit_softcap: Option<f32>,
}

/// One layer: `x += mixer(norm(x)); x += ffn(norm(x))`, with another norm before an addition where asked.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerConfig {
    /// Norm before the mixer.
    pub mixer_norm: NormConfig,
    /// What mixes tokens.
    pub mixer: Mixer,
    /// Norm of what the mixer gives.
    pub mixer_post_norm: Option<NormConfig>,
    /// Norm before the feed-forward network.
    pub ffn_norm: NormConfig,
    /// What works on each token alone.
    pub ffn: Ffn,
    /// Norm of what the feed-forward network gives.
    pub ffn_post_norm: Option<NormConfig>,
}

/// A normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormConfig {
    /// RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467).
    Rms {
        /// Added to the mean square.
        eps: f32,
    },
}

/// How a layer mixes tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Mixer {
    /// Softmax attention with grouped queries (Ainslie et al. 2023, arXiv:2305.13245).
    Attention(AttentionConfig),
}

/// A layer's attention.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionConfig {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// What scores are multiplied with, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// Rotary embedding; none on layers without positions.
    pub rope: Option<RopeConfig>,
    /// Positions a token sees, itself included; all if none.
    pub window: Option<usize>,
    /// Bound on scores: `cap * tanh(score / cap)` instead of `score`; none if none.
    pub softcap: Option<f32>,
}

impl AttentionConfig {
    /// Elements of all query heads.
    pub fn q_dim(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Elements of all key heads.
    pub fn kv_dim(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}

/// A rotary embedding, resolved to one frequency per pair.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// Which elements turn together.
    pub pairing: Pairing,
    /// Radians per position of each pair, scaling applied: `[rope_dim / 2]`.
    pub frequencies: Vec<f64>,
    /// Factor on both cosine and sine.
    pub magnitude: f32,
}

impl RopeConfig {
    /// Elements of a head that turn.
    pub fn rope_dim(&self) -> usize {
        2 * self.frequencies.len()
    }
}

/// A feed-forward network.
#[derive(Clone, Debug, PartialEq)]
pub enum Ffn {
    /// `down(activation(gate(x)) * up(x))` (Shazeer 2020, arXiv:2002.05202).
    Gated {
        /// Width in the middle.
        d_ff: usize,
        /// On the gate.
        activation: Activation,
    },
}

/// A pointwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x / (1 + e^-x)`.
    Silu,
    /// GELU in its tanh form: `x / 2 * (1 + tanh(sqrt(2 / π) * (x + 0.044715 x³)))`.
    GeluTanh,
}
