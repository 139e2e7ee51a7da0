//! Speed of attention in a long context: `cargo bench -p kernels --bench attention [-- WORDS]`, where words are
//! shapes, types of the cache, a level, a number of threads, `decode` or `prompt`.
//!
//! Decode (one token, 16,384 positions before it) is bound by memory: GB/s of keys and values, and the share of
//! what the same threads reach when they only read. Layers take turns, so that caches do not hold them. A
//! prompt (512 tokens up to position 8,192) is bound by arithmetic: billions of multiply-adds a second.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use kernels::{
    AttentionShape, BLOCK_TOKENS, BatchView, Context, HeadTerms, KvLayer, KvType, Level, Sizes,
    attention, store_kv,
};

const DECODE_DEPTH: usize = 16384;
const PROMPT_DEPTH: usize = 8192;
const PROMPT: usize = 512;
/// More than any cache between the cores and the memory.
const READ_BYTES: usize = 512 << 20;
const RUNS: usize = 5;

fn shapes() -> [(&'static str, AttentionShape); 3] {
    let qwen = AttentionShape {
        n_heads: 12,
        n_kv_heads: 2,
        head_dim: 128,
        scale: 128_f32.powf(-0.5),
        window: None,
        softcap: None,
    };
    let gemma = AttentionShape {
        n_heads: 16,
        n_kv_heads: 8,
        head_dim: 256,
        scale: 256_f32.powf(-0.5),
        window: None,
        softcap: Some(50.0),
    };
    let window = AttentionShape {
        window: Some(4096),
        ..gemma
    };
    [("1.5b", qwen), ("9b", gemma), ("9b-window", window)]
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let named = |name: &str| arguments.iter().any(|a| a == name);
    let level = Level::available().find(|level| named(level.name()));
    let level = level.unwrap_or_else(Level::best);
    let threads = arguments.iter().find_map(|a| a.parse().ok());
    let threads =
        threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let sizes = Sizes {
        max_k: 256,
        max_head_dim: 256,
    };
    let context = Context::new(level, threads, sizes).expect("threads");
    let bandwidth = read_bandwidth(&context);
    println!(
        "{} with {threads} threads, which read {bandwidth:.1} GB/s",
        level.name()
    );
    let any_shape = shapes().iter().any(|(name, _)| named(name));
    let any_type = KvType::ALL.iter().any(|kv_type| named(kv_type.name()));
    for (name, shape) in shapes() {
        for kv_type in KvType::ALL {
            if (any_shape && !named(name)) || (any_type && !named(kv_type.name())) {
                continue;
            }
            if !named("prompt") {
                decode(&context, name, &shape, kv_type, bandwidth);
            }
            if !named("decode") {
                prompt(&context, name, &shape, kv_type);
            }
        }
    }
}

/// GB/s of threads that add up what they read, the best of some runs.
fn read_bandwidth(context: &Context) -> f64 {
    let data = vec![1_u64; READ_BYTES / 8];
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        context.pool().each(data.chunks(1 << 17), |piece, _| {
            black_box(sum(piece));
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    READ_BYTES as f64 / best / 1e9
}

/// In lanes, which the compiler makes vectors of.
fn sum(data: &[u64]) -> [u64; 32] {
    let mut sums = [0; 32];
    for row in data.as_chunks::<32>().0 {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum ^= x;
        }
    }
    sums
}

fn decode(context: &Context, name: &str, shape: &AttentionShape, kv_type: KvType, bandwidth: f64) {
    let seen = shape.window.unwrap_or(DECODE_DEPTH).min(DECODE_DEPTH);
    let bytes = seen / BLOCK_TOKENS * KvLayer::block_bytes(shape, kv_type);
    let num_layers = (READ_BYTES / bytes).clamp(2, 64);
    let mut layers: Vec<KvLayer> = (0..num_layers)
        .map(|_| filled(context, shape, kv_type, DECODE_DEPTH))
        .collect();
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        for layer in &mut layers {
            step(context, shape, layer, DECODE_DEPTH - 1, 1, DECODE_DEPTH);
        }
        best = best.min(start.elapsed().as_secs_f64() / num_layers as f64);
    }
    let rate = bytes as f64 / best / 1e9;
    println!(
        "{name:10} {:5} decode {:8.1} us, {rate:6.1} GB/s, {:.2} x the time to read {:.1} MB",
        kv_type.name(),
        best * 1e6,
        bandwidth / rate,
        bytes as f64 / 1e6
    );
}

fn prompt(context: &Context, name: &str, shape: &AttentionShape, kv_type: KvType) {
    let mut layer = filled(context, shape, kv_type, PROMPT_DEPTH);
    let start = PROMPT_DEPTH - PROMPT;
    let seen = (start + 1..=PROMPT_DEPTH).map(|to| to.min(shape.window.unwrap_or(to)));
    let macs = 2 * shape.n_heads * shape.head_dim * seen.sum::<usize>();
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        best = best.min(step(
            context,
            shape,
            &mut layer,
            start,
            PROMPT,
            PROMPT_DEPTH,
        ));
    }
    let threads = context.pool().num_threads() as f64;
    let rate = macs as f64 / best / 1e9;
    println!(
        "{name:10} {:5} prompt {:8.1} us a token, {rate:6.1} GMAC/s, {:5.1} on each thread",
        kv_type.name(),
        best * 1e6 / PROMPT as f64,
        rate / threads
    );
}

/// A layer of `len` positions.
fn filled(context: &Context, shape: &AttentionShape, kv_type: KvType, len: usize) -> KvLayer {
    let num_blocks = len.div_ceil(BLOCK_TOKENS);
    let mut layer = KvLayer::new(shape, kv_type, num_blocks);
    let table: Vec<u32> = (0..num_blocks as u32).collect();
    let kv = numbers(PROMPT * shape.n_kv_heads * shape.head_dim, 5);
    for start in (0..len).step_by(PROMPT) {
        let positions: Vec<u32> = (start..start + PROMPT).map(|p| p as u32).collect();
        let batch = BatchView {
            positions: &positions,
            sequences: &[0; PROMPT],
            block_tables: &[&table],
            states: &[],
        };
        store_kv(context, shape, batch, (&kv, &kv), &mut layer);
    }
    layer
}

/// Stores and attends `num_tokens` tokens from `start`; returns the seconds of attention.
fn step(
    context: &Context,
    shape: &AttentionShape,
    layer: &mut KvLayer,
    start: usize,
    num_tokens: usize,
    len: usize,
) -> f64 {
    let table: Vec<u32> = (0..len.div_ceil(BLOCK_TOKENS) as u32).collect();
    let positions: Vec<u32> = (start..start + num_tokens).map(|p| p as u32).collect();
    let batch = BatchView {
        positions: &positions,
        sequences: &vec![0; num_tokens],
        block_tables: &[&table],
        states: &[],
    };
    let q = numbers(num_tokens * shape.n_heads * shape.head_dim, 3);
    let mut out = vec![0.0; q.len()];
    let start = Instant::now();
    attention(
        context,
        shape,
        HeadTerms::default(),
        batch,
        &q,
        layer,
        &mut out,
    );
    black_box(out);
    start.elapsed().as_secs_f64()
}

/// Numbers in -1..1 without a pattern of a small period.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}
