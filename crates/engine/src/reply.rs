//! From the tokens of one reply to its text and its end.

use std::time::Duration;

use tokenizer::{Detokenizer, Tokenizer};

use crate::request::{
    Ending, Event, FinishReason, Request, RequestError, Sink, StopCause, TokenInfo, Usage,
};
use crate::stop::StopStrings;

/// What a request has come to so far.
pub(crate) struct Reply {
    detokenizer: Detokenizer,
    stop: StopStrings,
    stop_tokens: Vec<u32>,
    ignore_eos: bool,
    pub(crate) min_tokens: usize,
    max_tokens: usize,
    /// Whether tokens are told one by one.
    tells_tokens: bool,
    /// Whether log-probabilities of the prompt are told on their own.
    tells_prompt: bool,
    /// Whether pieces tell how much of the prompt is computed.
    tells_progress: bool,
    /// What is still to be told before the text: the prompt's, and its first token.
    echo: Option<(String, u32)>,
    /// Chosen since the last piece.
    tokens: Vec<TokenInfo>,
    pub(crate) usage: Usage,
    submitted: Duration,
    started: Option<Duration>,
    first_token: Option<Duration>,
    sink: Box<dyn Sink>,
}

impl Reply {
    /// Nothing yet; the text may have up to `room` tokens.
    pub(crate) fn new(
        request: &Request,
        room: usize,
        tokenizer: &Tokenizer,
        now: Duration,
        sink: Box<dyn Sink>,
    ) -> Self {
        // SentencePiece puts a space before a text: after nothing but control tokens it is not part of it.
        let begins = request.prompt.iter().all(|&id| tokenizer.is_control(id));
        let detokenizer = match begins {
            true => Detokenizer::new(!request.keep_special),
            false => Detokenizer::continuing(!request.keep_special),
        };
        Self {
            detokenizer,
            stop: StopStrings::new(&request.stop),
            stop_tokens: request.stop_tokens.clone(),
            ignore_eos: request.ignore_eos,
            min_tokens: request.min_tokens,
            max_tokens: request.max_tokens.unwrap_or(room).min(room),
            tells_tokens: request.sampler.logprobs.is_some(),
            tells_prompt: request.prompt_logprobs.is_some(),
            tells_progress: request.tells_progress,
            echo: request
                .echo
                .then(|| (text_of(&request.prompt, tokenizer), request.prompt[0])),
            tokens: Vec::new(),
            usage: Usage {
                prompt_tokens: request.prompt.len(),
                ..Usage::default()
            },
            submitted: now,
            started: None,
            first_token: None,
            sink,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sink.is_closed()
    }

    /// Whether no token is wanted at all, or no further one.
    pub(crate) fn is_full(&self) -> bool {
        self.num_left() == 0
    }

    /// Tokens that may still come.
    pub(crate) fn num_left(&self) -> usize {
        self.max_tokens.saturating_sub(self.usage.generated_tokens)
    }

    /// Whether the text may not end with the next token.
    pub(crate) fn must_go_on(&self) -> bool {
        self.usage.generated_tokens < self.min_tokens
    }

    /// Whether this token ends the text, wherever it comes.
    pub(crate) fn is_stop_token(&self, tokenizer: &Tokenizer, id: u32) -> bool {
        self.stop_tokens.contains(&id) || (tokenizer.is_eog(id) && !self.ignore_eos)
    }

    /// Its first step begins.
    pub(crate) fn start(&mut self, now: Duration, cached_tokens: usize) {
        if self.started.is_none() {
            self.started = Some(now);
            self.usage.cached_tokens = cached_tokens;
            self.usage.queue_time = now.saturating_sub(self.submitted);
            if !self.tells_tokens {
                self.send_echo(Vec::new());
            }
            self.progress(cached_tokens, now, true);
        }
    }

    /// So much of the prompt is computed. After a preemption less is, of which nothing is said.
    pub(crate) fn progress(&mut self, computed: usize, now: Duration, is_first: bool) {
        let computed = computed.min(self.usage.prompt_tokens);
        if computed <= self.usage.computed_tokens && !is_first {
            return;
        }
        self.usage.computed_tokens = computed;
        if self.tells_progress {
            self.reckon(now);
            let (text, tokens, usage) = (String::new(), Vec::new(), self.usage);
            self.sink.send(Event::Piece {
                text,
                tokens,
                usage,
            });
        }
    }

    /// Tells about the prompt's tokens but the first.
    pub(crate) fn send_prompt(&mut self, tokens: Vec<TokenInfo>) {
        if self.tells_prompt {
            self.sink.send(Event::Prompt(tokens.clone()));
        }
        self.send_echo(tokens);
    }

    /// The prompt is the beginning of the text, if that is asked for; `tokens` are all of its own but the first.
    pub(crate) fn send_echo(&mut self, tokens: Vec<TokenInfo>) {
        let Some((text, first)) = self.echo.take() else {
            return;
        };
        if self.tells_tokens {
            self.tokens.push(TokenInfo {
                id: first,
                logprob: None,
                top_logprobs: Vec::new(),
            });
            self.tokens.extend(tokens);
        }
        self.send_piece(text);
    }

    /// A token was chosen; what ends the text with it, if something does.
    pub(crate) fn push(
        &mut self,
        tokenizer: &Tokenizer,
        token: TokenInfo,
        now: Duration,
    ) -> Option<(FinishReason, Option<StopCause>)> {
        self.usage.generated_tokens += 1;
        self.reckon(now);
        let id = token.id;
        if self.tells_tokens {
            self.tokens.push(token);
        }
        if self.is_stop_token(tokenizer, id) {
            return Some((FinishReason::Stop, Some(StopCause::Token(id))));
        }
        let text = self.detokenizer.push(tokenizer, id);
        let (text, stopped) = self.stop.push(&text);
        self.send_piece(text);
        if let Some(text) = stopped {
            return Some((FinishReason::Stop, Some(StopCause::Text(text))));
        }
        self.is_full().then_some((FinishReason::Length, None))
    }

    /// The text is over.
    pub(crate) fn end(mut self, reason: FinishReason, cause: Option<StopCause>, now: Duration) {
        let mut cause = cause;
        self.reckon(now);
        if !matches!(cause, Some(StopCause::Text(_))) {
            let (mut text, stopped) = self.stop.push(&self.detokenizer.finish());
            match stopped {
                Some(stop) => cause = Some(StopCause::Text(stop)),
                None => text += &self.stop.finish(),
            }
            self.send_piece(text);
        } else {
            self.send_piece(String::new());
        }
        let usage = self.usage;
        let ending = Ending {
            reason,
            cause,
            usage,
        };
        self.sink.send(Event::End(Ok(ending)));
    }

    /// It cannot go on.
    pub(crate) fn fail(mut self, error: RequestError) {
        self.sink.send(Event::End(Err(error)));
    }

    /// The times up to now; without a token all of it was the prompt's.
    fn reckon(&mut self, now: Duration) {
        let started = self.started.unwrap_or(now);
        let first = match self.usage.generated_tokens {
            0 => now,
            _ => *self.first_token.get_or_insert(now),
        };
        self.usage.prompt_time = first.saturating_sub(started);
        self.usage.generation_time = now.saturating_sub(first);
    }

    fn send_piece(&mut self, text: String) {
        if !text.is_empty() || !self.tokens.is_empty() {
            let tokens = std::mem::take(&mut self.tokens);
            let usage = self.usage;
            self.sink.send(Event::Piece {
                text,
                tokens,
                usage,
            });
        }
    }
}

/// The text that gave these tokens, control tokens included; not a start token that the tokenizer adds by itself.
fn text_of(tokens: &[u32], tokenizer: &Tokenizer) -> String {
    let added = tokenizer.bos().filter(|_| tokenizer.add_bos());
    let tokens = match tokens {
        [first, rest @ ..] if Some(*first) == added => rest,
        all => all,
    };
    tokenizer.decode(tokens, false)
}
