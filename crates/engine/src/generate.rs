//! From a prompt to a reply: compute, sample, show, until something ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenizer::{Detokenizer, Tokenizer};

use crate::runner::{Runner, Sequence};
use crate::sampler::{DryBreakers, ParamError, Sampler, SamplerParams};
use crate::stop::StopStrings;

/// What to generate.
#[derive(Clone, Debug)]
pub struct GenerateRequest {
    /// Tokens to go on from.
    pub prompt: Vec<u32>,
    /// How to choose.
    pub sampler: SamplerParams,
    /// Most tokens to generate; up to the end of the context if none.
    pub max_tokens: Option<usize>,
    /// Strings that end the text; they are not part of it.
    pub stop: Vec<String>,
    /// Goes on when the model ends its turn.
    pub ignore_eos: bool,
    /// Shows control tokens as text.
    pub keep_special: bool,
}

/// Why a request cannot be carried out.
#[derive(Debug, thiserror::Error)]
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
    #[error("token {id} is not of the vocabulary, which has {vocab_size}")]
    UnknownToken {
        /// The token.
        id: u32,
        /// How many there are.
        vocab_size: usize,
    },
    /// A sampler parameter is out of range.
    #[error(transparent)]
    Sampler(#[from] ParamError),
    /// Weights that are not in memory cannot be read: the only one that comes while a reply is under way.
    #[error(transparent)]
    Read(#[from] model::ReadError),
}

/// What ended a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// The number of tokens asked for, or the end of the context.
    Length,
    /// The receiver wanted no more.
    Cancelled,
}

/// Counts and times of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the prompt that were still in the cache.
    pub cached_tokens: usize,
    /// Tokens generated, the one that ended the turn included.
    pub generated_tokens: usize,
    /// Time until the first token was chosen.
    pub prompt_time: Duration,
    /// Time from there to the end.
    pub generation_time: Duration,
}

/// Generates one text at a time, and keeps the last one's cache for the next.
pub struct Generator {
    runner: Runner,
    tokenizer: Arc<Tokenizer>,
    sequence: Sequence,
}

impl Generator {
    /// A generator over a runner with room for one row of logits.
    pub fn new(runner: Runner, tokenizer: Arc<Tokenizer>) -> Self {
        Self {
            sequence: Sequence::with_capacity(runner.max_seq_len()),
            runner,
            tokenizer,
        }
    }

    /// Generates, giving each piece of text to `show`, which returns whether it wants more.
    ///
    /// # Errors
    /// If the request cannot be carried out; nothing has been shown then, but for [`RequestError::Read`].
    pub fn generate(
        &mut self,
        request: &GenerateRequest,
        mut show: impl FnMut(&str) -> bool,
    ) -> Result<(FinishReason, Usage), RequestError> {
        let mut sampler = self.check(request)?;
        let mut stop = StopStrings::new(&request.stop);
        // SentencePiece puts a space before a text: after nothing but control tokens it is not part of it.
        let begins = request
            .prompt
            .iter()
            .all(|&id| self.tokenizer.is_control(id));
        let mut detokenizer = match begins {
            true => Detokenizer::new(!request.keep_special),
            false => Detokenizer::continuing(!request.keep_special),
        };
        let cached_tokens = self.sequence.replace(&request.prompt);
        let mut usage = Usage {
            prompt_tokens: request.prompt.len(),
            cached_tokens,
            ..Usage::default()
        };
        let start = Instant::now();
        let mut first = start;
        let room = self.runner.max_seq_len() - request.prompt.len();
        let max_tokens = request.max_tokens.unwrap_or(room).min(room);
        let reason = loop {
            if usage.generated_tokens == max_tokens {
                break FinishReason::Length;
            }
            let logits = loop {
                // Between the steps of a long prompt the receiver may leave.
                if !show("") {
                    usage.prompt_time = start.elapsed();
                    return Ok((FinishReason::Cancelled, usage));
                }
                if let Some(logits) = self.runner.step(&mut self.sequence)? {
                    break logits;
                }
            };
            let id = sampler.sample(logits, self.sequence.tokens()).id;
            if usage.generated_tokens == 0 {
                first = Instant::now();
            }
            usage.generated_tokens += 1;
            if self.tokenizer.is_eog(id) && !request.ignore_eos {
                break FinishReason::Stop;
            }
            self.sequence.push(id);
            let (text, stopped) = stop.push(&detokenizer.push(&self.tokenizer, id));
            if !text.is_empty() && !show(&text) {
                break FinishReason::Cancelled;
            }
            if stopped {
                usage.prompt_time = first - start;
                usage.generation_time = first.elapsed();
                return Ok((FinishReason::Stop, usage));
            }
        };
        let (text, stopped) = stop.push(&detokenizer.finish());
        let rest = if stopped { text } else { text + &stop.finish() };
        if !rest.is_empty() {
            show(&rest);
        }
        usage.prompt_time = first - start;
        usage.generation_time = first.elapsed();
        Ok((reason, usage))
    }

    /// The request's sampler, if the request can be carried out.
    fn check(&self, request: &GenerateRequest) -> Result<Sampler, RequestError> {
        let vocab_size = self.runner.model().config().vocab_size;
        let (num_tokens, max_seq_len) = (request.prompt.len(), self.runner.max_seq_len());
        if num_tokens == 0 {
            return Err(RequestError::EmptyPrompt);
        }
        if num_tokens >= max_seq_len {
            return Err(RequestError::ContextExceeded {
                num_tokens,
                max_seq_len,
            });
        }
        if let Some(&id) = request.prompt.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(RequestError::UnknownToken { id, vocab_size });
        }
        let breakers = match request.sampler.dry_multiplier > 0.0 {
            true => self.dry_breakers(&request.sampler.dry_sequence_breakers),
            false => DryBreakers::from_tokens(&[]),
        };
        Ok(Sampler::new(&request.sampler, vocab_size, breakers)?)
    }

    fn dry_breakers(&self, texts: &[String]) -> DryBreakers {
        let ids = 0..self.tokenizer.vocab_size() as u32;
        let pieces: Vec<Vec<u8>> = ids.map(|id| self.tokenizer.token_bytes(id)).collect();
        let pieces = (0..).zip(pieces.iter().map(Vec::as_slice));
        DryBreakers::from_texts(texts, pieces, |text| {
            self.tokenizer.encode(text, false, false)
        })
    }
}
