//! How a model is loaded.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use engine::{Engine, EngineOptions, ModelBackend, SavedSize};
use hub::Progress;
use model::{KvType, Level, LoadOptions, Placement, Repacking};
use tensor::DType;
use tokenizer::ChatTemplate;

use crate::dialogue::Format;
use crate::draft::{Draft, DraftError};
use crate::memory::{Budget, Room};
use crate::open::{RERANK, pick_template};
use crate::sdk::{Model, ModelInfo, Shared};
use crate::{Error, memory, open, prefix, quant, worker};

/// Settings of a model that is about to be loaded; see [`Model::builder`].
pub struct ModelBuilder {
    name: String,
    ctx: Option<usize>,
    memory: Option<u64>,
    measuring: Option<(usize, usize)>,
    parallel: usize,
    kv_tokens: Option<usize>,
    prefix_cache: Option<u64>,
    speculate: bool,
    draft: Option<String>,
    kv_type: KvType,
    quant: Option<DType>,
    repack: bool,
    options: LoadOptions,
    template: Option<String>,
    template_name: Option<String>,
    progress: Box<dyn Progress + Send>,
}

/// Requests that are computed side by side, unless something else is asked for.
pub const DEFAULT_PARALLEL: usize = 8;

/// Most requests side by side.
const MAX_PARALLEL: usize = 256;

impl ModelBuilder {
    pub(crate) fn new(name: String) -> Self {
        let options = LoadOptions::default();
        Self {
            name,
            ctx: None,
            memory: None,
            measuring: None,
            parallel: DEFAULT_PARALLEL,
            kv_tokens: None,
            prefix_cache: None,
            speculate: true,
            draft: None,
            kv_type: KvType::default(),
            quant: None,
            repack: true,
            options,
            template: None,
            template_name: None,
            progress: Box::new(()),
        }
    }

    /// Context length in tokens; [`memory::default_ctx`] says what is taken otherwise.
    pub fn ctx(mut self, ctx: usize) -> Self {
        self.ctx = Some(ctx);
        self
    }

    /// Most memory to take, in bytes; otherwise what is free, and in any case no more than the control
    /// group allows. Weights that do not fit are read from disk in every step.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// For a measurement rather than requests: memory is reckoned for a context of `ctx` tokens and so many rows of
    /// logits a step, and what requests need is as small as can be.
    pub fn measuring(mut self, ctx: usize, max_outputs: usize) -> Self {
        (self.ctx, self.parallel) = (Some(1), 1);
        self.measuring = Some((ctx, max_outputs));
        self
    }

