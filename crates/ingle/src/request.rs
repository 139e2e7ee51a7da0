//! One request: what to say, how to choose, and the reply as a whole or in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::Receiver;
use engine::sampler::SamplerParams;
use engine::{FinishReason, GenerateRequest, Usage};
use futures_core::Stream;
use serde_json::{Map, Value};
use tokenizer::TemplateInput;

use crate::worker::{Event, Job};
use crate::{Chat, Error, Message, Model};

/// A request in the making; see [`Model::chat`] and [`Model::complete`].
#[derive(Clone)]
pub struct Request {
    model: Model,
    prompt: Prompt,
    sampler: SamplerParams,
    max_tokens: Option<usize>,
    stop: Vec<String>,
    ignore_eos: bool,
    keep_special: bool,
}

#[derive(Clone)]
enum Prompt {
    Chat {
        messages: Vec<Message>,
        variables: Map<String, Value>,
    },
    Text(String),
}

impl Request {
    pub(crate) fn chat(model: Model, chat: Chat) -> Self {
        Self::new(
            model,
            Prompt::Chat {
                messages: chat.0,
                variables: Map::new(),
            },
        )
    }

    pub(crate) fn complete(model: Model, text: String) -> Self {
        Self::new(model, Prompt::Text(text))
    }

    fn new(model: Model, prompt: Prompt) -> Self {
        let mut sampler = SamplerParams::default();
        model.info().sampler.apply(&mut sampler);
        Self {
            model,
            prompt,
            sampler,
            max_tokens: None,
            stop: Vec::new(),
            ignore_eos: false,
            keep_special: false,
        }
    }

    /// Puts a system message first; a completion has none and is left as it is.
    pub fn system(mut self, text: impl Into<String>) -> Self {
        if let Prompt::Chat { messages, .. } = &mut self.prompt {
            messages.insert(0, Message::system(text));
        }
        self
    }

    /// Sets a variable that the chat template reads, such as `enable_thinking`.
    pub fn template_variable(mut self, name: impl Into<String>, value: Value) -> Self {
        if let Prompt::Chat { variables, .. } = &mut self.prompt {
            variables.insert(name.into(), value);
        }
        self
    }

