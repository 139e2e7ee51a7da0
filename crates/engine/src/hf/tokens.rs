//! The tokenizer, with the roles that its tokens have.

use std::path::Path;

use formats::hf::{CONFIG, GENERATION, read_object, read_text};
use serde_json::{Map, Value};
use tokenizer::{Tokenizer, VocabTables, WORLD_FILE};

use super::{Error, chat_templates};

const JSON: &str = "tokenizer.json";
const TEKKEN: &str = "tekken.json";
const MODEL: &str = "tokenizer.model";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const ADDED: &str = "added_tokens.json";
/// Types of tokens, as GGUF numbers them.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
/// Most tokens that may be added to a SentencePiece model.
const MAX_ADDED: usize = 1 << 20;

type Object = Map<String, Value>;

/// The tokenizer of the folder at `path`, for a model with so many rows of embeddings if that is known.
///
/// Added tokens without a row are left out if no chat template names them (tokens for images in models that
/// read text only are such).
///
/// # Errors
/// If there is none, a file is broken, something in it is not supported, or a token has no row.
pub fn tokenizer(path: &Path, rows: Option<usize>) -> Result<Tokenizer, Error> {
    let settings = read_object(&path.join(TOKENIZER_CONFIG))?.unwrap_or_default();
    let (file, mut tables) = if let Some(json) = read_text(&path.join(JSON))? {
        (JSON, VocabTables::from_tokenizer_json(&json))
    } else if let Some(json) = read_text(&path.join(TEKKEN))? {
        (TEKKEN, VocabTables::from_tekken(&json))
    } else if let Some(model) = read_text(&path.join(MODEL))? {
        (MODEL, VocabTables::from_sentencepiece(&model))
    } else if let Some(file) = read_text(&path.join(WORLD_FILE))? {
        (WORLD_FILE, VocabTables::from_world(&file))
    } else {
        return Err(no_tokenizer(path));
    };
    if let Ok(tables) = &mut tables {
        if file == MODEL {
            add_tokens(tables, &settings, path)?;
        }
        set_roles(tables, &settings, path)?;
        set_ends(tables, &settings);
        tables.eog = end_ids(path)?;
        if let Some(rows) = rows {
            fit(tables, rows, path, file)?;
        }
    }
    tables
        .and_then(Tokenizer::new)
        .map_err(|error| Error::Tokenizer {
            path: path.join(file),
            error,
        })
}

/// Leaves out added tokens that have no row.
fn fit(tables: &mut VocabTables, rows: usize, path: &Path, file: &str) -> Result<(), Error> {
    let tokens = tables.tokens.len();
    if tokens <= rows {
        return Ok(());
    }
    let templates = chat_templates(path)?;
    let added = tables.rules.as_ref().map_or(&[][..], |rules| &rules.added);
    let can_go = |id: usize| {
        let text = tables.tokens[id].as_str();
        let is_named = templates.iter().any(|t| t.source.contains(text));
        text.is_empty() || added.iter().any(|token| token.id as usize == id) && !is_named
    };
    if let Some(id) = (rows..tokens).find(|&id| !can_go(id)) {
        return Err(Error::Rows {
            path: path.join(file),
            tokens,
            rows,
            token: tables.tokens[id].clone(),
        });
    }
    tables.tokens.truncate(rows);
    tables.token_types.truncate(rows);
    tables.scores.truncate(rows);
    if let Some(rules) = &mut tables.rules {
        rules.added.retain(|token| (token.id as usize) < rows);
    }
    Ok(())
}

fn no_tokenizer(folder: &Path) -> Error {
    let is_there = |name: &str| folder.join(name).is_file();
    let hint = if is_there("vocab.json") && is_there("merges.txt") {
        "\nhint: `vocab.json` and `merges.txt` do not say how text is cut; \
         `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` writes a `tokenizer.json`"
    } else if is_there("tiktoken.model") {
        "\nhint: `tiktoken.model` is not read; \
         `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` writes a `tokenizer.json`"
    } else {
        "\nhint: the download may be incomplete"
    };
    Error::NoTokenizer {
        folder: folder.to_owned(),
        hint,
    }
}

