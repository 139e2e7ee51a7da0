//! What programs can ask of a model, on one small enough for any machine.

use std::pin::Pin;

use futures_core::Stream;
use ingle::{Chat, Error, FinishReason, Message, Model, SamplerParams};

use crate::files::{always, greedy, stories};

const PROMPT: &str = "Once upon a time, there was a little";
const TEMPLATE: &str = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n\
    {% endfor %}{% if add_generation_prompt %}{{ mood | default('calm') }} assistant:{% endif %}";

fn load() -> Model {
    stories().load().unwrap()
}

fn text(model: &Model, prompt: &str) -> String {
    model
        .complete(prompt)
        .sampler(greedy())
        .max_tokens(60)
        .run()
        .unwrap()
        .text
}

#[test]
fn chat_goes_through_the_template() {
    let model = stories().chat_template(TEMPLATE).load().unwrap();
    let ask = |chat: Chat| model.chat(chat).sampler(greedy()).max_tokens(30);
    let complete = |prompt: &str| {
        model
            .complete(prompt)
            .sampler(greedy())
            .max_tokens(30)
            .run()
    };
    let same = |reply: ingle::Reply, prompt: &str| {
        let plain = complete(prompt).unwrap();
        assert_eq!(reply.text, plain.text);
        assert_eq!(reply.usage.prompt_tokens, plain.usage.prompt_tokens);
    };
    same(ask("Hi".into()).run().unwrap(), "user: Hi\ncalm assistant:");
    let told = ask("Hi".into()).system("Be brief").run().unwrap();
    same(told, "system: Be brief\nuser: Hi\ncalm assistant:");
    let turns = vec![
        Message::user("a"),
        Message::assistant("b"),
        Message::user("c"),
    ];
    same(
        ask(turns.into()).run().unwrap(),
        "user: a\nassistant: b\nuser: c\ncalm assistant:",
    );
    let gay = ask("Hi".into())
        .template_variable("mood", "gay".into())
        .run()
        .unwrap();
    same(gay, "user: Hi\ngay assistant:");
}

#[test]
fn pieces_add_up_to_the_whole() {
    let model = load();
    let whole = model
        .complete(PROMPT)
        .sampler(greedy())
        .max_tokens(60)
        .run()
        .unwrap();
    let mut stream = model
        .complete(PROMPT)
        .sampler(greedy())
        .max_tokens(60)
        .stream()
        .unwrap();
    assert!(stream.usage().is_none(), "not before the end");
    let pieces: Vec<String> = stream.by_ref().map(Result::unwrap).collect();
    assert!(
        pieces.len() > 20 && pieces.iter().all(|piece| !piece.is_empty()),
        "{pieces:?}"
    );
    assert_eq!(pieces.concat(), whole.text);
    assert_eq!(stream.finish_reason(), Some(FinishReason::Length));
    assert_eq!(stream.usage().map(|usage| usage.generated_tokens), Some(60));
    assert!(stream.next().is_none(), "the end stays the end");
}

#[test]
fn stop_strings_end_the_text_before_them() {
    let model = load();
    let whole = text(&model, PROMPT);
    // Single tokens, ends of words and several words: anywhere in the text.
    let stops = ["Lily", "ily", ". She lo", "outside", " "];
    for stop in stops {
        let request = model.complete(PROMPT).sampler(greedy()).max_tokens(60);
        let reply = request
            .stop(vec!["nowhere".into(), stop.into()])
            .run()
            .unwrap();
        let (before, _) = whole
            .split_once(stop)
            .unwrap_or_else(|| panic!("{stop:?} in {whole}"));
        assert_eq!(
            (reply.text.as_str(), reply.finish_reason),
            (before, FinishReason::Stop)
        );
    }
    // The beginning of a stop string that never comes is text like any other.
    let request = model.complete(PROMPT).sampler(greedy()).max_tokens(60);
    let end: String = whole
        .chars()
        .rev()
        .take(3)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let reply = request
        .stop(vec![end.clone() + "~", String::new()])
        .run()
        .unwrap();
    assert_eq!(
        (reply.text, reply.finish_reason),
        (whole, FinishReason::Length)
    );
}

