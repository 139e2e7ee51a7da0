//! Tables and rules out of a `tekken.json`, Mistral's own form: for folders without a `tokenizer.json`.
//!
//! ```text
//! config          {pattern, default_vocab_size, default_num_special_tokens}
//! vocab           [{rank, token_bytes (Base64)}]: any two neighbours merge that are a token together, lowest rank first
//! special_tokens  [{rank, token_str}], or those of the first version; they come first, the others are numbered behind
//! ```
//! Source: `mistral_common/tokens/tokenizers/tekken.py` of <https://github.com/mistralai/mistral-common>.

use std::collections::HashMap;

use serde::Deserialize;

use crate::byte_level::char_of;
use crate::rules::{Added, Behavior, Cut, Pattern, Step};
use crate::{Error, Kind, Rules, SpecialIds, VocabTables};

/// Special tokens of files that list none, by rank.
const FIRST: &[&str] = &[
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
];
/// Most tokens that are believed.
const MAX_TOKENS: usize = 1 << 22;
/// Longest token whose parts are looked for, in bytes.
const MAX_BYTES: usize = 1 << 10;
/// Most bytes of merges: those of real files have a few million.
const MAX_MERGES: usize = 1 << 28;
/// Types of tokens, as GGUF numbers them.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

#[derive(Deserialize)]
struct File {
    config: Config,
    vocab: Vec<Entry>,
    special_tokens: Option<Vec<Special>>,
}

#[derive(Deserialize)]
struct Config {
    pattern: String,
    default_vocab_size: usize,
    default_num_special_tokens: usize,
}

#[derive(Deserialize)]
struct Entry {
    rank: usize,
    token_bytes: String,
}

#[derive(Deserialize)]
struct Special {
    rank: usize,
    token_str: String,
}

impl VocabTables {
    /// Tables and rules out of the contents of a `tekken.json`.
    ///
    /// # Errors
    /// If it is not JSON, ranks are not 0, 1, 2, …, or sizes do not fit.
    pub fn from_tekken(json: &[u8]) -> Result<Self, Error> {
        let file: File =
            serde_json::from_slice(json).map_err(|error| Error::Json(error.to_string()))?;
        let (size, num_special) = (
            file.config.default_vocab_size,
            file.config.default_num_special_tokens,
        );
        let fits = num_special <= size && size - num_special <= file.vocab.len();
        if !fits || size > MAX_TOKENS {
            let expected = format!("from {num_special} to {}", file.vocab.len() + num_special);
            return Err(wrong(
                "config.default_vocab_size",
                &expected,
                size.to_string(),
            ));
        }
        let mut tables = Self {
            kind: Kind::Bpe.name().to_owned(),
            tokens: (0..num_special)
                .map(|id| format!("<SPECIAL_{id}>"))
                .collect(),
            token_types: vec![UNUSED; num_special],
            ..Self::default()
        };
        let added = special_tokens(&mut tables, file.special_tokens, num_special)?;
        let tokens = bytes(&file.vocab[..size - num_special])?;
        for token in &tokens {
            tables.tokens.push(text(token));
            tables.token_types.push(NORMAL);
        }
        tables.merges = merges(&tokens)?;
        let id = |text: &str| {
            let id = tables.tokens[..num_special]
                .iter()
                .position(|token| token == text);
            id.map(|id| id as u32)
        };
        tables.special = SpecialIds {
            unk: id("<unk>"),
            bos: id("<s>"),
            eos: id("</s>"),
            pad: id("<pad>"),
            ..SpecialIds::default()
        };
        tables.rules = Some(Rules {
            steps: vec![Step::Cut(Cut {
                pattern: Pattern::Regex(file.config.pattern),
                behavior: Behavior::Isolated,
                invert: false,
            })],
            ignore_merges: true,
            added,
            before: tables.special.bos.into_iter().collect(),
            ..Rules::default()
        });
        Ok(tables)
    }
}

