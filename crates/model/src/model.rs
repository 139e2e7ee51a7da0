//! A loaded model: weights in their places, and the forward pass over a batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use formats::{Gguf, ReadError};
use kernels::{Level, Sizes};

use crate::batch::Batch;
use crate::cache::KvCache;
use crate::config::{ModelConfig, RopeConfig};
use crate::layer::Layer;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::placement::{Placement, WeightBytes};
use crate::probe::Probe;
use crate::rank::RankHead;
use crate::repack::Repacking;
use crate::residence::{self, Streamed};
use crate::weights::{Linear, Loader, Place};
use crate::workspace::{Workspace, max_k, rope_configs};
use crate::{LoadError, arch};

/// How to load.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Threads that compute, the caller's included; 0 for as many as this process may use.
    pub num_threads: usize,
    /// Level of instructions; the best (or what `INGLE_ISA` says) if none.
    pub level: Option<Level>,
}

/// Weights, mapped from their file or where [`Model::place`] put them, and threads to compute with.
pub struct Model {
    config: ModelConfig,
    ops: Ops<'static>,
    token_embedding: Linear,
    layers: Vec<Layer>,
    /// `[max_seq_len, d_model]`.
    position_embedding: Option<Linear>,
    embedding_norm: Option<Norm>,
    output_norm: Norm,
    output: Linear,
    rank: Option<RankHead>,
    /// As [`rope_configs`] lists them.
    ropes: Vec<RopeConfig>,
    /// What is read in every step; none if all is in memory.
    streamed: Option<Streamed>,
    /// Says that it is gone to whoever repacks its weights.
    gone: Gone,
}

