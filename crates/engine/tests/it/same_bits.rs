//! A real model, however small: the same bits alone and among others, cached and not, cut and whole.

use std::sync::Arc;
use std::time::Duration;

use engine::sampler::SamplerParams;
use engine::{
    EmbedRequest, Engine, EngineOptions, EngineStats, Event, ModelBackend, Pooling, Request,
    TokenInfo, Window,
};
use model::{KvCache, KvType, LoadOptions, Model, NumBlocks};
use tensor::DType;
use testkit::{Random, TinyModel};

use crate::fake::{Inbox, VOCAB, tokenizer};

const MAX_SEQ_LEN: usize = 640;

/// Where requests are computed.
#[derive(Clone, Copy, Debug)]
struct Setup {
    blocks: usize,
    /// Most tokens of a step.
    step: usize,
    /// Sequences side by side.
    parallel: usize,
}

/// Nobody else is there, and the longest text is one step.
const ALONE: Setup = Setup {
    blocks: MAX_SEQ_LEN / 64,
    step: MAX_SEQ_LEN,
    parallel: 1,
};

const fn setup(blocks: usize, step: usize, parallel: usize) -> Setup {
    Setup {
        blocks,
        step,
        parallel,
    }
}

fn load(tiny: &TinyModel) -> Arc<Model> {
    let tiny = TinyModel {
        vocab_size: VOCAB,
        max_seq_len: MAX_SEQ_LEN,
        ..tiny.clone()
    };
    let options = LoadOptions {
        num_threads: 2,
        ..LoadOptions::default()
    };
    Arc::new(Model::load(&tiny.build(), &options).expect("a sound model"))
}

fn engine(model: &Arc<Model>, setup: Setup) -> Engine<ModelBackend> {
    let Setup {
        blocks,
        step,
        parallel,
    } = setup;
    // Too few for all windows at once, as with the other blocks.
    let window = KvCache::window_of(model.config()).map_or(blocks, |len| {
        (blocks / 3).max(Window::blocks_per_text(len)).min(blocks)
    });
    let num_blocks = NumBlocks {
        all: blocks,
        window,
    };
    let sizes = (num_blocks, parallel + 3);
    let backend = ModelBackend::new(model.clone(), KvType::F16, sizes, step, parallel + 16);
    let options = EngineOptions {
        max_seq_len: MAX_SEQ_LEN,
        max_running: parallel,
        max_waiting: 1000,
        speculate: parallel > 1,
    };
    // A step of many tokens seems to take no longer than one of few, so guesses seem to pay on any machine.
    let mut now = Duration::ZERO;
    let clock = move || {
        now += Duration::from_millis(1);
        now
    };
    Engine::with_clock(backend, tokenizer(), options, Box::new(clock))
}

/// Log-probabilities are told, which shows the bits of logits.
fn request(prompt: Vec<u32>, seed: u64, max_tokens: usize) -> Request {
    Request {
        prompt,
        sampler: SamplerParams {
            seed,
            logprobs: Some(3),
            ..SamplerParams::default()
        },
        max_tokens: Some(max_tokens),
        ignore_eos: true,
        ..Request::default()
    }
}

fn told(inbox: &Inbox) -> Vec<TokenInfo> {
    let events = inbox.events.lock().expect("no panic");
    let tokens = events.iter().flat_map(|event| match event {
        Event::Prompt(tokens) | Event::Piece { tokens, .. } => tokens.clone(),
        Event::Embedding(_) | Event::End(_) => Vec::new(),
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
    engine.check();
    inboxes.iter().map(told).collect()
}

fn alone(model: &Arc<Model>, request: &Request) -> Vec<TokenInfo> {
    let requests = std::slice::from_ref(request);
    run(&mut engine(model, ALONE), requests).remove(0)
}

/// Each request gets in each setup what it gets alone, and again where it is cached by then; counts at the end.
fn compare(
    name: &str,
    model: &Arc<Model>,
    requests: &[Request],
    setups: &[Setup],
) -> Vec<EngineStats> {
    let expected: Vec<_> = requests.iter().map(|r| alone(model, r)).collect();
    let in_setup = |setup: &Setup| {
        let mut shared = engine(model, *setup);
        for _ in 0..2 {
            let found = run(&mut shared, requests);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found, expected, "{name}: request {i}, {setup:?}");
            }
        }
        shared.stats()
    };
    setups.iter().map(in_setup).collect()
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
        let mut shared = engine(&model, setup(40, 64, 2));
        let mut ask = |prompt: &[u32], expected: usize| {
            let request = request(prompt.to_vec(), 0, 20);
            let before = shared.stats().cached_tokens;
            let found = run(&mut shared, std::slice::from_ref(&request)).remove(0);
            assert_eq!(found, alone(&model, &request), "{name}");
            let cached = shared.stats().cached_tokens - before;
            assert_eq!(cached, expected as u64, "{name}, {} tokens", prompt.len());
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
        let longer = request([&start[..], &[1, 2, 3]].concat(), 0, 20);
        let mut other = engine(&model, setup(40, 64, 2));
        other.restore(&saved, "").expect("of the same model");
        let found = run(&mut other, std::slice::from_ref(&longer)).remove(0);
        assert_eq!(found, alone(&model, &longer), "{name}");
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
        let requests = (0..12).map(|seed| {
            let mut prompt = start[..random.below(40)].to_vec();
            let own = 1 + random.below(60);
            prompt.extend(random.tokens(own, VOCAB));
            request(prompt, seed, 60 + random.below(70))
        });
        let requests: Vec<Request> = requests.collect();
        let setups = [setup(40, 256, 12), setup(10, 40, 12), setup(12, 7, 3)];
        let stats = compare(name, &model, &requests, &setups);
        assert!(stats[1].num_preemptions > 0, "{name}: {stats:?}");
        let drafted = stats.iter().map(|stats| stats.drafted_tokens);
        assert_eq!(drafted.sum::<u64>(), 0, "a state is not cut back");
    }
}

