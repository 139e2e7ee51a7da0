//! How a model is loaded.

use std::sync::Arc;
use std::time::Instant;

use engine::{Generator, Runner};
use hub::Progress;
use model::{Level, LoadOptions};
use tokenizer::ChatTemplate;

use crate::sdk::{Model, ModelInfo, Shared};
use crate::{Error, chat_template_source, memory, open, tokenizer, worker};

/// Settings of a model that is about to be loaded; see [`Model::builder`].
pub struct ModelBuilder {
    name: String,
    ctx: Option<usize>,
    options: LoadOptions,
    template: Option<String>,
    progress: Box<dyn Progress + Send>,
}

impl ModelBuilder {
    pub(crate) fn new(name: String) -> Self {
        let options = LoadOptions::default();
        Self {
            name,
            ctx: None,
            options,
            template: None,
            progress: Box::new(()),
        }
    }

    /// Context length in tokens; [`memory::default_ctx`] says what is taken otherwise.
    pub fn ctx(mut self, ctx: usize) -> Self {
        self.ctx = Some(ctx);
        self
    }

    /// Threads that compute; otherwise as many as the process may use.
    pub fn threads(mut self, num_threads: usize) -> Self {
        self.options.num_threads = num_threads;
        self
    }

    /// Level of instructions; otherwise the best, or what `INGLE_ISA` says.
    pub fn level(mut self, level: Level) -> Self {
        self.options.level = Some(level);
        self
    }

    /// Jinja source of a chat template to use instead of the model's own.
    pub fn chat_template(mut self, source: impl Into<String>) -> Self {
        self.template = Some(source.into());
        self
    }

    /// Sees how a download gets on.
    pub fn progress(mut self, progress: impl Progress + Send + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Finds, downloads if need be, and loads.
    ///
    /// # Errors
    /// Whatever can be wrong with a name, a download, a file or the settings.
    pub fn load(mut self) -> Result<Model, Error> {
        let (local, gguf) = open(&self.name, &mut *self.progress)?;
        let start = Instant::now();
        let tokenizer = Arc::new(tokenizer(&gguf)?);
        let model = Arc::new(model::Model::load(&gguf, &self.options)?);
        let config = model.config();
        let (tokens, rows) = (tokenizer.vocab_size(), config.vocab_size);
        if tokens > rows {
            return Err(Error::VocabularySize { tokens, rows });
        }
        let max = config.max_seq_len;
        let ctx = self.ctx.unwrap_or_else(|| memory::default_ctx(config));
        if !(1..=max).contains(&ctx) {
            return Err(Error::Context { ctx, max });
        }
        let template_source = match self.template {
            Some(source) => Some(source),
            None => chat_template_source(&gguf)?,
        };
        let template = template_source
            .as_deref()
            .map(ChatTemplate::new)
            .transpose()?;
        // Weights are mapped and may be dropped and read again; keys, values and buffers have to fit.
        let needed = memory::Estimate::new(config, 0, ctx).total();
        if let Some(memory) = memory::available()
            && needed > memory.total
        {
            return Err(Error::Memory {
                ctx,
                needed,
                total: memory.total,
            });
        }
        let weights: usize = gguf.tensors().iter().map(|tensor| tensor.data.len()).sum();
        let memory = memory::Estimate::new(config, weights as u64, ctx);
        let info = ModelInfo {
            name: local.name,
            paths: local.files,
            file_bytes: gguf.file_bytes(),
            architecture: gguf.metadata().require("general.architecture")?,
            ctx,
            max_seq_len: max,
            num_threads: model.num_threads(),
            level: model.level().name(),
            memory,
            chat_template: template_source,
            load_time: start.elapsed(),
        };
        let generator = Generator::new(Runner::new(model.clone(), ctx, 1), tokenizer.clone());
        let jobs = worker::start(generator)?;
        Ok(Model(Arc::new(Shared {
            info,
            model,
            tokenizer,
            template,
            jobs,
        })))
    }

    /// [`ModelBuilder::load`] on a thread of its own, for any async runtime.
    ///
    /// # Errors
    /// As for [`ModelBuilder::load`].
    pub async fn load_async(self) -> Result<Model, Error> {
        let (sender, receiver) = async_channel::bounded(1);
        let load = move || {
            // Nobody waits any more if this fails.
            let _ = sender.send_blocking(self.load());
        };
        let thread = std::thread::Builder::new().name("ingle-load".into());
        thread.spawn(load).map_err(|error| Error::System {
            what: "starting a thread",
            error,
        })?;
        receiver.recv().await.map_err(|_| Error::WorkerGone)?
    }
}