/// A flag that is up when its owner is dropped.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Model {
    /// Finds every tensor and checks it; reads no weights but norms, so it takes milliseconds.
    ///
    /// # Errors
    /// Whatever a [`LoadError`] says.
    pub fn load(gguf: &Gguf, options: &LoadOptions) -> Result<Self, LoadError> {
        let level = match options.level {
            Some(level) => level,
            None => Level::from_env().map_err(LoadError::Isa)?,
        };
        let loader = Loader::new(gguf, level);
        let config = arch::config(gguf.metadata(), &loader)?;
        let (d, vocab_size) = (config.d_model, config.vocab_size);
        let token_embedding = loader.linear(Role::TokenEmbedding, 0, vocab_size, d)?;
        let output = if loader.has(Role::Output, 0) {
            loader.linear(Role::Output, 0, vocab_size, d)?
        } else {
            token_embedding.tied()
        };
        let layers = (0..config.layers.len()).map(|layer| Layer::load(&config, layer, &loader));
        let layers = layers.collect::<Result<_, _>>()?;
        let position_embedding = match config.learned_positions {
            Some(len) => Some(loader.linear(Role::PositionEmbedding, 0, len, d)?),
            None => None,
        };
        let (norm, role) = (config.embedding_norm, Role::EmbeddingNorm);
        let embedding_norm = Norm::opt(norm, role, 0, d, &loader)?;
        // Some files give the norm before the output the name of one after the embedding.
        let is_misnamed = embedding_norm.is_none()
            && loader.has(Role::EmbeddingNorm, 0)
            && !loader.has(Role::OutputNorm, 0);
        let role = if is_misnamed {
            Role::EmbeddingNorm
        } else {
            Role::OutputNorm
        };
        let output_norm = Norm::load(config.output_norm, role, 0, d, &loader)?;
        let rank = RankHead::load(&loader, d)?;
        loader.finish()?;
        let shapes = config.layers.iter().filter_map(|layer| layer.mixer.shape());
        let heads = shapes.map(|shape| shape.head_dim);
        let sizes = Sizes {
            max_k: max_k(&config),
            max_head_dim: heads.max().unwrap_or(0),
        };
        let ops = Ops::new(level, num_threads(options), sizes)?;
        Ok(Self {
            ropes: rope_configs(&config).into_iter().cloned().collect(),
            config,
            ops,
            token_embedding,
            layers,
            position_embedding,
            embedding_norm,
            output_norm,
            output,
            rank,
            streamed: None,
            gone: Gone::default(),
        })
    }

    /// Says how long sequences may get, before any is computed: rotary positions may depend on it.
    ///
    /// Without it they are those of the longest context the model was trained for.
    pub fn set_ctx(&mut self, ctx: usize) {
        self.ropes.iter_mut().for_each(|rope| rope.set_ctx(ctx));
    }

    /// Sizes of the matrices, to plan their places.
    pub fn weight_bytes(&self) -> WeightBytes {
        let size = |linear: &Linear| linear.size_bytes() as u64;
        let layer = |layer: &Layer| layer.linears().into_iter().map(size).collect();
        WeightBytes {
            layers: self.layers.iter().map(layer).collect(),
            output: size(&self.output),
            embedding: (!self.is_tied()).then(|| size(&self.token_embedding)),
        }
    }

    /// Takes weights out of the mapping, as planned: reads what stays in memory, begins to read what comes in
    /// every step. Weights that are in memory of their own already stay as they are.
    ///
    /// # Errors
    /// If weights cannot be read, or the system refuses a thread. The model is of no use then.
    ///
    /// # Panics
    /// If the plan is for another model.
    pub fn place(&mut self, placement: &Placement) -> Result<(), LoadError> {
        let Placement::Own(plan) = placement else {
            return Ok(());
        };
        let is_tied = self.is_tied();
        residence::hold(&mut [&mut self.output])?;
        if is_tied {
            self.token_embedding = self.output.tied();
        } else {
            residence::leave_on_disk(&mut self.token_embedding);
        }
        let layers = self.layers.iter_mut().map(Layer::linears_mut);
        self.streamed = residence::share_out(layers, plan)?;
        Ok(())
    }

    /// What there is to rearrange of mapped weights ([`Repacking::run`]): most quant types become faster, some by half,
    /// and no bit of a result changes. It takes memory of our own in the mapping's stead.
    pub fn repacking(&self) -> Repacking {
        let layers = self.layers.iter().flat_map(Layer::linears);
        let matrices = layers.chain([&self.output]);
        Repacking {
            matrices: matrices.filter_map(Linear::to_repack).collect(),
            stop: self.gone.0.clone(),
        }
    }

    /// Rearranges weights that are in memory of our own and nowhere else, as those that were quantised while loading are,
    /// where they lie, on as many threads as compute. What somebody else has a part of (a [`Gguf`] that is still there)
    /// stays as it is. Returns their bytes.
    pub fn repack_own(&mut self) -> u64 {
        let num_threads = self.num_threads();
        let is_tied = self.is_tied();
        if is_tied {
            // It has a part, and gets one again.
            self.token_embedding.put(Place::Repacked);
        }
        let layers = self.layers.iter_mut().flat_map(Layer::linears_mut);
        let all = layers.chain([&mut self.output]);
        let bytes = all.map(|linear| linear.repack_own(num_threads)).sum();
        if is_tied {
            self.token_embedding = self.output.tied();
        }
        bytes
    }

    fn is_tied(&self) -> bool {
        self.output.name == self.token_embedding.name
    }

    /// The architecture, as data.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What gives scores to texts, if the model has it.
    pub fn rank_head(&self) -> Option<&RankHead> {
        self.rank.as_ref()
    }

    /// Level of instructions in use.
    pub fn level(&self) -> Level {
        self.ops.context().level()
    }

    /// Threads that compute.
    pub fn num_threads(&self) -> usize {
        self.ops.context().pool().num_threads()
    }

    /// Every weight matrix, in the order of use; a tied output comes again at the end.
    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        let layers = self.layers.iter().flat_map(Layer::linears);
        std::iter::once(&self.token_embedding)
            .chain(&self.position_embedding)
            .chain(layers)
            .chain([&self.output])
    }

    /// Computes a batch: keys, values and states go to `cache`, and the logits of `batch.outputs` are returned,
    /// `[n_outputs, vocab_size]`. [`Workspace::hidden`] has the rows of `batch.hidden`.
    ///
    /// # Errors
    /// If weights that are not in memory cannot be read. The same batch can be tried again; if the model has a
    /// state ([`ModelConfig::has_state`]), after its slots were given back what they held.
    ///
    /// # Panics
    /// If the batch is larger than the workspace, or does not fit the model or the cache: the engine
    /// makes batches, users do not.
    pub fn forward<'w>(
        &self,
        batch: &Batch<'_>,
        cache: &mut KvCache,
        w: &'w mut Workspace,
        probe: &mut dyn Probe,
    ) -> Result<&'w [f32], ReadError> {
        let (m, d) = (batch.len(), self.config.d_model);
        assert!(
            m <= w.max_tokens,
            "{m} tokens, the workspace has room for {}",
            w.max_tokens
        );
        assert!(
            batch.outputs.len() <= w.max_outputs,
            "more outputs than the workspace has room for"
        );
        batch.check(self.config.vocab_size, cache);
        for (table, rope) in w.ropes.iter_mut().zip(&self.ropes) {
            table.fill(
                batch.positions.iter().copied(),
                &rope.frequencies,
                rope.magnitude,
            );
        }
        let scale = self.config.embedding_scale;
        let x = &mut w.x[..m * d];
        self.ops
            .embed(&self.token_embedding, scale, &batch.tokens, x)?;
        if let Some(table) = &self.position_embedding {
            let room = &mut w.room[..m * d];
            self.ops.embed(table, None, &batch.positions, room)?;
            self.ops.add(x, room);
        }
        if let Some(norm) = &self.embedding_norm {
            norm.in_place(&self.ops, x, &mut w.room);
        }
        probe.tap("inp_embd", None, x);
        let mut rows = std::mem::take(&mut w.rows);
        let drops = self.layers.last().is_some_and(Layer::can_drop_rows);
        batch.rows(drops, &mut rows);
        // One step at a time: two would take each other's windows.
        let streamed = self.streamed.as_ref();
        let ahead = streamed.map(|s| s.ahead.lock().unwrap_or_else(PoisonError::into_inner));
        for (index, (layer, cache)) in self.layers.iter().zip(&mut cache.layers).enumerate() {
            let section = streamed.and_then(|streamed| streamed.sections[index]);
            let window = match (&ahead, section) {
                (Some(ahead), Some(section)) => Some(ahead.take(section)?),
                _ => None,
            };
            let ops = self.ops.over(window.as_deref().unwrap_or(&[]));
            let is_last = index + 1 == self.layers.len();
            let only = (drops && is_last).then_some(&rows[..]);
            let view = batch.view(cache.kept());
            layer.forward(index, &ops, view, cache, only, w, probe);
        }
        w.rows = rows;
        self.hidden(&batch.hidden, w);
        Ok(self.head(&batch.outputs, w, probe))
    }

    /// Normed rows of `w.x`, for who wants no logits.
    fn hidden(&self, rows: &[usize], w: &mut Workspace) {
        let len = self.collect(rows, w);
        if len > 0 {
            self.ops
                .norm(&self.output_norm, &w.delta[..len], &mut w.hidden[..len]);
        }
    }

    /// What the last layer made of some tokens, to `w.delta`; its length.
    fn collect(&self, tokens: &[usize], w: &mut Workspace) -> usize {
        let d = self.config.d_model;
        for (token, copy) in tokens.iter().zip(w.delta.chunks_exact_mut(d)) {
            let row = w.rows.binary_search(token);
            let row = row.expect("rows that something is read of are kept");
            copy.copy_from_slice(&w.x[row * d..(row + 1) * d]);
        }
        tokens.len() * d
    }

    /// Norm and output matrix for some rows of `w.x`.
    fn head<'w>(&self, rows: &[usize], w: &'w mut Workspace, probe: &mut dyn Probe) -> &'w [f32] {
        let len = self.collect(rows, w);
        let normed = &mut w.normed[..len];
        self.ops.norm(&self.output_norm, &w.delta[..len], normed);
        probe.tap("result_norm", None, normed);
        let logits = &mut w.logits[..rows.len() * self.config.vocab_size];
        if !rows.is_empty() {
            self.ops
                .linear(normed, &mut w.activations, [(&self.output, &mut *logits)]);
        }
        if let Some(scale) = self.config.logit_scale {
            self.ops.scale(logits, scale);
        }
        if let Some(cap) = self.config.logit_softcap {
            self.ops.softcap(logits, cap);
        }
        probe.tap("result_output", None, logits);
        logits
    }
}

/// Threads this process may use; container quotas are respected.
fn num_threads(options: &LoadOptions) -> usize {
    match options.num_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}
