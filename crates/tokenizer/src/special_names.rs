//! Roles that files leave to be read from a token's text: which tokens end the generation, which are
//! control tokens whatever their type says, and which swallow the whitespace beside them.
//!
//! The lists are llama.cpp's (`src/llama-vocab.cpp`); the files were made for it.

use crate::tables::TokenType;
use crate::vocab::{Kind, Vocab};

/// Which whitespace beside a special token belongs to it and not to the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strip {
    /// Before the token.
    pub(crate) left: bool,
    /// After the token.
    pub(crate) right: bool,
    /// And the token is none inside of a word.
    pub(crate) whole_word: bool,
}

/// Texts of tokens that end a turn, best first; the first one present is `eot` if no key says.
const END_OF_TURN: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];

/// Further texts that end the generation.
const END_OF_GENERATION: &[&str] = &[
    "<|eom_id|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "</s>",
    "[EOS]",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "[e~[",
];

const FIM_PRE: &[&str] = &[
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
];
const FIM_SUF: &[&str] = &[
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
];
const FIM_MID: &[&str] = &[
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
];
const FIM_PAD: &[&str] = &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];
const FIM_REP: &[&str] = &[
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
];
const FIM_SEP: &[&str] = &["<|file_sep|>"];

/// Texts that a harmony-style reply is made of and that must stay visible.
const ALWAYS_SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// Fills in roles and types of `vocab` from token texts and the model's name.
pub(crate) fn apply(vocab: &mut Vocab, model_name: &str) {
    let mut special = vocab.special;
    for (role, names) in [
        (&mut special.eot, END_OF_TURN),
        (&mut special.eom, &["<|eom_id|>"]),
        (&mut special.fim_pre, FIM_PRE),
        (&mut special.fim_suf, FIM_SUF),
        (&mut special.fim_mid, FIM_MID),
        (&mut special.fim_pad, FIM_PAD),
        (&mut special.fim_rep, FIM_REP),
        (&mut special.fim_sep, FIM_SEP),
    ] {
        if role.is_none() {
            *role = names.iter().find_map(|name| vocab.id(name));
            make_control(vocab, *role);
        }
    }
    vocab.special = special;

    let mut eog: Vec<u32> = [special.fim_pad, special.fim_rep, special.fim_sep]
        .into_iter()
        .chain([special.eos, special.eot, special.eom])
        .flatten()
        .collect();
    for name in END_OF_TURN.iter().chain(END_OF_GENERATION) {
        let id = vocab.id(name);
        make_control(vocab, id);
        eog.extend(id);
    }
    for name in ALWAYS_SHOWN {
        if let Some(id) = vocab.id(name) {
            vocab.set_type(id, TokenType::UserDefined);
        }
    }
    forget_inner_ends(vocab, &mut eog);
    vocab.set_eog(eog);
    let strip = strip_rules(vocab, model_name);
    vocab.set_strip(strip);
}

/// Marks a token as control: it steers, so it must not be text.
fn make_control(vocab: &mut Vocab, id: Option<u32>) {
    if let Some(id) = id {
        vocab.set_type(id, TokenType::Control);
    }
}

/// Takes tokens back out of `eog` that end only a part of a reply in vocabularies that have better ends.
fn forget_inner_ends(vocab: &mut Vocab, eog: &mut Vec<u32>) {
    let has = |name: &str| vocab.id(name).is_some_and(|id| eog.contains(&id));
    let calls = has("<|call|>") || has("<|calls|>");
    let inner_end = calls && (has("<|return|>") || has("<|flush|>")) && has("<|end|>");
    let inner_s = has("<|tool_response>") && has("</s>");
    for (forget, name, token_type) in [
        (inner_end, "<|end|>", TokenType::UserDefined),
        (inner_s, "</s>", TokenType::Normal),
    ] {
        if let Some(id) = vocab.id(name).filter(|_| forget) {
            eog.retain(|&other| other != id);
            vocab.set_type(id, token_type);
        }
    }
}

/// Whitespace rules that no key of the file stores. XLM-RoBERTa vocabularies (Unigram with `<mask>`) and
/// a few encoders take the space before their mask; Phi-3 takes what follows most special tokens.
fn strip_rules(vocab: &Vocab, model_name: &str) -> Vec<(u32, Strip)> {
    let name = model_name.to_ascii_lowercase();
    let left = Strip {
        left: true,
        ..Strip::default()
    };
    let right = Strip {
        right: true,
        ..Strip::default()
    };
    if name.contains("phi-3") || name.contains("phi3") {
        let kept = ["<unk>", "<s>", "<|endoftext|>"];
        let special = (0..vocab.len() as u32).filter(|&id| {
            let text = vocab.texts[id as usize].as_str();
            (is_special(vocab.token_type(id)) || text == "</s>") && !kept.contains(&text)
        });
        return special.map(|id| (id, right)).collect();
    }
    let mask = if vocab.kind == Kind::Unigram || name.contains("jina") {
        vocab.id("<mask>")
    } else if name.contains("modern-bert") {
        vocab.id("[MASK]")
    } else {
        None
    };
    mask.map(|id| (id, left)).into_iter().collect()
}

/// Whether tokens of this type are looked for in the text before anything else.
pub(crate) fn is_special(token_type: TokenType) -> bool {
    matches!(
        token_type,
        TokenType::Control | TokenType::UserDefined | TokenType::Unknown
    )
}
