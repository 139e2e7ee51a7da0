//! The tokenizer itself: special tokens, then the kind's own rules, then the tokens at both ends.

use crate::Error;
use crate::bpe::Bpe;
use crate::fragments::{Fragment, Splitter};
use crate::pretokenizer::PreTokenizer;
use crate::spm::SentencePiece;
use crate::tables::{SpecialIds, TokenType, VocabTables};
use crate::unigram::Unigram;
use crate::vocab::{Kind, Vocab};
use crate::wordpiece::WordPiece;

/// Text to token ids and back, for one vocabulary.
///
/// Cheap to share (`&Tokenizer` is `Send + Sync`), not to clone.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    vocab: Vocab,
    splitter: Splitter,
    model: Model,
    add_bos: bool,
    add_eos: bool,
    add_sep: bool,
}

#[derive(Debug, Clone)]
enum Model {
    Bpe(Box<Bpe>),
    SentencePiece(Box<SentencePiece>),
    WordPiece(Box<WordPiece>),
    Unigram(Box<Unigram>),
}

impl Tokenizer {
    /// Checks `tables` and builds the tokenizer.
    ///
    /// # Errors
    /// If the kind or pre-tokenizer is unknown, or a table is missing, short, or does not parse.
    pub fn new(mut tables: VocabTables) -> Result<Self, Error> {
        let kind = Kind::new(&tables.kind)?;
        if tables.kind == "gemma4" {
            tables.pre = "gemma4".to_owned();
        }
        let pre = if kind == Kind::Bpe {
            Some(PreTokenizer::new(&tables.pre)?)
        } else {
            None
        };
        let byte_level = pre.as_ref().is_some_and(|pre| !pre.traits.plain_text);
        let vocab = Vocab::new(&mut tables, kind, byte_level)?;

        let pre_adds_bos = pre.as_ref().is_some_and(|pre| pre.traits.add_bos);
        let (bos, eos) = match kind {
            Kind::Bpe => (pre_adds_bos, false),
            Kind::SentencePiece | Kind::WordPiece => (true, false),
            Kind::Unigram => (false, true),
        };
        let SpecialIds {
            bos: bos_id,
            eos: eos_id,
            ..
        } = vocab.special;
        let add_bos = wanted(tables.add_bos, bos, bos_id, "add_bos_token", "BOS")?;
        let add_eos = wanted(tables.add_eos, eos, eos_id, "add_eos_token", "EOS")?;
        let add_sep = tables.add_sep.unwrap_or(kind == Kind::WordPiece);

        let model = match (kind, pre) {
            (Kind::Bpe, Some(pre)) => Model::Bpe(Box::new(Bpe::new(&mut tables, &vocab, pre)?)),
            (Kind::WordPiece, _) => Model::WordPiece(Box::new(WordPiece::new(&tables, &vocab)?)),
            (Kind::Unigram, _) => Model::Unigram(Box::new(Unigram::new(&tables, &vocab)?)),
            (Kind::SentencePiece | Kind::Bpe, _) => {
                Model::SentencePiece(Box::new(SentencePiece::new(&tables, &vocab)))
            }
        };
        Ok(Self {
            splitter: Splitter::new(&vocab),
            vocab,
            model,
            add_bos,
            add_eos,
            add_sep,
        })
    }

