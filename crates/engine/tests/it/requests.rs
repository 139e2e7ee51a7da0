//! What single requests ask for, over the fake backend.

use engine::sampler::SamplerParams;
use engine::{Engine, EngineOptions, Event, Request, RequestError, TokenInfo};

use crate::fake::{Clock, Fake, Inbox, tokenizer};

fn engine() -> Engine<Fake> {
    let clock = Clock::default();
    let options = EngineOptions {
        max_seq_len: 400,
        max_running: 4,
        max_waiting: 100,
        speculate: true,
    };
    let backend = Fake::new(40, 64, 10, clock.clone());
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
