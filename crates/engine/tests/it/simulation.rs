//! Seeded arrivals, cancellations and tiny caches: every text is that of the request alone, and no block is lost.

use std::sync::LazyLock;

use engine::grammar::{Grammar, GrammarEngine, GrammarSpec};
use engine::sampler::SamplerParams;
use engine::{
    EmbedRequest, Engine, EngineOptions, Event, FinishReason, Guesses, Pooling, Request,
    ThoughtLimit, Window,
};
use testkit::Random;

use crate::fake::{Clock, Fake, Inbox, VOCAB, tokenizer};

const MAX_SEQ_LEN: usize = 400;

/// Some that leave much open, and some whose text is forced in part.
static GRAMMARS: LazyLock<Vec<Grammar>> = LazyLock::new(|| {
    let engine = GrammarEngine::new(&tokenizer(), VOCAB).expect("a vocabulary with an end");
    let specs = [
        GrammarSpec::Regex("[a-f]{3,60}".into()),
        GrammarSpec::Regex("(abcdefghijklmnop(q|r)){1,5}[a-w]*".into()),
        GrammarSpec::Choice(vec!["abc".into(), "abdefgh".into(), "q".into()]),
    ];
    let compiled = specs.iter().map(|spec| engine.compile(spec));
    compiled.collect::<Result<_, _>>().expect("sound grammars")
});

fn request(random: &mut Random, prompts: &[Vec<u32>]) -> Request {
    // Beginnings are shared: of some prompt, a part, and something of its own after it.
    let base = &prompts[random.below(prompts.len())];
    let mut prompt = base[..1 + random.below(base.len())].to_vec();
    let own = random.below(40);
    prompt.extend((0..own).map(|_| 1 + random.below(VOCAB - 1) as u32));
    let stops = [vec![], vec!["ab".into(), "q".into()], vec!["zzz".into()]];
    Request {
        prompt,
        sampler: SamplerParams {
            seed: random.bits(),
            temp: [0.0, 0.7, 1.5][random.below(3)],
            repeat_penalty: [1.0, 1.3][random.below(2)],
            logprobs: [None, Some(2)][random.below(2)],
            ..SamplerParams::default()
        },
        max_tokens: Some(random.below(120)),
        min_tokens: random.below(8),
        stop: stops[random.below(3)].clone(),
        stop_tokens: vec![1 + random.below(VOCAB - 1) as u32; random.below(2)],
        ignore_eos: random.below(4) == 0,
        prompt_logprobs: [None, None, None, Some(1)][random.below(4)],
        cache_prompt: random.below(5) > 0,
        cache_salt: salt(random),
        echo: random.below(4) == 0,
        keep_special: random.below(2) == 0,
        grammar: match random.below(4) {
            0 => Some(GRAMMARS[random.below(GRAMMARS.len())].clone()),
            _ => None,
        },
        thoughts: (random.below(4) == 0).then(|| thoughts(random)),
        guesses: Guesses {
            min: random.below(3),
            max: [0, 1, 4, usize::MAX][random.below(4)],
        },
        tells_progress: random.below(4) == 0,
    }
}

/// Between letters, so that some are found.
fn thoughts(random: &mut Random) -> ThoughtLimit {
    let len = 1 + random.below(3);
    ThoughtLimit {
        max_tokens: random.below(6),
        open: ["a", "bc"][random.below(2)].to_owned(),
        close: ["d", "ef"][random.below(2)].to_owned(),
        is_open: random.below(2) == 0,
        ending: random.tokens(len, VOCAB),
    }
}

/// Few, so that some are shared.
fn salt(random: &mut Random) -> String {
    ["", "", "a", "b"][random.below(4)].to_owned()
}

fn prompts(random: &mut Random) -> Vec<Vec<u32>> {
    let prompt = |random: &mut Random| {
        let len = 1 + random.below(200);
        (0..len)
            .map(|_| 1 + random.below(VOCAB - 1) as u32)
            .collect()
    };
    (0..4).map(|_| prompt(random)).collect()
}

fn engine(
    num_blocks: usize,
    max_tokens: usize,
    max_running: usize,
    (habit, window): (f32, Option<Window>),
    speculate: bool,
) -> Engine<Fake> {
    let clock = Clock::default();
    let mut backend = Fake::new(num_blocks, max_tokens, max_running + 6, clock.clone());
    backend.habit = habit;
    if let Some(window) = window {
        backend = backend.with_window(window.len, window.num_blocks);
    }
    let options = EngineOptions {
        max_seq_len: MAX_SEQ_LEN,
        max_running,
        max_waiting: 1000,
        speculate,
    };
    Engine::with_clock(backend, tokenizer(), options, clock.read())
}

