//! The buffers of a step, made once and reused: nothing grows with tokens.

use kernels::{Activations, AttentionShape, RopeTable};

use crate::config::{Ffn, Mixer, ModelConfig, RopeConfig, Wiring};
use crate::ffn::Visits;

/// Room for one step of at most `max_tokens` tokens and `max_outputs` rows of logits.
pub struct Workspace {
    pub(crate) max_tokens: usize,
    pub(crate) max_outputs: usize,
    /// The residual stream, `[rows, d_model]`.
    pub(crate) x: Vec<f32>,
    /// Tokens of the batch that `x` has in the end, ascending: all, or those that something is read of.
    pub(crate) rows: Vec<usize>,
    /// `[n_tokens, d_model]`.
    pub(crate) normed: Vec<f32>,
    /// `[n_tokens, d_model]`: what mixer or FFN adds to the stream.
    pub(crate) delta: Vec<f32>,
    /// `[n_tokens, d_model]`: what the mixer gave, while the FFN works beside it.
    pub(crate) both: Vec<f32>,
    /// `[n_tokens, widest]`: copies of rows that are normed in place.
    pub(crate) room: Vec<f32>,
    /// `[n_tokens, q_dim]`.
    pub(crate) q: Vec<f32>,
    /// `[n_tokens, kv_dim]`.
    pub(crate) k: Vec<f32>,
    /// `[n_tokens, kv_dim]`.
    pub(crate) v: Vec<f32>,
    /// `[n_tokens, n_heads * head_dim]` of the heads that go over the cache.
    pub(crate) attended: Vec<f32>,
    /// The same, of latent attention's queries.
    pub(crate) latent_q: Vec<f32>,
    /// `[n_tokens, kv_rank]`.
    pub(crate) latents: Vec<f32>,
    /// `[parts][n_tokens, d_model]`: RWKV's mixtures of tokens and those before them.
    pub(crate) mixed: Vec<f32>,
    /// `[n_tokens, d_model]`: values of RWKV 7's first layer.
    pub(crate) first_values: Vec<f32>,
    /// `[n_tokens, d_ff]`; with experts at least a row for each that one token uses.
    pub(crate) gate: Vec<f32>,
    /// The same.
    pub(crate) up: Vec<f32>,
    /// `[n_tokens, n_experts]`.
    pub(crate) scores: Vec<f32>,
    /// `[n_tokens, n_used]`: experts and their weights.
    pub(crate) chosen: Vec<(usize, f32)>,
    /// As many rows as `gate`: what goes through experts, and what comes out.
    pub(crate) gathered: Vec<f32>,
    pub(crate) visits: Visits,
    /// `[n_tokens, d_model]`: normed rows that were asked for.
    pub(crate) hidden: Vec<f32>,
    /// `[n_outputs, vocab_size]`.
    pub(crate) logits: Vec<f32>,
    pub(crate) activations: Activations,
    /// One for each of [`rope_configs`].
    pub(crate) ropes: Vec<RopeTable>,
}

/// The widths that buffers must have room for.
#[derive(Default)]
struct Widths {
    d_model: usize,
    q_dim: usize,
    kv_dim: usize,
    /// Of all heads that go over the cache.
    attended: usize,
    latent_q: usize,
    latents: usize,
    mixed: usize,
    first_values: usize,
    d_ff: usize,
    /// Of the sum of two deltas.
    both: usize,
    n_experts: usize,
    n_used: usize,
    /// Of rows gathered for an expert.
    gathered: usize,
}

