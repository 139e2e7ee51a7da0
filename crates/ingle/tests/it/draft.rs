//! A second model that guesses.

use formats::gguf::{Array, Strings, Value};
use ingle::{DraftError, Error, Model, Reply, SamplerParams};
use testkit::golden;

use crate::files::{TempFile, stories, stories_parts};

fn path() -> String {
    let path = golden::path("models/stories260K-f32.gguf");
    path.to_str().unwrap().to_owned()
}

fn tell(model: &Model, temp: f32) -> Vec<Reply> {
    let sampler = SamplerParams {
        temp,
        seed: 7,
        ..SamplerParams::default()
    };
    let request = model.complete("Once upon a time").sampler(sampler);
    request.max_tokens(150).logprobs(1).n(3).run_all().unwrap()
}

#[test]
fn guesses_of_another_model_change_no_text() {
    let plain = stories().ctx(256).speculate(false).load().unwrap();
    // Another model of the same tokens: the same with a layer less.
    let mut parts = stories_parts();
    parts
        .tensors
        .retain(|tensor| !tensor.name.starts_with("blk.4."));
    parts.metadata.insert("llama.block_count", Value::U32(4));
    let shorter = TempFile::new("shorter.gguf", &parts.write());
    for temp in [0.0, 0.8] {
        let expected = tell(&plain, temp);
        for draft in [&path(), shorter.name()] {
            let model = stories().ctx(256).draft(draft).load().unwrap();
            assert_eq!(model.info().draft.as_deref(), Some(draft));
            assert!(model.info().memory.total() > plain.info().memory.total());
            let found = tell(&model, temp);
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(
                    (&found.text, &found.tokens),
                    (&expected.text, &expected.tokens)
                );
            }
            assert!(model.stats().unwrap().drafted_tokens > 0);
        }
    }
}

#[test]
fn models_that_cannot_guess_are_refused() {
    let error = |builder: ingle::ModelBuilder| match builder.ctx(64).load() {
        Err(Error::Draft { name, error }) => {
            assert!(!name.is_empty());
            error
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it loads"),
    };
    assert_eq!(
        error(stories().draft(path()).speculate(false)),
        DraftError::Off
    );
    let mut parts = stories_parts();
    let Some(Value::Array(tokens)) = parts.metadata.get("tokenizer.ggml.tokens").cloned() else {
        panic!("a vocabulary");
    };
    let Array::String(tokens) = tokens else {
        panic!("of texts");
    };
    let mut changed = Strings::default();
    for (id, token) in tokens.iter().enumerate() {
        match id {
            400 => changed.push("another"),
            _ => changed.push(token),
        }
    }
    let changed = Value::Array(Array::String(changed));
    parts.metadata.insert("tokenizer.ggml.tokens", changed);
    let other = TempFile::new("other-tokens.gguf", &parts.write());
    let found = error(stories().draft(other.name()));
    assert!(
        matches!(found, DraftError::Token { id: 400, .. }),
        "{found}"
    );
    assert!(stories().ctx(64).draft("./nowhere.gguf").load().is_err());
}
