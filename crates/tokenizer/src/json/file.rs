//! The file as it stands, and what of its model is supported.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::key;
use crate::Error;

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
    kind: Option<String>,
    #[serde(deserialize_with = "vocab")]
    pub(super) vocab: Vec<(String, u32)>,
    pub(super) merges: Option<Vec<Merge>>,
    pub(super) unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    dropout: Option<f64>,
    pub(super) fuse_unk: Option<bool>,
    pub(super) byte_fallback: Option<bool>,
    pub(super) ignore_merges: Option<bool>,
}

impl Model {
    /// Refuses kinds and options that are not supported.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self.kind.as_deref() {
            // Old files do not say.
            Some("BPE") | None => {}
            Some(kind) => return Err(key("model.type", "`BPE`", format!("`{kind}`"))),
        }
        for (name, value) in [
            ("continuing_subword_prefix", &self.continuing_subword_prefix),
            ("end_of_word_suffix", &self.end_of_word_suffix),
        ] {
            if let Some(text) = value.as_deref().filter(|text| !text.is_empty()) {
                return Err(key(&format!("model.{name}"), "none", format!("`{text}`")));
            }
        }
        match self.dropout {
            Some(dropout) if dropout != 0.0 => {
                Err(key("model.dropout", "none", dropout.to_string()))
            }
            _ => Ok(()),
        }
    }
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
fn vocab<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<(String, u32)>, D::Error> {
    struct Tokens;
    impl<'de> Visitor<'de> for Tokens {
        type Value = Vec<(String, u32)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of tokens and ids, as byte-pair models have it")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut tokens = Vec::new();
            while let Some(entry) = map.next_entry()? {
                tokens.push(entry);
            }
            Ok(tokens)
        }
    }
    json.deserialize_map(Tokens)
}
