//! The tokenizer as its users see it, over small vocabularies written out here.
//!
//! Real vocabularies are tested where GGUF files are read, in `engine`.

use tokenizer::{
    Detokenizer, Error, SpecialIds, TokenType, Tokenizer, VocabTables, pre_tokenizer_names,
};

/// A deterministic generator (xorshift64*).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    /// Up to `max` characters, half of them ASCII.
    fn text(&mut self, max: usize) -> String {
        let n = self.below(max + 1);
        let char = |rng: &mut Self| match rng.below(4) {
            0 => char::from(rng.below(128) as u8),
            1 => ['a', 'b', ' ', '\n'][rng.below(4)],
            _ => char::from_u32(rng.below(0x11_0000) as u32).unwrap_or('é'),
        };
        (0..n).map(|_| char(self)).collect()
    }
}

const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const BYTE: i32 = 6;

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The byte alphabet as ids 0..256 in the order of the bytes, then merged and special tokens.
fn byte_level(pre: &str, merges: &[&str], more: &[(&str, i32)]) -> VocabTables {
    let printable = |b: u32| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 0x100..;
    let mut tokens: Vec<String> = (0..256)
        .map(|b| {
            if printable(b) {
                b
            } else {
                others.next().unwrap()
            }
        })
        .map(|code| char::from_u32(code).unwrap().to_string())
        .collect();
    let mut token_types = vec![NORMAL; 256];
    for merge in merges {
        tokens.push(merge.replace(' ', ""));
        token_types.push(NORMAL);
    }
    for &(text, token_type) in more {
        tokens.push(text.to_owned());
        token_types.push(token_type);
    }
    VocabTables {
        kind: "gpt2".to_owned(),
        pre: pre.to_owned(),
        tokens,
        token_types,
        merges: strings(merges),
        ..VocabTables::default()
    }
}

fn texts(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    ids.iter()
        .map(|&id| tokenizer.token_text(id).unwrap().to_owned())
        .collect()
}

#[test]
fn byte_level_text_survives_every_family() {
    let mut rng = Rng(7);
    for pre in pre_tokenizer_names() {
        let spm_style = ["gemma4", "granite-embed-multi-311m", "sarvam-moe"].contains(&pre);
        if spm_style {
            continue; // not byte-level
        }
        let tables = byte_level(pre, &["a b", "Ġ a", "Ċ Ċ", "ab Ġa"], &[]);
        let tokenizer = Tokenizer::new(tables).unwrap();
        for _ in 0..15 {
            let text = rng.text(30);
            let ids = tokenizer.encode(&text, false, false);
            assert_eq!(tokenizer.decode(&ids, false), text, "{pre}");
            let mut detokenizer = Detokenizer::new(false);
            let mut streamed = String::new();
            for id in ids {
                streamed += &detokenizer.push(&tokenizer, id);
                assert!(text.starts_with(&streamed), "{pre}: {text:?}: {streamed:?}");
            }
            assert_eq!(detokenizer.finish(), "");
            assert_eq!(streamed, text, "{pre}");
        }
    }
}

#[test]
fn any_bytes_decode_as_the_standard_library_reads_them() {
    let tokenizer = Tokenizer::new(byte_level("gpt-2", &["a b"], &[])).unwrap();
    let mut rng = Rng(3);
    for _ in 0..3000 {
        // Lead and continuation bytes, so that most sequences are nearly right.
        let byte = |rng: &mut Rng| {
            [0x41, 0x80, 0xbf, 0xc3, 0xe2, 0x82, 0xed, 0xf0, 0x9f, 0xff][rng.below(10)]
        };
        let ids: Vec<u32> = (0..rng.below(8)).map(|_| byte(&mut rng)).collect();
        let bytes: Vec<u8> = ids.iter().map(|&id| id as u8).collect();
        assert_eq!(
            tokenizer.decode(&ids, false),
            String::from_utf8_lossy(&bytes),
            "{bytes:x?}"
        );
    }
}

#[test]
fn half_a_character_waits_for_the_rest() {
    let tokenizer = Tokenizer::new(byte_level("gpt-2", &["a b"], &[])).unwrap();
    let mut detokenizer = Detokenizer::new(true);
    let pushed: Vec<String> = "é🙂"
        .bytes()
        .map(|byte| detokenizer.push(&tokenizer, u32::from(byte)))
        .collect();
    assert_eq!(pushed, ["", "é", "", "", "", "🙂"]);
    assert_eq!(detokenizer.push(&tokenizer, 0xf0), "");
    assert_eq!(detokenizer.finish(), "\u{fffd}");
    assert_eq!(detokenizer.finish(), "");
    assert_eq!(detokenizer.push(&tokenizer, 9999), "");
}

