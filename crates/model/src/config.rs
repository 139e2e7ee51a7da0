//! An architecture as data: everything the forward pass must know, and no model's name.
//!
//! A family file in [`crate::arch`] fills these types while a model is loaded; what can be seen from
//! the tensors that are present (biases, an own output matrix, sinks) is not repeated here.

mod recurrent;

pub use recurrent::{
    ChannelScanConfig, DeltaNetConfig, HeadScanConfig, InnerNorms, ShortConvConfig, Wkv6Config,
    Wkv7Config,
};

use kernels::{Activation, AttentionShape, Pairing};

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
    /// Rows of a table of learned positions, added to the embedding.
    pub learned_positions: Option<usize>,
    /// Norm of the embedding.
    pub embedding_norm: Option<NormConfig>,
    /// One row per layer.
    pub layers: Vec<LayerConfig>,
    /// The norm before the output matrix.
    pub output_norm: NormConfig,
    /// Factor on logits.
    pub logit_scale: Option<f32>,
    /// Bound on logits: `cap * tanh(logit / cap)` instead of `logit`; none if none.
    pub logit_softcap: Option<f32>,
}

impl ModelConfig {
    /// Whether a layer keeps a state: then a sequence cannot be cut back without a copy of an earlier one.
    pub fn has_state(&self) -> bool {
        self.layers.iter().any(|layer| layer.mixer.has_state())
    }

    /// The layers' attention, where they have it.
    pub fn attentions_mut(&mut self) -> impl Iterator<Item = &mut AttentionConfig> {
        self.layers
            .iter_mut()
            .filter_map(|layer| match &mut layer.mixer {
                Mixer::Attention(attention) => Some(attention),
                Mixer::Both(both) => Some(&mut both.0),
                _ => None,
            })
    }

    /// Has all rotary embeddings turn these pairs.
    pub fn set_pairing(&mut self, pairing: Pairing) {
        for attention in self.attentions_mut() {
            if let Some(rope) = &mut attention.rope {
                rope.pairing = pairing;
            }
        }
    }

    /// Has heads be turned by nothing. They are not left alone: a folder's rows change their order on the way.
    pub fn set_unturned(&mut self) {
        for attention in self.attentions_mut() {
            if let Some(rope) = &mut attention.rope {
                rope.frequencies.fill(0.0);
            }
        }
    }

    /// Has every norm be another.
    pub fn set_norms(&mut self, norm: NormConfig) {
        self.output_norm = norm;
        for layer in &mut self.layers {
            for place in [
                &mut layer.mixer_norm,
                &mut layer.mixer_post_norm,
                &mut layer.ffn_norm,
                &mut layer.ffn_post_norm,
            ] {
                *place = place.map(|_| norm);
            }
        }
    }

    /// The layers' experts, where they have them.
    pub fn experts_mut(&mut self) -> impl Iterator<Item = &mut ExpertsConfig> {
        self.layers
            .iter_mut()
            .filter_map(|layer| match &mut layer.ffn {
                Ffn::Experts(experts) => Some(experts),
                _ => None,
            })
    }

    /// Has every dense feed-forward network be another.
    pub fn set_ffns(&mut self, change: impl Fn(usize) -> Ffn) {
        for layer in &mut self.layers {
            if let Ffn::Gated { d_ff, .. } = layer.ffn {
                layer.ffn = change(d_ff);
            }
        }
    }

    /// Has every dense feed-forward network have no gate.
    pub fn set_plain_ffn(&mut self, activation: Activation) {
        self.set_ffns(|d_ff| Ffn::Plain { d_ff, activation });
    }

    /// Has mixer and FFN stand side by side, behind one norm or each behind its own.
    pub fn set_parallel(&mut self, own_norms: bool) {
        for layer in &mut self.layers {
            layer.wiring = Wiring::Parallel;
            layer.ffn_norm = layer.ffn_norm.filter(|_| own_norms);
        }
    }

    /// Has what mixer and FFN give be normed, as what they take is.
    pub fn set_post_norms(&mut self) {
        for layer in &mut self.layers {
            layer.mixer_post_norm = layer.mixer_norm;
            layer.ffn_post_norm = layer.ffn_norm;
        }
    }

