//! What is asked of the engine, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use tokenizer::Tokenizer;

use crate::grammar::{Grammar, GrammarError};
use crate::sampler::{DryBreakers, ParamError, Sampler, SamplerParams};
use crate::speculate::Guesses;
use crate::thoughts::ThoughtLimit;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Request {
    /// Tokens to go on from.
    pub prompt: Vec<u32>,
    /// How to choose.
    pub sampler: SamplerParams,
    /// Most tokens to generate; up to the end of the context if none.
    pub max_tokens: Option<usize>,
    /// The model may not end its turn, nor a stop token end the text, before so many tokens.
    pub min_tokens: usize,
    /// Strings that end the text; they are not part of it.
    pub stop: Vec<String>,
    /// Tokens that end the text, beside those that end a turn; they are not part of it.
    pub stop_tokens: Vec<u32>,
    /// Goes on when the model ends its turn.
    pub ignore_eos: bool,
    /// Shows control tokens as text.
    pub keep_special: bool,
    /// Reports the log-probability of each token of the prompt after its first, and so many of the best ones in
    /// its place. The prompt is then computed anew, whatever is in the cache.
    pub prompt_logprobs: Option<usize>,
    /// May use what the cache holds of the prompt.
    pub cache_prompt: bool,
    /// What the cache holds is found by requests with the same salt only, so that the time of a reply does not tell
    /// what others have asked; empty for what all may share.
    pub cache_salt: String,
    /// The reply's text begins with the prompt's, and its tokens with those of the prompt, if log-probabilities are
    /// asked for ([`SamplerParams::logprobs`]); the first has none. A start token that the model adds by itself is a
    /// token without text.
    pub echo: bool,
    /// What the reply must look like.
    pub grammar: Option<Grammar>,
    /// Where thoughts end at the latest; where the model ends them otherwise.
    pub thoughts: Option<ThoughtLimit>,
    /// How many tokens are guessed in a row, where guesses are made. It changes no text.
    pub guesses: Guesses,
    /// Tells how much of the prompt is computed: pieces without text come before the first token.
    pub tells_progress: bool,
}

impl Default for Request {
    /// An empty prompt, up to the end of the context.
    fn default() -> Self {
        Self {
            prompt: Vec::new(),
            sampler: SamplerParams::default(),
            max_tokens: None,
            min_tokens: 0,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            ignore_eos: false,
            keep_special: false,
            prompt_logprobs: None,
            cache_prompt: true,
            cache_salt: String::new(),
            echo: false,
            grammar: None,
            thoughts: None,
            guesses: Guesses::default(),
            tells_progress: false,
        }
    }
}

/// Why a request cannot be carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is nothing to go on from.
    #[error("the prompt is empty, and this model's texts have no start token")]
    EmptyPrompt,
    /// The prompt leaves no room for a reply.
    #[error(
        "the prompt has {num_tokens} tokens, the context has room for {max_seq_len}\nhint: a larger context (`--ctx`) or a shorter prompt"
    )]
    ContextExceeded {
        /// Tokens of the prompt.
        num_tokens: usize,
        /// Tokens of the context.
        max_seq_len: usize,
    },
    /// A token that the model does not have.
    #[error("`{field}`: token {id} is not of the vocabulary, which has {vocab_size}")]
    UnknownToken {
        /// Where it stands.
        field: &'static str,
        /// The token.
        id: u32,
        /// How many there are.
        vocab_size: usize,
    },
    /// A text that must be short is not.
    #[error("`{field}`: expected at most {most} bytes, found {found}")]
    TooLong {
        /// What is too long.
        field: &'static str,
        /// How long it may be.
        most: usize,
        /// How long it is.
        found: usize,
    },
    /// More is asked for than is given out.
    #[error("`{field}`: expected at most {most}, found {found}")]
    TooMany {
        /// What is asked for.
        field: &'static str,
        /// How many there may be.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// A sampler parameter is out of range.
    #[error(transparent)]
    Sampler(#[from] ParamError),
    /// The grammar passes its bounds: may come while a reply is under way.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// Too many requests wait already.
    #[error("{waiting} requests wait already, and no more can")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// Weights that are not in memory cannot be read: comes while a reply is under way.
    #[error(transparent)]
    Read(Arc<model::ReadError>),
}

/// What ended a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string or token came.
    Stop,
    /// The number of tokens asked for, or the end of the context.
    Length,
    /// The receiver wanted no more.
    Cancelled,
}

/// What [`FinishReason::Stop`] came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// A token that ends a turn or a text, or one of [`Request::stop_tokens`].
    Token(u32),
    /// One of [`Request::stop`].
    Text(String),
    /// Nothing more may come after [`Request::grammar`].
    Grammar,
}

/// Counts and times of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the prompt that were still in the cache.
    pub cached_tokens: usize,
    /// Tokens of the prompt that are computed so far, or were still in the cache.
    pub computed_tokens: usize,
    /// Tokens generated, the one that ended the turn included.
    pub generated_tokens: usize,
    /// Tokens that were guessed.
    pub drafted_tokens: usize,
    /// Guesses that were right: each is a generated token that cost no step of its own.
    pub accepted_tokens: usize,
    /// From the request to the first step for it.
    pub queue_time: Duration,
    /// From there until the first token was chosen.
    pub prompt_time: Duration,
    /// From there to the end.
    pub generation_time: Duration,
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenInfo {
    /// The token.
    pub id: u32,
    /// Its log-probability, if asked for.
    pub logprob: Option<f32>,
    /// The best tokens in its place and their log-probabilities, best first, as many as asked for; then
    /// [`SamplerParams::logprob_tokens`] in their order.
    pub top_logprobs: Vec<(u32, f32)>,
}

