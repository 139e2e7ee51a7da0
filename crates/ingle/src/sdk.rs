//! The handle that programs hold.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use engine::EngineStats;
use engine::grammar::{GrammarEngine, GrammarError};
use engine::hf::SamplerDefaults;
use model::KvType;
use tokenizer::{ChatTemplate, Tokenizer};

use crate::dialogue::Format;
use crate::worker::Command;
use crate::{Chat, Error, ModelBuilder, Request, memory};

/// A loaded model. Cloning it is cheap; the weights go when the last clone does.
#[derive(Clone)]
pub struct Model(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) info: ModelInfo,
    pub(crate) model: Arc<model::Model>,
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) template: Option<ChatTemplate>,
    /// What a reranker reads, with `{query}` and `{document}`.
    pub(crate) rerank_template: Option<String>,
    /// How the template has calls and thoughts.
    pub(crate) format: Format,
    /// Made when the first grammar is wanted.
    pub(crate) grammars: OnceLock<Result<GrammarEngine, GrammarError>>,
    pub(crate) commands: async_channel::Sender<Command>,
    /// Counts as of the last step.
    pub(crate) latest: Arc<Mutex<EngineStats>>,
    /// What tells it from others, and sizes of what it computes.
    pub(crate) identity: [u8; 32],
    pub(crate) saved: engine::SavedSize,
}

/// Facts about a loaded model.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The name it was found by.
    pub name: String,
    /// Its files.
    pub paths: Vec<PathBuf>,
    /// Their length together.
    pub file_bytes: u64,
    /// `general.architecture`, as a label.
    pub architecture: String,
    /// Context length in use, in tokens.
    pub ctx: usize,
    /// Context length the model was trained for.
    pub max_seq_len: usize,
    /// What keys and values are kept as.
    pub kv_type: KvType,
    /// The model that guesses what this one will say, if there is one.
    pub draft: Option<String>,
    /// Requests that are computed side by side.
    pub parallel: usize,
    /// Tokens that keys and values have room for, all sequences and the cache of prefixes together.
    pub kv_tokens: usize,
    /// Threads that compute.
    pub num_threads: usize,
    /// Level of instructions in use.
    pub level: &'static str,
    /// What it takes at this context.
    pub memory: memory::Estimate,
    /// Where the weights are.
    pub placement: model::Placement,
    /// Source of the chat template in use.
    pub chat_template: Option<String>,
    /// What the model's makers recommend for sampling; requests start from it.
    pub sampler: SamplerDefaults,
    /// From the file on disk to ready.
    pub load_time: Duration,
}

impl Model {
    /// Loads a model by short name, `user/repo[:QUANT]`, path (a GGUF file, or a folder) or URL; downloads it if need be.
    ///
    /// # Errors
    /// Whatever can be wrong with a name, a download or a file.
    pub fn load(name: &str) -> Result<Self, Error> {
        Self::builder(name).load()
    }

    /// [`Model::load`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Model::load`].
    pub async fn load_async(name: &str) -> Result<Self, Error> {
        Self::builder(name).load_async().await
    }

    /// Settings before loading.
    pub fn builder(name: impl Into<String>) -> ModelBuilder {
        ModelBuilder::new(name.into())
    }

    /// Answers a conversation, through the model's chat template.
    pub fn chat(&self, chat: impl Into<Chat>) -> Request {
        Request::chat(self.clone(), chat.into())
    }

    /// Goes on from a text as it is; special tokens in it are recognised.
    pub fn complete(&self, prompt: impl Into<String>) -> Request {
        Request::complete(self.clone(), prompt.into())
    }

    /// [`Model::complete`], of ids.
    pub fn complete_tokens(&self, tokens: Vec<u32>) -> Request {
        Request::complete_tokens(self.clone(), tokens)
    }

    /// Counts of what was computed, and what is under way. Waits for the step at hand.
    ///
    /// # Errors
    /// If the model's thread is gone.
    pub fn stats(&self) -> Result<EngineStats, Error> {
        let (sender, receiver) = async_channel::bounded(1);
        let sent = self.0.commands.send_blocking(Command::Stats(sender));
        sent.map_err(|_| Error::WorkerGone)?;
        receiver.recv_blocking().map_err(|_| Error::WorkerGone)
    }

    /// [`Model::stats`] as of the last step, without a wait.
    pub fn latest_stats(&self) -> EngineStats {
        let latest = self.0.latest.lock();
        let mut stats = *latest.unwrap_or_else(PoisonError::into_inner);
        // Those that the engine has not looked at yet.
        stats.num_waiting += self.0.commands.len();
        stats
    }

    /// Rows of logits: ids from here on are not of the model.
    pub fn vocab_size(&self) -> usize {
        self.0.model.config().vocab_size
    }

    /// Forgets the prefixes that are cached.
    ///
    /// # Errors
    /// If the model's thread is gone.
    pub fn clear_cache(&self) -> Result<(), Error> {
        let sent = self.0.commands.send_blocking(Command::ClearCache);
        sent.map_err(|_| Error::WorkerGone)
    }

    /// Whether there is another handle, or a reply under way.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// What compiles grammars for this model's vocabulary.
    pub(crate) fn grammars(&self) -> Result<&GrammarEngine, GrammarError> {
        let Shared {
            tokenizer, model, ..
        } = &*self.0;
        let make = || GrammarEngine::shared(tokenizer.clone(), model.config().vocab_size);
        let made = self.0.grammars.get_or_init(make);
        made.as_ref().map_err(Clone::clone)
    }

    /// Text to ids and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    /// The chat template in use.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.0.template.as_ref()
    }

    /// Facts.
    pub fn info(&self) -> &ModelInfo {
        &self.0.info
    }

    /// The architecture as data, and the weights.
    pub fn model(&self) -> &Arc<model::Model> {
        &self.0.model
    }
}