    /// Has queries and keys be normed, as the output is.
    pub fn set_qk_norm(&mut self, over: QkNormOver) {
        let norm = self.output_norm;
        for attention in self.attentions_mut() {
            attention.qk_norm = Some(QkNorm {
                norm,
                over,
                after_rope: false,
            });
        }
    }

    /// Has layers see a window as `windowed` says; those that do turn heads by a base of their own, unscaled.
    pub fn set_local_theta(&mut self, windowed: &[bool], theta: f64) {
        for (attention, &windowed) in self.attentions_mut().zip(windowed) {
            if !windowed {
                attention.window = None;
            } else if let Some(rope) = &mut attention.rope {
                *rope = RopeConfig::plain(theta, attention.head_dim, rope.pairing);
            }
        }
    }

    /// Has layers see a window as `windowed` says; those that see all have no positions.
    pub fn set_global_without_rope(&mut self, windowed: &[bool]) {
        for (attention, &windowed) in self.attentions_mut().zip(windowed) {
            if !windowed {
                (attention.window, attention.rope) = (None, None);
            }
        }
    }

    /// Has scores fall with distance instead of turning heads: head `i` of `n` by `2^(-max (i + 1) / n)` for each
    /// position, if `n` is a power of two; else the odd numbered of twice the next lower power fill up (ALiBi, Press
    /// et al. 2021, arXiv:2108.12409).
    pub fn set_alibi(&mut self, max: f32) {
        for attention in self.attentions_mut() {
            let n = attention.n_heads;
            let whole = 1 << n.ilog2();
            let slope = |i: usize| {
                if i < whole {
                    (-max * (i + 1) as f32 / whole as f32).exp2()
                } else {
                    (-max * (2 * (i - whole) + 1) as f32 / (2 * whole) as f32).exp2()
                }
            };
            attention.slopes = (0..n).map(slope).collect();
            attention.rope = None;
        }
    }
}

/// One layer, wired as [`Wiring`] says.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerConfig {
    /// How mixer and feed-forward network hang together.
    pub wiring: Wiring,
    /// Norm before the mixer.
    pub mixer_norm: Option<NormConfig>,
    /// What mixes tokens.
    pub mixer: Mixer,
    /// Norm of what the mixer gives.
    pub mixer_post_norm: Option<NormConfig>,
    /// Norm before the feed-forward network; with [`Wiring::Parallel`], none takes the mixer's.
    pub ffn_norm: Option<NormConfig>,
    /// What works on each token alone.
    pub ffn: Ffn,
    /// Norm of what the feed-forward network gives.
    pub ffn_post_norm: Option<NormConfig>,
    /// Factor on what mixer and feed-forward network give.
    pub residual_scale: Option<f32>,
}

impl LayerConfig {
    /// Numbers that the layer keeps of a sequence: the mixer's, and the feed-forward network's in a model as wide as
    /// `d_model`.
    pub fn state_lens(&self, d_model: usize) -> [usize; 3] {
        let [conv, recurrent] = self.mixer.state_lens();
        let shifts = matches!(self.ffn, Ffn::ChannelMix { .. });
        [conv, recurrent, if shifts { d_model } else { 0 }]
    }
}

/// How mixer and feed-forward network hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// `x += mixer(norm(x)); x += ffn(norm(x))`.
    Sequential,
    /// `x += mixer(norm(x)) + ffn(norm(x))`.
    Parallel,
}

/// A normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormConfig {
    /// RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467).
    Rms {
        /// Added to the mean square.
        eps: f32,
    },
    /// LayerNorm (Ba et al. 2016, arXiv:1607.06450); with a bias if the file has one.
    Layer {
        /// Added to the variance.
        eps: f32,
    },
    /// LayerNorm without gain and bias.
    Plain {
        /// Added to the variance.
        eps: f32,
    },
}

