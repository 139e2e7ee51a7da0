//! `tokenizer.json` and SentencePiece models that are small enough to be written here: what is understood, and
//! what is refused by name. Real ones are tested in `engine`.

use serde_json::{Value, json};
use tokenizer::{TokenType, Tokenizer, VocabTables};

/// SentencePiece's way in a `tokenizer.json`: spaces become `▁`, bytes stand in for unknown characters.
fn plain() -> Value {
    json!({
        "added_tokens": [
            {"id": 0, "content": "<unk>", "special": true},
            {"id": 1, "content": "<s>", "special": true},
            {"id": 12, "content": "<|user|>", "special": true, "rstrip": true},
            {"id": 13, "content": "word", "special": false, "single_word": true}
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        ]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
        ]},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        ]},
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": {"<unk>": 0, "<s>": 1, "<0xC3>": 2, "<0xA9>": 3, "▁": 4, "a": 5, "b": 6, "ab": 7,
                "▁a": 8, "▁ab": 9, "d": 10},
            "merges": [["a", "b"], ["▁", "ab"], ["▁", "a"]]
        }
    })
}

fn build(json: &Value) -> Result<Tokenizer, String> {
    let tables = VocabTables::from_tokenizer_json(json.to_string().as_bytes());
    tables
        .and_then(Tokenizer::new)
        .map_err(|error| error.to_string())
}

#[test]
fn plain_text_with_bytes_for_what_has_no_token() {
    let tokenizer = build(&plain()).expect("sound");
    assert_eq!(tokenizer.encode("ab a", true, true), [1, 9, 8]);
    assert_eq!(tokenizer.encode("é", false, true), [4, 2, 3]);
    // Neither is a token, nor are its bytes: one unknown token for both.
    assert_eq!(tokenizer.encode("xya", false, true), [4, 0, 5]);
    assert_eq!(tokenizer.decode(&[1, 9, 8, 2, 3], true), "ab aé");
    assert_eq!(tokenizer.token_type(2), Some(TokenType::Byte));
    assert_eq!(
        tokenizer.token_type(11),
        Some(TokenType::Unused),
        "no token has this id"
    );
    assert_eq!(tokenizer.vocab_size(), 14);
}

#[test]
fn added_tokens_take_space_and_know_words() {
    let tokenizer = build(&plain()).expect("sound");
    assert_eq!(tokenizer.encode("<|user|> \n ab", false, true), [12, 9]);
    assert_eq!(tokenizer.encode("<|user|>ab", false, true), [12, 9]);
    assert_eq!(
        tokenizer.encode("a word b", false, true),
        [8, 4, 13, 4, 4, 6]
    );
    let inside = tokenizer.encode("awordb", false, true);
    assert!(!inside.contains(&13), "{inside:?}");
}

#[test]
fn without_byte_fallback_characters_are_unknown_one_by_one() {
    let mut file = plain();
    file["model"]["byte_fallback"] = false.into();
    file["model"]["fuse_unk"] = false.into();
    let tokenizer = build(&file).expect("sound");
    assert_eq!(tokenizer.encode("éx", false, true), [4, 0, 0]);
}

/// What the message says when `path` has `value`.
#[track_caller]
fn refused(path: &str, value: Value, expected: &[&str]) {
    let mut file = plain();
    *file.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
    let error = build(&file).expect_err(path);
    for part in expected {
        assert!(error.contains(part), "{path}: `{error}` lacks `{part}`");
    }
}

#[test]
fn what_is_not_understood_is_named() {
    refused(
        "/model/type",
        json!("WordLevel"),
        &["model.type", "`WordPiece`", "`WordLevel`"],
    );
    refused(
        "/model/vocab",
        json!([["a", 0.5]]),
        &["model.vocab", "tokens and ids", "a list"],
    );
    refused(
        "/model/vocab",
        json!(7),
        &["tokenizer.json", "tokens and scores"],
    );
    refused(
        "/model/type",
        json!("Unigram"),
        &["model.vocab", "tokens and scores", "an object"],
    );
    refused(
        "/model/unk_token",
        json!("<what>"),
        &["model.unk_token", "`<what>`"],
    );
    refused("/model/merges/0", json!("ab"), &["merge 0", "`ab`"]);
    refused(
        "/model/merges/0",
        json!(["a b", "c"]),
        &["model.merges[0]", "`a b`"],
    );
    refused("/model/vocab/a", json!(9), &["model.vocab", "for 9"]);
    refused(
        "/added_tokens/3/id",
        json!(4_000_000_000_u32),
        &["added_tokens", "4000000000"],
    );
    refused(
        "/added_tokens/3/id",
        json!(5),
        &["added_tokens", "`a` and `word` for 5"],
    );
    refused(
        "/normalizer/normalizers/0",
        json!({"type": "Umlauts"}),
        &["normalizer.normalizers[0].type", "`Umlauts`", "`NFC`"],
    );
    refused(
        "/pre_tokenizer",
        json!({"type": "Split", "pattern": {"Regex": "a(?=b)"}, "behavior": "Isolated"}),
        &["regular expression `a(?=b)`", "look-around"],
    );
    refused(
        "/pre_tokenizer",
        json!({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Somehow"}),
        &["pre_tokenizer.behavior", "`Somehow`"],
    );
    refused(
        "/post_processor/single/0",
        json!({"SpecialToken": {"id": "<none>"}}),
        &["post_processor.single", "<none>"],
    );
    refused("/normalizer", json!({"type": 1}), &["normalizer.type", "1"]);
    let error = VocabTables::from_tokenizer_json(b"{").expect_err("no JSON");
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
}

/// The stages of BERT and of XLM-R in short.
fn wordpiece() -> Value {
    json!({
        "added_tokens": [{"id": 1, "content": "[CLS]", "special": true}],
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece", "max_input_chars_per_word": 6,
            "vocab": {"[UNK]": 0, "[CLS]": 1, "un": 2, "##do": 3, "##ing": 4, "##": 5, "#": 6, "do": 7, "世": 8}
        }
    })
}

fn unigram() -> Value {
    json!({
        "added_tokens": [],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": null},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁"}
        ]},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [
            ["<unk>", 0.0], ["▁", -3.0], ["a", -2.0], ["b", -2.0], ["▁a", -1.0], ["ab", -1.5]
        ]}
    })
}

