//! The same bits: whatever a sequence is batched with, however it is chunked, on any number of threads,
//! wherever its KV blocks lie, at every level.

use model::{KvType, Level};
use tensor::DType;
use testkit::distance::first_difference;
use testkit::{Random, TinyModel};

use crate::goldens;
use crate::run::{Ragged, level, load, logits, logits_kept_as, ragged};

/// Weight types whose kernels take different paths: floats, 4 bits with and without a minimum,
/// super-blocks, codebooks.
fn models() -> Vec<TinyModel> {
    let mixed = vec![
        ("attn_q", DType::Q4_1),
        ("attn_v", DType::Q6_K),
        ("attn_output", DType::Q5_0),
        ("ffn_down", DType::IQ4_XS),
        ("ffn_up", DType::IQ2_XS),
        ("output", DType::Q8_0),
    ];
    vec![
        TinyModel {
            window: Some(40),
            biases: &["attn", "ffn"],
            ..TinyModel::default()
        },
        TinyModel {
            head_dim: 20,
            rope_dim: 8,
            rope_freqs: true,
            ..TinyModel::default()
        },
        TinyModel {
            mixed,
            ..TinyModel::quantized(DType::Q4_K)
        },
        TinyModel {
            tied: true,
            ..TinyModel::quantized(DType::Q4_1)
        },
        TinyModel::qwen2(),
        TinyModel {
            // Heads of 20, so that nothing is a whole vector.
            head_dim: 20,
            rope_dim: 20,
            ..TinyModel::gemma2()
        },
    ]
}

const LEN: usize = 75;

#[track_caller]
fn assert_same(what: &str, tiny: &TinyModel, found: &[f32], expected: &[f32]) {
    if let Some(at) = first_difference(found, expected) {
        let (position, token) = (at / tiny.vocab_size, at % tiny.vocab_size);
        let (a, b) = (found[at], expected[at]);
        panic!(
            "{what}, {}: logit {token} at position {position} is {a}, not {b}",
            tiny.dtype
        );
    }
}

#[test]
fn chunks_and_threads_and_levels() {
    for tiny in models() {
        let gguf = tiny.build();
        let tokens = Random::new(2).tokens(LEN, tiny.vocab_size);
        for level in Level::available() {
            let expected = logits(&load(&gguf, level.reference(), 1), &tokens, LEN);
            for num_threads in [1, 2, 3] {
                let model = load(&gguf, level, num_threads);
                for step in [LEN, 1, 7] {
                    let found = logits(&model, &tokens, step);
                    let what = format!("{} threads={num_threads} step={step}", level.name());
                    assert_same(&what, &tiny, &found, &expected);
                }
            }
        }
    }
}

#[test]
fn int8_keys_and_values_too() {
    for tiny in [
        TinyModel::default(),
        TinyModel::qwen2(),
        TinyModel::gemma2(),
    ] {
        let gguf = tiny.build();
        let tokens = Random::new(3).tokens(LEN, tiny.vocab_size);
        let run = |level, num_threads, step| {
            let model = load(&gguf, level, num_threads);
            logits_kept_as(KvType::Q8, &model, &tokens, step)
        };
        let expected = run(Level::Scalar, 1, LEN);
        for level in Level::available() {
            for (num_threads, step) in [(1, LEN), (2, 1), (3, 7)] {
                let what = format!("{} threads={num_threads} step={step}", level.name());
                assert_same(&what, &tiny, &run(level, num_threads, step), &expected);
            }
        }
        let f16 = logits(&load(&gguf, level(), 1), &tokens, LEN);
        assert_ne!(first_difference(&f16, &expected), None, "int8 rounds more");
        let size = f16.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        for (a, b) in expected.iter().zip(&f16) {
            assert!((a - b).abs() < 0.05 * size, "{a} for {b} of {size}");
        }
    }
}

