//! Tables and rules out of a `tokenizer.json`, the file of the `tokenizers` library.
//!
//! ```text
//! added_tokens    [{id, content, special, lstrip, rstrip, normalized, single_word}]
//! normalizer      ┐
//! pre_tokenizer   │ one stage each, or a `Sequence` of them: `stages`
//! decoder         │
//! post_processor  ┘
//! model           {type: "BPE", vocab: {TOKEN: ID}, merges: ["LEFT RIGHT"] or [[LEFT, RIGHT]], …}
//!                 {type: "WordPiece", vocab: {TOKEN: ID}, unk_token, continuing_subword_prefix, …}
//!                 {type: "Unigram", vocab: [[TOKEN, SCORE]], unk_id, …}
//! ```
//! Source: the `serialization` modules of <https://github.com/huggingface/tokenizers>. What is not understood is an
//! error that names it: a stage left out would give other ids, silently.
//!
//! Tokens of WordPiece get the texts that GGUF has: `▁word` starts a word, `ing` goes on (the file has `word`
//! and `##ing`). So they decode as from GGUF, whatever the file's decoder is: it is for reading, and loses spaces.

mod file;
mod normalize;
mod stages;

use self::file::{AddedToken, File, Merge};
use self::stages::Stages;
use crate::rules::Added;
use crate::vocab::SPACE;
use crate::{Error, Kind, Rules, SpecialIds, VocabTables};

/// Ids must stay below this; the largest vocabularies have a few hundred thousand.
const MAX_ID: u32 = 1 << 22;

impl VocabTables {
    /// Tables and rules out of the contents of a `tokenizer.json`.
    ///
    /// Roles of tokens are not in that file but in `tokenizer_config.json`; the unknown token is.
    ///
    /// # Errors
    /// If it is not JSON, or has something that is not understood.
    pub fn from_tokenizer_json(json: &[u8]) -> Result<Self, Error> {
        let file: File =
            serde_json::from_slice(json).map_err(|error| Error::Json(error.to_string()))?;
        let kind = file.model.kind()?;
        let byte_fallback = file.model.byte_fallback.unwrap_or(false);
        let mut tables = Self {
            kind: kind.name().to_owned(),
            scores: file.model.vocab.scores.unwrap_or_default(),
            ..Self::default()
        };
        let n_scores = tables.scores.len();
        let added = fill(
            &mut tables,
            file.model.vocab.tokens,
            &file.added_tokens,
            byte_fallback,
        )?;
        if n_scores > 0 {
            tables.scores.resize(tables.tokens.len(), f64::NEG_INFINITY);
        }
        match kind {
            Kind::Unigram => {
                let id = file.model.unk_id.filter(|&id| (id as usize) < n_scores);
                let id = id.ok_or_else(|| {
                    let found = file.model.unk_id.map_or("none".into(), |id| id.to_string());
                    key("model.unk_id", "the id of a token of the vocabulary", found)
                })?;
                set_unknown(&mut tables, id as usize);
            }
            _ => {
                let default = (kind == Kind::WordPiece).then(|| "[UNK]".to_owned());
                if let Some(unk) = file.model.unk_token.or(default) {
                    let id = tables.tokens.iter().position(|text| *text == unk);
                    let expected = "a token of the vocabulary";
                    let missing = || key("model.unk_token", expected, format!("`{unk}`"));
                    set_unknown(&mut tables, id.ok_or_else(missing)?);
                }
            }
        }
        let merges = file.model.merges.unwrap_or_default().into_iter();
        tables.merges = merges
            .enumerate()
            .map(|(i, merge)| rule(i, merge))
            .collect::<Result<_, _>>()?;

        let stages = Stages::new(
            &file.normalizer,
            &file.pre_tokenizer,
            &file.post_processor,
            &file.decoder,
            &tables.tokens,
        )?;
        if stages.byte_level && kind != Kind::Bpe {
            let found = format!(
                "`ByteLevel` before `{}`",
                file.model.kind.unwrap_or_default()
            );
            let expected = "stages that leave text as text, unless the model is `BPE`";
            return Err(key("pre_tokenizer", expected, found));
        }
        let prefix = file.model.continuing_subword_prefix;
        let prefix = prefix.unwrap_or_else(|| "##".to_owned());
        if kind == Kind::WordPiece {
            write_as_gguf(&mut tables, &prefix);
        }
        tables.rules = Some(Rules {
            normalizers: stages.normalizers,
            steps: stages.steps,
            plain_text: !stages.byte_level,
            ignore_merges: file.model.ignore_merges.unwrap_or(false),
            byte_fallback,
            fuse_unk: file.model.fuse_unk.unwrap_or(false),
            continuing_prefix: prefix,
            max_word: file.model.max_input_chars_per_word,
            added,
            before: stages.before,
            after: stages.after,
            strip_first_space: stages.strip_first_space,
        });
        Ok(tables)
    }
}

