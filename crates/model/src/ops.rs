//! The operations that a forward pass is written in, in one place.
//!
//! Layers call these and touch no detail of the machine; a second backend means a second file like this.

use std::sync::{Arc, OnceLock};

use formats::ReadError;
use kernels::{
    Activation, Activations, AttentionShape, BatchView, ChannelScan, Context, ConvWeights,
    GatedDelta, HeadScan, HeadTerms, KvLayer, Level, Pairing, RopeTable, Sizes, StateLayer, Wkv,
};

use crate::config::{AttentionConfig, NormConfig};
use crate::norm::Norm;
use crate::weights::Linear;

/// The CPU.
pub(crate) struct Ops<'w> {
    context: Arc<Context>,
    /// Weights of the layer at hand that were read for this step.
    window: &'w [u8],
}

impl Ops<'static> {
    pub(crate) fn new(level: Level, num_threads: usize, sizes: Sizes) -> std::io::Result<Self> {
        Ok(Self {
            context: Arc::new(Context::new(level, num_threads, sizes)?),
            window: &[],
        })
    }
}

impl Ops<'_> {
    /// The same, with matrices whose elements are in `window`.
    pub(crate) fn over<'w>(&self, window: &'w [u8]) -> Ops<'w> {
        Ops {
            context: Arc::clone(&self.context),
            window,
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Rows `tokens` of `table`, times `scale`, into `x` `[n_tokens, d_model]`.
    ///
    /// Fails if the table is on disk and cannot be read.
    pub(crate) fn embed(
        &self,
        table: &Linear,
        scale: Option<f32>,
        tokens: &[u32],
        x: &mut [f32],
    ) -> Result<(), ReadError> {
        let rows = tokens.iter().zip(x.chunks_exact_mut(table.k));
        let failed = OnceLock::new();
        self.context.pool().each(rows, |(&token, row), _| {
            if let Err(error) = table.row(token as usize, row) {
                // One of several errors is enough.
                let _ = failed.set(error);
            }
            if let Some(scale) = scale {
                row.iter_mut().for_each(|x| *x *= scale);
            }
        });
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// `out = norm(x)`, row by row.
    pub(crate) fn norm(&self, norm: &Norm, x: &[f32], out: &mut [f32]) {
        let Norm { config, gain, bias } = norm;
        self.norm_rows(*config, (gain, bias), x, out);
    }

    fn norm_rows(
        &self,
        config: NormConfig,
        (gain, bias): (&[f32], &[f32]),
        x: &[f32],
        out: &mut [f32],
    ) {
        match config {
            NormConfig::Rms { eps } => kernels::rms_norm(&self.context, x, gain, eps, out),
            NormConfig::Layer { eps } | NormConfig::Plain { eps } => {
                kernels::layer_norm(&self.context, x, gain, bias, eps, out);
            }
        }
    }

    /// `x = norm(x)` for each head of `dim`, with a gain (and bias, if there is one) for each.
    pub(crate) fn norm_each_head(&self, norm: &Norm, dim: usize, x: &mut [f32], room: &mut [f32]) {
        let room = &mut room[..x.len()];
        room.copy_from_slice(x);
        let n_heads = norm.gain.len() / dim;
        let heads = room.chunks_exact(dim).zip(x.chunks_exact_mut(dim));
        for (i, (head, out)) in heads.enumerate() {
            let start = i % n_heads * dim;
            let bias = norm.bias.get(start..start + dim).unwrap_or_default();
            let gain = &norm.gain[start..start + dim];
            self.norm_rows(norm.config, (gain, bias), head, out);
        }
    }

    /// One input through several matrices as one job: each output is `[n_tokens, n]`.
    pub(crate) fn linear<const N: usize>(
        &self,
        x: &[f32],
        activations: &mut Activations,
        mut products: [(&Linear, &mut [f32]); N],
    ) {
        let k = products[0].0.k;
        let kinds = products
            .each_ref()
            .map(|(linear, _)| linear.kernel.x_kind());
        activations.quantize(&self.context, x, k, kinds.into_iter());
        let mut jobs = products
            .each_mut()
            .map(|(linear, out)| (linear.weight(self.window), &mut **out));
        kernels::matmul(&self.context, &mut jobs, x, activations);
        for (linear, out) in products {
            self.finish(linear, out);
        }
    }

    /// What comes behind a product: `out = out * scale + bias`.
    fn finish(&self, linear: &Linear, out: &mut [f32]) {
        if let Some(scale) = &linear.scale {
            self.mul_row(out, scale);
        }
        if let Some(bias) = &linear.bias {
            self.add_row(out, bias);
        }
    }

    /// Parts of an input through matrices of their own, as one job: part `p` is the rows before `ends[p]`, and
    /// goes through `linears(p)`, one for each output. An `x` of one row is every part's.
    pub(crate) fn linear_parts<'l, const N: usize>(
        &self,
        x: &[f32],
        activations: &mut Activations,
        ends: &[usize],
        mut outputs: [&mut [f32]; N],
        linears: impl Fn(usize) -> [&'l Linear; N] + Sync,
    ) {
        let Some(first) = (!ends.is_empty()).then(|| linears(0)) else {
            return;
        };
        let kinds = (0..ends.len()).flat_map(|part| linears(part).map(|it| it.kernel.x_kind()));
        activations.quantize(&self.context, x, first[0].k, kinds);
        let weight = |i: usize, part: usize| linears(part)[i].weight(self.window);
        kernels::matmul_parts(&self.context, ends, &mut outputs, weight, x, activations);
        let mut start = 0;
        for (part, &end) in ends.iter().enumerate() {
            for (linear, out) in linears(part).into_iter().zip(&mut outputs) {
                self.finish(linear, &mut out[start * linear.n..end * linear.n]);
            }
            start = end;
        }
    }

    /// Turns queries and keys by their positions.
    pub(crate) fn rope(
        &self,
        table: &RopeTable,
        pairing: Pairing,
        attention: &AttentionConfig,
        q: &mut [f32],
        k: &mut [f32],
    ) {
        kernels::rope(
            &self.context,
            table,
            pairing,
            q,
            attention.n_heads,
            attention.head_dim,
        );
        kernels::rope(
            &self.context,
            table,
            pairing,
            k,
            attention.n_kv_heads,
            attention.head_dim,
        );
    }

    /// Turns all heads of `x` by their positions.
    pub(crate) fn turn(
        &self,
        table: &RopeTable,
        pairing: Pairing,
        (n_heads, head_dim): (usize, usize),
        x: &mut [f32],
    ) {
        kernels::rope(&self.context, table, pairing, x, n_heads, head_dim);
    }

    /// Stores keys and values, then attends.
    pub(crate) fn attention(
        &self,
        shape: &AttentionShape,
        terms: HeadTerms<'_>,
        batch: BatchView<'_>,
        (q, k, v): (&[f32], &[f32], &[f32]),
        cache: &mut KvLayer,
        out: &mut [f32],
    ) {
        kernels::store_kv(&self.context, shape, batch, (k, v), cache);
        kernels::attention(&self.context, shape, terms, batch, q, cache, out);
    }

    /// `gate = activation(gate) * up`.
    pub(crate) fn gate(&self, activation: Activation, gate: &mut [f32], up: &[f32]) {
        kernels::activate_gate(&self.context, activation, gate, up);
    }

    /// `x = activation(x)`.
    pub(crate) fn activate(&self, activation: Activation, x: &mut [f32]) {
        kernels::activate(&self.context, activation, x);
    }

    /// `x = x * factor`.
    pub(crate) fn scale(&self, x: &mut [f32], factor: f32) {
        kernels::scale(&self.context, x, factor);
    }

    /// `x = min(max(x, -bound), bound)`.
    pub(crate) fn clamp(&self, x: &mut [f32], bound: f32) {
        kernels::clamp(&self.context, x, bound);
    }

    /// `x = cap * tanh(x / cap)`.
    pub(crate) fn softcap(&self, x: &mut [f32], cap: f32) {
        kernels::softcap(&self.context, x, cap);
    }

    /// `out = conv(x)`, channel by channel over the last few tokens.
    pub(crate) fn causal_conv(
        &self,
        batch: BatchView<'_>,
        weights: ConvWeights<'_>,
        x: &[f32],
        state: &mut StateLayer,
        out: &mut [f32],
    ) {
        kernels::causal_conv(&self.context, batch, weights, x, state, out);
    }

    /// A state space model of channels.
    pub(crate) fn channel_scan(
        &self,
        batch: BatchView<'_>,
        scan: ChannelScan<'_>,
        state: &mut StateLayer,
        out: &mut [f32],
    ) {
        kernels::channel_scan(&self.context, batch, scan, state, out);
    }

    /// Linear attention with the gated delta rule.
    pub(crate) fn gated_delta(
        &self,
        batch: BatchView<'_>,
        rule: GatedDelta<'_>,
        state: &mut StateLayer,
        out: &mut [f32],
    ) {
        kernels::gated_delta(&self.context, batch, rule, state, out);
    }

    /// A state space model of heads.
    pub(crate) fn head_scan(
        &self,
        batch: BatchView<'_>,
        scan: HeadScan<'_>,
        state: &mut StateLayer,
        out: &mut [f32],
    ) {
        kernels::head_scan(&self.context, batch, scan, state, out);
    }

    /// RWKV's recurrence.
    pub(crate) fn wkv(
        &self,
        batch: BatchView<'_>,
        wkv: Wkv<'_>,
        state: &mut StateLayer,
        out: &mut [f32],
    ) {
        kernels::wkv(&self.context, batch, wkv, state, out);
    }

    /// `out[t] = x[t] + shift[t] * row` for each token.
    pub(crate) fn lerp(&self, (x, shift): (&[f32], &[f32]), row: &[f32], out: &mut [f32]) {
        out.copy_from_slice(shift);
        self.mul_row(out, row);
        self.add(out, x);
    }

    /// `out[h] += Σ scores[h] * values[h]` for each head `h` of `dim`.
    pub(crate) fn add_scaled_heads(
        &self,
        dim: usize,
        scores: &[f32],
        values: &[f32],
        out: &mut [f32],
    ) {
        let heads = scores.chunks_exact(dim).zip(values.chunks_exact(dim));
        let heads = heads.zip(out.chunks_exact_mut(dim));
        self.context
            .pool()
            .each(heads, |((scores, values), out), _| {
                let sum: f32 = scores.iter().sum();
                let sums = out.iter_mut().zip(values);
                sums.for_each(|(out, value)| *out += sum * value);
            });
    }

    /// `x[t] += row` for each token.
    pub(crate) fn add_row(&self, x: &mut [f32], row: &[f32]) {
        for x in x.chunks_exact_mut(row.len()) {
            kernels::add(&self.context, x, row);
        }
    }

    /// `x[t] = x[t] * row` for each token.
    pub(crate) fn mul_row(&self, x: &mut [f32], row: &[f32]) {
        for x in x.chunks_exact_mut(row.len()) {
            kernels::mul(&self.context, x, row);
        }
    }

    /// `x = x * y`.
    pub(crate) fn mul(&self, x: &mut [f32], y: &[f32]) {
        kernels::mul(&self.context, x, y);
    }

    /// `x += delta`.
    pub(crate) fn add(&self, x: &mut [f32], delta: &[f32]) {
        kernels::add(&self.context, x, delta);
    }
}
