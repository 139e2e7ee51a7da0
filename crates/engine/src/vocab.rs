//! The tokenizer of a GGUF file, from its `tokenizer.ggml.*` keys (ggml `docs/gguf.md`) alone.
//!
//! Only metadata is read, so files that hold nothing but a vocabulary work too. What the keys mean, and
//! what holds where they are missing, is `tokenizer`'s business.

use formats::{Array, Metadata};
use thiserror::Error as ThisError;
use tokenizer::{SpecialIds, Tokenizer, VocabTables};

/// Why a file has no usable tokenizer.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A key holds a value of the wrong type.
    #[error(transparent)]
    Metadata(#[from] formats::Error),
    /// The tables do not make a tokenizer.
    #[error("tokenizer: {0}")]
    Tables(#[from] tokenizer::Error),
}

/// Builds the tokenizer that `metadata` describes.
///
/// # Errors
/// If a key has the wrong type, the kind or pre-tokenizer is unknown, or the tables do not fit together.
pub fn tokenizer_from_gguf(metadata: &Metadata) -> Result<Tokenizer, Error> {
    Ok(Tokenizer::new(tables_from_gguf(metadata)?)?)
}

/// Copies the tokenizer keys, unchecked but for their types.
fn tables_from_gguf(metadata: &Metadata) -> Result<VocabTables, Error> {
    let kind: String = text(metadata, "tokenizer.ggml.model")?;
    let scores: Vec<f32> = metadata.opt("tokenizer.ggml.scores")?.unwrap_or_default();
    Ok(VocabTables {
        pre: text(metadata, "tokenizer.ggml.pre")?,
        tokens: metadata.opt("tokenizer.ggml.tokens")?.unwrap_or_default(),
        scores: scores.into_iter().map(f64::from).collect(),
        token_types: metadata
            .opt("tokenizer.ggml.token_type")?
            .unwrap_or_default(),
        merges: metadata.opt("tokenizer.ggml.merges")?.unwrap_or_default(),
        special: special_ids(metadata, kind == "bert")?,
        add_bos: metadata.opt("tokenizer.ggml.add_bos_token")?,
        add_eos: metadata.opt("tokenizer.ggml.add_eos_token")?,
        add_sep: metadata.opt("tokenizer.ggml.add_sep_token")?,
        add_space_prefix: metadata.opt("tokenizer.ggml.add_space_prefix")?,
        remove_extra_whitespaces: metadata.opt("tokenizer.ggml.remove_extra_whitespaces")?,
        lowercase: metadata.opt("tokenizer.ggml.normalizer.lowercase")?,
        strip_accents: metadata.opt("tokenizer.ggml.normalizer.strip_accents")?,
        precompiled_charsmap: bytes(metadata, "tokenizer.ggml.precompiled_charsmap")?,
        model_name: text(metadata, "general.name")?,
        eog: Vec::new(),
        rules: None,
        kind,
    })
}

/// Ids of tokens with a role. BERT files call their first token CLS; fill-in-the-middle has old names.
fn special_ids(metadata: &Metadata, is_bert: bool) -> Result<SpecialIds, Error> {
    // Some writers store -1 for "none".
    let id = |role: &str| -> Result<Option<u32>, Error> {
        let id: Option<i64> = metadata.opt(&format!("tokenizer.ggml.{role}_token_id"))?;
        Ok(id.and_then(|id| u32::try_from(id).ok()))
    };
    let either = |role: &str, old: &str| Ok::<_, Error>(id(role)?.or(id(old)?));
    Ok(SpecialIds {
        bos: if is_bert {
            either("bos", "cls")?
        } else {
            id("bos")?
        },
        eos: id("eos")?,
        eot: id("eot")?,
        eom: id("eom")?,
        unk: id("unknown")?,
        sep: either("seperator", "separator")?, // the first spelling is the standard's
        pad: id("padding")?,
        mask: id("mask")?,
        fim_pre: either("fim_pre", "prefix")?,
        fim_suf: either("fim_suf", "suffix")?,
        fim_mid: either("fim_mid", "middle")?,
        fim_pad: id("fim_pad")?,
        fim_rep: id("fim_rep")?,
        fim_sep: id("fim_sep")?,
    })
}

/// A string; empty if there is no such key.
fn text(metadata: &Metadata, key: &str) -> Result<String, Error> {
    Ok(metadata.opt(key)?.unwrap_or_default())
}

/// An array of bytes, signed or not; empty if there is no such key.
fn bytes(metadata: &Metadata, key: &str) -> Result<Vec<u8>, Error> {
    Ok(match metadata.opt::<&Array>(key)? {
        None => Vec::new(),
        Some(Array::I8(bytes)) => bytes.iter().map(|&byte| byte.cast_unsigned()).collect(),
        Some(_) => metadata.require(key)?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;

    use formats::{Gguf, Value};

    use super::*;

    fn golden(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../golden/vocab")
            .join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn tokenizer(name: &str) -> Tokenizer {
        let mut bytes = Vec::new();
        let packed = golden(&format!("{name}.gguf.gz"));
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_end(&mut bytes)
            .unwrap();
        tokenizer_from_gguf(Gguf::parse(bytes).unwrap().metadata()).unwrap()
    }

    /// llama.cpp's own cases, whose ids come from each model's Hugging Face tokenizer.
    fn check(name: &str) {
        let tokenizer = tokenizer(name);
        let texts = String::from_utf8(golden("cases.inp")).unwrap();
        let ids = String::from_utf8(golden(&format!("{name}.out"))).unwrap();
        let texts: Vec<&str> = texts.split_terminator("\n__ggml_vocab_test__\n").collect();
        assert_eq!(texts.len(), ids.lines().count());
        for (text, line) in texts.into_iter().zip(ids.lines()) {
            let expected: Vec<u32> = line
                .split_whitespace()
                .map(|id| id.parse().unwrap())
                .collect();
            let found = tokenizer.encode(text, false, false);
            let words = |ids: &[u32]| {
                let words = ids
                    .iter()
                    .map(|&id| tokenizer.token_text(id).unwrap_or("?").to_owned());
                words.collect::<Vec<_>>()
            };
            assert_eq!(words(&found), words(&expected), "{name}: {text:?}");
            assert_eq!(found, expected, "{name}: {text:?}");
            let lossless = !matches!(name, "bert-bge");
            if lossless {
                assert_eq!(
                    tokenizer.decode(&found, false),
                    text,
                    "{name}: decoding {text:?}"
                );
            }
        }
    }

    macro_rules! vocabularies {
        ($($test:ident $name:literal)*) => {$(
            #[test]
            fn $test() {
                check($name);
            }
        )*};
    }

    vocabularies! {
        bert_bge "bert-bge"
        deepseek_llm "deepseek-llm"
        gpt_2 "gpt-2"
        llama_bpe "llama-bpe"
        llama_spm "llama-spm"
        mpt "mpt"
        phi_3 "phi-3"
        qwen2 "qwen2"
    }

    /// Against SentencePiece itself.
    #[test]
    fn unigram() {
        let tokenizer = tokenizer("unigram");
        let cases: serde_json::Value = serde_json::from_slice(&golden("unigram.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            assert_eq!(tokenizer.encode(text, false, false), expected, "{text:?}");
        }
        assert_eq!(tokenizer.encode("", true, false), [1]);
    }

    #[test]
    fn control_tokens_are_read_only_when_asked_for() {
        let tokenizer = tokenizer("llama-bpe");
        let eot = tokenizer.token_id("<|eot_id|>").unwrap();
        assert_eq!(tokenizer.encode("hi<|eot_id|>", false, true), [6151, eot]);
        assert!(
            !tokenizer
                .encode("hi<|eot_id|>", false, false)
                .contains(&eot)
        );
        assert_eq!(tokenizer.encode("hi", true, false), [128_000, 6151]);
        assert!(tokenizer.is_eog(eot) && tokenizer.is_control(eot));
        assert!(tokenizer.is_eog(tokenizer.eos().unwrap()));
        assert_eq!(tokenizer.decode(&[128_000, 6151, eot], true), "hi");
        assert_eq!(
            tokenizer.decode(&[128_000, 6151, eot], false),
            "<|begin_of_text|>hi<|eot_id|>"
        );
    }

    #[test]
    fn sentencepiece_writes_plain_text_control_names_as_text() {
        let tokenizer = tokenizer("llama-spm");
        let ids = tokenizer.encode("<s>a</s>", false, false);
        assert!(!ids.contains(&1) && !ids.contains(&2), "{ids:?}");
        assert_eq!(tokenizer.decode(&ids, true), "<s>a</s>");
        assert_eq!(tokenizer.encode("<s>a</s>", true, true)[..2], [1, 1]);
    }

    #[test]
    fn phi_3_takes_the_space_after_its_special_tokens() {
        let tokenizer = tokenizer("phi-3");
        let user = tokenizer.token_id("<|user|>").unwrap();
        let tight = tokenizer.encode("<|user|>hi", false, true);
        assert_eq!(tight[0], user);
        assert_eq!(tokenizer.encode("<|user|> \nhi", false, true), tight);
    }

    #[test]
    fn a_file_without_a_vocabulary_says_so() {
        let error = tokenizer_from_gguf(&Metadata::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("names no tokenizer"), "{error}");
    }

    #[test]
    fn an_unknown_name_is_in_the_error() {
        let mut metadata = Metadata::new();
        metadata.insert("tokenizer.ggml.model", Value::String("gpt2".into()));
        metadata.insert("tokenizer.ggml.pre", Value::String("qwen22".into()));
        let error = tokenizer_from_gguf(&metadata).unwrap_err().to_string();
        assert!(
            error.contains("`qwen22`") && error.contains("did you mean `qwen2`?"),
            "{error}"
        );
        metadata.insert("tokenizer.ggml.model", Value::String("plamo2".into()));
        let error = tokenizer_from_gguf(&metadata).unwrap_err().to_string();
        assert!(error.contains("found `plamo2`"), "{error}");
    }
}