/// Types of tokens, as GGUF numbers them.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Makes the token the one that stands for what has none.
fn set_unknown(tables: &mut VocabTables, id: usize) {
    tables.special = SpecialIds {
        unk: Some(id as u32),
        ..SpecialIds::default()
    };
    if tables.token_types[id] == NORMAL {
        tables.token_types[id] = UNKNOWN;
    }
}

/// Writes the tokens of WordPiece as GGUF does.
fn write_as_gguf(tables: &mut VocabTables, prefix: &str) {
    for (text, &token_type) in tables.tokens.iter_mut().zip(&tables.token_types) {
        if token_type == NORMAL {
            let continuing = text.strip_prefix(prefix).filter(|rest| !rest.is_empty());
            *text = match continuing {
                Some(rest) => rest.to_owned(),
                None => format!("{SPACE}{text}"),
            };
        }
    }
}

/// Puts tokens in their places.
fn fill(
    tables: &mut VocabTables,
    vocab: Vec<(String, u32)>,
    added_tokens: &[AddedToken],
    byte_fallback: bool,
) -> Result<Vec<Added>, Error> {
    for (text, id) in vocab {
        let is_byte = byte_fallback && is_byte(&text);
        let token_type = if is_byte { BYTE } else { NORMAL };
        put(tables, "model.vocab", id, text, token_type)?;
    }
    let mut added = Vec::new();
    for token in added_tokens {
        let token_type = if token.special { CONTROL } else { USER_DEFINED };
        put(
            tables,
            "added_tokens",
            token.id,
            token.content.clone(),
            token_type,
        )?;
        added.push(Added {
            id: token.id,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            normalized: token.normalized,
            single_word: token.single_word,
        });
    }
    Ok(added)
}

/// Sets a token; places before it that nothing has set are unused.
fn put(
    tables: &mut VocabTables,
    table: &str,
    id: u32,
    text: String,
    token_type: i32,
) -> Result<(), Error> {
    if id >= MAX_ID {
        let expected = format!("ids below {MAX_ID}");
        return Err(key(table, &expected, format!("{id} for `{text}`")));
    }
    let at = id as usize;
    if tables.tokens.len() <= at {
        tables.tokens.resize(at + 1, String::new());
        tables.token_types.resize(at + 1, UNUSED);
    }
    if tables.token_types[at] != UNUSED && tables.tokens[at] != text {
        let found = format!("`{}` and `{text}` for {id}", tables.tokens[at]);
        return Err(key(table, "one token for each id", found));
    }
    tables.tokens[at] = text;
    tables.token_types[at] = token_type;
    Ok(())
}

/// Whether the text is that of a byte: `<0x0A>`.
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|t| t.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}

/// A merge rule with a space between its parts.
fn rule(index: usize, merge: Merge) -> Result<String, Error> {
    let (left, right) = match merge {
        Merge::Joined(rule) => return Ok(rule),
        Merge::Pair(left, right) => (left, right),
    };
    // The first space behind the first character is where the parts meet.
    let mut chars = left.chars();
    chars.next();
    if chars.as_str().contains(' ') {
        return Err(key(
            &format!("model.merges[{index}]"),
            "a left part without a space behind its first character",
            format!("`{left}`"),
        ));
    }
    Ok(format!("{left} {right}"))
}

fn key(key: &str, expected: &str, found: impl Into<String>) -> Error {
    Error::Key {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.into(),
    }
}
