//! One request: what to say, how to choose, and how to get the reply.

use engine::Guesses;
use engine::grammar::GrammarSpec;
use engine::sampler::SamplerParams;
use serde_json::{Map, Value};

use crate::dialogue::{self, ReplyParser, Tool, ToolChoice};
use crate::parts::Prepared;
use crate::prompt::{Prompt, Tools};
use crate::reply::{AsyncReplyStream, Reply, ReplyStream};
use crate::thoughts::Budget;
use crate::worker::Command;
use crate::{Chat, Error, Message, Model};

/// Most replies to one request.
pub const MAX_CHOICES: usize = 128;

/// A request in the making; see [`Model::chat`] and [`Model::complete`].
#[derive(Clone)]
pub struct Request {
    pub(crate) model: Model,
    pub(crate) prompt: Prompt,
    /// All but the prompt.
    pub(crate) request: engine::Request,
    pub(crate) num_choices: usize,
    best_of: Option<usize>,
    grammar: Option<GrammarSpec>,
    pub(crate) tools: Tools,
    splits_reasoning: bool,
    budget: Budget,
    /// Tokens before the prompt.
    history: Vec<u32>,
}

impl Request {
    pub(crate) fn chat(model: Model, chat: Chat) -> Self {
        Self::new(
            model,
            Prompt::Chat {
                messages: chat.0,
                variables: Map::new(),
                continues: false,
            },
        )
    }

    pub(crate) fn complete(model: Model, text: String) -> Self {
        Self::new(model, Prompt::Text(text))
    }

    pub(crate) fn complete_tokens(model: Model, tokens: Vec<u32>) -> Self {
        Self::new(model, Prompt::Tokens(tokens))
    }

    fn new(model: Model, prompt: Prompt) -> Self {
        let mut request = engine::Request::default();
        model.info().sampler.apply(&mut request.sampler);
        Self {
            model,
            prompt,
            request,
            num_choices: 1,
            best_of: None,
            grammar: None,
            tools: Tools::default(),
            splits_reasoning: true,
            budget: Budget::default(),
            history: Vec::new(),
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

    /// Goes on with the conversation's last turn, which is the assistant's, in place of a turn of its own.
    pub fn continue_final(mut self, continue_final: bool) -> Self {
        if let Prompt::Chat { continues, .. } = &mut self.prompt {
            *continues = continue_final;
        }
        self
    }

    /// Tools that the model may call. [`Request::answer`] and [`Request::deltas`] tell calls from text.
    pub fn tools(mut self, tools: Vec<Tool>) -> Self {
        self.tools.tools = tools;
        self
    }

    /// Whether the model calls a tool: as it likes, unless something else is said.
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tools.choice = choice;
        self
    }

    /// Whether thoughts are told from the answer; they are. Otherwise they are content, with the marks around them.
    pub fn split_reasoning(mut self, split: bool) -> Self {
        self.splits_reasoning = split;
        self
    }

    /// Most tokens of thoughts; then what ends them in the model's format is written for it, and the answer begins. It
    /// changes nothing where the format has no thoughts.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("qwen3-0.6b")?;
    /// let answer = model.chat("How many primes are below 100?").reasoning_budget(200).answer()?;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn reasoning_budget(mut self, tokens: usize) -> Self {
        self.budget.tokens = Some(tokens);
        self
    }

    /// What thoughts end with that [`Request::reasoning_budget`] cuts short.
    pub fn reasoning_budget_message(mut self, text: impl Into<String>) -> Self {
        self.budget.message = text.into();
        self
    }

    /// How many tokens are guessed in a row, where guesses are made. It changes no text.
    pub fn guesses(mut self, guesses: Guesses) -> Self {
        self.request.guesses = guesses;
        self
    }

    /// Tells how much of the prompt is computed: before the first token come pieces without text, whose
    /// [`Usage::computed_tokens`](crate::Usage::computed_tokens) grow.
    pub fn progress(mut self, tells_progress: bool) -> Self {
        self.request.tells_progress = tells_progress;
        self
    }

