//! The tokenizer itself: special tokens, then the kind's own rules, then the tokens at both ends.

use crate::bpe::Bpe;
use crate::fragments::{Fragment, Splitter};
use crate::normalizer::Normalizer;
use crate::pretokenizer::PreTokenizer;
use crate::spm::SentencePiece;
use crate::tables::{SpecialIds, TokenType, VocabTables};
use crate::unigram::Unigram;
use crate::vocab::{Kind, Vocab};
use crate::wordpiece::WordPiece;
use crate::world::World;
use crate::{Error, Rules};

/// Text to token ids and back, for one vocabulary.
///
/// Cheap to share (`&Tokenizer` is `Send + Sync`), not to clone.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    vocab: Vocab,
    splitter: Splitter,
    rules: Option<Box<Running>>,
    model: Model,
    /// What goes around the text when special tokens are asked for.
    before: Vec<u32>,
    after: Vec<u32>,
    add_sep: bool,
}

/// What [`Rules`](crate::Rules) add to the pipeline.
#[derive(Debug, Clone)]
struct Running {
    normalizer: Normalizer,
    /// Tokens that are looked for in normalised text.
    splitter: Splitter,
    strip_first_space: bool,
}

#[derive(Debug, Clone)]
enum Model {
    Bpe(Box<Bpe>),
    SentencePiece(Box<SentencePiece>),
    WordPiece(Box<WordPiece>),
    Unigram(Box<Unigram>),
    World(Box<World>),
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
        let pre = match (&tables.rules, kind) {
            (Some(rules), _) => Some(PreTokenizer::custom(rules)?),
            (None, Kind::Bpe) => Some(PreTokenizer::new(&tables.pre)?),
            _ => None,
        };
        let byte_level = pre.as_ref().is_some_and(|pre| !pre.traits.plain_text);
        let vocab = Vocab::new(&mut tables, kind, byte_level)?;

        let (before, after) = around(&tables, kind, &vocab, pre.as_ref())?;
        let add_sep = tables.add_sep.unwrap_or(kind == Kind::WordPiece);
        let (splitter, rules) = match &tables.rules {
            None => (Splitter::new(&vocab), None),
            Some(rules) => {
                let (splitter, running) = Running::new(&vocab, rules)?;
                (splitter, Some(Box::new(running)))
            }
        };