impl Widths {
    fn of(config: &ModelConfig) -> Self {
        let d_model = config.d_model;
        let mut widths = Self {
            d_model,
            ..Self::default()
        };
        for layer in &config.layers {
            let shape = layer.mixer.shape();
            let heads = |n: fn(&AttentionShape) -> usize| {
                let heads = shape.as_ref().map(|shape| n(shape) * shape.head_dim);
                heads.unwrap_or(0)
            };
            let (attended, kv_dim) = (
                heads(|shape| shape.n_heads),
                heads(|shape| shape.n_kv_heads),
            );
            widths.attended = widths.attended.max(attended);
            widths.kv_dim = widths.kv_dim.max(kv_dim);
            let q_dim = match &layer.mixer {
                Mixer::Attention(attention) => {
                    let both = if attention.gated { 2 * attended } else { 0 };
                    widths.gathered = widths.gathered.max(both);
                    attended
                }
                Mixer::ShortConv(conv) => widths.recurrent(conv.channels, conv.channels, 0),
                Mixer::ChannelScan(scan) => {
                    widths.gathered = widths.gathered.max(2 * scan.n_state);
                    widths.recurrent(scan.channels, scan.channels, scan.rank)
                }
                Mixer::HeadScan(scan) => {
                    widths.recurrent(scan.d_inner(), scan.d_conv(), scan.heads.n_heads)
                }
                Mixer::DeltaNet(net) => {
                    widths.gathered = widths.gathered.max(2 * net.heads.n_heads);
                    widths.recurrent(net.d_value(), net.d_conv(), 2 * net.heads.n_heads)
                }
                Mixer::Wkv6(wkv) => {
                    widths.mixed = 5 * d_model;
                    widths.gathered = widths.gathered.max(wkv.mix_rank);
                    let inner = (5 * wkv.mix_rank).max(wkv.decay_rank);
                    widths.recurrent(d_model, d_model, inner)
                }
                Mixer::Wkv7(wkv) => {
                    widths.mixed = 6 * d_model;
                    widths.first_values = d_model;
                    let ranks = wkv.decay_rank.max(wkv.rate_rank).max(wkv.gate_rank);
                    let inner = ranks.max(wkv.value_rank.unwrap_or(0));
                    widths.recurrent(d_model, d_model, inner)
                }
                Mixer::Both(both) => {
                    widths.both = d_model;
                    let scan = &both.1;
                    let inner = widths.recurrent(scan.d_inner(), scan.d_conv(), scan.heads.n_heads);
                    inner.max(attended)
                }
                Mixer::None => 0,
                Mixer::Latent(latent) => {
                    widths.latent_q = widths.latent_q.max(attended);
                    let (kept, rank) = (latent.kept_dim(), latent.q_rank.unwrap_or(0));
                    widths.latents = widths.latents.max(latent.kv_rank);
                    let widest = kept.max(rank).max(latent.nope_dim).max(latent.value_dim);
                    widths.gathered = widths.gathered.max(widest);
                    latent.q_dim().max(latent.n_heads * latent.value_dim)
                }
            };
            widths.q_dim = widths.q_dim.max(q_dim);
            if layer.wiring == Wiring::Parallel {
                widths.both = d_model;
            }
            match layer.ffn {
                Ffn::Gated { d_ff, .. }
                | Ffn::Plain { d_ff, .. }
                | Ffn::ChannelMix { d_ff, .. } => {
                    widths.d_ff = widths.d_ff.max(d_ff);
                }
                Ffn::None => {}
                Ffn::Experts(experts) => {
                    let d_ff = experts.d_ff.max(experts.shared_d_ff.unwrap_or(0));
                    widths.d_ff = widths.d_ff.max(d_ff);
                    widths.n_experts = widths.n_experts.max(experts.n_experts);
                    widths.n_used = widths.n_used.max(experts.n_used);
                    widths.gathered = widths.gathered.max(d_model);
                }
            }
        }
        widths
    }

    /// Room for a recurrent mixer's output, what its convolution takes and gives, and numbers of heads; the first again.
    fn recurrent(&mut self, d_inner: usize, d_conv: usize, per_head: usize) -> usize {
        self.attended = self.attended.max(d_inner);
        self.kv_dim = self.kv_dim.max(d_conv);
        self.latents = self.latents.max(per_head);
        d_inner
    }

    /// Rows that go through an FFN, or through experts, in one job.
    fn rows(&self, max_tokens: usize) -> usize {
        max_tokens.max(self.n_used)
    }