#[test]
fn lengths_are_kept() {
    let model = load();
    for n in [0, 1, 7] {
        let reply = model
            .complete(PROMPT)
            .max_tokens(n)
            .ignore_eos(true)
            .run()
            .unwrap();
        assert_eq!(
            (reply.usage.generated_tokens, reply.finish_reason),
            (n, FinishReason::Length)
        );
    }
    // Without a number: up to the end of the context.
    let small = stories().ctx(40).load().unwrap();
    assert_eq!(small.info().ctx, 40);
    let reply = small.complete(PROMPT).ignore_eos(true).run().unwrap();
    assert_eq!(reply.usage.prompt_tokens + reply.usage.generated_tokens, 40);
    assert_eq!(reply.finish_reason, FinishReason::Length);
}

#[test]
fn the_model_ends_its_turn_unless_told_otherwise() {
    let model = load();
    let eos = model.tokenizer().eos().expect("the vocabulary has one");
    let reply = model
        .complete(PROMPT)
        .sampler(always(eos))
        .max_tokens(9)
        .run()
        .unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.finish_reason),
        ("", FinishReason::Stop)
    );
    assert_eq!(reply.usage.generated_tokens, 1);
    let request = model
        .complete(PROMPT)
        .sampler(always(eos))
        .max_tokens(9)
        .ignore_eos(true);
    let reply = request.clone().run().unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.finish_reason),
        ("", FinishReason::Length)
    );
    assert_eq!(reply.usage.generated_tokens, 9);
    let shown = request.keep_special(true).run().unwrap().text;
    assert_eq!(shown, model.tokenizer().token_text(eos).unwrap().repeat(9));
}

#[test]
fn a_common_start_is_not_computed_again() {
    let model = load();
    let first = model
        .complete(PROMPT)
        .sampler(greedy())
        .max_tokens(40)
        .run()
        .unwrap();
    assert_eq!(first.usage.cached_tokens, 0);
    for prompt in [PROMPT, "Once upon a time, there was a big dog", "Once"] {
        let reply = model
            .complete(prompt)
            .sampler(greedy())
            .max_tokens(40)
            .run()
            .unwrap();
        assert!(reply.usage.cached_tokens > 0, "{prompt}");
        assert!(
            reply.usage.cached_tokens < reply.usage.prompt_tokens,
            "{prompt}"
        );
        let fresh = load()
            .complete(prompt)
            .sampler(greedy())
            .max_tokens(40)
            .run()
            .unwrap();
        assert_eq!(reply.text, fresh.text, "{prompt}");
    }
    // A conversation goes on: the reply is in the cache as well.
    let longer = format!("{PROMPT}{}", first.text);
    model
        .complete(PROMPT)
        .sampler(greedy())
        .max_tokens(40)
        .run()
        .unwrap();
    let reply = model
        .complete(longer.clone())
        .sampler(greedy())
        .max_tokens(20)
        .run()
        .unwrap();
    assert!(reply.usage.cached_tokens > first.usage.prompt_tokens);
    assert_eq!(
        reply.text,
        load()
            .complete(longer)
            .sampler(greedy())
            .max_tokens(20)
            .run()
            .unwrap()
            .text
    );
}

#[test]
fn same_seed_same_text() {
    let model = load();
    let draw = |seed| {
        let sampler = SamplerParams {
            seed,
            temp: 1.0,
            ..SamplerParams::default()
        };
        model
            .complete(PROMPT)
            .sampler(sampler)
            .max_tokens(40)
            .run()
            .unwrap()
            .text
    };
    let texts: Vec<String> = (0..4).map(draw).collect();
    for (seed, text) in (0..).zip(&texts) {
        assert_eq!(draw(seed), *text);
        assert_eq!(
            texts.iter().filter(|other| *other == text).count(),
            1,
            "{text}"
        );
    }
}

#[test]
fn a_dropped_stream_stops_the_computation() {
    let model = load();
    let expected = text(&model, PROMPT);
    // Before the first piece, and after it.
    for pieces in [0, 1] {
        let request = model
            .complete("The")
            .sampler(greedy())
            .ignore_eos(true)
            .max_tokens(400);
        let mut stream = request.stream().unwrap();
        assert_eq!(stream.by_ref().take(pieces).count(), pieces);
        // By then the computation waits for a reader: if it went on waiting, nothing would follow.
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(stream);
        assert_eq!(text(&model, PROMPT), expected);
    }
}

