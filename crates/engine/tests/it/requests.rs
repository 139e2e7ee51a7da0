//! What single requests ask for, over the fake backend.

use engine::sampler::SamplerParams;
use engine::{Engine, EngineOptions, Event, Request, RequestError, RestoreError, Saved, TokenInfo};

use crate::fake::{Clock, Fake, Inbox, tokenizer};

fn engine() -> Engine<Fake> {
    of_blocks(40)
}

fn of_blocks(num_blocks: usize) -> Engine<Fake> {
    let clock = Clock::default();
    let options = EngineOptions {
        max_seq_len: 400,
        max_running: 4,
        max_waiting: 100,
        speculate: true,
    };
    let backend = Fake::new(num_blocks, 128, 80, clock.clone());
    Engine::with_clock(backend, tokenizer(), options, clock.read())
}

/// One sequence at a time, a layer that sees 100 positions, and so many blocks for it.
fn windowed(num_window_blocks: usize) -> Engine<Fake> {
    let clock = Clock::default();
    let options = EngineOptions {
        max_seq_len: 400,
        max_running: 1,
        max_waiting: 100,
        speculate: false,
    };
    let backend = Fake::new(40, 128, 80, clock.clone()).with_window(100, num_window_blocks);
    Engine::with_clock(backend, tokenizer(), options, clock.read())
}

fn run(engine: &mut Engine<Fake>, request: &Request) -> Inbox {
    let inbox = Inbox::default();
    let id = engine.submit(request, None, Box::new(inbox.clone()));
    id.expect("it can be carried out");
    while engine.step() {}
    engine.check();
    inbox
}

fn request(len: usize) -> Request {
    Request {
        prompt: (0..len as u32).map(|i| 1 + i % 23).collect(),
        max_tokens: Some(12),
        ignore_eos: true,
        ..Request::default()
    }
}

/// Tokens of the pieces, and those told of the prompt.
fn tokens(inbox: &Inbox) -> (Vec<TokenInfo>, Option<Vec<TokenInfo>>) {
    let (mut own, mut prompt) = (Vec::new(), None);
    for event in inbox.events.lock().expect("no panic").iter() {
        match event {
            Event::Piece { tokens, .. } => own.extend(tokens.clone()),
            Event::Prompt(tokens) => prompt = Some(tokens.clone()),
            Event::Embedding(_) | Event::End(_) => {}
        }
    }
    (own, prompt)
}

#[test]
fn the_prompt_is_echoed_before_the_reply() {
    let mut engine = engine();
    for len in [1, 5, 200] {
        let mut request = request(len);
        let prompt: String = request.prompt.iter().map(|&id| letter(id)).collect();
        let plain = run(&mut engine, &request).text();
        request.echo = true;
        let echoed = run(&mut engine, &request);
        assert_eq!(echoed.text(), format!("{prompt}{plain}"));
        assert_eq!(tokens(&echoed), (Vec::new(), None));
        // With log-probabilities, the prompt's tokens come with it; alone only if asked for.
        request.sampler.logprobs = Some(2);
        let (own, alone) = tokens(&run(&mut engine, &request));
        request.prompt_logprobs = Some(2);
        let with_prompt = run(&mut engine, &request);
        assert_eq!(with_prompt.text(), format!("{prompt}{plain}"));
        let (own_too, told) = tokens(&with_prompt);
        assert_eq!((&own, alone), (&own_too, None));
        assert_eq!(own[1..len], told.expect("it was asked for"));
        assert_eq!((own[0].id, own[0].logprob), (request.prompt[0], None));
        let rest: Vec<u32> = own.iter().map(|token| token.id).collect();
        assert_eq!(rest[..len], request.prompt);
        let text: String = rest[len..].iter().map(|&id| letter(id)).collect();
        assert_eq!(text, plain);
        // Nothing but the prompt.
        request.max_tokens = Some(0);
        request.prompt_logprobs = None;
        let (only, _) = tokens(&run(&mut engine, &request));
        assert_eq!(only, own[..len]);
        request.sampler = SamplerParams::default();
        assert_eq!(run(&mut engine, &request).text(), prompt);
    }
}

