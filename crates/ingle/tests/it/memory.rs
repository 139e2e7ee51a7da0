//! A model larger than the memory allowed: the same text, and an error that passes when its file is cut.

use ingle::model::Placement;
use ingle::{Error, Model};
use testkit::golden;

use crate::files::{TempFile, greedy, stories};

/// Bytes with which about half of the weights are streamed.
fn too_little() -> u64 {
    let need = stories()
        .ctx(256)
        .kv_tokens(256)
        .load()
        .unwrap()
        .info()
        .memory;
    need.total() - need.weights / 2
}

fn reply(model: &Model) -> Result<String, Error> {
    let request = model.complete("Once upon a time").sampler(greedy());
    Ok(request.max_tokens(40).run()?.text)
}

#[test]
fn streamed_weights_give_the_same_text() {
    let expected = reply(&stories().ctx(256).kv_tokens(256).load().unwrap()).unwrap();
    let model = stories()
        .ctx(256)
        .kv_tokens(256)
        .memory(too_little())
        .load()
        .unwrap();
    let info = model.info();
    assert!(info.memory.total() <= too_little());
    let Placement::Own(plan) = &info.placement else {
        panic!("it does not fit");
    };
    assert!(plan.streamed_bytes > 0, "{plan:?}");
    assert_eq!(reply(&model).unwrap(), expected);
}

#[test]
fn a_file_that_is_cut_fails_the_request_and_not_the_program() {
    let whole = golden::bytes("models/stories260K-f32.gguf");
    let file = TempFile::new("cut.gguf", &whole);
    let model = Model::builder(file.name())
        .ctx(256)
        .kv_tokens(256)
        .memory(too_little());
    let model = model.load().unwrap();
    let expected = reply(&model).unwrap();
    let cut = std::fs::File::options().write(true).open(file.name());
    cut.and_then(|cut| cut.set_len(300_000)).unwrap();
    let error = reply(&model).expect_err("weights are missing");
    assert!(
        matches!(&error, Error::Request(engine::RequestError::Read(_))),
        "{error:?}"
    );
    assert!(error.to_string().contains("cut.gguf"), "{error}");
    std::fs::write(file.name(), whole).unwrap();
    assert_eq!(reply(&model).unwrap(), expected);
}
