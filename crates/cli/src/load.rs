//! Loading a model for a command: the flags that say how, and the way there.

use std::path::PathBuf;

use clap::builder::{
    PossibleValuesParser, RangedU64ValueParser, StringValueParser, TypedValueParser,
};
use ingle::{DType, KvType, Model, ModelBuilder, ModelFiles};

use crate::App;
use crate::failure::Failure;
use crate::progress::Download;
use crate::text;

/// How to load.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct LoadArgs {
    /// Context length in tokens: prompt and answer together [default: the model's, if memory allows]
    #[arg(short, long, value_name = "N")]
    pub(crate) ctx: Option<usize>,
    /// Threads that compute [default: as many as this process may use]
    #[arg(short, long, value_name = "N", value_parser = num_threads())]
    pub(crate) threads: Option<usize>,
    /// Memory to take at most, as in 6GB or 4GiB [default: what is free, or the control group leaves]
    #[arg(long, value_name = "SIZE", value_parser = text::parse_bytes)]
    pub(crate) memory: Option<u64>,
    /// What keys and values are kept as: f16, q8_0 for half the memory, or q4_0 for a quarter, which shows
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = kv_type())]
    pub(crate) kv_type: KvType,
    /// Quantise matrices while loading, for weights as they were trained: q8_0, q6_k, q5_k, q4_k, q4_0, q3_k, q2_k or mxfp4
    #[arg(long, value_name = "TYPE", value_parser = quant_type())]
    pub(crate) quant: Option<DType>,
    /// Use weights as they lie in the mapped file, which several processes share; results are the same either way
    #[arg(long)]
    pub(crate) no_repack: bool,
    /// Jinja file to use instead of the model's own chat template
    #[arg(long, value_name = "FILE")]
    pub(crate) chat_template_file: Option<PathBuf>,
    /// Jinja text to use instead of the model's own chat template
    #[arg(long, value_name = "JINJA", value_parser = jinja, conflicts_with_all = ["chat_template_file", "chat_template_name"])]
    pub(crate) chat_template: Option<String>,
    /// Which of the model's own chat templates to use, where it has several
    #[arg(long, value_name = "NAME", conflicts_with = "chat_template_file")]
    pub(crate) chat_template_name: Option<String>,
    /// Context and rows of logits a step that a measurement needs, in place of `ctx`.
    #[arg(skip)]
    pub(crate) measuring: Option<(usize, usize)>,
    /// Requests side by side: most commands have one at a time.
    #[arg(skip = 1_usize)]
    pub(crate) parallel: usize,
    /// Tokens of keys and values that are kept, of all requests and of what later ones may begin with
    #[arg(long, value_name = "N")]
    pub(crate) kv_tokens: Option<usize>,
    /// Do not guess tokens from the text so far; the text is the same either way
    #[arg(long)]
    pub(crate) no_speculation: bool,
    /// A smaller model of the same vocabulary that guesses tokens; the text is the same either way
    #[arg(
        long,
        visible_alias = "model-draft",
        value_name = "MODEL",
        conflicts_with = "no_speculation"
    )]
    pub(crate) draft: Option<String>,
}

impl Default for LoadArgs {
    fn default() -> Self {
        Self {
            ctx: None,
            threads: None,
            memory: None,
            kv_type: KvType::default(),
            quant: None,
            no_repack: false,
            chat_template: None,
            chat_template_file: None,
            chat_template_name: None,
            measuring: None,
            parallel: 1,
            kv_tokens: None,
            no_speculation: false,
            draft: None,
        }
    }
}

impl LoadArgs {
    /// What the flags make of a builder. Files that they name are read now.
    pub(crate) fn settings(
        &self,
    ) -> Result<impl Fn(ModelBuilder) -> ModelBuilder + Send + Sync + use<>, Failure> {
        let template = self.chat_template_file.as_deref().map(read_text);
        let template = template.transpose()?.or_else(|| self.chat_template.clone());
        let args = self.clone();
        Ok(move |mut builder: ModelBuilder| {
            builder = builder
                .kv_type(args.kv_type)
                .parallel(args.parallel)
                .speculate(!args.no_speculation)
                .repack(!args.no_repack);
            if let Some(ctx) = args.ctx {
                builder = builder.ctx(ctx);
            }
            if let Some(threads) = args.threads {
                builder = builder.threads(threads);
            }
            if let Some(dtype) = args.quant {
                builder = builder.quant(dtype);
            }
            if let Some(bytes) = args.memory {
                builder = builder.memory(bytes);
            }
            if let Some(draft) = &args.draft {
                builder = builder.draft(draft.as_str());
            }
            if let Some(kv_tokens) = args.kv_tokens {
                builder = builder.kv_tokens(kv_tokens);
            }
            if let Some((ctx, max_outputs)) = args.measuring {
                builder = builder.measuring(ctx, max_outputs);
            }
            if let Some(source) = &template {
                builder = builder.chat_template(source.as_str());
            }
            if let Some(name) = &args.chat_template_name {
                builder = builder.chat_template_name(name.as_str());
            }
            builder
        })
    }
}

/// Finds or downloads the model and loads it.
pub(crate) fn model(app: &App, name: &str, args: &LoadArgs) -> Result<Model, Failure> {
    let builder = Model::builder(name).progress(Download::new(&app.interrupt));
    let builder = args.settings()?(builder);
    let _caught = app.interrupt.catch();
    Ok(builder.load()?)
}

/// Finds or downloads the model and opens its files: metadata and tensor index, no weights.
pub(crate) fn files(app: &App, name: &str) -> Result<ModelFiles, Failure> {
    let _caught = app.interrupt.catch();
    Ok(ingle::open(name, &mut Download::new(&app.interrupt))?)
}

/// Reads types of keys and values.
pub(crate) fn kv_type() -> impl TypedValueParser<Value = KvType> {
    PossibleValuesParser::new(KvType::ALL.map(KvType::name)).try_map(|name| name.parse::<KvType>())
}

/// Reads types that models are quantised to, in any case.
pub(crate) fn quant_type() -> impl TypedValueParser<Value = DType> {
    let names = ingle::quant::TYPES.map(|dtype| dtype.name().to_lowercase());
    let find = |name: String| {
        let mut types = ingle::quant::TYPES.into_iter();
        types.find(|dtype| dtype.name().eq_ignore_ascii_case(&name))
    };
    StringValueParser::new().try_map(move |name| {
        find(name).ok_or_else(|| format!("expected one of: {}", names.join(", ")))
    })
}

/// Reads numbers of threads: more than any machine has is a slip of the finger.
pub(crate) fn num_threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1024)
}

/// Reads chat templates: not their names, which mean something to llama.cpp only.
fn jinja(text: &str) -> Result<String, String> {
    match text.contains('{') {
        true => Ok(text.to_owned()),
        false => Err("expected Jinja, as in {{ messages[0].content }}".to_owned()),
    }
}

/// A whole text file.
pub(crate) fn read_text(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}