    /// Widest row that is copied aside.
    fn room(&self) -> usize {
        let widest = self.d_model.max(self.q_dim).max(self.kv_dim);
        widest.max(self.d_ff).max(self.gathered)
    }
}

impl Workspace {
    /// Buffers for steps of up to `max_tokens` tokens, `max_outputs` of them with logits.
    pub fn new(config: &ModelConfig, max_tokens: usize, max_outputs: usize) -> Self {
        let widths = Widths::of(config);
        let room = |width: usize| vec![0.0; max_tokens * width];
        let rows = widths.rows(max_tokens);
        Self {
            max_tokens,
            max_outputs,
            x: room(config.d_model),
            rows: Vec::with_capacity(2 * max_tokens),
            normed: room(config.d_model),
            delta: room(config.d_model),
            both: room(widths.both),
            room: room(widths.room()),
            q: room(widths.q_dim),
            k: room(widths.kv_dim),
            v: room(widths.kv_dim),
            attended: room(widths.attended),
            latent_q: room(widths.latent_q),
            latents: room(widths.latents),
            mixed: room(widths.mixed),
            first_values: room(widths.first_values),
            gate: vec![0.0; rows * widths.d_ff],
            up: vec![0.0; rows * widths.d_ff],
            scores: room(widths.n_experts),
            chosen: vec![(0, 0.0); max_tokens * widths.n_used],
            gathered: vec![0.0; rows * widths.gathered],
            visits: Visits::new(max_tokens * widths.n_used, widths.n_experts),
            hidden: room(config.d_model),
            logits: vec![0.0; max_outputs * config.vocab_size],
            activations: Activations::new(rows, max_k(config)),
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

    /// The logits of the last step's [`Batch::outputs`](crate::Batch::outputs), `[rows, vocab_size]` and more.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The hidden states of the last step's [`Batch::hidden`](crate::Batch::hidden), `[rows, d_model]` and more.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden
    }

    /// Most rows of logits of a step.
    pub fn max_outputs(&self) -> usize {
        self.max_outputs
    }

    /// Bytes that [`Workspace::new`] takes.
    pub fn size_bytes(config: &ModelConfig, max_tokens: usize, max_outputs: usize) -> usize {
        let widths = Widths::of(config);
        let Widths {
            d_model,
            q_dim,
            kv_dim,
            d_ff,
            ..
        } = widths;
        let rows = widths.rows(max_tokens);
        let floats = 4 * d_model + widths.both + widths.room();
        let latent = widths.latent_q + widths.latents + widths.mixed + widths.first_values;
        let floats = floats + q_dim + widths.attended + latent + 2 * kv_dim + widths.n_experts;
        let floats = max_tokens * floats + max_outputs * config.vocab_size;
        let floats = floats + rows * (2 * d_ff + widths.gathered);
        let num_visits = max_tokens * widths.n_used;
        let chosen = num_visits * size_of::<(usize, f32)>();
        let visits = Visits::size_bytes(num_visits, widths.n_experts);
        let row_numbers = 2 * max_tokens * size_of::<usize>();
        4 * floats + row_numbers + chosen + visits + Activations::size_bytes(rows, max_k(config))
    }
}

/// Longest weight row of the model.
pub(crate) fn max_k(config: &ModelConfig) -> usize {
    let widths = Widths::of(config);
    let widest = widths.d_model.max(widths.q_dim).max(widths.d_ff);
    widest.max(widths.gathered).max(widths.latents)
}

/// The different rotary embeddings of the layers: angles are computed once for each.
pub(crate) fn rope_configs(config: &ModelConfig) -> Vec<&RopeConfig> {
    let mut ropes: Vec<&RopeConfig> = Vec::new();
    for layer in &config.layers {
        if let Some(rope) = layer.mixer.rope()
            && !ropes.contains(&rope)
        {
            ropes.push(rope);
        }
    }
    ropes
}