/// How a text ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// What ended it.
    pub reason: FinishReason,
    /// What it stopped at.
    pub cause: Option<StopCause>,
    /// Counts and times.
    pub usage: Usage,
}

/// What comes of a request, in this order.
#[derive(Clone, Debug)]
pub enum Event {
    /// Tokens of the prompt after its first, if [`Request::prompt_logprobs`] asks for them.
    Prompt(Vec<TokenInfo>),
    /// More text, and the tokens that were chosen since the last piece. Text that may be the beginning of a stop
    /// string, or of a character, comes later than its tokens.
    Piece {
        /// Possibly empty.
        text: String,
        /// Possibly none.
        tokens: Vec<TokenInfo>,
        /// Counts and times so far.
        usage: Usage,
    },
    /// The vector of an [`EmbedRequest`](crate::EmbedRequest); nothing comes after it.
    Embedding(Vec<f32>),
    /// The end; nothing comes after it.
    End(Result<Ending, RequestError>),
}

/// Where a request's events go.
pub trait Sink: Send {
    /// Takes an event, and does not wait. A text has a bound, the context; so has what waits to be read.
    fn send(&mut self, event: Event);
    /// Whether nobody listens any more: the request is then given up at the next step.
    fn is_closed(&self) -> bool;
}

/// Most log-probabilities reported for one token.
pub const MAX_LOGPROBS: usize = 128;

impl Request {
    /// How many best tokens to report for each of the prompt, if any: for themselves, or because they are echoed.
    pub(crate) fn wanted_of_prompt(&self) -> Option<usize> {
        let echoed = self.sampler.logprobs.filter(|_| self.echo);
        self.prompt_logprobs.or(echoed)
    }

    /// Whether an engine of these bounds would take the request.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn validate(
        &self,
        tokenizer: &Tokenizer,
        vocab_size: usize,
        max_seq_len: usize,
    ) -> Result<(), RequestError> {
        self.check(tokenizer, vocab_size, max_seq_len).map(drop)
    }

    /// The request's sampler, if the request can be carried out.
    pub(crate) fn check(
        &self,
        tokenizer: &Tokenizer,
        vocab_size: usize,
        max_seq_len: usize,
    ) -> Result<Sampler, RequestError> {
        check_tokens("prompt", &self.prompt, vocab_size)?;
        check_salt(&self.cache_salt)?;
        let num_tokens = self.prompt.len();
        if num_tokens >= max_seq_len {
            return Err(RequestError::ContextExceeded {
                num_tokens,
                max_seq_len,
            });
        }
        let mut ids = self.stop_tokens.iter();
        ids.try_for_each(|&id| check_token("stop_tokens", id, vocab_size))?;
        let mut ids = self.sampler.logit_bias.iter();
        ids.try_for_each(|&(id, _)| check_token("logit_bias", id, vocab_size))?;
        let mut ids = self.sampler.logprob_tokens.iter();
        ids.try_for_each(|&id| check_token("logprob_tokens", id, vocab_size))?;
        let others = self.sampler.logprob_tokens.len();
        let counts = [
            ("logprob_tokens", Some(others)),
            ("logprobs", self.sampler.logprobs),
            ("prompt_logprobs", self.prompt_logprobs),
        ];
        for (field, found) in counts {
            if let Some(found) = found.filter(|&found| found > MAX_LOGPROBS) {
                let most = MAX_LOGPROBS;
                return Err(RequestError::TooMany { field, most, found });
            }
        }
        let breakers = match self.sampler.dry_multiplier > 0.0 {
            true => dry_breakers(tokenizer, &self.sampler.dry_sequence_breakers),
            false => DryBreakers::from_tokens(&[]),
        };
        Ok(Sampler::new(&self.sampler, vocab_size, breakers)?)
    }
}

/// Fails if there is nothing to compute, or something that the model does not know.
pub(crate) fn check_tokens(
    field: &'static str,
    tokens: &[u32],
    vocab_size: usize,
) -> Result<(), RequestError> {
    if tokens.is_empty() {
        return Err(RequestError::EmptyPrompt);
    }
    let mut ids = tokens.iter();
    ids.try_for_each(|&id| check_token(field, id, vocab_size))
}

/// Salts are kept while something is cached under them.
const MAX_SALT: usize = 256;

/// Fails if a salt is longer than one has to be.
pub(crate) fn check_salt(salt: &str) -> Result<(), RequestError> {
    let (field, most, found) = ("cache_salt", MAX_SALT, salt.len());
    match found <= most {
        true => Ok(()),
        false => Err(RequestError::TooLong { field, most, found }),
    }
}

fn check_token(field: &'static str, id: u32, vocab_size: usize) -> Result<(), RequestError> {
    match (id as usize) < vocab_size {
        true => Ok(()),
        false => Err(RequestError::UnknownToken {
            field,
            id,
            vocab_size,
        }),
    }
}

fn dry_breakers(tokenizer: &Tokenizer, texts: &[String]) -> DryBreakers {
    let ids = 0..tokenizer.vocab_size() as u32;
    let pieces: Vec<Vec<u8>> = ids.map(|id| tokenizer.token_bytes(id)).collect();
    let pieces = (0..).zip(pieces.iter().map(Vec::as_slice));
    DryBreakers::from_texts(texts, pieces, |text| tokenizer.encode(text, false, false))
}