    /// Whether a reply may hold several calls; it may, [`MAX_CALLS`](crate::dialogue::MAX_CALLS) of them.
    pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
        self.tools.parallel = parallel;
        self
    }

    /// Goes on from these tokens of an earlier exchange: they come before the prompt, whose own start token is left out.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("smollm2")?;
    /// let earlier = model.chat("My name is Ada.").tokens()?;
    /// let reply = model.chat("What is my name?").history(earlier).run()?;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn history(mut self, tokens: Vec<u32>) -> Self {
        self.history = tokens;
        self
    }

    /// Most tokens to generate; otherwise up to the end of the context.
    pub fn max_tokens(mut self, max_tokens: usize) -> Self {
        self.request.max_tokens = Some(max_tokens);
        self
    }

    /// Least tokens to generate: before, neither the model nor a stop token ends the text.
    pub fn min_tokens(mut self, min_tokens: usize) -> Self {
        self.request.min_tokens = min_tokens;
        self
    }

    /// How to choose tokens; the seed is part of it. Otherwise llama.cpp's defaults with what
    /// the model recommends ([`ModelInfo::sampler`](crate::ModelInfo::sampler)) in place of them, seed 0.
    pub fn sampler(mut self, sampler: SamplerParams) -> Self {
        self.request.sampler = sampler;
        self
    }

    /// How tokens are chosen.
    pub fn params(&self) -> &SamplerParams {
        &self.request.sampler
    }

    /// Strings that end the text; they are not part of it.
    pub fn stop(mut self, stop: Vec<String>) -> Self {
        self.request.stop = stop;
        self
    }

    /// Tokens that end the text, beside those that end a turn.
    pub fn stop_tokens(mut self, tokens: Vec<u32>) -> Self {
        self.request.stop_tokens = tokens;
        self
    }

    /// Goes on when the model ends its turn.
    pub fn ignore_eos(mut self, ignore_eos: bool) -> Self {
        self.request.ignore_eos = ignore_eos;
        self
    }

    /// Shows control tokens as text.
    pub fn keep_special(mut self, keep_special: bool) -> Self {
        self.request.keep_special = keep_special;
        self
    }

    /// Reports the log-probability of each token that is chosen, and of the best `top` in its place.
    pub fn logprobs(mut self, top: usize) -> Self {
        self.request.sampler.logprobs = Some(top);
        self
    }

    /// Reports the same of the prompt's tokens but the first. The prompt is then computed anew.
    pub fn prompt_logprobs(mut self, top: usize) -> Self {
        self.request.prompt_logprobs = Some(top);
        self
    }

    /// What the reply must look like: a JSON schema, a regular expression, a grammar, one of several texts. What
    /// cannot be enforced is an error before the first token.
    pub fn grammar(mut self, spec: GrammarSpec) -> Self {
        self.grammar = Some(spec);
        self
    }

    /// The reply is one of these texts, exactly.
    pub fn choice(self, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let texts = texts.into_iter().map(Into::into);
        self.grammar(GrammarSpec::Choice(texts.collect()))
    }

    /// Whether what other requests computed of the same prompt may be taken; it may, and that changes no text.
    pub fn cache_prompt(mut self, cache_prompt: bool) -> Self {
        self.request.cache_prompt = cache_prompt;
        self
    }

    /// Shares cached beginnings only with requests of the same salt, of at most 256 bytes: then the time that a reply
    /// takes does not tell what requests of other salts have asked. Without one, all share.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("smollm2")?;
    /// let reply = model.chat("Hello").cache_salt("customer 17").run()?;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn cache_salt(mut self, salt: impl Into<String>) -> Self {
        self.request.cache_salt = salt.into();
        self
    }

    /// The reply's text begins with the prompt's, as the model sees it; so do its tokens, if [`Request::logprobs`]
    /// asks for them, and the prompt is then computed anew. The first token has no log-probability.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("smollm2")?;
    /// let scored = model.complete("The sky is blue.").echo(true).logprobs(0);
    /// let tokens = scored.max_tokens(0).run()?.tokens;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn echo(mut self, echo: bool) -> Self {
        self.request.echo = echo;
        self
    }

    /// So many replies to one prompt, which is computed once: reply `i` has the sampler's seed plus `i`.
    pub fn n(mut self, num_choices: usize) -> Self {
        self.num_choices = num_choices;
        self
    }

    /// Generates so many and gives the [`Request::n`] whose tokens are the most probable in the mean.
    pub fn best_of(mut self, best_of: usize) -> Self {
        self.best_of = Some(best_of);
        self
    }

    /// The whole reply; of several ([`Request::n`]), the first.
    ///
    /// # Errors
    /// If the request cannot be carried out: no template, a prompt too long, a parameter out of range.
    pub fn run(self) -> Result<Reply, Error> {
        Ok(self.run_all()?.remove(0))
    }

    /// All replies, [`Request::n`] of them.
    ///
    /// # Errors
    /// As for [`Request::run`].
    pub fn run_all(self) -> Result<Vec<Reply>, Error> {
        let replies = self.prepare()?.start()?.into_iter().map(ReplyStream::reply);
        Ok(self.best(replies.collect::<Result<_, _>>()?))
    }

    /// [`Request::run`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::run`].
    pub async fn run_async(self) -> Result<Reply, Error> {
        Ok(self.run_all_async().await?.remove(0))
    }

    /// [`Request::run_all`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::run`].
    pub async fn run_all_async(self) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::new();
        for stream in self.prepare()?.start_async().await? {
            replies.push(stream.reply_async().await?);
        }
        Ok(self.best(replies))
    }

    /// The reply in pieces, as they come. Dropping the stream stops the computation.
    ///
    /// # Errors
    /// As for [`Request::run`], or if several replies are asked for and only the best of more. What fails under way
    /// comes as an item.
    pub fn stream(self) -> Result<ReplyStream, Error> {
        Ok(self.stream_all()?.remove(0))
    }

    /// A stream for each of the replies, [`Request::n`] of them.
    ///
    /// # Errors
    /// As for [`Request::stream`].
    pub fn stream_all(self) -> Result<Vec<ReplyStream>, Error> {
        self.all_of_them()?.prepare()?.start()
    }

    /// [`Request::stream`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::stream`].
    pub async fn stream_async(self) -> Result<AsyncReplyStream, Error> {
        Ok(self.stream_all_async().await?.remove(0))
    }

    /// [`Request::stream_all`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::stream`].
    pub async fn stream_all_async(self) -> Result<Vec<AsyncReplyStream>, Error> {
        let streams = self.all_of_them()?.prepare()?.start_async().await?;
        Ok(streams.into_iter().map(AsyncReplyStream::new).collect())
    }

    /// Itself, if every reply that is generated is given out: which ones are the best is known at the end.
    fn all_of_them(&self) -> Result<&Self, Error> {
        match self.best_of {
            Some(best_of) if best_of > self.num_choices => Err(Error::BestOfStream { best_of }),
            _ => Ok(self),
        }
    }

    /// Does what can be done before the model computes: renders the template, makes tokens of the text, compiles the
    /// grammar, checks every parameter. It may take milliseconds, of a thread that may be held up so long.
    ///
    /// # Errors
    /// As for [`Request::run`]: what passes here is computed.
    pub fn prepare(&self) -> Result<Prepared, Error> {
        let num_generated = self.best_of.unwrap_or(self.num_choices);
        if !(self.num_choices..=MAX_CHOICES).contains(&num_generated) || self.num_choices == 0 {
            return Err(Error::Choices {
                n: self.num_choices,
                best_of: num_generated,
            });
        }
        let mut request = self.request.clone();
        let (prompt, tail) = self.prompt_tokens()?;
        request.prompt = prompt;
        if let Some(spec) = self.spec(&tail)? {
            request.grammar = Some(self.model.grammars()?.compile(&spec)?);
        }
        if matches!(self.prompt, Prompt::Chat { .. }) {
            let has_tools = !self.tools.tools.is_empty();
            let (format, tokenizer) = (&self.model.0.format, self.model.tokenizer());
            request.thoughts = self.budget.limit(format, has_tools, &tail, tokenizer);
        }
        if num_generated > self.num_choices {
            request.sampler.logprobs.get_or_insert(0);
        }
        let (vocab_size, ctx) = (self.model.vocab_size(), self.model.info().ctx);
        request.validate(self.model.tokenizer(), vocab_size, ctx)?;
        let seed = request.sampler.seed;
        let parser = |i| self.parser(&tail, seed.wrapping_add(i));
        let parsers = (0..num_generated as u64).map(parser).collect();
        let prompt = request.prompt.clone();
        let requests = (0..num_generated as u64).map(|i| {
            let mut request = request.clone();
            request.sampler.seed = seed.wrapping_add(i);
            request
        });
        let (command, receivers) = Command::generate(requests.collect());
        let stream = |events| ReplyStream::new(events, self.model.clone());
        Ok(Prepared {
            model: self.model.clone(),
            prompt,
            command,
            streams: receivers.into_iter().map(stream).collect(),
            parsers,
        })
    }

    /// What takes a reply apart, if it is one of a conversation.
    fn parser(&self, prompt_tail: &str, seed: u64) -> Option<ReplyParser> {
        let mut format = self.model.0.format.clone();
        if !self.splits_reasoning {
            format.reasoning = None;
        }
        // A prompt that is echoed would be taken for a part of the reply.
        let is_chat = matches!(self.prompt, Prompt::Chat { .. }) && !self.request.echo;
        let tools = match self.tools.choice {
            ToolChoice::None => &[],
            _ => self.tools.tools.as_slice(),
        };
        is_chat.then(|| {
            ReplyParser::new(&format, prompt_tail, tools, seed).parallel(self.tools.parallel)
        })
    }

    /// What the reply must look like: what the caller says, or the form of the calls that tools allow.
    fn spec(&self, prompt_tail: &str) -> Result<Option<GrammarSpec>, Error> {
        let Tools {
            tools,
            choice,
            parallel,
        } = &self.tools;
        let format = &self.model.0.format;
        let calls = dialogue::tool_grammar(format, tools, choice, *parallel, prompt_tail)?;
        match (&self.grammar, calls) {
            (Some(_), Some(_)) => Err(Error::GrammarAndTools),
            (Some(spec), None) => Ok(Some(spec.clone())),
            (None, calls) => Ok(calls),
        }
    }

    /// The prompt in tokens.
    ///
    /// # Errors
    /// If the model has no chat template, or it refuses the conversation.
    pub fn tokens(&self) -> Result<Vec<u32>, Error> {
        Ok(self.prompt_tokens()?.0)
    }

    /// The prompt in tokens, and the end of its text.
    fn prompt_tokens(&self) -> Result<(Vec<u32>, String), Error> {
        let (mut tokens, tail) = self.prompt.tokens(&self.model, &self.tools)?;
        if !self.history.is_empty() {
            let bos = self.model.tokenizer().bos();
            let start = usize::from(bos.is_some() && tokens.first().copied() == bos);
            tokens.splice(..start, self.history.iter().copied());
        }
        Ok((tokens, tail))
    }

    /// The conversation as the model sees it; of a completion, its text.
    ///
    /// # Errors
    /// As for [`Request::tokens`].
    pub fn prompt_text(&self) -> Result<String, Error> {
        if !self.history.is_empty() {
            let tokens = self.tokens()?;
            return Ok(self.model.tokenizer().decode(&tokens, false));
        }
        self.prompt.text(&self.model, &self.tools)
    }

    /// The replies that were asked for: the most probable, in the order of that.
    fn best(&self, mut replies: Vec<Reply>) -> Vec<Reply> {
        if replies.len() > self.num_choices {
            replies.sort_by(|a, b| b.mean_logprob().total_cmp(&a.mean_logprob()));
            replies.truncate(self.num_choices);
        }
        replies
    }
}