/// A layer that sees less than long texts have, or nearly nothing; hardly more blocks for it than one text needs.
fn window(random: &mut Random, num_blocks: usize) -> Option<Window> {
    let most = [10, 150][random.below(2)];
    let len = 1 + random.below(most);
    let least = Window::blocks_per_text(len).min(num_blocks);
    let num_blocks = least + random.below(8);
    (random.below(3) > 0).then_some(Window { len, num_blocks })
}

/// The request with nobody else there, in whole steps.
fn alone(request: &Request, (habit, window): (f32, Option<Window>)) -> Inbox {
    let inbox = Inbox::default();
    // Room for all of it.
    let window = window.map(|Window { len, .. }| Window { len, num_blocks: 7 });
    // Without guesses, however strong the habit.
    let mut engine = engine(7, 512, 1, (habit, window), false);
    let id = engine.submit(request, None, Box::new(inbox.clone()));
    id.expect("it can be carried out");
    while engine.step() {}
    assert!(engine.is_idle());
    inbox
}

/// Asks for a vector; what it must be. A hidden state is position and token.
fn embed(engine: &mut Engine<Fake>, random: &mut Random) -> (Vec<f32>, Inbox) {
    let len = 1 + random.below(150);
    let tokens = random.tokens(len, VOCAB);
    let pooling = Pooling::ALL[random.below(3)];
    let mean =
        |values: &mut dyn Iterator<Item = f64>| (values.sum::<f64>() * (1.0 / len as f64)) as f32;
    let expected = match pooling {
        Pooling::Cls => vec![0.0, tokens[0] as f32],
        Pooling::Last => vec![(len - 1) as f32, tokens[len - 1] as f32],
        Pooling::Mean => vec![
            mean(&mut (0..len).map(|i| i as f64)),
            mean(&mut tokens.iter().map(|&id| f64::from(id))),
        ],
    };
    let inbox = Inbox::default();
    let request = EmbedRequest {
        tokens,
        pooling,
        cache_salt: salt(random),
    };
    let id = engine.embed(&request, Box::new(inbox.clone()));
    id.expect("it can be carried out");
    (expected, inbox)
}

/// One life of an engine; the number of its steps.
fn simulate(seed: u64, num_requests: usize) -> (u64, u64) {
    let mut random = Random::new(seed);
    let prompts = prompts(&mut random);
    let max_running = 1 + random.below(9);
    let max_tokens = max_running + random.below(100);
    let num_blocks = 7 + random.below(20);
    let kind = ([0.0, 4.0][random.below(2)], window(&mut random, num_blocks));
    let speculate = random.below(3) > 0;
    let mut engine = engine(num_blocks, max_tokens, max_running, kind, speculate);
    if random.below(2) == 0 {
        let (blocks, outputs) = (1 + random.below(30), 1 + random.below(9));
        let mut draft = Fake::new(
            blocks,
            outputs + random.below(200),
            outputs,
            Clock::default(),
        );
        draft.habit = [0.0, 1.0, 4.0][random.below(3)];
        if let Some(window) = window(&mut random, blocks) {
            draft = draft.with_window(window.len, window.num_blocks);
        }
        engine = engine.with_draft(Box::new(draft));
    }
    if random.below(4) == 0 {
        let kept = random.below(10);
        engine = engine.with_cache_limit(kept, kept);
    }
    let mut open: Vec<(Request, Inbox)> = Vec::new();
    let (mut vectors, mut saved, mut num_restored) = (Vec::new(), Vec::new(), 0);
    let mut last = None;
    let (mut sent, mut checked) = (0, 0);
    while sent < num_requests || !engine.is_idle() {
        if sent < num_requests && random.below(3) == 0 {
            let request = request(&mut random, &prompts);
            // Some are siblings of the one before, with the same prompt.
            let (request, leader) = match (&last, random.below(4)) {
                (Some((before, id)), 0) => {
                    let Request { prompt, .. } = Request::clone(before);
                    (Request { prompt, ..request }, Some(*id))
                }
                _ => (request, None),
            };
            let inbox = Inbox::default();
            let id = engine.submit(&request, leader, Box::new(inbox.clone()));
            let id = id.expect("it can be carried out");
            last = Some((request.clone(), id));
            open.push((request, inbox));
            sent += 1;
            if random.below(6) == 0 {
                vectors.push(embed(&mut engine, &mut random));
            }
            match random.below(20) {
                0 => engine.cancel(id),
                1 => engine.clear_cache(),
                2 | 3 => {
                    let (request, _) = &open[random.below(open.len())];
                    saved.push(engine.save(&request.prompt, &request.cache_salt));
                }
                4 | 5 if !saved.is_empty() => {
                    let saved = &saved[random.below(saved.len())];
                    // There may be no room, or nothing that was saved.
                    let restored = engine.restore(saved, &salt(&mut random));
                    num_restored += u64::from(restored.is_ok());
                }
                _ => {}
            }
        }
        if random.below(50) == 0 && !open.is_empty() {
            let (_, inbox) = &open[random.below(open.len())];
            *inbox.closed.lock().expect("no panic") = true;
        }
        engine.step();
        engine.check();
        open.retain(|(request, inbox)| {
            let Some(end) = inbox.end() else { return true };
            let expected = alone(request, kind);
            let (found, whole) = (inbox.text(), expected.text());
            if end.reason == FinishReason::Cancelled {
                assert!(whole.starts_with(&found), "{found} begins {whole}");
            } else {
                assert_eq!(found, whole, "seed {seed}");
                let mut expected = expected.end().expect("it has ended");
                expected.usage = end.usage;
                assert_eq!(end, expected, "seed {seed}");
                assert_eq!(tokens(inbox), tokens(&alone(request, kind)), "seed {seed}");
                checked += 1;
            }
            false
        });
    }
    for (expected, inbox) in &vectors {
        let events = inbox.events.lock().expect("no panic");
        let found = match events.as_slice() {
            [Event::Embedding(vector)] => vector,
            other => panic!("one vector: {other:?}, seed {seed}"),
        };
        assert_eq!(found, expected, "seed {seed}");
    }
    assert!(open.is_empty(), "all have ended, seed {seed}");
    assert!(checked > 0, "seed {seed}");
    assert_eq!(engine.stats().num_held_blocks, 0, "seed {seed}");
    assert_eq!(engine.stats().num_held_window_blocks, 0, "seed {seed}");
    (engine.stats().num_steps, num_restored)
}

