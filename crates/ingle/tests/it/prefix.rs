//! Cached beginnings in files.

use std::fs;
use std::path::PathBuf;

use formats::gguf::Value;
use ingle::{Error, KvType, Model, ModelBuilder, PrefixError, Reply};
use testkit::Random;

use crate::files::{TempFile, greedy, stories, stories_parts};

/// A path that is nobody else's, with nothing there; removed at the end.
struct TempPath(PathBuf);

impl TempPath {
    fn new(name: &str) -> Self {
        let name = format!("ingle-test-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn tokens(model: &Model) -> Vec<u32> {
    let text = "Once upon a time, there was a little girl named Lily. She had a red ball. ";
    model.tokenizer().encode(&text.repeat(9), true, true)
}

fn go_on(model: &Model, tokens: &[u32], salt: &str) -> Reply {
    let request = model.complete_tokens(tokens.to_vec()).cache_salt(salt);
    let request = request.sampler(greedy()).max_tokens(30).logprobs(2);
    request.run().unwrap()
}

fn small(builder: ModelBuilder) -> ModelBuilder {
    builder.ctx(400).parallel(2).threads(1)
}

#[test]
fn another_process_goes_on_with_the_same_bits() {
    // Every layer of this one sees less than the prompt has.
    let mut parts = stories_parts();
    let key = "llama.attention.sliding_window";
    parts.metadata.insert(key, Value::U32(100));
    let windowed = TempFile::new("windowed.gguf", &parts.write());
    let builders: [(&str, &dyn Fn() -> ModelBuilder); 3] = [
        ("f16.kv", &|| small(stories())),
        ("q8.kv", &|| small(stories()).kv_type(KvType::Q8)),
        ("window.kv", &|| small(Model::builder(windowed.name()))),
    ];
    for (name, builder) in builders {
        let file = TempPath::new(name);
        let first = builder().load().unwrap();
        let prompt = tokens(&first);
        let expected = go_on(&first, &prompt, "");
        assert_eq!(
            first.prefixes().save(&prompt, &file.0).unwrap(),
            prompt.len()
        );
        let second = builder().load().unwrap();
        let restore = || second.prefixes().cache_salt("x").restore(&file.0);
        assert_eq!(restore().unwrap(), prompt);
        assert_eq!(restore().unwrap(), prompt, "twice is no harm");
        for (salt, cached) in [("", 0), ("x", prompt.len() - 1)] {
            let reply = go_on(&second, &prompt, salt);
            assert_eq!(reply.usage.cached_tokens, cached, "salt `{salt}`");
            assert_eq!(
                (&reply.text, &reply.tokens),
                (&expected.text, &expected.tokens)
            );
        }
        // Over the file that is there, from another cache, in an async program.
        let second = second.prefixes().cache_salt("x");
        let num_saved = pollster::block_on(second.save_async(&prompt[..100], &file.0));
        assert_eq!(num_saved.unwrap(), 100);
        first.clear_cache().unwrap();
        let restored = pollster::block_on(first.prefixes().restore_async(&file.0));
        assert_eq!(restored.unwrap(), prompt[..100]);
        let reply = go_on(&first, &prompt, "");
        assert_eq!(reply.usage.cached_tokens, 100);
        assert_eq!((reply.text, reply.tokens), (expected.text, expected.tokens));
    }
}

#[test]
fn other_models_and_settings_are_refused() {
    let file = TempPath::new("others.kv");
    let model = small(stories()).load().unwrap();
    let prompt = tokens(&model);
    model.prefixes().save(&prompt, &file.0).unwrap();
    let refused = |builder: ModelBuilder| {
        let model = builder.load().unwrap();
        let error = model
            .prefixes()
            .restore(&file.0)
            .expect_err("another model");
        let Error::Prefix { error, .. } = error else {
            panic!("{error}");
        };
        assert!(matches!(error, PrefixError::OtherModel), "{error}");
    };
    refused(small(stories()).ctx(399));
    refused(small(stories()).kv_type(KvType::Q8));
    // One weight is another.
    let mut parts = stories_parts();
    parts.tensor("blk.2.ffn_up.weight").data[10] ^= 1;
    let changed = TempFile::new("changed.gguf", &parts.write());
    refused(small(Model::builder(changed.name())));
    let missing = TempPath::new("missing.kv");
    assert!(model.prefixes().restore(&missing.0).is_err());
    let nowhere = missing.0.join("below.kv");
    assert!(model.prefixes().save(&[1, 2], &nowhere).is_err());
}

#[test]
fn damaged_files_are_refused() {
    let (file, damaged) = (TempPath::new("whole.kv"), TempPath::new("damaged.kv"));
    let model = small(stories()).load().unwrap();
    let prompt = &tokens(&model)[..70];
    model.prefixes().save(prompt, &file.0).unwrap();
    let whole = fs::read(&file.0).unwrap();
    let mut random = Random::new(3);
    let mut wrong = Vec::new();
    let ends = (0..400).chain((1..50).map(|n| whole.len() - n));
    wrong.extend(ends.map(|len| whole[..len].to_vec()));
    wrong.push([&whole[..], &[0]].concat());
    let mut places: Vec<usize> = (0..400).collect();
    places.extend((0..100).map(|_| random.below(whole.len())));
    for at in places {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.below(8);
        wrong.push(bytes);
    }
    let mut huge = whole.clone();
    huge[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
    wrong.push(huge);
    for bytes in &wrong {
        fs::write(&damaged.0, bytes).unwrap();
        let error = model
            .prefixes()
            .restore(&damaged.0)
            .expect_err("it is damaged");
        assert!(matches!(error, Error::Prefix { .. }), "{error}");
        assert!(error.to_string().contains("damaged.kv"), "{error}");
    }
    fs::write(&damaged.0, &whole).unwrap();
    assert_eq!(model.prefixes().restore(&damaged.0).unwrap(), prompt);
    // Nothing else was left behind.
    let name = file.0.file_name().unwrap().to_string_lossy().into_owned();
    let entries = fs::read_dir(std::env::temp_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let beside: Vec<String> = names.filter(|other| other.starts_with(&name)).collect();
    assert_eq!(beside, [name]);
}
