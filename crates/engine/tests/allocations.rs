//! No allocation per token: after a few tokens, a step and the choice of the next take no memory at all.

use std::sync::Arc;

use engine::sampler::{DryBreakers, Sampler, SamplerParams};
use engine::{Runner, Text};
use formats::Gguf;
use model::{KvType, LoadOptions, Model};
use peak_alloc::PeakAlloc;
use tensor::DType;
use testkit::{Random, TinyModel};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Tokens of the prompt; the rest crosses blocks of keys and values and a split of attention (512).
const PROMPT: usize = 480;
/// Tokens until every buffer is as large as it gets.
const WARM_UP: usize = 3;
const TOKENS: usize = 600;

#[test]
fn a_token_takes_no_memory() {
    let long = |tiny: TinyModel| TinyModel {
        max_seq_len: TOKENS,
        ..tiny
    };
    let models = [
        long(TinyModel::default()),
        long(TinyModel::quantized(DType::Q4_K)),
        // Enough that activations and the bound on logits are jobs for all threads.
        TinyModel {
            d_ff: 8448,
            vocab_size: 8300,
            ..long(TinyModel::gemma2())
        },
    ];
    // All that has a list of its own, and none that gives one out.
    let params = SamplerParams {
        repeat_penalty: 1.1,
        frequency_penalty: 0.1,
        dry_multiplier: 0.8,
        dry_penalty_last_n: 64,
        typ_p: 0.99,
        logit_bias: vec![(1, f32::NEG_INFINITY)],
        ..SamplerParams::default()
    };
    // Every kind of state, and attention beside it.
    let recurrent = ["lfm2", "mamba", "qwen35", "falcon-h1"].map(|name| {
        let path = testkit::golden::path(&format!("arch/{name}/model.gguf"));
        Gguf::open(path).expect("a golden")
    });
    let models = models.iter().map(TinyModel::build).chain(recurrent);
    for (i, gguf) in models.enumerate() {
        for kv_type in [KvType::F16, KvType::Q8] {
            generate(&gguf, kv_type, &params, i);
        }
    }
}

fn generate(gguf: &Gguf, kv_type: KvType, params: &SamplerParams, i: usize) {
    let options = LoadOptions {
        num_threads: 2,
        ..LoadOptions::default()
    };
    let model = Model::load(gguf, &options).expect("a sound model");
    // A thread that begins gives back what starting it took; the small models here could be done before that.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let vocab_size = model.config().vocab_size;
    let breakers = DryBreakers::from_tokens(&[vec![2]]);
    let mut sampler = Sampler::new(params, vocab_size, breakers).expect("in range");
    let mut runner = Runner::new(Arc::new(model), kv_type, TOKENS, 1);
    let mut sequence = Text::with_capacity(TOKENS);
    sequence.replace(&Random::new(5).tokens(PROMPT, vocab_size));
    while sequence.tokens().len() < TOKENS {
        let num_tokens = sequence.tokens().len();
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        // The prompt takes two steps.
        let Some(logits) = runner.step(&mut sequence).expect("all is in memory") else {
            continue;
        };
        let token = sampler.sample(logits, sequence.tokens()).id;
        sequence.push(token);
        if num_tokens >= PROMPT + WARM_UP {
            // A step that gave back what an earlier one took would end with less.
            let after = (MEMORY.peak_usage(), MEMORY.current_usage());
            assert_eq!(
                after,
                (before, before),
                "bytes in use at most and after token {num_tokens} of model {i}, {kv_type:?}"
            );
        }
    }
}