#[test]
fn merges_apply_by_rank_and_inside_pieces_only() {
    let tokenizer =
        Tokenizer::new(byte_level("gpt-2", &["b c", "a b", "a bc", "Ġ a"], &[])).unwrap();
    let split = |text: &str| texts(&tokenizer, &tokenizer.encode(text, false, false));
    assert_eq!(split("abc"), ["abc"]);
    assert_eq!(split("ab abab"), ["ab", "Ġ", "ab", "ab"]); // `a b` ranks before `Ġ a`
    assert_eq!(split("b ac"), ["b", "Ġa", "c"]);
}

#[test]
fn whole_words_win_where_the_family_ignores_merges() {
    let more = [("xyz", NORMAL)];
    for (pre, expected) in [("llama-bpe", vec!["xyz"]), ("qwen2", vec!["x", "y", "z"])] {
        let tokenizer = Tokenizer::new(byte_level(pre, &["a b"], &more)).unwrap();
        assert_eq!(
            texts(&tokenizer, &tokenizer.encode("xyz", false, false)),
            expected,
            "{pre}"
        );
    }
}

#[test]
fn a_merge_of_strings_that_are_no_tokens_falls_back_to_bytes() {
    let mut tables = byte_level("gpt-2", &["a b", "ab c", "abc d"], &[]);
    tables
        .tokens
        .retain(|token| token != "ab" && token != "abc");
    tables.token_types.truncate(tables.tokens.len());
    let tokenizer = Tokenizer::new(tables).unwrap();
    let split = |text: &str| texts(&tokenizer, &tokenizer.encode(text, false, false));
    assert_eq!(split("abcd"), ["abcd"]);
    assert_eq!(split("abce"), ["a", "b", "c", "e"]);
}

#[test]
fn special_tokens_longest_first_and_control_only_when_asked() {
    let more = [("<a>", CONTROL), ("<a><b>", CONTROL), ("::", USER_DEFINED)];
    let tokenizer = Tokenizer::new(byte_level("gpt-2", &["a b"], &more)).unwrap();
    let split = |text: &str, parse| texts(&tokenizer, &tokenizer.encode(text, false, parse));
    assert_eq!(
        split("x<a><b><a>:::", true),
        ["x", "<a><b>", "<a>", "::", ":"]
    );
    assert_eq!(split("<a>::", false), ["<", "a", ">", "::"]);
    let ids = tokenizer.encode("x<a>", false, true);
    assert_eq!(tokenizer.decode(&ids, true), "x");
    assert_eq!(tokenizer.decode(&ids, false), "x<a>");
    assert_eq!(tokenizer.token_type(ids[1]), Some(TokenType::Control));
}

#[test]
fn ends_of_the_text_follow_the_family_and_the_file() {
    let more = [("<s>", CONTROL), ("</s>", CONTROL)];
    let encode = |pre: &str, add_bos, add_eos, special| {
        let tables = byte_level(pre, &["a b"], &more);
        let tables = VocabTables {
            add_bos,
            add_eos,
            special,
            ..tables
        };
        Tokenizer::new(tables).map(|tokenizer| tokenizer.encode("a", true, false))
    };
    let ids = SpecialIds {
        bos: Some(257),
        eos: Some(258),
        ..SpecialIds::default()
    };
    let a = u32::from(b'a');
    assert_eq!(encode("gpt-2", None, None, ids).unwrap(), [a]);
    assert_eq!(encode("llama-bpe", None, None, ids).unwrap(), [257, a]);
    assert_eq!(
        encode("llama-bpe", Some(false), Some(true), ids).unwrap(),
        [a, 258]
    );
    assert_eq!(
        encode("llama-bpe", None, None, SpecialIds::default()).unwrap(),
        [a]
    );
    let out_of_range = SpecialIds {
        bos: Some(999_999),
        ..SpecialIds::default()
    };
    let error = encode("gpt-2", Some(true), None, out_of_range).unwrap_err();
    assert_eq!(
        error,
        Error::NoSpecial {
            flag: "add_bos_token",
            token: "BOS"
        }
    );
}

