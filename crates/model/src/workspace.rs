//! The buffers of a step, made once and reused: nothing grows with tokens.

use kernels::{Activations, RopeTable};

use crate::config::{Ffn, Mixer, ModelConfig, RopeConfig};

/// Room for one step of at most `max_tokens` tokens and `max_outputs` rows of logits.
pub struct Workspace {
    pub(crate) max_tokens: usize,
    pub(crate) max_outputs: usize,
    /// The residual stream, `[n_tokens, d_model]`.
    pub(crate) x: Vec<f32>,
    /// `[n_tokens, d_model]`.
    pub(crate) normed: Vec<f32>,
    /// `[n_tokens, d_model]`: what mixer or FFN adds to the stream.
    pub(crate) delta: Vec<f32>,
    /// `[n_tokens, q_dim]`.
    pub(crate) q: Vec<f32>,
    /// `[n_tokens, kv_dim]`.
    pub(crate) k: Vec<f32>,
    /// `[n_tokens, kv_dim]`.
    pub(crate) v: Vec<f32>,
    /// `[n_tokens, q_dim]`.
    pub(crate) attended: Vec<f32>,
    /// `[n_tokens, d_ff]`.
    pub(crate) gate: Vec<f32>,
    /// `[n_tokens, d_ff]`.
    pub(crate) up: Vec<f32>,
    /// `[n_outputs, vocab_size]`.
    pub(crate) logits: Vec<f32>,
    pub(crate) activations: Activations,
    /// One for each of [`rope_configs`].
    pub(crate) ropes: Vec<RopeTable>,
}

/// The widths that buffers must have room for.
struct Widths {
    q_dim: usize,
    kv_dim: usize,
    d_ff: usize,
}

fn widths(config: &ModelConfig) -> Widths {
    let mut widths = Widths {
        q_dim: 0,
        kv_dim: 0,
        d_ff: 0,
    };
    for layer in &config.layers {
        let Mixer::Attention(attention) = &layer.mixer;
        let Ffn::Gated { d_ff, .. } = layer.ffn;
        widths.q_dim = widths.q_dim.max(attention.q_dim());
        widths.kv_dim = widths.kv_dim.max(attention.kv_dim());
        widths.d_ff = widths.d_ff.max(d_ff);
    }
    widths
}

impl Workspace {
    /// Buffers for steps of up to `max_tokens` tokens, `max_outputs` of them with logits.
    pub fn new(config: &ModelConfig, max_tokens: usize, max_outputs: usize) -> Self {
        let Widths {
            q_dim,
            kv_dim,
            d_ff,
        } = widths(config);
        let room = |width: usize| vec![0.0; max_tokens * width];
        Self {
            max_tokens,
            max_outputs,
            x: room(config.d_model),
            normed: room(config.d_model),
            delta: room(config.d_model),
            q: room(q_dim),
            k: room(kv_dim),
            v: room(kv_dim),
            attended: room(q_dim),
            gate: room(d_ff),
            up: room(d_ff),
            logits: vec![0.0; max_outputs * config.vocab_size],
            activations: Activations::new(max_tokens, max_k(config)),
            ropes: rope_configs(config)
                .iter()
                .map(|rope| RopeTable::new(max_tokens, rope.rope_dim()))
                .collect(),
        }
    }

    /// Most tokens of a step.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Most rows of logits of a step.
    pub fn max_outputs(&self) -> usize {
        self.max_outputs
    }

    /// Bytes that [`Workspace::new`] takes.
    pub fn size_bytes(config: &ModelConfig, max_tokens: usize, max_outputs: usize) -> usize {
        let Widths {
            q_dim,
            kv_dim,
            d_ff,
        } = widths(config);
        let per_token = 3 * config.d_model + 2 * q_dim + 2 * kv_dim + 2 * d_ff;
        let floats = max_tokens * per_token + max_outputs * config.vocab_size;
        4 * floats + Activations::size_bytes(max_tokens, max_k(config))
    }
}

/// Longest weight row of the model.
pub(crate) fn max_k(config: &ModelConfig) -> usize {
    let Widths { q_dim, d_ff, .. } = widths(config);
    config.d_model.max(q_dim).max(d_ff)
}

/// The different rotary embeddings of the layers: angles are computed once for each.
pub(crate) fn rope_configs(config: &ModelConfig) -> Vec<&RopeConfig> {
    let mut ropes: Vec<&RopeConfig> = Vec::new();
    for layer in &config.layers {
        let Mixer::Attention(attention) = &layer.mixer;
        if let Some(rope) = &attention.rope
            && !ropes.contains(&rope)
        {
            ropes.push(rope);
        }
    }
    ropes
}
