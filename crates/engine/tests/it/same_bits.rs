//! A real model, however small: the same bits alone and among others, cached and not, cut and whole.

use std::sync::Arc;

use engine::sampler::SamplerParams;
use engine::{EmbedRequest, Engine, EngineOptions, ModelBackend, Pooling, Request, TokenInfo};
use model::{KvCache, KvType, LoadOptions, Model};
use testkit::{Random, TinyModel};

use crate::fake::{Inbox, VOCAB, tokenizer};

const MAX_SEQ_LEN: usize = 256;

fn model() -> Arc<Model> {
    let tiny = TinyModel {
        vocab_size: VOCAB,
        ..TinyModel::quantized(tensor::DType::Q4_K)
    };
    let options = LoadOptions {
        num_threads: 2,
        ..LoadOptions::default()
    };
    Arc::new(Model::load(&tiny.build(), &options).expect("a sound model"))
}

fn engine(model: &Arc<Model>, blocks: usize, step: usize, parallel: usize) -> Engine<ModelBackend> {
    let backend = ModelBackend::new(
        model.clone(),
        KvType::F16,
        (blocks, parallel + 3),
        step,
        parallel + 16,
    );
    let options = EngineOptions {
        max_seq_len: MAX_SEQ_LEN,
        max_running: parallel,
        max_waiting: 1000,
        speculate: parallel > 1,
    };
    Engine::new(backend, tokenizer(), options)
}

fn told(inbox: &Inbox) -> Vec<TokenInfo> {
    let events = inbox.events.lock().expect("no panic");
    let tokens = events.iter().flat_map(|event| match event {
        engine::Event::Prompt(tokens) | engine::Event::Piece { tokens, .. } => tokens.clone(),
        engine::Event::Embedding(_) | engine::Event::End(_) => Vec::new(),
    });
    tokens.collect()
}

fn run(engine: &mut Engine<ModelBackend>, requests: &[Request]) -> Vec<Vec<TokenInfo>> {
    let inboxes: Vec<Inbox> = requests.iter().map(|_| Inbox::default()).collect();
    for (request, inbox) in requests.iter().zip(&inboxes) {
        let id = engine.submit(request, None, Box::new(inbox.clone()));
        id.expect("it can be carried out");
    }
    while engine.step() {}
    inboxes.iter().map(told).collect()
}

/// Models that keep a state, alone and with attention.
fn recurrent() -> impl Iterator<Item = (&'static str, Arc<Model>)> {
    ["mamba2", "qwen35", "lfm2"].into_iter().map(|name| {
        let gguf = formats::Gguf::open(testkit::golden::path(&format!("arch/{name}/model.gguf")));
        let model = Model::load(&gguf.expect("a golden"), &LoadOptions::default());
        (name, Arc::new(model.expect("a sound model")))
    })
}

#[test]
fn a_text_is_taken_up_where_its_state_was_kept() {
    for (name, model) in recurrent() {
        let mut random = Random::new(13);
        let mut shared = engine(&model, 40, 64, 2);
        let mut ask = |prompt: &[u32], expected: usize| {
            let request = Request {
                prompt: prompt.to_vec(),
                sampler: SamplerParams {
                    logprobs: Some(3),
                    ..SamplerParams::default()
                },
                max_tokens: Some(20),
                ignore_eos: true,
                ..Request::default()
            };
            let requests = [request];
            let before = shared.stats().cached_tokens;
            let found = run(&mut shared, &requests).remove(0);
            let whole = KvCache::blocks_for(MAX_SEQ_LEN);
            let alone = run(&mut engine(&model, whole, 256, 1), &requests).remove(0);
            assert_eq!(found, alone, "{name}");
            let cached = shared.stats().cached_tokens - before;
            assert_eq!(cached, expected as u64, "{name}, {} tokens", prompt.len());
            shared.check();
            found.iter().map(|token| token.id).collect::<Vec<u32>>()
        };
        let start = random.tokens(70, VOCAB);
        let reply = ask(&start, 0);
        // Behind the reply, all of which but its last token is computed.
        let mut more = [&start[..], &reply].concat();
        let len = more.len();
        more.extend(random.tokens(9, VOCAB));
        ask(&more, len - 1);
        // Behind the prompt, and at no place between.
        let mut other = start.clone();
        other.extend(reply.iter().take(5));
        other.push((reply[5] + 1) % VOCAB as u32);
        ask(&other, start.len());
        ask(&start[..50], 0);
        // And by another engine, with what this one gives out.
        let saved = shared.save(&start, "");
        assert_eq!(saved.tokens, start, "{name}");
        let longer = Request {
            prompt: [&start[..], &[1, 2, 3]].concat(),
            sampler: SamplerParams {
                logprobs: Some(3),
                ..SamplerParams::default()
            },
            max_tokens: Some(20),
            ..Request::default()
        };
        let requests = [longer];
        let expected = run(&mut engine(&model, 40, 256, 1), &requests);
        let mut other = engine(&model, 40, 64, 2);
        other.restore(&saved, "").expect("of the same model");
        assert_eq!(run(&mut other, &requests), expected, "{name}");
        assert_eq!(other.stats().cached_tokens, 70, "{name}");
        let mut damaged = saved;
        damaged.bytes.pop();
        other.restore(&damaged, "").expect_err("too short");
        damaged.tokens[3] = u32::MAX;
        other.restore(&damaged, "").expect_err("no token");
        other.check();
    }
}