/// 200 prompts, some with common starts, some longer than a step and than several windows.
#[test]
fn two_hundred_prompts_alone_and_among_thirty_two() {
    let mut random = Random::new(11);
    let starts: Vec<Vec<u32>> = (0..5).map(|_| random.tokens(560, VOCAB)).collect();
    let requests = (0..200).map(|seed| {
        let most = if seed % 20 == 7 { 560 } else { 120 };
        let mut prompt = starts[random.below(5)][..1 + random.below(most)].to_vec();
        let own = random.below(30);
        prompt.extend(random.tokens(own, VOCAB));
        // Some long replies side by side, for which there are too few blocks.
        let least = if (100..106).contains(&seed) { 250 } else { 1 };
        request(prompt, seed, least + random.below(24))
    });
    let requests: Vec<Request> = requests.collect();
    let setups = [
        setup(300, 512, 33),
        setup(10, 40, 33),
        setup(10, 7, 4),
        setup(200, 1, 1),
    ];
    // Every layer sees a window, and every other one.
    let windows = TinyModel {
        window: Some(70),
        ..TinyModel::default()
    };
    let some_windows = TinyModel {
        window: Some(30),
        ..TinyModel::gemma2()
    };
    let models = [
        ("plain", TinyModel::quantized(DType::Q4_K)),
        ("windows", windows),
        ("some windows", some_windows),
    ];
    for (name, tiny) in models {
        let model = load(&tiny);
        let stats = compare(name, &model, &requests, &setups);
        for stats in &stats {
            assert!(stats.cached_tokens > 1000, "starts are shared: {stats:?}");
        }
        assert!(stats[1].num_preemptions > 0, "{name}: {stats:?}");
        assert!(stats[0].accepted_tokens > 0, "{name}: {stats:?}");
        // And with nothing taken from the cache.
        let uncached = requests.iter().map(|request| Request {
            cache_prompt: false,
            ..request.clone()
        });
        let uncached: Vec<Request> = uncached.collect();
        let stats = compare(name, &model, &uncached, &setups[..1]);
        assert_eq!(stats[0].cached_tokens, 0);
    }
}

#[test]
fn vectors_do_not_depend_on_neighbours_or_chunks() {
    let model = load(&TinyModel::quantized(DType::Q4_K));
    let mut random = Random::new(5);
    let requests: Vec<EmbedRequest> = (0..24)
        .map(|i| EmbedRequest {
            tokens: random.tokens(1 + 25 * i, VOCAB),
            pooling: Pooling::ALL[i % 3],
            ..EmbedRequest::default()
        })
        .collect();
    let vectors = |setup: Setup, requests: &[EmbedRequest]| -> Vec<Vec<f32>> {
        let mut engine = engine(&model, setup);
        let inboxes: Vec<Inbox> = requests.iter().map(|_| Inbox::default()).collect();
        for (request, inbox) in requests.iter().zip(&inboxes) {
            let id = engine.embed(request, Box::new(inbox.clone()));
            id.expect("it can be carried out");
        }
        while engine.step() {}
        let vector = |inbox: &Inbox| match inbox.events.lock().expect("no panic").as_slice() {
            [Event::Embedding(vector)] => vector.clone(),
            other => panic!("one vector: {other:?}"),
        };
        inboxes.iter().map(vector).collect()
    };
    let alone = requests.iter().map(|request| {
        let requests = std::slice::from_ref(request);
        vectors(ALONE, requests).remove(0)
    });
    let alone: Vec<_> = alone.collect();
    let width = model.config().d_model;
    assert!(alone.iter().all(|vector| vector.len() == width));
    assert_ne!(alone[0], alone[3]);
    for setup in [setup(200, 512, 24), setup(12, 30, 8), setup(10, 1, 1)] {
        assert_eq!(vectors(setup, &requests), alone, "{setup:?}");
    }
}
