//! The file as it stands, and what of its model is supported.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::key;
use crate::{Error, Kind};

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
    #[serde(default)]
    pub(super) post_processor: Value,
    #[serde(default)]
    pub(super) decoder: Value,
    pub(super) model: Model,
}

#[derive(Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
    #[serde(default)]
    pub(super) normalized: bool,
    #[serde(default)]
    pub(super) special: bool,
}

#[derive(Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "vocab")]
    pub(super) vocab: Vocab,
    pub(super) merges: Option<Vec<Merge>>,
    pub(super) unk_token: Option<String>,
    pub(super) unk_id: Option<u32>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) max_input_chars_per_word: Option<usize>,
    end_of_word_suffix: Option<String>,
    dropout: Option<f64>,
    pub(super) fuse_unk: Option<bool>,
    pub(super) byte_fallback: Option<bool>,
    pub(super) ignore_merges: Option<bool>,
}

impl Model {
    /// The kind of model; refuses kinds and options that are not supported.
    pub(super) fn kind(&self) -> Result<Kind, Error> {
        let kind = match self.kind.as_deref() {
            Some("BPE") => Kind::Bpe,
            Some("WordPiece") => Kind::WordPiece,
            Some("Unigram") => Kind::Unigram,
            Some(kind) => {
                let known = "`BPE`, `WordPiece` or `Unigram`";
                return Err(key("model.type", known, format!("`{kind}`")));
            }
            // Old files do not say.
            None if self.vocab.scores.is_some() => Kind::Unigram,
            None if self.max_input_chars_per_word.is_some() => Kind::WordPiece,
            None => Kind::Bpe,
        };
        let (found, expected) = match (self.vocab.scores.is_some(), kind == Kind::Unigram) {
            (true, false) => ("a list", "an object of tokens and ids"),
            (false, true) => ("an object", "a list of tokens and scores"),
            _ => ("", ""),
        };
        if !found.is_empty() {
            return Err(key("model.vocab", expected, found));
        }
        for (name, value) in [
            ("continuing_subword_prefix", &self.continuing_subword_prefix),
            ("end_of_word_suffix", &self.end_of_word_suffix),
        ] {
            let matters = |text: &&str| !text.is_empty() && kind == Kind::Bpe;
            if let Some(text) = value.as_deref().filter(matters) {
                return Err(key(&format!("model.{name}"), "none", format!("`{text}`")));
            }
        }
        match self.dropout {
            Some(dropout) if dropout != 0.0 => {
                Err(key("model.dropout", "none", dropout.to_string()))
            }
            _ => Ok(kind),
        }
    }
}

/// A vocabulary in either spelling.
#[derive(Default)]
pub(super) struct Vocab {
    pub(super) tokens: Vec<(String, u32)>,
    /// One for each token, where the file is a list of tokens and scores.
    pub(super) scores: Option<Vec<f64>>,
}

/// A merge rule in either spelling.
pub(super) enum Merge {
    /// The parts with a space between.
    Joined(String),
    /// The parts.
    Pair(String, String),
}

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Rule;
        impl<'de> Visitor<'de> for Rule {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge rule: `LEFT RIGHT` or [LEFT, RIGHT]")
            }

            fn visit_str<E>(self, rule: &str) -> Result<Merge, E> {
                Ok(Merge::Joined(rule.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Merge, A::Error> {
                let missing = |at| serde::de::Error::invalid_length(at, &self);
                let left = parts.next_element()?.ok_or_else(|| missing(0))?;
                let right = parts.next_element()?.ok_or_else(|| missing(1))?;
                Ok(Merge::Pair(left, right))
            }
        }
        json.deserialize_any(Rule)
    }
}

/// The vocabulary as a list: a map would take twice the time, and its order is of no use.
fn vocab<'de, D: Deserializer<'de>>(json: D) -> Result<Vocab, D::Error> {
    struct Tokens;
    impl<'de> Visitor<'de> for Tokens {
        type Value = Vocab;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of tokens and ids, or a list of tokens and scores")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
            let mut vocab = Vocab::default();
            while let Some(entry) = map.next_entry()? {
                vocab.tokens.push(entry);
            }
            Ok(vocab)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocab, A::Error> {
            let mut vocab = Vocab::default();
            let mut scores = Vec::new();
            while let Some((text, score)) = list.next_element()? {
                vocab.tokens.push((text, scores.len() as u32));
                scores.push(score);
            }
            vocab.scores = Some(scores);
            Ok(vocab)
        }
    }
    json.deserialize_any(Tokens)
}