#[test]
fn clones_work_from_any_thread() {
    let model = load();
    let prompts = [PROMPT, "The dog", "One day, Lily and Tom"];
    let expected = prompts.map(|prompt| text(&load(), prompt));
    std::thread::scope(|scope| {
        for (prompt, expected) in prompts.iter().zip(&expected) {
            let model = model.clone();
            scope.spawn(move || {
                for _ in 0..3 {
                    assert_eq!(text(&model, prompt), *expected);
                }
            });
        }
    });
}

#[test]
fn a_stream_outlives_its_model() {
    let expected = text(&load(), PROMPT);
    let request = load().complete(PROMPT).sampler(greedy()).max_tokens(60);
    let stream = request.stream().unwrap();
    let found: String = stream.map(Result::unwrap).collect();
    assert_eq!(found, expected);
}

#[test]
fn async_siblings_do_the_same() {
    pollster::block_on(async {
        let model = stories().load_async().await.unwrap();
        let expected = text(&model, PROMPT);
        let request = model.complete(PROMPT).sampler(greedy()).max_tokens(60);
        assert_eq!(request.clone().run_async().await.unwrap().text, expected);
        let mut stream = request.stream_async().await.unwrap();
        let mut found = String::new();
        while let Some(piece) = next(&mut stream).await {
            found += &piece.unwrap();
        }
        assert_eq!(found, expected);
        assert_eq!(stream.finish_reason(), Some(FinishReason::Length));
        assert_eq!(stream.usage().map(|usage| usage.generated_tokens), Some(60));
        assert!(next(&mut stream).await.is_none(), "the end stays the end");

        let wrong = SamplerParams {
            temp: f32::NAN,
            ..greedy()
        };
        let refused = model.complete("x").sampler(wrong).stream_async().await;
        assert!(matches!(refused, Err(Error::Request(_))));
    });
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

#[test]
fn keys_and_values_in_int8_take_half_the_memory_and_tell_the_same_story() {
    use ingle::KvType;
    let (f16, int8) = (load(), stories().kv_type(KvType::Q8).load().unwrap());
    assert_eq!(
        (f16.info().kv_type, int8.info().kv_type),
        (KvType::F16, KvType::Q8)
    );
    let (most, least) = (f16.info().memory.kv, int8.info().memory.kv);
    // A scale of 4 bytes for a head of 8 elements: 12 bytes in place of 16.
    assert!(least < most && 2 * least > most, "{least} of {most}");
    assert_eq!(text(&f16, PROMPT), text(&int8, PROMPT));
}

#[test]
fn texts_become_vectors() {
    use ingle::Pooling;
    let model = load();
    let texts = ["Once upon a time", "There was a dog", "Once upon a time"];
    for pooling in Pooling::ALL {
        let vectors = model.embed(texts).pooling(pooling).run().unwrap();
        assert_eq!(vectors[0], vectors[2]);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!((dot(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-5);
        let alone = pollster::block_on(model.embed([texts[1]]).pooling(pooling).run_async());
        assert_eq!(alone.unwrap()[0], vectors[1]);
    }
    let raw = model.embed(texts).normalize(false).run().unwrap();
    assert_ne!(raw[0], model.embed(texts).run().unwrap()[0]);
    let long = "word ".repeat(600);
    let small = stories().ctx(64).load().unwrap();
    let error = small.embed([long]).run().unwrap_err();
    assert!(
        error.to_string().contains("the context has room for 64"),
        "{error}"
    );
}

#[test]
fn a_history_goes_before_the_prompt() {
    let model = stories().load().unwrap();
    let whole = model.complete("Once upon a time").tokens().unwrap();
    let first = model.complete("Once upon").tokens().unwrap();
    let second = model.complete(" a time").history(first.clone());
    let both = second.tokens().unwrap();
    assert_eq!(both[..first.len()], first);
    let bos = model.tokenizer().bos();
    let starts = both.iter().filter(|&&id| Some(id) == bos).count();
    assert_eq!(starts, 1, "the text begins once");
    let text = model.tokenizer().decode(&both, true);
    assert_eq!(
        text.replace("  ", " "),
        model.tokenizer().decode(&whole, true)
    );
    let reply = second.sampler(greedy()).max_tokens(3).run().unwrap();
    assert_eq!(reply.usage.prompt_tokens, both.len());
}
