//! The state of one reply: clones, forced tokens, ends.

use engine::grammar::{Grammar, GrammarSpec};
use serde_json::json;

use crate::support::{Kit, Rng, allowed, llama, qwen};

fn person() -> GrammarSpec {
    GrammarSpec::JsonSchema(json!({
        "type": "object",
        "properties": {
            "first_name": {"type": "string", "maxLength": 12},
            "date_of_birth": {"type": "string", "format": "date"},
            "favourite_colours": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 2}
        },
        "required": ["first_name", "date_of_birth", "favourite_colours"],
        "additionalProperties": false
    }))
}

#[test]
fn a_clone_goes_on_as_the_original() {
    for kit in [qwen(), llama()] {
        let mut rng = Rng(3);
        let mut original = kit.compile(person()).expect("it compiles");
        for step in 0..60 {
            let mut clone = original.clone();
            // The clone runs ahead, as a draft does; the original must not notice.
            for _ in 0..3 {
                if clone.is_stopped() {
                    break;
                }
                let set = allowed(&mut clone);
                clone
                    .commit(set[rng.below(set.len())])
                    .expect("it is allowed");
            }
            let mut second = original.clone();
            if original.is_stopped() {
                break;
            }
            let set = allowed(&mut original);
            assert_eq!(set, allowed(&mut second), "step {step}");
            assert_eq!(original.forced(), second.forced());
            let token = set[rng.below(set.len())];
            original.commit(token).expect("it is allowed");
        }
    }
}

/// Text written with forced tokens taken at once, and how many there were.
fn write_forced(kit: &Kit, grammar: &mut Grammar, seed: u64) -> (Vec<u32>, usize) {
    let mut rng = Rng(seed);
    let (mut tokens, mut num_forced) = (Vec::new(), 0);
    while !grammar.is_stopped() && tokens.len() < 500 {
        let forced = grammar.forced();
        if forced.is_empty() {
            let set = allowed(grammar);
            let token = set[rng.below(set.len())];
            grammar.commit(token).expect("it is allowed");
            if kit.tokenizer.is_eog(token) {
                break;
            }
            tokens.push(token);
        } else {
            num_forced += forced.len();
            for token in forced {
                grammar.commit(token).expect("it was forced");
                tokens.push(token);
            }
        }
    }
    (tokens, num_forced)
}

#[test]
fn forced_tokens_are_what_masks_would_have_led_to() {
    for kit in [qwen(), llama()] {
        for seed in 0..6 {
            let start = kit.compile(person()).expect("it compiles");
            let (tokens, num_forced) = write_forced(kit, &mut start.clone(), seed);
            assert!(num_forced > 6, "{num_forced} of {}", tokens.len());
            // Step by step every one of them is allowed, and forced ones are the only ones.
            let mut grammar = start.clone();
            let mut num_single = 0;
            for &token in &tokens {
                let set = allowed(&mut grammar);
                assert!(set.contains(&token));
                num_single += usize::from(set.len() == 1);
                grammar.commit(token).expect("it is allowed");
            }
            assert!(
                num_single >= num_forced,
                "{num_single} masks of one token, {num_forced} forced"
            );
        }
    }
}

#[test]
fn forced_text_is_how_the_tokenizer_writes_it() {
    for kit in [qwen(), llama()] {
        let text = "The quick brown fox, 1234 times.";
        let spec = GrammarSpec::Regex(format!("({text}|X)"));
        let mut grammar = kit.compile(spec).expect("it compiles");
        assert_eq!(grammar.forced(), [0_u32; 0], "two texts are possible");
        let first = kit.tokenizer.encode("The", false, false);
        let first = *first.last().expect("a token");
        // `▁The` begins with a space, which the grammar does not allow; `The` may have a token of its own.
        let first = kit.tokenizer.token_id("The").unwrap_or(first);
        grammar.commit(first).expect("it begins so");
        let mut written = vec![first];
        written.extend(grammar.forced());
        let bytes: Vec<u8> = written
            .iter()
            .flat_map(|&id| kit.tokenizer.token_bytes(id))
            .collect();
        assert!(text.as_bytes().starts_with(&bytes) && bytes.len() + 8 >= text.len());
        let rest: Vec<u32> = kit
            .tokenizer
            .encode(text, false, false)
            .into_iter()
            .skip(1)
            .collect();
        assert!(
            rest.starts_with(&written[1..]) || rest.ends_with(&written[1..]),
            "{written:?} {rest:?}"
        );
    }
}

#[test]
fn the_end_is_seen() {
    let kit = qwen();
    let mut grammar = kit
        .compile(GrammarSpec::Regex("ab?".into()))
        .expect("it compiles");
    assert!(!grammar.is_accepting() && !grammar.is_stopped());
    let id = |text: &str| kit.tokenizer.encode(text, false, false)[0];
    let eog = kit.tokenizer.eog_ids();
    assert!(eog.len() >= 2, "the vocabulary has several ends");
    assert!(
        eog.iter().all(|&id| grammar.commit(id).is_err()),
        "too early"
    );
    grammar.commit(id("a")).expect("it is allowed");
    assert!(grammar.is_accepting() && !grammar.is_stopped());
    let set = allowed(&mut grammar);
    assert!(
        eog.iter().all(|id| set.contains(id)),
        "all ends are allowed"
    );
    let mut ended = grammar.clone();
    ended.commit(eog[1]).expect("any end will do");
    assert!(ended.is_stopped() && ended.is_accepting());
    assert_eq!(
        allowed(&mut ended),
        eog,
        "nothing but the end comes after the end"
    );
    assert!(ended.commit(id("b")).is_err());
    grammar.commit(id("b")).expect("it is allowed");
    assert!(
        grammar.is_stopped() && grammar.is_accepting(),
        "nothing can follow"
    );
}
