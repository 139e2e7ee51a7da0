//! Requests and files that cannot work: an error that says why, and the model goes on.

use formats::gguf::Value;
use ingle::{Error, FinishReason, Model, SamplerParams};
use testkit::TinyModel;
use testkit::tiny::Parts;

use crate::files::{TempFile, always, greedy, stories, stories_parts};

fn error<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it works"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn a_request_too_long_for_the_context() {
    let model = stories().ctx(8).load().unwrap();
    let prompt = "One day, Lily and Tom went to the park with their mom and dad.";
    let num_tokens = model.tokenizer().encode(prompt, true, true).len();
    assert_says(
        &error(model.complete(prompt).run()),
        &[&num_tokens.to_string(), "8", "hint:"],
    );
    assert_says(&error(model.complete(prompt).stream()), &["context"]);
    // Exactly full is too long as well: there must be room for one token.
    let full = (1..=prompt.len())
        .filter(|&end| prompt.is_char_boundary(end))
        .map(|end| &prompt[..end])
        .find(|text| model.tokenizer().encode(text, true, true).len() == 8);
    assert_says(&error(model.complete(full.unwrap()).run()), &["8 tokens"]);
    let reply = model.complete("One").sampler(greedy()).run().unwrap();
    assert_eq!(
        reply.finish_reason,
        FinishReason::Length,
        "the model goes on"
    );
}

#[test]
fn parameters_out_of_range() {
    let model = stories().load().unwrap();
    for (sampler, field) in [
        (
            SamplerParams {
                temp: f32::NAN,
                ..greedy()
            },
            "`temp`",
        ),
        (
            SamplerParams {
                top_p: 1.5,
                ..greedy()
            },
            "`top_p`",
        ),
        (
            SamplerParams {
                repeat_last_n: -2,
                ..greedy()
            },
            "`repeat_last_n`",
        ),
        (
            SamplerParams {
                logit_bias: vec![(3, f32::NAN)],
                ..greedy()
            },
            "`logit_bias`",
        ),
    ] {
        let message = error(model.complete("One").sampler(sampler).run());
        assert_says(&message, &[field, "expected", "found"]);
    }
    assert_eq!(
        model
            .complete("One")
            .max_tokens(3)
            .run()
            .unwrap()
            .usage
            .generated_tokens,
        3
    );
}

#[test]
fn settings_that_make_no_model() {
    let max = stories().load().unwrap().info().max_seq_len;
    for ctx in [0, max + 1, usize::MAX] {
        assert_says(
            &error(stories().ctx(ctx).load()),
            &[&ctx.to_string(), &max.to_string()],
        );
    }
    let template = "{% for x in y %}";
    assert!(matches!(
        stories().chat_template(template).load(),
        Err(Error::Template(_))
    ));
    let failing = "{{ raise_exception('no turns like these') }}";
    let model = stories().chat_template(failing).load().unwrap();
    assert_says(&error(model.chat("Hi").run()), &["no turns like these"]);
}

#[test]
fn files_that_are_no_model() {
    let text = TempFile::new("text.gguf", b"Once upon a time");
    assert_says(
        &error(Model::load(text.name())),
        &[text.name(), "not a GGUF file"],
    );
    assert_says(
        &error(Model::load("./nowhere/nothing.gguf")),
        &["nowhere/nothing.gguf"],
    );
    let mut parts = stories_parts();
    parts.tensors.clear();
    let vocabulary = TempFile::new("vocabulary.gguf", &parts.write());
    assert_says(
        &error(Model::load(vocabulary.name())),
        &["token_embd.weight", "hint:"],
    );
    let weights = TempFile::new("weights.gguf", &TinyModel::default().parts().write());
    assert_says(&error(Model::load(weights.name())), &["tokenizer"]);
}

#[test]
fn chatting_without_a_template() {
    let model = stories().load().unwrap();
    assert!(model.chat_template().is_none());
    assert_says(
        &error(model.chat("Hi").run()),
        &["stories260K", "no chat template", "hint:"],
    );
}