    /// Requests that are computed side by side; others wait. [`DEFAULT_PARALLEL`] if nothing is said.
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel;
        self
    }

    /// Tokens that keys and values have room for, of all sequences and of prefixes that are kept for later ones;
    /// [`memory::default_kv_tokens`] says what is taken otherwise. A sequence may have [`ModelBuilder::ctx`] of them,
    /// whatever the others have: the room is not divided.
    pub fn kv_tokens(mut self, kv_tokens: usize) -> Self {
        self.kv_tokens = Some(kv_tokens);
        self
    }

    /// Most bytes of keys, values and states that are kept of texts that are over, for others that begin alike; otherwise
    /// as many as there is room for ([`ModelBuilder::kv_tokens`]). What requests under way have in common is shared in any
    /// case. It changes no text, nor how much memory is taken.
    pub fn prefix_cache(mut self, bytes: u64) -> Self {
        self.prefix_cache = Some(bytes);
        self
    }

    /// Whether tokens are guessed from the text so far and checked together, where that saves time; they are.
    /// It changes no text.
    pub fn speculate(mut self, speculate: bool) -> Self {
        self.speculate = speculate;
        self
    }

    /// A smaller model of the same vocabulary, by any name that a model may have: it guesses what this one will say, and
    /// guesses are checked many at a time. It changes no text, and is let be where it does not pay.
    ///
    /// ```no_run
    /// let model = ingle::Model::builder("qwen2.5-coder-7b").draft("qwen2.5-coder-0.5b").load()?;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn draft(mut self, name: impl Into<String>) -> Self {
        self.draft = Some(name.into());
        self
    }

    /// Threads that compute; otherwise as many as the process may use.
    pub fn threads(mut self, num_threads: usize) -> Self {
        self.options.num_threads = num_threads;
        self
    }

    /// What keys and values are kept as; otherwise [`KvType::F16`]. [`KvType::Q8`] takes half the memory, is faster in a
    /// long context, and changes results a little; [`KvType::Q4`] takes a quarter and changes them more.
    pub fn kv_type(mut self, kv_type: KvType) -> Self {
        self.kv_type = kv_type;
        self
    }

    /// Quantises matrices to this type while loading ([`quant::TYPES`](crate::quant::TYPES)): for weights as they
    /// were trained. They are then kept in memory, and [`ModelBuilder::progress`] sees how it gets on.
    pub fn quant(mut self, dtype: DType) -> Self {
        self.quant = Some(dtype);
        self
    }

    /// Whether weights are rearranged in memory of their own, where there is room for that: they are. Most quant types
    /// become faster, and no result changes. Without it they are used as they lie in the mapped file, whose pages several
    /// processes can share. Weights of more than 128 MiB change over while the first requests are computed.
    pub fn repack(mut self, repack: bool) -> Self {
        self.repack = repack;
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

    /// Which of the model's own chat templates to use, where it has several: `tool_use`, `rag`.
    pub fn chat_template_name(mut self, name: impl Into<String>) -> Self {
        self.template_name = Some(name.into());
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
        let files = open(&self.name, &mut *self.progress)?;
        let start = Instant::now();
        let mut gguf = files.gguf()?;
        if let Some(dtype) = self.quant {
            let (whole, threads) = (gguf.into_owned(), self.options.num_threads);
            gguf = Cow::Owned(quant::quantize(whole, dtype, threads, &mut *self.progress)?);
        }
        let model = model::Model::load(&gguf, &self.options);
        let mut model = model.map_err(|error| files.in_file(error))?;
        let weights: usize = gguf.tensors().iter().map(|tensor| tensor.data.len()).sum();
        let available = memory::available();
        let budget = memory::budget(self.memory, available.as_ref());
        let (config, kv_type) = (model.config(), self.kv_type);
        let tokenizer = Arc::new(files.tokenizer(Some(config.vocab_size))?);
        let draft = match &self.draft {
            Some(name) => {
                let draft = Draft::open(name, &tokenizer, &self.options, &mut *self.progress)?;
                let which = "the model";
                match (self.speculate, config.has_state()) {
                    (false, _) => return Err(draft.error(DraftError::Off)),
                    (true, true) => return Err(draft.error(DraftError::State { which })),
                    (true, false) => Some(draft),
                }
            }
            None => None,
        };
        let others = draft.as_ref().map_or(0, |draft| draft.weights);
        let budget = budget.map(|budget| Budget {
            bytes: budget.bytes.saturating_sub(others),
            ..budget
        });
        let max = config.max_seq_len;
        let ctx = self
            .ctx
            .unwrap_or_else(|| memory::default_ctx(config, kv_type, weights as u64, budget));
        if !(1..=max).contains(&ctx) {
            return Err(Error::Context { ctx, max });
        }
        let parallel = self.parallel;
        if !(1..=MAX_PARALLEL).contains(&parallel) {
            let most = MAX_PARALLEL;
            return Err(Error::Parallel { parallel, most });
        }
        let kv_tokens = self.kv_tokens.unwrap_or_else(|| {
            let sequences = (ctx, parallel);
            memory::default_kv_tokens(config, kv_type, weights as u64, sequences, budget)
        });
        if kv_tokens < ctx {
            return Err(Error::KvTokens { kv_tokens, ctx });
        }
        let templates = files.chat_templates()?;
        let rerank_template = templates.iter().find(|template| template.name == RERANK);
        let rerank_template = rerank_template.map(|template| template.source.clone());
        let template_source = match self.template {
            Some(source) => Some(source),
            None => pick_template(templates, self.template_name.as_deref())?,
        };
        let template = template_source
            .as_deref()
            .map(ChatTemplate::new)
            .transpose()?;
        let room = Room::of_requests(ctx, parallel, kv_tokens);
        let needed = match self.measuring {
            Some((ctx, max_outputs)) => Room::of_one(ctx, max_outputs),
            None => room,
        };
        let mut memory = memory::Estimate::new(config, kv_type, weights as u64, needed);
        let draft_repacking = draft.as_ref().map(Draft::repacking);
        let draft = draft.map(|draft| draft.backend(kv_type, (ctx, parallel, kv_tokens)));
        if let Some((_, more)) = &draft {
            memory.kv += more.kv;
            memory.workspace += more.workspace;
        }
        // Weights can be read again and again; keys, values and buffers have to fit.
        if let Some(budget) = budget
            && memory.besides() > budget.bytes
        {
            return Err(Error::Memory {
                tokens: needed.kv_tokens,
                needed: memory.besides(),
                budget: budget.bytes,
            });
        }
        // What was quantised is nowhere but in memory.
        if let (Some(_), Some(budget)) = (self.quant, budget) {
            let needed = weights as u64 + memory.besides();
            if needed > budget.bytes {
                let budget = budget.bytes;
                return Err(Error::QuantMemory { needed, budget });
            }
        }
        let format = template_source.as_deref().map(Format::detect);
        let format = format.unwrap_or_default();
        let placement = memory.place(&model.weight_bytes(), budget)?;
        memory.weights += others;
        model.set_ctx(ctx);
        model.place(&placement)?;
        let repacks =
            self.repack && placement == Placement::Mapped && memory.has_room_to_repack(budget);
        if repacks {
            // The draft's first: it takes several steps for one.
            let repackings = draft_repacking.into_iter().chain([model.repacking()]);
            let now = self.measuring.is_some();
            repack(repackings.collect(), model.num_threads(), now);
        }
        let identity = prefix::identity(&gguf, model.config(), kv_type, ctx);
        let (file_bytes, metadata) = (gguf.file_bytes(), gguf.metadata());
        let architecture = metadata.require("general.architecture")?;
        // It has a part in the weights.
        drop(gguf);
        if self.repack {
            model.repack_own();
        }
        let model = Arc::new(model);
        let info = ModelInfo {
            name: files.local.name.clone(),
            paths: files.local.files.clone(),
            file_bytes,
            architecture,
            ctx,
            max_seq_len: max,
            kv_type,
            draft: self.draft,
            parallel,
            kv_tokens,
            num_threads: model.num_threads(),
            level: model.level().name(),
            memory,
            placement,
            chat_template: template_source,
            sampler: files.sampler_defaults()?,
            load_time: start.elapsed(),
        };
        let backend = ModelBackend::new(
            model.clone(),
            kv_type,
            (room.num_blocks(model.config()), room.states),
            room.step_tokens,
            room.max_outputs,
        );
        let saved = SavedSize::of(&backend);
        let options = EngineOptions {
            max_seq_len: ctx,
            max_running: parallel,
            max_waiting: usize::MAX,
            speculate: self.speculate,
        };
        let mut engine = Engine::new(backend, tokenizer.clone(), options);
        if let Some((backend, _)) = draft {
            engine = engine.with_draft(backend);
        }
        if let Some(bytes) = self.prefix_cache {
            let (blocks, states) = saved.within(bytes, room.states);
            engine = engine.with_cache_limit(blocks, states);
        }
        let (commands, latest) = worker::start(engine)?;
        Ok(Model(Arc::new(Shared {
            info,
            model,
            tokenizer,
            template,
            rerank_template,
            format,
            grammars: OnceLock::new(),
            commands,
            latest,
            identity,
            saved,
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

/// Bytes that are rearranged in no time worth mentioning: what is more is done beside the first requests. (A virtual
/// machine may have to be given the memory first, and then 1 GB takes two seconds instead of a third of one.)
const REPACKED_AT_ONCE: u64 = 128 << 20;

/// Rearranges weights, `now` or, if they are many, on a thread of their own. What cannot be done stays as it is: results
/// are the same.
fn repack(repackings: Vec<Repacking>, num_threads: usize, now: bool) {
    let bytes: u64 = repackings.iter().map(Repacking::bytes).sum();
    let run = move |num_threads| {
        for repacking in &repackings {
            let _ = repacking.run(num_threads);
        }
    };
    if now || bytes <= REPACKED_AT_ONCE {
        run(num_threads);
    } else {
        let thread = std::thread::Builder::new().name("ingle-repack".into());
        let _ = thread.spawn(move || run(1));
    }
}