/// All that was told of tokens, however it was cut.
fn tokens(inbox: &Inbox) -> Vec<engine::TokenInfo> {
    let events = inbox.events.lock().expect("no panic");
    let tokens = events.iter().flat_map(|event| match event {
        Event::Prompt(tokens) | Event::Piece { tokens, .. } => tokens.clone(),
        Event::Embedding(_) | Event::End(_) => Vec::new(),
    });
    tokens.collect()
}

#[test]
fn guesses_save_steps() {
    let request = Request {
        prompt: vec![1, 2, 3],
        sampler: SamplerParams {
            temp: 0.0,
            ..SamplerParams::default()
        },
        max_tokens: Some(300),
        ignore_eos: true,
        ..Request::default()
    };
    let steps = |speculate| {
        let mut engine = engine(7, 64, 1, (8.0, None), speculate);
        let inbox = Inbox::default();
        let id = engine.submit(&request, None, Box::new(inbox.clone()));
        id.expect("it can be carried out");
        while engine.step() {}
        (inbox.text(), engine.stats().num_steps)
    };
    let ((with, few), (without, many)) = (steps(true), steps(false));
    assert_eq!(with, without);
    assert!(many == 300 && few < 100, "{few} steps instead of {many}");
}

#[test]
fn texts_do_not_depend_on_neighbours_caches_or_preemption() {
    let lives = (0..40).map(|seed| simulate(seed, 50));
    let (steps, restored) = lives.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    assert!(steps > 8_000, "{steps} steps in all");
    assert!(restored > 30, "{restored} texts put back");
}

#[test]
fn small_caches_preempt_and_recompute() {
    let mut engine = engine(8, 64, 6, (0.0, None), false);
    let requests: Vec<Request> = (0..6)
        .map(|seed| Request {
            prompt: vec![1 + seed as u32; 70],
            sampler: SamplerParams {
                seed,
                ..SamplerParams::default()
            },
            max_tokens: Some(200),
            ignore_eos: true,
            ..Request::default()
        })
        .collect();
    let inboxes: Vec<Inbox> = requests.iter().map(|_| Inbox::default()).collect();
    for (request, inbox) in requests.iter().zip(&inboxes) {
        let id = engine.submit(request, None, Box::new(inbox.clone()));
        id.expect("it can be carried out");
    }
    while engine.step() {
        engine.check();
    }
    assert!(
        engine.stats().num_preemptions > 0,
        "the cache is too small for six"
    );
    for (request, inbox) in requests.iter().zip(&inboxes) {
        assert_eq!(inbox.text(), alone(request, (0.0, None)).text());
    }
}