#[test]
fn an_empty_prompt_needs_a_start_token() {
    let mut parts = stories_parts();
    parts
        .metadata
        .insert("tokenizer.ggml.add_bos_token", Value::Bool(false));
    let file = TempFile::new("no-bos.gguf", &parts.write());
    let model = Model::load(file.name()).unwrap();
    assert_says(&error(model.complete("").run()), &["the prompt is empty"]);
    assert_eq!(
        model
            .complete("One")
            .max_tokens(2)
            .run()
            .unwrap()
            .usage
            .prompt_tokens,
        1
    );
}

#[test]
fn vocabularies_and_weights_of_different_size() {
    let with_rows = |rows: usize| {
        let mut parts = TinyModel {
            vocab_size: rows,
            ..TinyModel::default()
        }
        .parts();
        let stories = stories_parts().metadata;
        let keys = stories
            .iter()
            .filter(|(key, _)| key.starts_with("tokenizer."));
        keys.for_each(|(key, value)| parts.metadata.insert(key, value.clone()));
        TempFile::new(&format!("{rows}-rows.gguf"), &parts.write())
    };
    let file = with_rows(511);
    assert_says(
        &error(Model::load(file.name())),
        &[
            file.name(),
            "`tokenizer.ggml.tokens` has 512 tokens",
            "at most 511",
        ],
    );
    // Padded embeddings are common: rows that no token has stand for nothing, whatever is asked.
    let file = with_rows(520);
    let model = Model::load(file.name()).unwrap();
    let sampler = SamplerParams {
        dry_multiplier: 1.0,
        ..always(515)
    };
    let reply = model
        .complete("One")
        .sampler(sampler)
        .max_tokens(5)
        .run()
        .unwrap();
    assert_eq!((reply.text.as_str(), reply.usage.generated_tokens), ("", 5));
    let error = model.complete("One").sampler(always(9999)).run();
    let message = error.expect_err("no such token").to_string();
    assert_eq!(
        message,
        "`logit_bias`: token 9999 is not of the vocabulary, which has 520"
    );
}

/// Each names the file, what is wrong in it, what was expected and what was found; folders have a test of their own.
#[test]
fn what_is_wrong_in_a_file_is_named_with_the_file() {
    let check = |name: &str, spoil: &dyn Fn(&mut Parts), says: &[&str]| {
        let mut parts = stories_parts();
        spoil(&mut parts);
        let file = TempFile::new(name, &parts.write());
        let message = error(Model::load(file.name()));
        assert_says(&message, &[file.name()]);
        assert_says(&message, says);
    };
    let missing = "blk.2.ffn_up.weight";
    check(
        "missing.gguf",
        &|parts| parts.tensors.retain(|tensor| tensor.name != missing),
        &["`blk.2.ffn_up.weight` is missing"],
    );
    check(
        "shape.gguf",
        &|parts| parts.tensor("output_norm.weight").shape = vec![32, 2],
        &["`output_norm.weight`", "[64]", "[32, 2]"],
    );
    check(
        "unknown.gguf",
        &|parts| {
            let name = Value::String("llama9".into());
            parts.metadata.insert("general.architecture", name);
        },
        &["`llama9` is not supported", "llama"],
    );
    check(
        "contradiction.gguf",
        &|parts| {
            let heads = Value::U32(3);
            parts
                .metadata
                .insert("llama.attention.head_count_kv", heads);
        },
        &["llama.attention.head_count_kv", "a divisor of 8", "found 3"],
    );
    check(
        "key.gguf",
        &|parts| {
            let layers = Value::String("five".into());
            parts.metadata.insert("llama.block_count", layers);
        },
        &["llama.block_count", "five"],
    );
    let whole = stories_parts().write();
    let file = TempFile::new("cut.gguf", &whole[..whole.len() - 5]);
    assert_says(
        &error(Model::load(file.name())),
        &[file.name(), "the file has"],
    );
}
