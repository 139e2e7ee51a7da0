//! The checked vocabulary: texts, types and scores per token, and the tokens with a role.
//!
//! Defaults and name-based rules are llama.cpp's (`src/llama-vocab.cpp`), because the GGUF files of the
//! world were made for it: many leave out keys that it fills in. One difference: byte-level BPE without a
//! BOS or EOS key has none here, not token 11.

use crate::index::TextIndex;
use crate::rules::Added;
use crate::special_names::{self, Strip};
use crate::tables::{SpecialIds, TokenType, VocabTables};
use crate::{Error, byte_level, world};

/// The texts of a table together must stay below this, so that 32-bit ids and offsets suffice.
const MAX_TEXT: usize = i32::MAX as usize;

/// The kind of tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Byte-pair encoding by merge rules, over bytes or (`gemma4`) over characters.
    Bpe,
    /// SentencePiece BPE by scores, with byte fallback.
    SentencePiece,
    /// BERT's greedy longest match.
    WordPiece,
    /// SentencePiece Unigram: the most probable segmentation.
    Unigram,
    /// RWKV's: the longest token of bytes.
    World,
}

impl Kind {
    /// Reads `tokenizer.ggml.model`.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        match name {
            "gpt2" | "gemma4" => Ok(Self::Bpe),
            "llama" => Ok(Self::SentencePiece),
            "bert" => Ok(Self::WordPiece),
            "t5" => Ok(Self::Unigram),
            "rwkv" => Ok(Self::World),
            "" | "none" | "no_vocab" => Err(Error::NoTokenizer),
            other => Err(Error::Kind(other.to_owned())),
        }
    }

    /// The name in GGUF.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bpe => "gpt2",
            Self::SentencePiece => "llama",
            Self::WordPiece => "bert",
            Self::Unigram => "t5",
            Self::World => "rwkv",
        }
    }

    fn default_special(self) -> SpecialIds {
        let none = SpecialIds::default();
        match self {
            Self::Bpe | Self::World => none,
            Self::SentencePiece => SpecialIds {
                bos: Some(1),
                eos: Some(2),
                unk: Some(0),
                ..none
            },
            Self::WordPiece => SpecialIds {
                bos: Some(101),
                unk: Some(100),
                sep: Some(102),
                pad: Some(0),
                mask: Some(103),
                ..none
            },
            Self::Unigram => SpecialIds {
                eos: Some(1),
                unk: Some(2),
                pad: Some(0),
                ..none
            },
        }
    }
}

/// Texts, types, scores and roles of all tokens. Ids held anywhere in it are in range.
#[derive(Debug, Clone)]
pub(crate) struct Vocab {
    pub(crate) kind: Kind,
    /// Normal tokens are written in the byte alphabet of [`byte_level`].
    pub(crate) byte_level: bool,
    /// Names of special tokens too have [`SPACE`] for a space.
    escaped_names: bool,
    pub(crate) texts: Vec<String>,
    pub(crate) scores: Vec<f64>,
    types: Vec<TokenType>,
    index: TextIndex,
    pub(crate) special: SpecialIds,
    /// Ids that end the generation, sorted.
    eog: Vec<u32>,
    /// The few tokens that take whitespace beside them, sorted by id.
    strip: Vec<(u32, Strip)>,
}

impl Vocab {
    /// Takes the per-token tables out of `tables` and checks them.
    pub(crate) fn new(
        tables: &mut VocabTables,
        kind: Kind,
        byte_level: bool,
    ) -> Result<Self, Error> {
        let mut texts = std::mem::take(&mut tables.tokens);
        if texts.is_empty() {
            return Err(Error::Missing {
                kind: kind.name(),
                table: "tokens",
            });
        }
        let n = texts.len();
        check_size("tokens", &texts)?;
        for (id, text) in texts
            .iter_mut()
            .enumerate()
            .filter(|(_, text)| text.is_empty())
        {
            *text = format!("[EMPTY_{id}]"); // an empty text would match everywhere
        }

        let types = match std::mem::take(&mut tables.token_types) {
            types if types.is_empty() => vec![TokenType::Normal; n],
            types => {
                check_length("token types", n, types.len())?;
                let types = types.iter().take(n).enumerate();
                types
                    .map(|(id, &number)| TokenType::from_gguf(id, number))
                    .collect::<Result<_, _>>()?
            }
        };
        let scores = match std::mem::take(&mut tables.scores) {
            scores if scores.is_empty() => vec![0.0; n],
            scores => {
                check_length("scores", n, scores.len())?;
                scores
            }
        };

        let index = TextIndex::new(&texts);
        let default = match &tables.rules {
            None => kind.default_special(),
            Some(_) => SpecialIds::default(),
        };
        let special = resolve(tables.special, default, n);
        let mut vocab = Self {
            kind,
            byte_level,
            escaped_names: tables.rules.as_ref().is_some_and(|rules| rules.plain_text),
            texts,
            scores,
            types,
            index,
            special,
            eog: vec![],
            strip: vec![],
        };
        special_names::apply(&mut vocab, &tables.model_name);
        if let Some(rules) = &tables.rules {
            vocab.set_strip(strip_rules(&rules.added));
        }
        let in_range = tables.eog.iter().filter(|&&id| (id as usize) < n);
        let eog: Vec<u32> = vocab.eog.iter().chain(in_range).copied().collect();
        vocab.set_eog(eog);
        Ok(vocab)
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Type of a token in range.
    pub(crate) fn token_type(&self, id: u32) -> TokenType {
        self.types[id as usize]
    }

    /// Id of the token with this text, whatever its type.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        self.index.get(&self.texts, text)
    }