#[test]
fn wordpiece_knows_starts_and_ends_of_words() {
    let tokenizer = build(&wordpiece()).expect("sound");
    assert_eq!(
        tokenizer.encode("Undo  doing\tÚn", false, true),
        [2, 3, 7, 4, 2]
    );
    assert_eq!(tokenizer.encode("世世#", false, true), [8, 8, 6]);
    // Nothing continues a word in this way, and the other is too long.
    assert_eq!(tokenizer.encode("dox undoing", false, true), [0, 0]);
    assert_eq!(tokenizer.decode(&[2, 3, 7, 4], true), "undo doing");
    // What the file writes before a token that goes on may itself start a word.
    let mut file = wordpiece();
    file["pre_tokenizer"] = json!({"type": "WhitespaceSplit"});
    let tokenizer = build(&file).expect("sound");
    assert_eq!(tokenizer.encode("##ing ##", false, true), [4, 5]);
}

#[test]
fn unigram_finds_the_best_cut_of_each_word() {
    let tokenizer = build(&unigram()).expect("sound");
    // `▁` and `ab` are worse than `▁a` and `b`.
    assert_eq!(tokenizer.encode(" ab  b", false, true), [4, 3, 1, 3]);
    assert_eq!(tokenizer.encode("axyb", false, true), [4, 0, 3]);
}

#[test]
fn what_these_kinds_cannot_have_is_named() {
    let error = |mut file: Value, path: &str, value: Value| {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        file.pointer_mut(parent).expect("there")[name] = value;
        build(&file).expect_err(path)
    };
    for (file, path, value, expected) in [
        (
            unigram(),
            "/model/unk_id",
            json!(null),
            "`model.unk_id`: expected the id of a token",
        ),
        (unigram(), "/model/unk_id", json!(6), "found 6"),
        (
            unigram(),
            "/normalizer/precompiled_charsmap",
            json!("*"),
            "precompiled_charsmap",
        ),
        (
            unigram(),
            "/normalizer/precompiled_charsmap",
            json!("AAAA"),
            "precompiled charsmap",
        ),
        (
            unigram(),
            "/pre_tokenizer",
            json!({"type": "ByteLevel"}),
            "`ByteLevel` before `Unigram`",
        ),
        (
            wordpiece(),
            "/model/unk_token",
            json!("?"),
            "`model.unk_token`",
        ),
        (
            wordpiece(),
            "/normalizer/lowercase",
            json!("yes"),
            "`normalizer.lowercase`: expected true or false",
        ),
    ] {
        let found = error(file, path, value);
        assert!(found.contains(expected), "{path}: {found}");
    }
}

/// A field of a protocol buffer: number, and bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

fn piece(text: &str, score: f32, token_type: u8) -> Vec<u8> {
    let score = [&[2 << 3 | 5][..], &score.to_le_bytes()].concat();
    field(
        1,
        &[field(1, text.as_bytes()), score, vec![3 << 3, token_type]].concat(),
    )
}

fn sentencepiece() -> Vec<u8> {
    let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let pad = [&[(43 & 0x0f) << 3 | 0x80, 43 >> 4][..], &minus_one].concat();
    [
        piece("<unk>", 0.0, 2),
        piece("<s>", 0.0, 3),
        piece("</s>", 0.0, 3),
        piece("▁", -5.0, 1),
        piece("a", -4.0, 1),
        piece("▁a", -1.0, 1),
        field(2, &[vec![3 << 3, 2], pad].concat()),
        field(3, &[3 << 3, 1]),
    ]
    .concat()
}

#[test]
fn a_sentencepiece_model_is_read() {
    let tables = VocabTables::from_sentencepiece(&sentencepiece()).expect("sound");
    assert_eq!(tables.kind, "llama");
    assert_eq!(tables.special.pad, None);
    assert_eq!(tables.special.eos, Some(2));
    let tokenizer = Tokenizer::new(tables).expect("sound");
    assert_eq!(tokenizer.encode("a a", true, false), [1, 5, 5]);
}

#[test]
fn every_truncation_and_change_of_a_sentencepiece_model_is_survived() {
    let whole = sentencepiece();
    for len in 0..whole.len() {
        // Cut between two fields it is a model still, but one of another kind or without tokens.
        let _ = VocabTables::from_sentencepiece(&whole[..len]).map(Tokenizer::new);
    }
    for at in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] = byte;
            if let Ok(Ok(tokenizer)) = VocabTables::from_sentencepiece(&changed).map(Tokenizer::new)
            {
                tokenizer.decode(&tokenizer.encode("a b", true, true), false);
            }
        }
    }
    let message = |bytes: &[u8]| {
        VocabTables::from_sentencepiece(bytes)
            .expect_err("broken")
            .to_string()
    };
    assert!(message(b"").contains("expected pieces, found none"));
    assert!(message(&[10, 200]).contains("more bytes than there are"));
    assert!(message(&[0xff; 12]).contains("ten bytes"));
    assert!(message(&[3]).contains("wire type"));
    let kind = [piece("a", 0.0, 1), field(2, &[3 << 3, 4])].concat();
    assert!(message(&kind).contains("model type 1 (Unigram) or 2 (BPE), found 4"));
}