#[test]
fn ends_of_generation_are_known_by_name() {
    let more = [
        ("<|im_end|>", NORMAL),
        ("<|end|>", CONTROL),
        ("<eos>", CONTROL),
        ("x<eos>", CONTROL),
    ];
    let tokenizer = Tokenizer::new(byte_level("qwen2", &["a b"], &more)).unwrap();
    assert_eq!(tokenizer.eog_ids(), [257, 258, 259]);
    assert!(
        tokenizer.is_control(257),
        "a name that steers is control whatever its type"
    );
    assert_eq!(tokenizer.special().eot, Some(257));

    let harmony = [
        ("<|return|>", CONTROL),
        ("<|call|>", CONTROL),
        ("<|end|>", CONTROL),
    ];
    let tokenizer = Tokenizer::new(byte_level("gpt-4o", &["a b"], &harmony)).unwrap();
    assert_eq!(
        tokenizer.eog_ids(),
        [257, 258],
        "`<|end|>` ends a part of a reply only"
    );
}

#[test]
fn characters_with_visible_spaces() {
    let tokens = [
        "<bos>", "▁", "a", "b", "ab", "▁ab", "\n", "\n\n", "<0xC3>", "<0xA9>",
    ];
    let mut token_types = vec![NORMAL; tokens.len()];
    token_types[0] = CONTROL;
    token_types[8..].fill(BYTE);
    let tables = VocabTables {
        kind: "gemma4".to_owned(),
        tokens: strings(&tokens),
        token_types,
        merges: strings(&["a b", "▁ ab"]),
        special: SpecialIds {
            bos: Some(0),
            ..SpecialIds::default()
        },
        ..VocabTables::default()
    };
    let tokenizer = Tokenizer::new(tables).unwrap();
    let ids = tokenizer.encode("ab ab\n\né", true, false);
    assert_eq!(
        texts(&tokenizer, &ids),
        ["<bos>", "ab", "▁ab", "\n\n", "<0xC3>", "<0xA9>"]
    );
    assert_eq!(tokenizer.decode(&ids, true), "ab ab\n\né");
}

#[test]
fn sentencepiece_prefers_scores_and_falls_back_to_bytes() {
    let tokens = [
        "<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "<0xC3>", "<0xA9>",
    ];
    let tables = |add_space_prefix| VocabTables {
        kind: "llama".to_owned(),
        tokens: strings(&tokens),
        scores: vec![0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -2.0, -1.0, 0.0, 0.0],
        token_types: vec![2, 3, 3, 1, 1, 1, 1, 1, 6, 6],
        add_space_prefix,
        ..VocabTables::default()
    };
    let tokenizer = Tokenizer::new(tables(None)).unwrap();
    let ids = tokenizer.encode("abé", true, false);
    assert_eq!(
        texts(&tokenizer, &ids),
        ["<s>", "▁a", "b", "<0xC3>", "<0xA9>"]
    );
    assert_eq!(tokenizer.decode(&ids, true), "abé");
    let mut continuing = Detokenizer::continuing(true);
    assert_eq!(continuing.push(&tokenizer, ids[1]), " a");

    let bare = Tokenizer::new(tables(Some(false))).unwrap();
    assert_eq!(texts(&bare, &bare.encode("ab", false, false)), ["ab"]);
    assert_eq!(bare.decode(&bare.encode(" ab", false, false), false), " ab");
}

#[test]
fn wordpiece_lowercases_cuts_and_gives_up_by_word() {
    let tokens = [
        "[UNK]", "[CLS]", "[SEP]", "▁un", "want", "ed", "▁run", "▁!", "▁東", "<mask>",
    ];
    let tables = VocabTables {
        kind: "bert".to_owned(),
        tokens: strings(&tokens),
        token_types: vec![2, 3, 3, 1, 1, 1, 1, 1, 1, 3],
        special: SpecialIds {
            bos: Some(1),
            sep: Some(2),
            unk: Some(0),
            ..SpecialIds::default()
        },
        ..VocabTables::default()
    };
    let tokenizer = Tokenizer::new(tables).unwrap();
    let ids = tokenizer.encode("ÚNwantéd! runs東\u{200d} run", true, false);
    let expected = [
        "[CLS]", "▁un", "want", "ed", "▁!", "[UNK]", "▁東", "▁run", "[SEP]",
    ];
    assert_eq!(texts(&tokenizer, &ids), expected);
    assert_eq!(tokenizer.decode(&ids, true), "unwanted ! 東 run");
}