/// The fake vocabulary's text of a token; its end has none in a reply.
fn letter(id: u32) -> String {
    match id {
        0 => String::new(),
        _ => char::from(b'a' + id as u8 - 1).to_string(),
    }
}

#[test]
fn a_salt_keeps_prompts_apart() {
    let mut engine = engine();
    let mut cached = |salt: &str| {
        let request = Request {
            cache_salt: salt.into(),
            ..request(200)
        };
        let inbox = run(&mut engine, &request);
        inbox.end().expect("it has ended").usage.cached_tokens
    };
    assert_eq!(["", "", "a", "b"].map(&mut cached), [0, 199, 0, 0]);
    assert_eq!(["a", "b", ""].map(&mut cached), [199; 3]);
    let long = Request {
        cache_salt: "x".repeat(257),
        ..request(3)
    };
    let error = engine.submit(&long, None, Box::new(Inbox::default()));
    let error = error.expect_err("too long");
    assert!(
        matches!(error, RequestError::TooLong { found: 257, .. }),
        "{error}"
    );
}

#[test]
fn what_was_saved_needs_room_and_must_fit() {
    let mut engine = engine();
    let long = request(390);
    run(&mut engine, &long);
    let saved = engine.save(&long.prompt, "");
    assert_eq!(saved.tokens, long.prompt);
    assert_eq!(engine.save(&long.prompt, "other"), Saved::default());
    let begun = engine.save(&long.prompt[..100], "");
    assert_eq!(
        (begun.tokens.len(), begun.bytes.len()),
        (100, engine.saved_bytes(100))
    );
    // What comes after position 100 is nobody's business.
    assert!(begun.bytes[100 * 8..].iter().all(|&byte| byte == 0));
    let mut fails = |saved: &Saved| engine.restore(saved, "").expect_err("it does not fit");
    let mut wrong = saved.clone();
    wrong.bytes.push(0);
    assert!(matches!(fails(&wrong), RestoreError::Length { .. }));
    wrong.tokens[0] = 1000;
    assert!(matches!(fails(&wrong), RestoreError::Request(_)));
    wrong.tokens = vec![1; 401];
    assert!(matches!(fails(&wrong), RestoreError::Request(_)));
    assert!(matches!(fails(&Saved::default()), RestoreError::Request(_)));
    engine.restore(&saved, "e").expect("there is room");
    engine.check();
    while engine.step() {}
    let found = Request {
        cache_salt: "e".into(),
        ..long
    };
    let usage = run(&mut engine, &found).end().expect("it has ended").usage;
    assert_eq!(usage.cached_tokens, 389);
    // A reply under way holds all there is.
    let mut small = of_blocks(7);
    let id = small.submit(&found, None, Box::new(Inbox::default()));
    id.expect("it can be carried out");
    while small.stats().num_held_blocks < 7 {
        assert!(small.step());
    }
    let error = small.restore(&saved, "").expect_err("no room");
    assert!(
        matches!(error, RestoreError::NoRoom { needed: 7, free: 0 }),
        "{error}"
    );
    small.check();
}

/// A text of seven blocks holds no more of those with a window than its next tokens see.
#[test]
fn windows_are_counted() {
    let mut engine = windowed(5);
    let counts = |engine: &Engine<Fake>| {
        let stats = engine.stats();
        (stats.num_window_blocks, stats.num_held_window_blocks)
    };
    assert_eq!(counts(&engine), (5, 0));
    let id = engine.submit(&request(388), None, Box::new(Inbox::default()));
    id.expect("it can be carried out");
    while engine.stats().num_held_blocks < 7 {
        assert!(engine.step());
    }
    let (all, held) = counts(&engine);
    assert!(all == 5 && (2..=4).contains(&held), "{held} of {all}");
    while engine.step() {}
    assert_eq!(counts(&engine), (5, 0), "what is left can be given out");
    assert_eq!(of_blocks(7).stats().num_window_blocks, 0);
}