    /// Most tokens to generate; otherwise up to the end of the context.
    pub fn max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = Some(max_tokens);
        self
    }

    /// How to choose tokens; the seed is part of it. Otherwise llama.cpp's defaults with what
    /// the model recommends ([`ModelInfo::sampler`](crate::ModelInfo::sampler)) in place of them, seed 0.
    pub fn sampler(mut self, sampler: SamplerParams) -> Self {
        self.sampler = sampler;
        self
    }

    /// Strings that end the text; they are not part of it.
    pub fn stop(mut self, stop: Vec<String>) -> Self {
        self.stop = stop;
        self
    }

    /// Goes on when the model ends its turn.
    pub fn ignore_eos(mut self, ignore_eos: bool) -> Self {
        self.ignore_eos = ignore_eos;
        self
    }

    /// Shows control tokens as text.
    pub fn keep_special(mut self, keep_special: bool) -> Self {
        self.keep_special = keep_special;
        self
    }

    /// The whole reply.
    ///
    /// # Errors
    /// If the request cannot be carried out: no template, a prompt too long, a parameter out of range.
    pub fn run(self) -> Result<Reply, Error> {
        let mut stream = self.stream()?;
        let mut text = String::new();
        for piece in &mut stream {
            text += &piece?;
        }
        stream.reply(text)
    }

    /// [`Request::run`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::run`].
    pub async fn run_async(self) -> Result<Reply, Error> {
        let (job, events) = self.job()?;
        let (model, mut text) = (self.model, String::new());
        model
            .0
            .jobs
            .send(job)
            .await
            .map_err(|_| Error::WorkerGone)?;
        loop {
            match events.recv().await.map_err(|_| Error::WorkerGone)? {
                Event::Text(piece) => text += &piece,
                Event::End(result) => {
                    let (finish_reason, usage) = result?;
                    return Ok(Reply {
                        text,
                        finish_reason,
                        usage,
                    });
                }
            }
        }
    }

    /// The reply in pieces, as they come. Dropping the stream stops the computation.
    ///
    /// # Errors
    /// If the prompt cannot be made; what else can be wrong comes as the first item.
    pub fn stream(self) -> Result<ReplyStream, Error> {
        let (job, events) = self.job()?;
        self.model
            .0
            .jobs
            .send_blocking(job)
            .map_err(|_| Error::WorkerGone)?;
        Ok(ReplyStream { events, end: None })
    }

    /// [`Request::stream`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::stream`].
    pub async fn stream_async(self) -> Result<AsyncReplyStream, Error> {
        let (job, events) = self.job()?;
        self.model
            .0
            .jobs
            .send(job)
            .await
            .map_err(|_| Error::WorkerGone)?;
        Ok(AsyncReplyStream {
            events: Box::pin(events),
            end: None,
        })
    }

    fn job(&self) -> Result<(Job, Receiver<Event>), Error> {
        Ok(Job::new(GenerateRequest {
            prompt: self.tokens()?,
            sampler: self.sampler.clone(),
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            ignore_eos: self.ignore_eos,
            keep_special: self.keep_special,
        }))
    }

    /// The prompt in tokens. A template writes its own start token, if the model wants one.
    fn tokens(&self) -> Result<Vec<u32>, Error> {
        let tokenizer = self.model.tokenizer();
        let Prompt::Chat {
            messages,
            variables,
        } = &self.prompt
        else {
            let Prompt::Text(text) = &self.prompt else {
                unreachable!("there are two kinds")
            };
            return Ok(tokenizer.encode(text, true, true));
        };
        let Some(template) = self.model.chat_template() else {
            return Err(Error::NoChatTemplate {
                model: self.model.info().name.clone(),
            });
        };
        let text_of = |id: Option<u32>| {
            id.and_then(|id| tokenizer.token_text(id))
                .unwrap_or_default()
        };
        let text = template.render(&TemplateInput {
            messages: serde_json::to_value(messages).expect("messages are plain strings"),
            // Hugging Face passes `None`, which templates tell from an undefined variable.
            tools: Some(Value::Null),
            add_generation_prompt: true,
            bos_token: text_of(tokenizer.bos()).to_owned(),
            eos_token: text_of(tokenizer.eos()).to_owned(),
            extra: variables.clone(),
            ..TemplateInput::default()
        })?;
        let mut tokens = tokenizer.encode(&text, false, true);
        if tokenizer.add_bos()
            && let Some(bos) = tokenizer.bos()
            && tokens.first() != Some(&bos)
        {
            tokens.insert(0, bos);
        }
        Ok(tokens)
    }
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// What ended it.
    pub finish_reason: FinishReason,
    /// Counts and times.
    pub usage: Usage,
}

/// A reply in pieces: an iterator of text.
pub struct ReplyStream {
    events: Receiver<Event>,
    end: Option<(FinishReason, Usage)>,
}

impl ReplyStream {
    /// What ended the text, after the last piece.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.end.as_ref().map(|(reason, _)| *reason)
    }

    /// Counts and times, after the last piece.
    pub fn usage(&self) -> Option<&Usage> {
        self.end.as_ref().map(|(_, usage)| usage)
    }

    fn reply(self, text: String) -> Result<Reply, Error> {
        let (finish_reason, usage) = self.end.ok_or(Error::WorkerGone)?;
        Ok(Reply {
            text,
            finish_reason,
            usage,
        })
    }
}

impl Iterator for ReplyStream {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() {
            return None;
        }
        item(
            self.events.recv_blocking().ok(),
            &mut self.end,
            &self.events,
        )
    }
}

/// A reply in pieces: a stream of text.
pub struct AsyncReplyStream {
    events: Pin<Box<Receiver<Event>>>,
    end: Option<(FinishReason, Usage)>,
}

impl AsyncReplyStream {
    /// What ended the text, after the last piece.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.end.as_ref().map(|(reason, _)| *reason)
    }

    /// Counts and times, after the last piece.
    pub fn usage(&self) -> Option<&Usage> {
        self.end.as_ref().map(|(_, usage)| usage)
    }
}

impl Stream for AsyncReplyStream {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let event = std::task::ready!(this.events.as_mut().poll_next(context));
        Poll::Ready(item(event, &mut this.end, &this.events))
    }
}

/// The stream's item for an event; after an error nothing more comes.
fn item(
    event: Option<Event>,
    end: &mut Option<(FinishReason, Usage)>,
    events: &Receiver<Event>,
) -> Option<Result<String, Error>> {
    match event {
        Some(Event::Text(text)) => Some(Ok(text)),
        Some(Event::End(Ok(summary))) => {
            *end = Some(summary);
            None
        }
        Some(Event::End(Err(error))) => {
            events.close();
            Some(Err(error.into()))
        }
        // Closed after an error that was given out; a lost worker says nothing more either.
        None => None,
    }
}
