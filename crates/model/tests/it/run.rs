//! Running models in tests: load, feed, collect.

use std::collections::HashMap;

use formats::Gguf;
use model::{
    BLOCK_TOKENS, Batch, KvCache, KvType, Level, LoadOptions, Model, NoProbe, Probe, Workspace,
};

/// The level under test: the best, or what `INGLE_ISA` says.
pub(crate) fn level() -> Level {
    Level::from_env().unwrap_or_else(|error| panic!("{error}"))
}

/// A model at a level.
pub(crate) fn load(gguf: &Gguf, level: Level, num_threads: usize) -> Model {
    let options = LoadOptions {
        num_threads,
        level: Some(level),
    };
    Model::load(gguf, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// Logits of every token of a sequence fed `step` tokens at a time.
pub(crate) fn logits(model: &Model, tokens: &[u32], step: usize) -> Vec<f32> {
    logits_kept_as(KvType::F16, model, tokens, step)
}

/// The same with keys and values of `kv_type`.
pub(crate) fn logits_kept_as(
    kv_type: KvType,
    model: &Model,
    tokens: &[u32],
    step: usize,
) -> Vec<f32> {
    let num_blocks = KvCache::blocks_for(tokens.len());
    let table: Vec<u32> = (0..num_blocks as u32).collect();
    let mut cache = KvCache::new(model.config(), kv_type, num_blocks, 1);
    let mut workspace = Workspace::new(model.config(), step, step);
    let mut all = Vec::new();
    for (i, tokens) in tokens.chunks(step).enumerate() {
        let mut batch = Batch::of_sequence(tokens, i * step, &table);
        batch.outputs = (0..batch.len()).collect();
        let logits = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
        all.extend_from_slice(logits.expect("readable"));
    }
    all
}

/// A sequence of a ragged batch.
pub(crate) struct Ragged {
    pub(crate) tokens: Vec<u32>,
    /// How many of its tokens each batch takes.
    pub(crate) step: usize,
}

/// Logits of every token of several sequences computed together, blocks handed out as `block` says:
/// from sequence and index of the block in it to its place in the cache.
pub(crate) fn ragged(
    kv_type: KvType,
    model: &Model,
    sequences: &[Ragged],
    block: impl Fn(usize, usize) -> u32,
) -> Vec<Vec<f32>> {
    let longest = sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(0);
    let per_sequence = longest.div_ceil(BLOCK_TOKENS);
    let tables: Vec<Vec<u32>> = (0..sequences.len())
        .map(|s| (0..per_sequence).map(|index| block(s, index)).collect())
        .collect();
    let num_blocks = 1 + tables.iter().flatten().copied().max().unwrap_or(0) as usize;
    let mut cache = KvCache::new(model.config(), kv_type, num_blocks, sequences.len());
    let room: usize = sequences.iter().map(|s| s.step).sum();
    let mut workspace = Workspace::new(model.config(), room, room);
    let mut done = vec![0; sequences.len()];
    let mut out = vec![Vec::new(); sequences.len()];
    loop {
        let mut batch = Batch::default();
        for (i, sequence) in sequences.iter().enumerate() {
            let end = sequence.tokens.len().min(done[i] + sequence.step);
            // A sequence that is finished keeps its number, with no tokens.
            let state = (sequences.len() - 1 - i) as u32;
            batch.push_sequence(&sequence.tokens[done[i]..end], done[i], &tables[i], state);
            done[i] = end;
        }
        if batch.is_empty() {
            return out;
        }
        batch.outputs = (0..batch.len()).collect();
        let logits = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
        let rows = logits
            .expect("readable")
            .chunks_exact(model.config().vocab_size);
        for (&sequence, row) in batch.sequences.iter().zip(rows) {
            out[sequence as usize].extend_from_slice(row);
        }
    }
}

/// Keeps every tap; those of later steps follow those of earlier ones.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) taps: HashMap<(&'static str, Option<usize>), Vec<f32>>,
    /// In order of appearance.
    pub(crate) names: Vec<(&'static str, Option<usize>)>,
}

impl Probe for Recorder {
    fn tap(&mut self, name: &'static str, layer: Option<usize>, values: &[f32]) {
        let tap = self.taps.entry((name, layer)).or_insert_with(|| {
            self.names.push((name, layer));
            Vec::new()
        });
        tap.extend_from_slice(values);
    }
}

/// All taps of a sequence fed `step` tokens at a time, logits for every token.
pub(crate) fn taps(model: &Model, tokens: &[u32], step: usize) -> Recorder {
    let num_blocks = KvCache::blocks_for(tokens.len());
    let table: Vec<u32> = (0..num_blocks as u32).collect();
    let mut cache = KvCache::new(model.config(), KvType::F16, num_blocks, 1);
    let mut workspace = Workspace::new(model.config(), step, step);
    let mut recorder = Recorder::default();
    for (i, tokens) in tokens.chunks(step).enumerate() {
        let mut batch = Batch::of_sequence(tokens, i * step, &table);
        batch.outputs = (0..batch.len()).collect();
        let logits = model.forward(&batch, &mut cache, &mut workspace, &mut recorder);
        logits.expect("readable");
    }
    recorder
}