/// Tokens beyond those of a SentencePiece model: `added_tokens_decoder` by id, or `added_tokens.json` by text.
fn add_tokens(tables: &mut VocabTables, settings: &Object, path: &Path) -> Result<(), Error> {
    let mut added: Vec<(usize, String, i32)> = Vec::new();
    for (id, text) in read_object(&path.join(ADDED))?.unwrap_or_default() {
        let number = text.as_u64().and_then(|id| usize::try_from(id).ok());
        let number = number.ok_or_else(|| wrong(path, ADDED, &id, "an id", &text))?;
        added.push((number, id, USER_DEFINED));
    }
    if let Some(tokens) = settings
        .get("added_tokens_decoder")
        .and_then(Value::as_object)
    {
        for (id, token) in tokens {
            let key = || format!("added_tokens_decoder.{id}");
            let number = id.parse::<usize>().ok();
            let (Some(number), Some(text)) = (number, token["content"].as_str()) else {
                let expected = "an id and its `content`";
                return Err(wrong(path, TOKENIZER_CONFIG, &key(), expected, token));
            };
            let is_special = token["special"].as_bool().unwrap_or(false);
            let token_type = if is_special { CONTROL } else { USER_DEFINED };
            added.push((number, text.to_owned(), token_type));
        }
    }
    added.sort_by_key(|(id, ..)| *id);
    let limit = tables.tokens.len() + MAX_ADDED;
    for (id, text, token_type) in added {
        if id >= limit {
            let expected = format!("ids below {limit}");
            return Err(wrong(path, ADDED, &text, &expected, &id.into()));
        }
        if id >= tables.tokens.len() {
            tables.tokens.resize(id + 1, String::new());
            tables.scores.resize(id + 1, 0.0);
            tables.token_types.resize(id + 1, 5);
        } else if tables.tokens[id] == text {
            // One of the model's own: its type is in the model.
            continue;
        }
        tables.tokens[id] = text;
        tables.token_types[id] = token_type;
    }
    Ok(())
}

/// Which tokens begin, end and fill texts.
fn set_roles(tables: &mut VocabTables, settings: &Object, path: &Path) -> Result<(), Error> {
    let special = &mut tables.special;
    // Encoders have the token of a text's class at its beginning.
    let has_bos = settings.get("bos_token").is_some_and(|bos| !bos.is_null());
    let bos = if has_bos { "bos_token" } else { "cls_token" };
    for (key, role) in [
        (bos, &mut special.bos),
        ("eos_token", &mut special.eos),
        ("unk_token", &mut special.unk),
        ("pad_token", &mut special.pad),
        ("sep_token", &mut special.sep),
        ("mask_token", &mut special.mask),
    ] {
        let text = match settings.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.as_str(),
            // An `AddedToken`, written out.
            Some(object) => object["content"]
                .as_str()
                .ok_or_else(|| wrong(path, TOKENIZER_CONFIG, key, "a token", object))?,
        };
        // A token that is not in the vocabulary would get a new id that the model has never seen.
        let id = tables.tokens.iter().position(|token| token == text);
        *role = id.map(|id| id as u32).or(*role);
    }
    Ok(())
}

/// `add_bos_token` and `add_eos_token` go before what the post-processor says.
fn set_ends(tables: &mut VocabTables, settings: &Object) {
    let flag = |key: &str| settings.get(key).and_then(Value::as_bool);
    let (bos, eos) = (flag("add_bos_token"), flag("add_eos_token"));
    match &mut tables.rules {
        None => {
            let has = |id: Option<u32>, flag: Option<bool>| flag.filter(|&on| !on || id.is_some());
            tables.add_bos = has(tables.special.bos, bos);
            tables.add_eos = has(tables.special.eos, eos);
        }
        Some(rules) => {
            set_end(&mut rules.before, bos, tables.special.bos);
            set_end(&mut rules.after, eos, tables.special.eos);
        }
    }
}

fn set_end(end: &mut Vec<u32>, wanted: Option<bool>, id: Option<u32>) {
    let Some(id) = id else {
        return;
    };
    match wanted {
        Some(true) if !end.contains(&id) => *end = vec![id],
        Some(false) => end.retain(|&other| other != id),
        _ => {}
    }
}

/// The ids that end the generation, of both configurations.
fn end_ids(path: &Path) -> Result<Vec<u32>, Error> {
    let mut ids = Vec::new();
    for file in [GENERATION, CONFIG] {
        let config = read_object(&path.join(file))?.unwrap_or_default();
        let inner = config
            .get("text_config")
            .and_then(|c| c.get("eos_token_id"));
        let found = config.get("eos_token_id").or(inner);
        let values = match found {
            None | Some(Value::Null) => continue,
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
        };
        for value in values {
            match value.as_i64().map(u32::try_from) {
                Some(Ok(id)) => ids.push(id),
                // Some writers mean "none" by it.
                Some(Err(_)) if value.as_i64() == Some(-1) => {}
                _ => {
                    return Err(wrong(path, file, "eos_token_id", "an id or a list", value));
                }
            }
        }
    }
    Ok(ids)
}

fn wrong(folder: &Path, file: &str, key: &str, expected: &str, found: &Value) -> Error {
    Error::Value {
        path: folder.join(file),
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.to_string(),
    }
}