/// A text of four windows goes on with room for little more than one, whose end is then found; what was left behind is
/// found only while there is room for it.
#[test]
fn windows_keep_the_ends_of_texts() {
    let (long, mut other) = (request(388), request(150));
    other.prompt.extend([23; 30]);
    let expected: Vec<String> = [&long, &other]
        .map(|request| run(&mut windowed(7), request).text())
        .into();
    for (blocks, start) in [(4, 0), (5, 0), (8, 150), (40, 150)] {
        let mut engine = windowed(blocks);
        let mut cached = |request: &Request, expected: &str| {
            let inbox = run(&mut engine, request);
            assert_eq!(inbox.text(), expected, "{blocks} blocks");
            inbox.end().expect("it has ended").usage.cached_tokens
        };
        assert_eq!(cached(&long, &expected[0]), 0);
        assert_eq!(cached(&long, &expected[0]), 387, "{blocks} blocks");
        assert_eq!(cached(&other, &expected[1]), start, "{blocks} blocks");
        assert_eq!(engine.stats().num_preemptions, 0);
        // Only what the next token sees goes out, and is enough to go on.
        let saved = engine.save(&other.prompt, "");
        assert_eq!(saved.tokens, other.prompt);
        assert_eq!(saved.bytes.len(), (3 + 2) * 64 * 8, "positions from 81 on");
        let mut fresh = windowed(4);
        fresh.restore(&saved, "").expect("there is room");
        fresh.check();
        let inbox = run(&mut fresh, &other);
        assert_eq!(inbox.text(), expected[1]);
        let usage = inbox.end().expect("it has ended").usage;
        assert_eq!(usage.cached_tokens, 179);
    }
}

#[test]
fn a_draft_model_saves_steps_and_changes_no_text() {
    for temp in [0.0, 0.8, 1.5] {
        let requests: Vec<Request> = (0..4)
            .map(|seed| Request {
                sampler: SamplerParams {
                    seed,
                    temp,
                    logprobs: [None, Some(1)][seed as usize % 2],
                    ..SamplerParams::default()
                },
                max_tokens: Some(120),
                ..request(30 + 70 * seed as usize)
            })
            .collect();
        let run_all = |draft: Option<f32>| {
            let mut engine = engine();
            if let Some(habit) = draft {
                let mut backend = Fake::new(40, 200, 10, Clock::default());
                backend.habit = habit;
                engine = engine.with_draft(Box::new(backend));
            }
            let inboxes: Vec<Inbox> = requests.iter().map(|_| Inbox::default()).collect();
            for (request, inbox) in requests.iter().zip(&inboxes) {
                let id = engine.submit(request, None, Box::new(inbox.clone()));
                id.expect("it can be carried out");
            }
            while engine.step() {
                engine.check();
            }
            let texts: Vec<_> = inboxes.iter().map(|i| (i.text(), tokens(i))).collect();
            (texts, engine.stats())
        };
        let (expected, plain) = run_all(None);
        // The same model draws the same: all guesses are right.
        let (texts, stats) = run_all(Some(0.0));
        assert_eq!(texts, expected);
        assert!(
            stats.num_steps * 3 < plain.num_steps * 2 && stats.drafted_tokens > 300,
            "{stats:?} {plain:?}"
        );
        assert!(
            stats.accepted_tokens * 10 > stats.drafted_tokens * 9,
            "{stats:?}"
        );
        // One of other habits is mostly wrong, and soon let be.
        let (texts, stats) = run_all(Some(30.0));
        assert_eq!(texts, expected);
        assert!(stats.drafted_tokens < 200, "{stats:?}");
    }
}
