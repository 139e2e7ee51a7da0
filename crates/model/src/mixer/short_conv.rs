//! A gated short convolution (LFM2, Liquid AI 2025): `delta = output(c * conv(b * x))`.
//!
//! `b`, `c` and `x` are thirds of one matrix's product. The state is the convolution's last inputs. Reference:
//! transformers `modeling_lfm2.py`.

use kernels::{BatchView, StateLayer};

use crate::LoadError;
use crate::config::ShortConvConfig;
use crate::mixer::conv::Conv;
use crate::names::Role;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

pub(crate) struct ShortConvWeights {
    /// `b`, `c`, `x`.
    inputs: [Linear; 3],
    conv: Conv,
    output: Linear,
}

impl ShortConvWeights {
    pub(crate) fn load(
        config: ShortConvConfig,
        d: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let ShortConvConfig { channels, width } = config;
        let all = loader.linear(Role::ShortConvIn, layer, 3 * channels, d)?;
        Ok(Self {
            inputs: [0, 1, 2].map(|i| all.rows(i * channels..(i + 1) * channels)),
            conv: Conv::load(Role::ShortConv, layer, (channels, width), loader)?,
            output: loader.linear(Role::ShortConvOut, layer, d, channels)?,
        })
    }

    pub(crate) fn linears(&self) -> [&Linear; 4] {
        let [b, c, x] = &self.inputs;
        [b, c, x, &self.output]
    }

    pub(crate) fn linears_mut(&mut self) -> [&mut Linear; 4] {
        let [b, c, x] = &mut self.inputs;
        [b, c, x, &mut self.output]
    }

    /// `delta = output(c * conv(b * x))` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        [state, _]: &mut [StateLayer; 2],
        w: &mut Workspace,
    ) {
        let m = batch.positions.len();
        let [b, c, x] = &self.inputs;
        let len = m * x.n;
        let (gate, last_gate) = (&mut w.q[..len], &mut w.k[..len]);
        let inner = &mut w.v[..len];
        let products = [(b, &mut *gate), (c, &mut *last_gate), (x, &mut *inner)];
        ops.linear(&w.normed[..m * x.k], &mut w.activations, products);
        ops.mul(inner, gate);
        let out = &mut w.attended[..len];
        ops.causal_conv(batch, self.conv.weights(), inner, state, out);
        ops.mul(out, last_gate);
        let delta = &mut w.delta[..m * self.output.n];
        ops.linear(out, &mut w.activations, [(&self.output, delta)]);
    }
}