/// How a layer mixes tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Mixer {
    /// Softmax attention with grouped queries (Ainslie et al. 2023, arXiv:2305.13245).
    Attention(AttentionConfig),
    /// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
    Latent(LatentConfig),
    /// A convolution over the last few tokens, between two gates (LFM2).
    ShortConv(ShortConvConfig),
    /// A state space model of channels.
    ChannelScan(ChannelScanConfig),
    /// A state space model of heads.
    HeadScan(HeadScanConfig),
    /// Linear attention with the gated delta rule.
    DeltaNet(DeltaNetConfig),
    /// RWKV 6's.
    Wkv6(Wkv6Config),
    /// RWKV 7's.
    Wkv7(Wkv7Config),
    /// Attention and a state space model side by side: the sum of what they give.
    Both(Box<(AttentionConfig, HeadScanConfig)>),
    /// Nothing: the layer is a feed-forward network, behind the norm that mixers have elsewhere.
    None,
}

impl Mixer {
    /// What attention over the cache looks like; none if there is no attention.
    pub fn shape(&self) -> Option<AttentionShape> {
        match self {
            Self::Attention(config) => Some(config.shape()),
            Self::Latent(config) => Some(config.shape()),
            Self::Both(both) => Some(both.0.shape()),
            _ => None,
        }
    }

    /// Whether it keeps a state.
    pub fn has_state(&self) -> bool {
        self.state_lens() != [0; 2]
    }

    /// Numbers that it keeps of a sequence, however long: a convolution's last inputs, and what else recurs.
    pub fn state_lens(&self) -> [usize; 2] {
        match self {
            Self::Attention(_) | Self::Latent(_) | Self::None => [0, 0],
            Self::ShortConv(config) => config.state_lens(),
            Self::ChannelScan(config) => config.state_lens(),
            Self::HeadScan(config) => config.state_lens(),
            Self::DeltaNet(config) => config.state_lens(),
            Self::Wkv6(config) => recurrent::wkv_state_lens(config.heads),
            Self::Wkv7(config) => recurrent::wkv_state_lens(config.heads),
            Self::Both(both) => both.1.state_lens(),
        }
    }

    /// The rotary embedding, if it has one.
    pub fn rope(&self) -> Option<&RopeConfig> {
        match self {
            Self::Attention(config) => config.rope.as_ref(),
            Self::Latent(config) => Some(&config.rope),
            Self::Both(both) => both.0.rope.as_ref(),
            _ => None,
        }
    }
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
    /// Norm of queries and keys.
    pub qk_norm: Option<QkNorm>,
    /// Bound on queries, keys and values as they come from their matrices.
    pub clamp: Option<f32>,
    /// ALiBi: what is added to a score for each position further away, negated; one per head. Empty if none.
    pub slopes: Vec<f32>,
    /// Growth of queries with their position.
    pub temperature: Option<Temperature>,
    /// Norm of what attention gives, before its output matrix.
    pub sub_norm: Option<NormConfig>,
    /// Whether the query's matrix gives a gate beside each head, whose sigmoid multiplies what the head gives.
    pub gated: bool,
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

    pub(crate) fn shape(&self) -> AttentionShape {
        AttentionShape {
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            head_dim: self.head_dim,
            scale: self.scale,
            window: self.window,
            softcap: self.softcap,
        }
    }
}

/// A layer's latent attention.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentConfig {
    /// Heads.
    pub n_heads: usize,
    /// Width between the two matrices of the query; none if it has one.
    pub q_rank: Option<usize>,
    /// Width of the latent.
    pub kv_rank: usize,
    /// Elements of a head that do not turn.
    pub nope_dim: usize,
    /// Elements of a head's value.
    pub value_dim: usize,
    /// What scores are multiplied with.
    pub scale: f32,
    /// Of the turned elements, which all heads' keys share.
    pub rope: RopeConfig,
    /// Of the latent and of what is between the query's matrices.
    pub norm: NormConfig,
}

impl LatentConfig {
    /// Elements of a head that turn.
    pub fn rope_dim(&self) -> usize {
        self.rope.rope_dim()
    }

    /// Elements of all query heads.
    pub fn q_dim(&self) -> usize {
        self.n_heads * (self.nope_dim + self.rope_dim())
    }

    /// Elements that are kept of a token.
    pub fn kept_dim(&self) -> usize {
        self.kv_rank + self.rope_dim()
    }

    /// Attention with one key head, as wide as what is kept.
    pub(crate) fn shape(&self) -> AttentionShape {
        AttentionShape {
            n_heads: self.n_heads,
            n_kv_heads: 1,
            head_dim: self.kept_dim(),
            scale: self.scale,
            window: None,
            softcap: None,
        }
    }
}