/// Puts special tokens in their places.
fn special_tokens(
    tables: &mut VocabTables,
    listed: Option<Vec<Special>>,
    num_special: usize,
) -> Result<Vec<Added>, Error> {
    let first = |(rank, text): (usize, &&str)| Special {
        rank,
        token_str: (*text).to_owned(),
    };
    let listed = listed.unwrap_or_else(|| FIRST.iter().enumerate().map(first).collect());
    let mut added = Vec::new();
    for Special { rank, token_str } in listed {
        if rank >= num_special {
            let expected = format!("ranks below {num_special}");
            return Err(wrong(
                "special_tokens",
                &expected,
                format!("{rank} for `{token_str}`"),
            ));
        }
        // What only fills the table is no text to look for.
        if token_str != tables.tokens[rank] {
            added.push(Added {
                id: rank as u32,
                ..Added::default()
            });
            tables.token_types[rank] = CONTROL;
        }
        tables.tokens[rank] = token_str;
    }
    Ok(added)
}

/// What tokens stand for, by rank.
fn bytes(vocab: &[Entry]) -> Result<Vec<Vec<u8>>, Error> {
    let mut tokens = Vec::with_capacity(vocab.len());
    for (i, Entry { rank, token_bytes }) in vocab.iter().enumerate() {
        let key = || format!("vocab[{i}]");
        if *rank != i {
            return Err(wrong(&key(), &format!("rank {i}"), rank.to_string()));
        }
        let bytes = base64(token_bytes);
        tokens.push(bytes.ok_or_else(|| wrong(&key(), "Base64", format!("`{token_bytes}`")))?);
    }
    Ok(tokens)
}

/// Every way to make a token of two, by the token's rank; among those of one token, by the parts'.
fn merges(tokens: &[Vec<u8>]) -> Result<Vec<String>, Error> {
    let rank_of: HashMap<&[u8], usize> = tokens.iter().map(Vec::as_slice).zip(0..).collect();
    let (mut merges, mut size) = (Vec::new(), 0);
    for token in tokens.iter().filter(|token| token.len() <= MAX_BYTES) {
        let parts = (1..token.len()).map(|at| token.split_at(at));
        let both =
            |(left, right): (&[u8], &[u8])| Some((*rank_of.get(left)?, *rank_of.get(right)?));
        let mut ways: Vec<(usize, usize)> = parts.filter_map(both).collect();
        size += ways.len() * token.len();
        if size > MAX_MERGES {
            return Err(Error::TooLarge {
                table: "merges",
                limit: MAX_MERGES,
                found: size,
            });
        }
        ways.sort_unstable();
        merges.extend(
            ways.into_iter()
                .map(|(left, right)| format!("{} {}", text(&tokens[left]), text(&tokens[right]))),
        );
    }
    Ok(merges)
}

/// Bytes in the alphabet of byte-level BPE.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char_of(byte)).collect()
}

/// What Base64 (RFC 4648) stands for; `None` if it is none.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for &digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let all = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&all[1..group.len()]);
    }
    Some(bytes)
}

fn wrong(key: &str, expected: &str, found: String) -> Error {
    Error::Key {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmE=", "fooba"),
        ] {
            assert_eq!(base64(text), Some(bytes.into()));
        }
        for text in ["Z", "Zg=", "Z===", "Zm9*", "===="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn a_small_file() {
        let vocab: Vec<_> = ["YQ==", "Yg==", "YWI=", "YWJi"]
            .iter()
            .enumerate()
            .collect();
        let entry = |(rank, bytes): &(usize, &&str)| serde_json::json!({"rank": rank, "token_bytes": bytes});
        let mut file = serde_json::json!({
            "config": {"pattern": ".+", "default_vocab_size": 6, "default_num_special_tokens": 3},
            "vocab": vocab.iter().map(entry).collect::<Vec<_>>(),
            "special_tokens": [{"rank": 1, "token_str": "<s>"}]
        });
        let tables = VocabTables::from_tekken(file.to_string().as_bytes()).expect("sound");
        assert_eq!(
            tables.tokens,
            ["<SPECIAL_0>", "<s>", "<SPECIAL_2>", "a", "b", "ab"]
        );
        assert_eq!(tables.merges, ["a b"]);
        assert_eq!(tables.rules.expect("rules").before, [1]);
        file["vocab"][1]["rank"] = 7.into();
        let error = VocabTables::from_tekken(file.to_string().as_bytes()).expect_err("no rank 1");
        assert!(error.to_string().contains("vocab[1]"), "{error}");
    }
}