    /// The tokens of `text`.
    ///
    /// `add_special` puts BOS, EOS (for BERT: CLS and SEP) around the text where the vocabulary wants them.
    /// `parse_special` reads the names of control tokens in the text as those tokens; leave it off for text
    /// that users write. Time is linear in the text but for a logarithm in the longest word.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Vec<u32> {
        let SpecialIds { bos, eos, sep, .. } = self.vocab.special;
        let (before, after) = match self.vocab.kind {
            Kind::WordPiece => (bos, sep), // whatever the flags say
            _ => (bos.filter(|_| self.add_bos), eos.filter(|_| self.add_eos)),
        };
        let mut out = Vec::new();
        out.extend(before.filter(|_| add_special));
        let mut at_start = true; // of the text, or after a special token
        self.splitter
            .split(&self.vocab, text, parse_special, |fragment| {
                let text = match fragment {
                    Fragment::Token(id) => {
                        out.push(id);
                        at_start = true;
                        return;
                    }
                    Fragment::Text(text) => text,
                };
                match &self.model {
                    Model::Bpe(bpe) => bpe.encode(&self.vocab, text, &mut out),
                    Model::SentencePiece(spm) => spm.encode(&self.vocab, text, at_start, &mut out),
                    Model::WordPiece(wordpiece) => wordpiece.encode(text, &mut out),
                    Model::Unigram(unigram) => unigram.encode(&self.vocab, text, &mut out),
                }
                at_start = false;
            });
        out.extend(after.filter(|_| add_special));
        out
    }

    /// The kind of tokenizer.
    pub fn kind(&self) -> Kind {
        self.vocab.kind
    }

    /// Number of tokens. Ids are below it.
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// Ids of tokens with a role, defaults filled in. All are in range.
    pub fn special(&self) -> &SpecialIds {
        &self.vocab.special
    }

    /// The token at the beginning of a sequence.
    pub fn bos(&self) -> Option<u32> {
        self.vocab.special.bos
    }

    /// The token at the end of a sequence.
    pub fn eos(&self) -> Option<u32> {
        self.vocab.special.eos
    }

    /// Whether `encode` puts BOS before the text when asked for special tokens.
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether `encode` puts EOS after the text when asked for special tokens.
    pub fn add_eos(&self) -> bool {
        self.add_eos
    }

    /// Whether a pair of texts is joined by SEP. `encode` takes one text and leaves this to its caller.
    pub fn add_sep(&self) -> bool {
        self.add_sep
    }

    /// Whether a space is put before the text.
    pub fn add_space_prefix(&self) -> bool {
        match &self.model {
            Model::SentencePiece(spm) => spm.add_space_prefix,
            Model::Unigram(unigram) => unigram.add_space_prefix,
            Model::Bpe(_) | Model::WordPiece(_) => false,
        }
    }

    /// Whether the model is done when it produces `id`: end of sequence, of turn, of message, and tokens
    /// known by name to be such.
    pub fn is_eog(&self, id: u32) -> bool {
        self.vocab.is_eog(id)
    }

    /// All ids for which [`Tokenizer::is_eog`] holds, sorted.
    pub fn eog_ids(&self) -> &[u32] {
        self.vocab.eog()
    }

    /// Whether `id` is no text: a control token or the unknown token.
    pub fn is_control(&self, id: u32) -> bool {
        matches!(
            self.token_type(id),
            Some(TokenType::Control | TokenType::Unknown)
        )
    }

    /// What `id` stands for; `None` if it is not in the vocabulary.
    pub fn token_type(&self, id: u32) -> Option<TokenType> {
        ((id as usize) < self.vocab.len()).then(|| self.vocab.token_type(id))
    }

    /// The token as the vocabulary writes it, such as `Ġthe` or `▁the`.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.vocab.texts.get(id as usize).map(String::as_str)
    }

    /// The id of a token as the vocabulary writes it.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.vocab.id(text)
    }

    /// The bytes a token stands for, not always whole characters. Control tokens stand for their names.
    /// Nothing if `id` is not in the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        if (id as usize) < self.vocab.len() {
            self.vocab.push_bytes(id, &mut bytes);
        }
        bytes
    }
}

/// Whether a token goes at an end of the text. Only a flag of the file itself may ask for a missing token.
fn wanted(
    file: Option<bool>,
    default: bool,
    id: Option<u32>,
    flag: &'static str,
    token: &'static str,
) -> Result<bool, Error> {
    match (file.unwrap_or(default), id) {
        (true, None) if file.is_some() => Err(Error::NoSpecial { flag, token }),
        (on, id) => Ok(on && id.is_some()),
    }
}
