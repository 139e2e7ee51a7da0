//! One layer, whatever the family: a mixer and a feed-forward network around the residual stream.

use kernels::BatchView;

use crate::LoadError;
use crate::cache::LayerCache;
use crate::config::{LayerConfig, Mixer, ModelConfig, Wiring};
use crate::ffn::FfnWeights;
use crate::mixer::MixerWeights;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::probe::Probe;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

pub(crate) struct Layer {
    wiring: Wiring,
    residual_scale: Option<f32>,
    d_model: usize,
    mixer_norm: Option<Norm>,
    mixer: MixerWeights,
    mixer_post_norm: Option<Norm>,
    ffn_norm: Option<Norm>,
    ffn: FfnWeights,
    ffn_post_norm: Option<Norm>,
}

impl Layer {
    /// Takes the layer's tensors, each checked against the config.
    pub(crate) fn load(
        model: &ModelConfig,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let LayerConfig {
            wiring,
            mixer_norm,
            mixer,
            mixer_post_norm,
            ffn_norm,
            ffn,
            ffn_post_norm,
            residual_scale,
        } = &model.layers[layer];
        let d = model.d_model;
        let norm = |config, role| Norm::opt(config, role, layer, d, loader);
        // Two norms side by side: GGUF gives the FFN the name that one norm for both has.
        let two = *wiring == Wiring::Parallel && loader.has(Role::ParallelMixerNorm, layer);
        let (mixer_role, ffn_role) = if *mixer == Mixer::None {
            // Its norm is called as if there were one.
            (Role::MixerNorm, Role::MixerNorm)
        } else if two {
            (Role::ParallelMixerNorm, Role::MixerNorm)
        } else if mixer_post_norm.is_none() && !loader.has(Role::FfnNorm, layer) {
            // Some call it by what it comes after, or the second; if those are missing too, the usual name is wanted.
            let mut others = [Role::MixerPostNorm, Role::ParallelMixerNorm].into_iter();
            let other = others.find(|&role| loader.has(role, layer));
            (Role::MixerNorm, other.unwrap_or(Role::FfnNorm))
        } else {
            (Role::MixerNorm, Role::FfnNorm)
        };
        Ok(Self {
            wiring: *wiring,
            residual_scale: *residual_scale,
            d_model: d,
            mixer_norm: norm(*mixer_norm, mixer_role)?,
            mixer: MixerWeights::load(model, layer, loader)?,
            mixer_post_norm: norm(*mixer_post_norm, Role::MixerPostNorm)?,
            ffn_norm: norm(*ffn_norm, ffn_role)?,
            ffn: FfnWeights::load(ffn, d, layer, loader)?,
            ffn_post_norm: norm(*ffn_post_norm, Role::FfnPostNorm)?,
        })
    }

    /// The matrices, for reports.
    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let mut linears = self.mixer.linears();
        linears.extend(self.ffn.linears());
        linears
    }

    /// The same, to be moved: what is used last stands last.
    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = self.mixer.linears_mut();
        linears.extend(self.ffn.linears_mut());
        linears
    }

    /// Whether the feed-forward network can do without tokens that nothing is read of any more.
    pub(crate) fn can_drop_rows(&self) -> bool {
        self.wiring == Wiring::Sequential && self.ffn.is_of_tokens_alone()
    }

    /// `w.x` `[n_tokens, d_model]` goes through the layer in place; keys, values and states go to `cache`. After the
    /// mixer, of a layer that [can](Self::can_drop_rows), only the rows `only` are left, moved together.
    pub(crate) fn forward(
        &self,
        index: usize,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        cache: &mut LayerCache,
        only: Option<&[usize]>,
        w: &mut Workspace,
        probe: &mut dyn Probe,
    ) {
        let mut width = batch.positions.len() * self.d_model;
        let mut tap = |name, values: &[f32]| probe.tap(name, Some(index), values);

        if self.mixer.is_none() {
            w.delta[..width].fill(0.0);
        } else {
            let norm = ("attn_norm", self.mixer_norm.as_ref());
            normed(norm, ops, width, w, &mut tap);
            self.mixer.forward(ops, batch, cache, w, &mut tap);
            tap("attn_out", &w.delta[..width]);
            let post = ("attn_post_norm", self.mixer_post_norm.as_ref());
            self.post(post, ops, width, w, &mut tap);
        }
        if self.ffn.is_none() {
            ops.add(&mut w.x[..width], &w.delta[..width]);
            return tap("l_out", &w.x[..width]);
        }
        let parallel = self.wiring == Wiring::Parallel;
        if parallel {
            // The sum of both waits here; `x` is still what both see.
            let (delta, both) = (&w.delta[..width], &mut w.both[..width]);
            both.copy_from_slice(delta);
        } else {
            ops.add(&mut w.x[..width], &w.delta[..width]);
            tap("ffn_inp", &w.x[..width]);
        }
        if let Some(rows) = only {
            let d = self.d_model;
            for (i, row) in rows.iter().enumerate() {
                w.x.copy_within(row * d..(row + 1) * d, i * d);
            }
            width = rows.len() * d;
        }
        if width == 0 {
            return;
        }
        if !parallel || self.ffn_norm.is_some() {
            let norm = ("ffn_norm", self.ffn_norm.as_ref());
            normed(norm, ops, width, w, &mut tap);
        }
        let num_rows = width / self.d_model;
        let state = cache.ffn_state();
        self.ffn.forward(ops, num_rows, batch, state, w, &mut tap);
        tap("ffn_out", &w.delta[..width]);
        let post = ("ffn_post_norm", self.ffn_post_norm.as_ref());
        self.post(post, ops, width, w, &mut tap);
        if parallel {
            ops.add(&mut w.delta[..width], &w.both[..width]);
        }
        ops.add(&mut w.x[..width], &w.delta[..width]);
        tap("l_out", &w.x[..width]);
    }

    /// `delta = norm(delta) * scale`; `normed` may still be wanted.
    fn post(
        &self,
        (name, norm): (&'static str, Option<&Norm>),
        ops: &Ops<'_>,
        width: usize,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        let delta = &mut w.delta[..width];
        if let Some(norm) = norm {
            norm.in_place(ops, delta, &mut w.room);
            tap(name, delta);
        }
        if let Some(scale) = self.residual_scale {
            ops.scale(delta, scale);
        }
    }
}

/// `normed = norm(x)`, or `x` as it is.
fn normed(
    (name, norm): (&'static str, Option<&Norm>),
    ops: &Ops<'_>,
    width: usize,
    w: &mut Workspace,
    tap: &mut impl FnMut(&'static str, &[f32]),
) {
    let (x, normed) = (&w.x[..width], &mut w.normed[..width]);
    match norm {
        Some(norm) => {
            ops.norm(norm, x, normed);
            tap(name, normed);
        }
        None => normed.copy_from_slice(x),
    }
}
