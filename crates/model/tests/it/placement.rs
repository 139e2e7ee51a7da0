//! Weights in memory of our own and weights read in every step: the same bits as from the mapping.

use std::path::PathBuf;

use formats::Gguf;
use model::placement::{OwnMemory, Placement};
use model::{Batch, KvCache, KvType, LoadError, LoadOptions, Model, NoProbe, Workspace};
use tensor::DType;
use testkit::distance::first_difference;
use testkit::{Random, TinyModel};

use crate::run::{level, logits};

/// A model's file, removed at the end of the test.
struct File(PathBuf);

impl File {
    fn new(test: &str, tiny: &TinyModel) -> Self {
        let path = std::env::temp_dir().join(format!("model-{test}-{}.gguf", std::process::id()));
        std::fs::write(&path, tiny.parts().write()).expect("writable");
        Self(path)
    }

    fn model(&self) -> Model {
        let gguf = Gguf::open(&self.0).expect("a sound file");
        let options = LoadOptions {
            num_threads: 2,
            level: Some(level()),
        };
        Model::load(&gguf, &options).expect("a sound model")
    }

    fn placed(&self, plan: OwnMemory) -> Model {
        let mut model = self.model();
        model.place(&Placement::Own(plan)).expect("readable");
        model
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tiny(tied: bool) -> TinyModel {
    TinyModel {
        n_layers: 6,
        tied,
        biases: &["attn", "ffn"],
        mixed: vec![("attn_v", DType::Q6_K), ("ffn_down", DType::Q5_0)],
        ..TinyModel::quantized(DType::Q4_K)
    }
}

fn plan(model: &Model, budget: u64) -> Result<OwnMemory, LoadError> {
    match Placement::plan(&model.weight_bytes(), budget)? {
        Placement::Own(plan) => Ok(plan),
        Placement::Mapped => panic!("{budget} bytes are not enough"),
    }
}

#[test]
fn the_bits_do_not_depend_on_how_weights_are_arranged() {
    for tied in [true, false] {
        let tiny = tiny(tied);
        let file = File::new(&format!("repacked-{tied}"), &tiny);
        let model = file.model();
        let tokens = Random::new(2).tokens(40, tiny.vocab_size);
        let expected = logits(&model, &tokens, 40);
        let work = model.repacking();
        assert!(
            work.bytes() > model.weight_bytes().total() / 2,
            "most can be"
        );
        work.run(2).expect("memory");
        assert_eq!(model.repacking().bytes(), 0, "all is done");
        for step in [40, 1, 7] {
            let found = logits(&model, &tokens, step);
            let differs = first_difference(&found, &expected);
            assert_eq!(differs, None, "tied={tied} step={step}");
        }
    }
    // Weights of a model that is gone are let be; what lies in memory of our own, too.
    let file = File::new("repacked-gone", &tiny(true));
    let model = file.model();
    let work = model.repacking();
    drop(model);
    work.run(1).expect("nothing to do");
    let gguf = tiny(true).build();
    let model = Model::load(&gguf, &LoadOptions::default()).expect("a sound model");
    assert_eq!(model.repacking().bytes(), 0);
}

#[test]
fn weights_that_are_only_in_memory_are_rearranged_there() {
    for tied in [true, false] {
        // Each tensor in memory of its own, as quantising leaves them.
        let (metadata, mut tensors) = tiny(tied).build().into_parts();
        for tensor in &mut tensors {
            tensor.data = tensor.data.to_vec().into();
        }
        let gguf = Gguf::from_parts(metadata, tensors).expect("as it was");
        let options = LoadOptions {
            num_threads: 2,
            level: Some(level()),
        };
        let mut model = Model::load(&gguf, &options).expect("a sound model");
        let tokens = Random::new(2).tokens(40, model.config().vocab_size);
        let expected = logits(&model, &tokens, 40);
        assert_eq!(model.repack_own(), 0, "the file has a part in all");
        drop(gguf);
        let bytes = model.repack_own();
        let total = model.weight_bytes();
        let layers: u64 = total.layers.iter().flatten().sum();
        assert!(
            bytes > total.output + layers / 2,
            "{bytes} of {layers} and {}",
            total.output
        );
        assert_eq!(model.repack_own(), 0, "all is done");
        assert_eq!(model.repacking().bytes(), 0, "nothing is mapped");
        for step in [40, 1, 7] {
            let found = logits(&model, &tokens, step);
            let differs = first_difference(&found, &expected);
            assert_eq!(differs, None, "tied={tied} step={step}");
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_where_weights_are() {
    for tied in [true, false] {
        let tiny = tiny(tied);
        let file = File::new(&format!("bits-{tied}"), &tiny);
        let mapped = file.model();
        let tokens = Random::new(2).tokens(40, tiny.vocab_size);
        let expected = logits(&mapped, &tokens, 40);
        let total = mapped.weight_bytes().total();
        let LoadError::Memory { needed, .. } = plan(&mapped, 0).expect_err("too little") else {
            panic!("another error");
        };
        for budget in [total - 1, total * 9 / 10, total / 2, needed] {
            let found = plan(&mapped, budget).expect("enough");
            for num_buffers in 1..=3 {
                let model = file.placed(OwnMemory {
                    num_buffers,
                    ..found.clone()
                });
                for step in [40, 1, 7] {
                    let found = logits(&model, &tokens, step);
                    assert_eq!(
                        first_difference(&found, &expected),
                        None,
                        "tied={tied} budget={budget} of {total}, {num_buffers} buffers, step={step}"
                    );
                }
            }
        }
    }
}

#[test]
fn streaming_begins_where_memory_ends() {
    let file = File::new("plans", &tiny(false));
    let model = file.model();
    let weights = model.weight_bytes();
    assert_eq!(
        Placement::plan(&weights, weights.total()).ok(),
        Some(Placement::Mapped)
    );
    let embedding = weights.embedding.expect("not tied");
    let held = plan(&model, weights.total() - embedding).expect("enough");
    assert_eq!((held.streamed_bytes, held.num_buffers), (0, 0));
    let found = plan(&model, weights.total() - embedding - 1).expect("enough");
    assert!(
        found.streamed_bytes > 0 && found.num_buffers == 2,
        "{found:?}"
    );
}

/// The next step after an error, and after a step that was given up, is right again.
#[test]
fn a_file_cut_short_is_an_error_that_passes() {
    for tied in [true, false] {
        let tiny = tiny(tied);
        let file = File::new(&format!("cut-{tied}"), &tiny);
        let tokens = Random::new(4).tokens(9, tiny.vocab_size);
        let expected = logits(&file.model(), &tokens, 9);
        let found = plan(&file.model(), file.model().weight_bytes().total() / 2).expect("enough");
        let model = file.placed(found);

        let whole = std::fs::read(&file.0).expect("readable");
        let cut = std::fs::File::options()
            .write(true)
            .open(&file.0)
            .expect("writable");
        // What was read ahead by now is still good, so it may be a few steps until it is noticed.
        cut.set_len(whole.len() as u64 / 4).expect("writable");
        let step = || {
            let mut cache = KvCache::new(model.config(), KvType::F16, 1, 1);
            let mut workspace = Workspace::new(model.config(), 9, 9);
            let mut batch = Batch::of_sequence(&tokens, 0, &[0]);
            batch.outputs = (0..9).collect();
            let logits = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
            logits.map(<[f32]>::to_vec)
        };
        let error = (0..3)
            .find_map(|_| step().err())
            .expect("the file is too short");
        let text = error.to_string();
        assert!(
            text.contains("cannot read") && text.contains("model-cut"),
            "{text}"
        );
        step().expect_err("still too short");

        std::fs::write(&file.0, &whole).expect("writable");
        for _ in 0..2 {
            let found = step().expect("whole again");
            assert_eq!(first_difference(&found, &expected), None, "tied={tied}");
        }
    }
}

#[test]
fn an_embedding_row_that_is_gone_is_an_error() {
    let tiny = tiny(false);
    let file = File::new("row", &tiny);
    let weights = file.model().weight_bytes();
    // Everything but the embedding is in memory, and that is the first tensor of the file.
    let model = file.placed(plan(&file.model(), weights.total() - 1).expect("enough"));
    let embedding = model.linears().next().expect("there is one");
    let mut row = vec![0.0; tiny.d_model];
    embedding
        .row(tiny.vocab_size - 1, &mut row)
        .expect("readable");
    std::fs::File::create(&file.0).expect("writable");
    let error = embedding
        .row(tiny.vocab_size - 1, &mut row)
        .expect_err("gone");
    assert_eq!(error.error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn two_users_take_turns() {
    let tiny = tiny(true);
    let file = File::new("turns", &tiny);
    let total = file.model().weight_bytes().total();
    let model = file.placed(plan(&file.model(), total / 2).expect("enough"));
    let tokens = Random::new(7).tokens(20, tiny.vocab_size);
    let expected = logits(&file.model(), &tokens, 20);
    std::thread::scope(|scope| {
        for step in [1, 3] {
            let (model, tokens, expected) = (&model, &tokens, &expected);
            scope.spawn(move || {
                let found = logits(model, tokens, step);
                assert_eq!(first_difference(&found, expected), None, "step={step}");
            });
        }
    });
}

#[test]
fn a_model_in_memory_stays_where_it_is() {
    let tiny = tiny(false);
    let gguf = tiny.build();
    let options = LoadOptions {
        num_threads: 1,
        ..LoadOptions::default()
    };
    let mut model = Model::load(&gguf, &options).expect("a sound model");
    let tokens = Random::new(3).tokens(5, tiny.vocab_size);
    let expected = logits(&model, &tokens, 5);
    let found = plan(&model, model.weight_bytes().total() / 2).expect("enough");
    model.place(&Placement::Own(found)).expect("nothing to do");
    assert_eq!(
        first_difference(&logits(&model, &tokens, 5), &expected),
        None
    );
}
