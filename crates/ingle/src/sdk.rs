//! The handle that programs hold.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::hf::SamplerDefaults;
use model::KvType;
use tokenizer::{ChatTemplate, Tokenizer};

use crate::worker::Job;
use crate::{Chat, Error, ModelBuilder, Request, memory};

/// A loaded model. Cloning it is cheap; the weights go when the last clone does.
#[derive(Clone)]
pub struct Model(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) info: ModelInfo,
    pub(crate) model: Arc<model::Model>,
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) jobs: async_channel::Sender<Job>,
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