#[test]
fn neighbours_and_block_tables() {
    for (tiny, kv_type) in models()
        .into_iter()
        .flat_map(|tiny| KvType::ALL.map(|kv_type| (tiny.clone(), kv_type)))
    {
        let model = load(&tiny.build(), level(), 2);
        let mut random = Random::new(12);
        let sequences: Vec<Ragged> = [(LEN, 5), (1, 1), (33, 33), (64, 1), (40, 17)]
            .into_iter()
            .map(|(len, step)| Ragged {
                tokens: random.tokens(len, tiny.vocab_size),
                step,
            })
            .collect();
        let alone: Vec<Vec<f32>> = sequences
            .iter()
            .map(|s| logits_kept_as(kv_type, &model, &s.tokens, s.tokens.len()))
            .collect();
        let n = sequences.len();
        let in_turns = |s: usize, block: usize| (block * n + s) as u32;
        let from_the_back = |s: usize, block: usize| (100 - block * n - s) as u32;
        let found = [
            ragged(kv_type, &model, &sequences, in_turns),
            ragged(kv_type, &model, &sequences, from_the_back),
        ];
        for found in found {
            for (i, (found, alone)) in found.iter().zip(&alone).enumerate() {
                assert_same(&format!("sequence {i} in a batch"), &tiny, found, alone);
            }
        }
    }
}

#[test]
fn what_a_cache_held_before_does_not_matter() {
    use model::{Batch, KvCache, NoProbe, Workspace};
    let tiny = TinyModel::default();
    let model = load(&tiny.build(), level(), 1);
    let mut random = Random::new(5);
    let (old, new) = (
        random.tokens(60, tiny.vocab_size),
        random.tokens(40, tiny.vocab_size),
    );
    let expected = logits(&model, &new, 40);
    let mut cache = KvCache::new(model.config(), KvType::F16, 2, 1);
    let mut workspace = Workspace::new(model.config(), 60, 60);
    let table = [1, 0];
    let batch = Batch::of_sequence(&old, 0, &table);
    let logits = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
    logits.expect("readable");
    let mut batch = Batch::of_sequence(&new, 0, &table);
    batch.outputs = (0..40).collect();
    let found = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
    assert_same("used cache", &tiny, found.expect("readable"), &expected);
    // Fewer outputs than tokens: the same rows.
    batch.outputs = vec![3, 39];
    let some = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
    let some = some.expect("readable");
    let v = tiny.vocab_size;
    assert_same("first row", &tiny, &some[..v], &expected[3 * v..4 * v]);
    assert_same("second row", &tiny, &some[v..], &expected[39 * v..]);
}

/// Every family's last layer computes only rows that are read, or all if its tokens look at each other.
#[test]
fn what_is_read_does_not_matter() {
    use model::{Batch, KvCache, NoProbe, Workspace};
    let tokens = [3, 1, 4, 1, 5, 2];
    let mut compared = 0;
    for (name, gguf) in goldens::files() {
        let model = load(&gguf, level(), 2);
        let (v, d) = (model.config().vocab_size, model.config().d_model);
        let run = |first: usize, outputs: &[usize], hidden: &[usize], cache: &mut KvCache| {
            let mut workspace = Workspace::new(model.config(), tokens.len(), tokens.len());
            let mut batch = Batch::of_sequence(&tokens[first..], first, &[0]);
            (batch.outputs, batch.hidden) = (outputs.to_vec(), hidden.to_vec());
            let logits = model.forward(&batch, cache, &mut workspace, &mut NoProbe);
            let logits = logits.expect("readable").to_vec();
            (logits, workspace.hidden()[..hidden.len() * d].to_vec())
        };
        let cache = || KvCache::new(model.config(), KvType::F16, 1, 1);
        let all = [0, 1, 2, 3, 4, 5];
        let (logits, states) = run(0, &all, &all, &mut cache());
        let rows = |all: &[f32], width: usize, rows: &[usize]| -> Vec<f32> {
            let row = |row: &usize| &all[row * width..(row + 1) * width];
            rows.iter().flat_map(row).copied().collect()
        };
        // Rows of logits alone, hidden states alone, some of both, and neither.
        for (outputs, hidden) in [
            (&[1, 4][..], &[][..]),
            (&[], &[0, 5]),
            (&[2, 5], &[0, 2, 3]),
            (&[], &[]),
        ] {
            let found = run(0, outputs, hidden, &mut cache());
            let expected = (rows(&logits, v, outputs), rows(&states, d, hidden));
            assert!(found == expected, "{name}: {outputs:?}, {hidden:?}");
        }
        compared += 1;
    }
    assert!(compared > 60, "{compared} models");
}