/// Norm of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QkNorm {
    /// Which.
    pub norm: NormConfig,
    /// What is one row of it.
    pub over: QkNormOver,
    /// Whether it comes after the rotary embedding.
    pub after_rope: bool,
}

/// What a norm of queries and keys takes as a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNormOver {
    /// A head; all heads share a gain.
    Head,
    /// A head, each with its own gain.
    EachHead,
    /// All heads together.
    All,
}

/// Queries at `position` are multiplied with `1 + scale * ln(1 + floor(position / span))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// See above.
    pub scale: f32,
    /// Positions of one step.
    pub span: usize,
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
    /// Other frequencies, for contexts that are short.
    pub short: Option<ShortRope>,
}

/// Frequencies for contexts up to a length.
#[derive(Clone, Debug, PartialEq)]
pub struct ShortRope {
    /// That length.
    pub max_ctx: usize,
    /// Radians per position of each pair: `[rope_dim / 2]`.
    pub frequencies: Vec<f64>,
}

impl RopeConfig {
    /// Takes the frequencies for a context of this length.
    pub(crate) fn set_ctx(&mut self, ctx: usize) {
        if let Some(short) = self.short.take_if(|short| ctx <= short.max_ctx) {
            self.frequencies = short.frequencies;
        }
    }

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
        /// Norm before `down`.
        sub_norm: Option<NormConfig>,
    },
    /// `down(activation(up(x)))`.
    Plain {
        /// Width in the middle.
        d_ff: usize,
        /// In the middle.
        activation: Activation,
    },
    /// RWKV's channel mix, `value(max(key(x), 0)²)` of a token and the one before.
    ChannelMix {
        /// Width in the middle.
        d_ff: usize,
        /// Whether it is multiplied with a sigmoid of the same.
        gated: bool,
    },
    /// Nothing.
    None,
    /// A few of many networks, chosen for each token (Shazeer et al. 2017, arXiv:1701.06538).
    Experts(ExpertsConfig),
}

impl Ffn {
    /// What bends it; none if there is no network.
    pub fn activation(&self) -> Option<Activation> {
        match self {
            Self::None => None,
            Self::Gated { activation, .. } | Self::Plain { activation, .. } => Some(*activation),
            Self::Experts(experts) => Some(experts.activation),
            Self::ChannelMix { .. } => Some(Activation::ReluSquared),
        }
    }
}

/// A mixture of experts: `Σ weight[e] * expert[e](x)` over those chosen, plus the shared ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertsConfig {
    /// How many there are.
    pub n_experts: usize,
    /// How many a token goes through.
    pub n_used: usize,
    /// Width of each.
    pub d_ff: usize,
    /// Whether there is a gate: `down(activation(gate(x)) * up(x))`, else `down(activation(up(x)))`.
    pub gated: bool,
    /// Of the gate, or in the middle.
    pub activation: Activation,
    /// How scores of the router become weights.
    pub gating: Gating,
    /// Whether the weights of those chosen are divided by their sum.
    pub normalise: bool,
    /// Factor on the weights.
    pub scale: f32,
    /// Choice among groups first.
    pub groups: Option<ExpertGroups>,
    /// Width of a network that every token goes through; none if there is none.
    pub shared_d_ff: Option<usize>,
}

/// How scores of a router become weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gating {
    /// Softmax over all, then the largest.
    Softmax,
    /// The largest, then softmax over them.
    SoftmaxOfChosen,
    /// Each for itself.
    Sigmoid,
    /// One after the other: softmax over those left that are nearly as large as the largest (SparseMixer-v2,
    /// arXiv:2409.12136).
    SparseMixer {
        /// A score `s` is nearly as large as `top` if `(top - s) / max(|s|, top)` is at most twice this.
        jitter: f32,
    },
}

/// Experts in groups of equal size, of which only the best count (DeepSeek-V3, arXiv:2412.19437).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpertGroups {
    /// Groups.
    pub n_groups: usize,
    /// Groups that are kept.
    pub n_used: usize,
    /// How many of its scores make a group's: the sum of the largest.
    pub n_scores: usize,
}
