//! One layer, whatever the family: `x += mixer(norm(x)); x += ffn(norm(x))`, with another norm before an
//! addition where the family has one.

use kernels::{BatchView, KvLayer};

use crate::LoadError;
use crate::config::{
    AttentionConfig, Ffn, LayerConfig, Mixer, ModelConfig, NormConfig, RopeConfig,
};
use crate::names::Role;
use crate::ops::Ops;
use crate::probe::Probe;
use crate::weights::{Linear, Loader};
use crate::workspace::{Workspace, rope_configs};

pub(crate) struct Layer {
    config: LayerConfig,
    mixer_norm: Vec<f32>,
    mixer: AttentionWeights,
    mixer_post_norm: Option<PostNorm>,
    ffn_norm: Vec<f32>,
    ffn: GatedWeights,
    ffn_post_norm: Option<PostNorm>,
}

/// A norm of what mixer or FFN gives, before it is added.
struct PostNorm {
    config: NormConfig,
    gain: Vec<f32>,
}

struct AttentionWeights {
    q: Linear,
    k: Linear,
    v: Linear,
    output: Linear,
    /// Which of the workspace's rotary tables.
    rope: Option<usize>,
}

struct GatedWeights {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Layer {
    /// Takes the layer's tensors, each checked against the config.
    pub(crate) fn load(
        model: &ModelConfig,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let config = model.layers[layer].clone();
        let d = model.d_model;
        let Mixer::Attention(attention) = &config.mixer;
        let Ffn::Gated { d_ff, .. } = config.ffn;
        let linear = |role, n, k| loader.linear(role, layer, n, k);
        let (q_dim, kv_dim) = (attention.q_dim(), attention.kv_dim());
        let ropes = rope_configs(model);
        let table = |rope: &RopeConfig| ropes.iter().position(|&other| other == rope);
        let post_norm = |role, config: Option<NormConfig>| -> Result<_, LoadError> {
            let Some(config) = config else {
                return Ok(None);
            };
            let gain = loader.vector(role, layer, d)?;
            Ok(Some(PostNorm { config, gain }))
        };
        Ok(Self {
            mixer_norm: loader.vector(Role::MixerNorm, layer, d)?,
            mixer: AttentionWeights {
                q: linear(Role::AttentionQ, q_dim, d)?,
                k: linear(Role::AttentionK, kv_dim, d)?,
                v: linear(Role::AttentionV, kv_dim, d)?,
                output: linear(Role::AttentionOutput, d, q_dim)?,
                rope: attention.rope.as_ref().and_then(table),
            },
            mixer_post_norm: post_norm(Role::MixerPostNorm, config.mixer_post_norm)?,
            ffn_norm: loader.vector(Role::FfnNorm, layer, d)?,
            ffn: GatedWeights {
                gate: linear(Role::FfnGate, d_ff, d)?,
                up: linear(Role::FfnUp, d_ff, d)?,
                down: linear(Role::FfnDown, d, d_ff)?,
            },
            ffn_post_norm: post_norm(Role::FfnPostNorm, config.ffn_post_norm)?,
            config,
        })
    }

    /// The matrices, for reports.
    pub(crate) fn linears(&self) -> [&Linear; 7] {
        let (mixer, ffn) = (&self.mixer, &self.ffn);
        [
            &mixer.q,
            &mixer.k,
            &mixer.v,
            &mixer.output,
            &ffn.gate,
            &ffn.up,
            &ffn.down,
        ]
    }

    /// The same, to be moved: what is used last stands last.
    pub(crate) fn linears_mut(&mut self) -> [&mut Linear; 7] {
        let (mixer, ffn) = (&mut self.mixer, &mut self.ffn);
        [
            &mut mixer.q,
            &mut mixer.k,
            &mut mixer.v,
            &mut mixer.output,
            &mut ffn.gate,
            &mut ffn.up,
            &mut ffn.down,
        ]
    }