/// Cut back never, begun anew when preempted.
#[test]
fn states_are_everybody_s_own() {
    for (name, model) in recurrent() {
        let mut random = Random::new(12);
        let start = random.tokens(40, VOCAB);
        let requests: Vec<Request> = (0..12)
            .map(|seed| {
                let mut prompt = start[..random.below(40)].to_vec();
                let own = 1 + random.below(60);
                prompt.extend(random.tokens(own, VOCAB));
                Request {
                    prompt,
                    sampler: SamplerParams {
                        seed,
                        logprobs: Some(3),
                        ..SamplerParams::default()
                    },
                    max_tokens: Some(60 + random.below(70)),
                    ignore_eos: true,
                    ..Request::default()
                }
            })
            .collect();
        let whole = KvCache::blocks_for(MAX_SEQ_LEN);
        let alone: Vec<_> = requests
            .iter()
            .map(|request| {
                let mut fresh = engine(&model, whole, 256, 1);
                run(&mut fresh, std::slice::from_ref(request)).remove(0)
            })
            .collect();
        for (blocks, step, parallel) in [(40, 256, 12), (5, 40, 12), (whole, 7, 3)] {
            let mut shared = engine(&model, blocks, step, parallel);
            assert_eq!(
                run(&mut shared, &requests),
                alone,
                "{name}, {blocks} blocks"
            );
            // And again, where it would be cached.
            assert_eq!(
                run(&mut shared, &requests),
                alone,
                "{name}, {blocks} blocks"
            );
            let stats = shared.stats();
            assert_eq!(stats.drafted_tokens, 0, "a state is not cut back");
            shared.check();
            assert!(blocks > 5 || stats.num_preemptions > 0, "{name}: {stats:?}");
        }
    }
}

/// 200 prompts, some with common starts; log-probabilities are told, which shows the bits of logits.
#[test]
fn two_hundred_prompts_alone_and_among_thirty_two() {
    let model = model();
    let mut random = Random::new(11);
    let starts: Vec<Vec<u32>> = (0..5).map(|_| random.tokens(120, VOCAB)).collect();
    let requests: Vec<Request> = (0..200)
        .map(|seed| {
            let mut prompt = starts[random.below(5)][..1 + random.below(120)].to_vec();
            let own = random.below(30);
            prompt.extend(random.tokens(own, VOCAB));
            Request {
                prompt,
                sampler: SamplerParams {
                    seed,
                    logprobs: Some(3),
                    ..SamplerParams::default()
                },
                max_tokens: Some(1 + random.below(24)),
                ignore_eos: true,
                ..Request::default()
            }
        })
        .collect();
    let whole = KvCache::blocks_for(MAX_SEQ_LEN);
    let alone: Vec<_> = requests
        .iter()
        .map(|request| {
            let mut fresh = engine(&model, whole, 256, 1);
            run(&mut fresh, std::slice::from_ref(request)).remove(0)
        })
        .collect();
    for (blocks, step, parallel) in [(200, 256, 33), (40, 40, 33), (whole, 7, 4), (200, 1, 1)] {
        let mut shared = engine(&model, blocks, step, parallel);
        let found = run(&mut shared, &requests);
        for (i, (found, alone)) in found.iter().zip(&alone).enumerate() {
            assert_eq!(found, alone, "prompt {i}, {blocks} blocks, steps of {step}");
        }
        let stats = shared.stats();
        assert!(stats.cached_tokens > 1000, "starts are shared: {stats:?}");
    }
    // And with nothing taken from the cache.
    let uncached: Vec<Request> = requests
        .iter()
        .map(|request| Request {
            cache_prompt: false,
            ..request.clone()
        })
        .collect();
    let mut shared = engine(&model, 200, 256, 33);
    assert_eq!(run(&mut shared, &uncached), alone);
    assert_eq!(shared.stats().cached_tokens, 0);
}

#[test]
fn vectors_do_not_depend_on_neighbours_or_chunks() {
    let model = model();
    let mut random = Random::new(5);
    let requests: Vec<EmbedRequest> = (0..24)
        .map(|i| EmbedRequest {
            tokens: random.tokens(1 + 9 * i, VOCAB),
            pooling: Pooling::ALL[i % 3],
            ..EmbedRequest::default()
        })
        .collect();
    let vectors = |engine: &mut Engine<ModelBackend>, requests: &[EmbedRequest]| -> Vec<Vec<f32>> {
        let inboxes: Vec<Inbox> = requests.iter().map(|_| Inbox::default()).collect();
        for (request, inbox) in requests.iter().zip(&inboxes) {
            let id = engine.embed(request, Box::new(inbox.clone()));
            id.expect("it can be carried out");
        }
        while engine.step() {}
        let vector = |inbox: &Inbox| match inbox.events.lock().expect("no panic").as_slice() {
            [engine::Event::Embedding(vector)] => vector.clone(),
            other => panic!("one vector: {other:?}"),
        };
        inboxes.iter().map(vector).collect()
    };
    let whole = KvCache::blocks_for(MAX_SEQ_LEN);
    let alone: Vec<_> = requests
        .iter()
        .map(|request| {
            let mut fresh = engine(&model, whole, 256, 1);
            vectors(&mut fresh, std::slice::from_ref(request)).remove(0)
        })
        .collect();
    let width = model.config().d_model;
    assert!(alone.iter().all(|vector| vector.len() == width));
    assert_ne!(alone[0], alone[3]);
    for (blocks, step, parallel) in [(200, 256, 24), (12, 30, 8), (whole, 1, 1)] {
        let mut shared = engine(&model, blocks, step, parallel);
        assert_eq!(vectors(&mut shared, &requests), alone, "steps of {step}");
    }
}