    /// Id of the token that plain text may become: it never spells a control token by chance.
    pub(crate) fn text_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|&id| self.is_text(id))
    }

    /// Whether ordinary text may become this token.
    pub(crate) fn is_text(&self, id: u32) -> bool {
        use TokenType::{Normal, Unused, UserDefined};
        matches!(self.token_type(id), Normal | Unused | UserDefined)
    }

    /// Id of the fallback token of one byte: `<0x0A>`, or else the byte's own character.
    pub(crate) fn byte_id(&self, byte: u8) -> Option<u32> {
        let own = || self.text_id(char::from(byte).encode_utf8(&mut [0; 4]));
        self.id(&format!("<0x{byte:02X}>"))
            .or_else(|| byte.is_ascii().then(own).flatten())
    }

    /// Whether the token ends the generation.
    pub(crate) fn is_eog(&self, id: u32) -> bool {
        self.eog.binary_search(&id).is_ok()
    }

    /// All tokens that end the generation, sorted.
    pub(crate) fn eog(&self) -> &[u32] {
        &self.eog
    }

    /// Which whitespace around the token belongs to it.
    pub(crate) fn strip(&self, id: u32) -> Strip {
        let found = self.strip.binary_search_by_key(&id, |&(id, _)| id);
        found.map_or(Strip::default(), |i| self.strip[i].1)
    }

    /// Appends the bytes a token in range stands for.
    pub(crate) fn push_bytes(&self, id: u32, bytes: &mut Vec<u8>) {
        let text = &self.texts[id as usize];
        match self.token_type(id) {
            TokenType::Control | TokenType::Unknown | TokenType::UserDefined => {
                if self.escaped_names {
                    bytes.extend_from_slice(text.replace(SPACE, " ").as_bytes());
                } else {
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
            TokenType::Byte => match parse_byte(text) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(text.as_bytes()),
            },
            TokenType::Normal | TokenType::Unused if self.kind == Kind::World => {
                bytes.extend(world::unescaped(text));
            }
            TokenType::Normal | TokenType::Unused if self.byte_level => {
                byte_level::decode(text, bytes);
            }
            TokenType::Normal | TokenType::Unused => {
                bytes.extend_from_slice(text.replace(SPACE, " ").as_bytes());
            }
        }
    }

    /// Sets the type of a token in range; for [`special_names`].
    pub(crate) fn set_type(&mut self, id: u32, token_type: TokenType) {
        self.types[id as usize] = token_type;
    }

    /// Sets the tokens that end the generation; for [`special_names`].
    pub(crate) fn set_eog(&mut self, mut ids: Vec<u32>) {
        ids.sort_unstable();
        ids.dedup();
        self.eog = ids;
    }

    /// Sets the whitespace rules; `strip` is sorted by id. For [`special_names`].
    pub(crate) fn set_strip(&mut self, strip: Vec<(u32, Strip)>) {
        self.strip = strip;
    }
}

/// The whitespace rules of added tokens, sorted by id.
fn strip_rules(added: &[Added]) -> Vec<(u32, Strip)> {
    let mut rules: Vec<(u32, Strip)> = added
        .iter()
        .map(|token| {
            let strip = Strip {
                left: token.lstrip,
                right: token.rstrip,
                whole_word: token.single_word,
            };
            (token.id, strip)
        })
        .filter(|(_, strip)| *strip != Strip::default())
        .collect();
    rules.sort_by_key(|&(id, _)| id);
    rules
}

/// SentencePiece's visible space, U+2581.
pub(crate) const SPACE: &str = "▁";

/// The byte that `<0x0A>` names.
fn parse_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// Checks that all of `texts` can be addressed with 32-bit offsets.
pub(crate) fn check_size(table: &'static str, texts: &[String]) -> Result<(), Error> {
    let found = texts.iter().map(|text| text.len() + 1).sum();
    if found > MAX_TEXT {
        return Err(Error::TooLarge {
            table,
            limit: MAX_TEXT,
            found,
        });
    }
    Ok(())
}

fn check_length(table: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if found < expected {
        Err(Error::Length {
            table,
            expected,
            found,
        })
    } else {
        Ok(())
    }
}

/// What the file says where that is in range, else the default where that is in range.
fn resolve(file: SpecialIds, default: SpecialIds, n_tokens: usize) -> SpecialIds {
    let pick = |file: Option<u32>, default: Option<u32>| {
        let in_range = |id: &u32| (*id as usize) < n_tokens;
        file.filter(in_range).or(default.filter(in_range))
    };
    SpecialIds {
        bos: pick(file.bos, default.bos),
        eos: pick(file.eos, default.eos),
        eot: pick(file.eot, default.eot),
        eom: pick(file.eom, default.eom),
        unk: pick(file.unk, default.unk),
        sep: pick(file.sep, default.sep),
        pad: pick(file.pad, default.pad),
        mask: pick(file.mask, default.mask),
        fim_pre: pick(file.fim_pre, default.fim_pre),
        fim_suf: pick(file.fim_suf, default.fim_suf),
        fim_mid: pick(file.fim_mid, default.fim_mid),
        fim_pad: pick(file.fim_pad, default.fim_pad),
        fim_rep: pick(file.fim_rep, default.fim_rep),
        fim_sep: pick(file.fim_sep, default.fim_sep),
    }
}