    /// `w.x` `[n_tokens, d_model]` goes through the layer in place; keys and values go to `cache`.
    pub(crate) fn forward(
        &self,
        index: usize,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        cache: &mut KvLayer,
        w: &mut Workspace,
        probe: &mut dyn Probe,
    ) {
        let m = batch.positions.len();
        let width = m * self.mixer_norm.len();
        let mut tap = |name, values: &[f32]| probe.tap(name, Some(index), values);

        ops.norm(
            self.config.mixer_norm,
            &self.mixer_norm,
            &w.x[..width],
            &mut w.normed[..width],
        );
        tap("attn_norm", &w.normed[..width]);
        let Mixer::Attention(attention) = &self.config.mixer;
        self.attend(attention, ops, batch, cache, w, &mut tap);
        tap("attn_out", &w.delta[..width]);
        let post = ("attn_post_norm", self.mixer_post_norm.as_ref());
        add_delta(post, ops, width, w, &mut tap);
        tap("ffn_inp", &w.x[..width]);

        ops.norm(
            self.config.ffn_norm,
            &self.ffn_norm,
            &w.x[..width],
            &mut w.normed[..width],
        );
        tap("ffn_norm", &w.normed[..width]);
        self.feed_forward(ops, m, w);
        tap("ffn_out", &w.delta[..width]);
        let post = ("ffn_post_norm", self.ffn_post_norm.as_ref());
        add_delta(post, ops, width, w, &mut tap);
        tap("l_out", &w.x[..width]);
    }

    /// `delta = output(attention(q, k, v))` of `normed`.
    fn attend(
        &self,
        config: &AttentionConfig,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        cache: &mut KvLayer,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        let m = batch.positions.len();
        let weights = &self.mixer;
        let (q, k) = (&mut w.q[..m * weights.q.n], &mut w.k[..m * weights.k.n]);
        let v = &mut w.v[..m * weights.v.n];
        let normed = &w.normed[..m * weights.q.k];
        let products = [
            (&weights.q, &mut *q),
            (&weights.k, &mut *k),
            (&weights.v, &mut *v),
        ];
        ops.linear(normed, &mut w.activations, products);
        if let (Some(table), Some(rope)) = (weights.rope, &config.rope) {
            ops.rope(&w.ropes[table], rope.pairing, config, q, k);
        }
        tap("Qcur", q);
        tap("Kcur", k);
        tap("Vcur", v);
        let attended = &mut w.attended[..q.len()];
        ops.attention(config, batch, (q, k, v), cache, attended);
        tap("kqv_out", attended);
        let delta = &mut w.delta[..m * weights.output.n];
        ops.linear(attended, &mut w.activations, [(&weights.output, delta)]);
    }

    /// `delta = down(activation(gate) * up)` of `normed`.
    fn feed_forward(&self, ops: &Ops<'_>, m: usize, w: &mut Workspace) {
        let Ffn::Gated { d_ff, activation } = self.config.ffn;
        let GatedWeights { gate, up, down } = &self.ffn;
        let (g, u) = (&mut w.gate[..m * d_ff], &mut w.up[..m * d_ff]);
        let normed = &w.normed[..m * gate.k];
        ops.linear(normed, &mut w.activations, [(gate, &mut *g), (up, &mut *u)]);
        ops.gate(activation, g, u);
        ops.linear(g, &mut w.activations, [(down, &mut w.delta[..m * down.n])]);
    }
}

/// `x += delta`, or `x += norm(delta)`; `normed` is free by then.
fn add_delta(
    (name, post): (&'static str, Option<&PostNorm>),
    ops: &Ops<'_>,
    width: usize,
    w: &mut Workspace,
    tap: &mut impl FnMut(&'static str, &[f32]),
) {
    let (x, delta) = (&mut w.x[..width], &w.delta[..width]);
    let Some(PostNorm { config, gain }) = post else {
        return ops.add(x, delta);
    };
    let normed = &mut w.normed[..width];
    ops.norm(*config, gain, delta, normed);
    tap(name, normed);
    ops.add(x, normed);
}