#[test]
fn broken_tables_are_errors_that_name_the_table() {
    let message = |tables| Tokenizer::new(tables).unwrap_err().to_string();
    let good = || byte_level("gpt-2", &["a b"], &[]);
    assert!(message(VocabTables::default()).contains("names no tokenizer"));
    assert!(
        message(VocabTables {
            kind: "plamo2".into(),
            ..good()
        })
        .contains("`plamo2`")
    );
    assert!(
        message(VocabTables {
            pre: "nonsense".into(),
            ..good()
        })
        .contains("`nonsense`")
    );
    assert!(
        message(VocabTables {
            tokens: vec![],
            ..good()
        })
        .contains("needs tokens")
    );
    assert!(
        message(VocabTables {
            merges: vec![],
            ..good()
        })
        .contains("needs merges")
    );
    let bad_merge = VocabTables {
        merges: strings(&["a b", "ab"]),
        ..good()
    };
    assert_eq!(
        message(bad_merge),
        "merge 1: expected two parts with a space between, found `ab`"
    );
    let short = VocabTables {
        token_types: vec![1; 3],
        ..good()
    };
    assert_eq!(
        message(short),
        "token types: expected 257 entries, one per token, found 3"
    );
    let short = VocabTables {
        scores: vec![0.0],
        ..good()
    };
    assert_eq!(
        message(short),
        "scores: expected 257 entries, one per token, found 1"
    );
    let odd = VocabTables {
        token_types: vec![9; 257],
        ..good()
    };
    assert_eq!(
        message(odd),
        "token 0: expected a type from 0 to 6, found 9"
    );
    let no_unk = VocabTables {
        kind: "t5".into(),
        tokens: strings(&["a"]),
        ..VocabTables::default()
    };
    assert!(message(no_unk).contains("needs an unknown token"));
}

/// Whatever the tables hold, building is `Ok` or `Err`, and what is built works on any text.
#[test]
fn random_tables_never_panic() {
    let mut rng = Rng(11);
    let names = pre_tokenizer_names();
    let mut built = 0;
    for _ in 0..800 {
        let n = 1 + rng.below(40);
        let word = |rng: &mut Rng| match rng.below(6) {
            0 => format!("<0x{:02X}>", rng.below(300)),
            1 => [
                "<mask>", "</s>", "<|end|>", "<|call|>", "▁", "", "<0x", "<0xé>",
            ][rng.below(8)]
            .to_owned(),
            2 => rng.text(6),
            _ => (0..1 + rng.below(3))
                .map(|_| ['a', 'b', '▁', 'Ġ'][rng.below(4)])
                .collect(),
        };
        let id = |rng: &mut Rng| (rng.below(2) == 0).then(|| rng.below(50) as u32);
        let flag = |rng: &mut Rng| [None, Some(false), Some(true)][rng.below(3)];
        let mut charsmap: Vec<u8> = (0..rng.below(64)).map(|_| rng.next() as u8).collect();
        if charsmap.len() >= 4 {
            let size = (charsmap.len() - 4) / 8 * 4;
            charsmap[..4].copy_from_slice(&(size as u32).to_le_bytes());
            charsmap[4 + size..].fill(b'x');
        }
        let with_scores = rng.below(2) == 0;
        let score = |rng: &mut Rng| f32::from_bits(rng.next() as u32);
        let tables = VocabTables {
            kind: ["gpt2", "gemma4", "llama", "bert", "t5"][rng.below(5)].to_owned(),
            pre: names[rng.below(names.len())].to_owned(),
            tokens: (0..n).map(|_| word(&mut rng)).collect(),
            scores: if with_scores {
                (0..n).map(|_| f64::from(score(&mut rng))).collect()
            } else {
                vec![]
            },
            token_types: (0..n).map(|_| rng.below(7) as i32).collect(),
            merges: (0..1 + rng.below(9))
                .map(|_| format!("{} {}", word(&mut rng), word(&mut rng)))
                .collect(),
            special: SpecialIds {
                bos: id(&mut rng),
                eos: id(&mut rng),
                unk: id(&mut rng),
                sep: id(&mut rng),
                fim_pad: id(&mut rng),
                ..SpecialIds::default()
            },
            add_bos: flag(&mut rng),
            add_eos: flag(&mut rng),
            add_space_prefix: flag(&mut rng),
            remove_extra_whitespaces: flag(&mut rng),
            lowercase: flag(&mut rng),
            precompiled_charsmap: charsmap,
            model_name: ["", "phi-3", "jina"][rng.below(3)].to_owned(),
            ..VocabTables::default()
        };
        let Ok(tokenizer) = Tokenizer::new(tables) else {
            continue;
        };
        built += 1;
        for (add_special, parse_special) in [(false, false), (true, true)] {
            let text = rng.text(20);
            let ids = tokenizer.encode(&text, add_special, parse_special);
            assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
            tokenizer.decode(&ids, rng.below(2) == 0);
        }
    }
    assert!(built > 150, "only {built} of the tables were accepted");
}