        let model = match (kind, pre) {
            (Kind::Bpe, Some(pre)) => Model::Bpe(Box::new(Bpe::new(&mut tables, &vocab, pre)?)),
            (Kind::WordPiece, pre) => {
                Model::WordPiece(Box::new(WordPiece::new(&tables, &vocab, pre)?))
            }
            (Kind::Unigram, pre) => Model::Unigram(Box::new(Unigram::new(&tables, &vocab, pre)?)),
            (Kind::World, _) => Model::World(Box::new(World::new(&vocab))),
            (Kind::SentencePiece | Kind::Bpe, _) => {
                Model::SentencePiece(Box::new(SentencePiece::new(&tables, &vocab)))
            }
        };
        Ok(Self {
            splitter,
            rules,
            vocab,
            model,
            before,
            after,
            add_sep,
        })
    }

    /// The tokens of `text`.
    ///
    /// `add_special` puts BOS, EOS (for BERT: CLS and SEP) around the text where the vocabulary wants them.
    /// `parse_special` reads the names of control tokens in the text as those tokens; leave it off for text
    /// that users write. Time is linear in the text but for a logarithm in the longest word.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Vec<u32> {
        let mut out = Vec::new();
        if add_special {
            out.extend(&self.before);
        }
        let mut at_start = true; // of the text, or after a special token
        let mut first = true;
        self.splitter
            .split(&self.vocab, text, parse_special, |fragment| {
                match fragment {
                    Fragment::Token(id) => {
                        out.push(id);
                        at_start = true;
                    }
                    Fragment::Text(text) => {
                        self.encode_text(text, first, at_start, parse_special, &mut out);
                        at_start = false;
                    }
                }
                first = false;
            });
        if add_special {
            out.extend(&self.after);
        }
        out
    }

    /// Appends the tokens of text without tokens that are looked for in it as it is.
    fn encode_text(
        &self,
        text: &str,
        first: bool,
        at_start: bool,
        parse_special: bool,
        out: &mut Vec<u32>,
    ) {
        let Some(rules) = &self.rules else {
            return self.model.encode(&self.vocab, text, first, at_start, out);
        };
        let text = rules.normalizer.apply(text, first);
        let mut first = first;
        let each = |fragment: Fragment<'_>| {
            match fragment {
                Fragment::Token(id) => out.push(id),
                Fragment::Text(text) => self.model.encode(&self.vocab, text, first, at_start, out),
            }
            first = false;
        };
        rules
            .splitter
            .split(&self.vocab, &text, parse_special, each);
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
        let bos = self.vocab.special.bos;
        bos.is_some_and(|bos| self.before.contains(&bos))
    }

    /// Whether `encode` puts EOS after the text when asked for special tokens.
    pub fn add_eos(&self) -> bool {
        let eos = self.vocab.special.eos;
        eos.is_some_and(|eos| self.after.contains(&eos))
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
            Model::Bpe(_) | Model::WordPiece(_) | Model::World(_) => false,
        }
    }

    /// Whether a `tokenizer.json` spells out what is done.
    pub(crate) fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// Whether decoding takes away a space that encoding put before the text.
    pub(crate) fn strips_first_space(&self) -> bool {
        match (self.vocab.kind, &self.rules) {
            (Kind::WordPiece, _) => true,
            (_, Some(rules)) => rules.strip_first_space,
            (Kind::Bpe | Kind::World, None) => false,
            (Kind::SentencePiece | Kind::Unigram, None) => self.add_space_prefix(),
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

impl Model {
    /// Appends the tokens of text without special tokens. It is the `first` part of the whole, or stands
    /// `at_start`, behind a special token.
    fn encode(&self, vocab: &Vocab, text: &str, first: bool, at_start: bool, out: &mut Vec<u32>) {
        match self {
            Self::Bpe(bpe) => bpe.encode(vocab, text, first, out),
            Self::SentencePiece(spm) => spm.encode(vocab, text, at_start, out),
            Self::WordPiece(wordpiece) => wordpiece.encode(text, first, out),
            Self::Unigram(unigram) => unigram.encode(vocab, text, first, out),
            Self::World(world) => world.encode(text, out),
        }
    }
}

impl Running {
    /// The splitter of text as it is, and everything behind it.
    fn new(vocab: &Vocab, rules: &Rules) -> Result<(Splitter, Self), Error> {
        let normalizer = Normalizer::new(&rules.normalizers)?;
        let mut is_normalized = vec![false; vocab.len()];
        let mut normalized: Vec<(String, u32)> = Vec::new();
        for token in rules.added.iter().filter(|token| token.normalized) {
            let Some(text) = vocab.texts.get(token.id as usize) else {
                continue;
            };
            is_normalized[token.id as usize] = true;
            normalized.push((normalizer.apply(text, true).into_owned(), token.id));
        }
        let plain = (0..vocab.len() as u32).filter(|&id| !is_normalized[id as usize]);
        let plain = plain.map(|id| (vocab.texts[id as usize].as_str(), id));
        let keys = normalized.iter().map(|(text, id)| (text.as_str(), *id));
        let running = Self {
            splitter: Splitter::of(vocab, keys),
            normalizer,
            strip_first_space: rules.strip_first_space,
        };
        Ok((Splitter::of(vocab, plain), running))
    }
}

/// The tokens that go before and after the text when special tokens are asked for.
fn around(
    tables: &VocabTables,
    kind: Kind,
    vocab: &Vocab,
    pre: Option<&PreTokenizer>,
) -> Result<(Vec<u32>, Vec<u32>), Error> {
    if let Some(rules) = &tables.rules {
        let in_range = |ids: &[u32]| {
            let ids = ids.iter().copied();
            ids.filter(|&id| (id as usize) < vocab.len()).collect()
        };
        return Ok((in_range(&rules.before), in_range(&rules.after)));
    }
    let (bos, eos) = match kind {
        Kind::Bpe => (pre.is_some_and(|pre| pre.traits.add_bos), false),
        Kind::SentencePiece | Kind::WordPiece => (true, false),
        Kind::Unigram => (false, true),
        Kind::World => (false, false),
    };
    let special = vocab.special;
    let add_bos = wanted(tables.add_bos, bos, special.bos, "add_bos_token", "BOS")?;
    let add_eos = wanted(tables.add_eos, eos, special.eos, "add_eos_token", "EOS")?;
    let (before, after) = match kind {
        // Whatever the flags say.
        Kind::WordPiece => (special.bos, special.sep),
        _ => (
            special.bos.filter(|_| add_bos),
            special.eos.filter(|_| add_eos),
        ),
    };
    Ok((before.into_iter().collect(), after.into_iter().collect()))
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
