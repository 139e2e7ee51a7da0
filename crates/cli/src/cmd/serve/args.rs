//! The flags of `ingle serve`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use ingle::{KvType, Pooling};

use crate::load::{self, LoadArgs};
use crate::sampling::SamplingArgs;
use crate::text;

/// Serve models over HTTP, for clients of OpenAI, llama.cpp, Anthropic and Ollama
///
/// With a model, that one is served and answers to any name. Without, requests name the model, and what is on this
/// disk is loaded as it is asked for.
#[derive(Debug, clap::Args)]
#[command(after_help = "`--help` says what becomes of the flags of llama-server", after_long_help = crate::llamacpp::help())]
pub(crate) struct Args {
    /// The model [default: those that requests name]
    #[arg(value_name = "MODEL")]
    pub(super) model: Option<String>,
    /// The model, as llama-server has it
    #[arg(short = 'm', long = "model", value_name = "MODEL", conflicts_with_all = ["model", "hf_repo", "model_url"])]
    pub(super) model_flag: Option<String>,
    /// The model, by its repository: user/repo[:QUANT]
    #[arg(long, value_name = "REPO", conflicts_with_all = ["model", "model_url"])]
    pub(super) hf_repo: Option<String>,
    /// Which file of the repository
    #[arg(long, value_name = "FILE", requires = "hf_repo")]
    pub(super) hf_file: Option<String>,
    /// The model, by its address
    #[arg(long, value_name = "URL", conflicts_with = "model")]
    pub(super) model_url: Option<String>,
    /// Names that the model answers to [default: its own]
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) alias: Vec<String>,
    /// Refuse requests that name another model than the one that is served
    #[arg(long)]
    pub(super) strict_model: bool,
    /// Folder whose models can be named too
    #[arg(long, value_name = "FOLDER")]
    pub(super) models_dir: Option<PathBuf>,
    /// Models in memory at a time; 0 is as many as there is room for
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) models_max: usize,
    /// Unload models that nobody asked for so long; -1 keeps them
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(super) sleep_idle_seconds: i64,
    /// Take nothing from the network
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) http: HttpArgs,
    #[command(flatten)]
    pub(super) replies: ReplyArgs,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    /// Requests that are computed side by side; -1 is the default
    #[arg(long, visible_alias = "np", value_name = "N", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(super) parallel: i64,
    /// Threads for prompts: as many as `--threads`
    #[arg(long, value_name = "N", hide = true, value_parser = load::num_threads())]
    pub(super) threads_batch: Option<usize>,
    /// Types of keys and of values, as llama-server has them: both as `--kv-type`
    #[arg(long, value_name = "TYPE", hide = true, value_parser = load::kv_type())]
    pub(super) cache_type_k: Option<KvType>,
    #[arg(long, value_name = "TYPE", hide = true, value_parser = load::kv_type())]
    pub(super) cache_type_v: Option<KvType>,
    /// Where guesses come from: none, or ngram-… (the text so far); draft-simple is `--draft`
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(super) spec_type: Vec<String>,
    /// Most tokens that are guessed in a row, as far as that pays; 0 is none
    #[arg(long, value_name = "N")]
    pub(super) spec_draft_n_max: Option<usize>,
    /// Make no fewer guesses in a row, rather none
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) spec_draft_n_min: usize,
    /// Most memory that keeps what earlier prompts began with, of each model; -1 is all that is free among keys and values, 0 keeps nothing
    #[arg(long, value_name = "MIB", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=1 << 40))]
    pub(super) cache_ram: i64,
    #[command(flatten)]
    pub(super) sampling: SamplingArgs,
    #[command(flatten)]
    pub(super) log: super::log::LogArgs,
}

/// Who may ask, and where.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct HttpArgs {
    /// Address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port to listen at; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(super) port: u16,
    /// What goes before every path, as /llm
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(super) api_prefix: String,
    /// Requests that may wait; more are refused
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(super) max_queue: usize,
    /// Most bytes of a request's body, as in 32MiB
    #[arg(long, value_name = "SIZE", value_parser = text::parse_bytes, default_value = "32MiB")]
    pub(super) max_body: u64,
    /// Keys, one of which every request must show
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub(super) api_key: Vec<String>,
    /// A file of such keys, one a line; lines that begin with # are none
    #[arg(long, value_name = "FILE")]
    pub(super) api_key_file: Option<PathBuf>,
    /// Web pages that may use this server, as origins; * is all
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
    pub(super) cors_origins: Vec<String>,
    /// Names that this server is called by, beside this machine's own; * is all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) allowed_hosts: Vec<String>,
    /// Serve `/metrics`
    #[arg(long)]
    pub(super) metrics: bool,
    /// Let `POST /props` change settings
    #[arg(long)]
    pub(super) props: bool,
    /// Serve `/slots`; that is the default
    #[arg(long, overrides_with = "no_slots")]
    pub(super) slots: bool,
    /// Do not serve `/slots`
    #[arg(long)]
    pub(super) no_slots: bool,
    /// Folder where `/slots` saves prompts
    #[arg(long, value_name = "FOLDER")]
    pub(super) slot_save_path: Option<PathBuf>,
    /// Serve the page at `/`; that is the default
    #[arg(long, overrides_with = "no_ui")]
    pub(super) ui: bool,
    /// Do not serve the page
    #[arg(long)]
    pub(super) no_ui: bool,
    /// How long a client may take to send a request, or not read what it is sent
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) timeout: u64,
    /// After how long without a token a stream says that it is alive; -1 never
    #[arg(long, value_name = "SECONDS", default_value_t = 15, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(super) sse_ping_interval: i64,
    /// How long replies may take to end after the signal to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(super) drain: u64,
    /// Threads that serve connections; -1 is the default, 1
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=1024))]
    pub(super) threads_http: i64,
}

/// What replies are like, unless a request says.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Replies, unless a request says")]
pub(crate) struct ReplyArgs {
    /// Most tokens of a reply; -1 goes on until the model or the context ends
    #[arg(short = 'n', long, value_name = "N", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(super) n_predict: i64,
    /// Variables for the chat template, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub(super) chat_template_kwargs: Option<Object>,
    /// What becomes of thoughts: auto or deepseek tell them from the answer, none leaves them in it
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = ["auto", "deepseek", "none"])]
    pub(super) reasoning_format: String,
    /// Whether the model thinks: on, off, or auto as the chat template has it
    #[arg(long, value_name = "WHETHER", default_value = "auto", value_parser = ["on", "off", "auto"])]
    pub(super) reasoning: String,
    /// How much the model thinks, for templates that ask: low, medium, high
    #[arg(long, value_name = "LEVEL")]
    pub(super) reasoning_effort: Option<String>,
    /// Most tokens of thoughts, then the answer begins: -1 for no bound, 0 for no thoughts
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(super) reasoning_budget: Option<i64>,
    /// What thoughts end with that are cut short
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(super) reasoning_budget_message: String,
    /// File that names MCP servers ("mcpServers", as other programs have it); chats with `"mcp": true` may call their tools
    #[arg(long, value_name = "FILE")]
    pub(super) mcp_config: Option<PathBuf>,
    /// Let all chats call them, but for those with `"mcp": false`
    #[arg(long, requires = "mcp_config")]
    pub(super) mcp_auto: bool,
    /// How texts become vectors: mean, cls or last [default: as the model is made]
    #[arg(long, value_name = "KIND", value_parser = pooling())]
    pub(super) pooling: Option<Pooling>,
}

/// A JSON object.
pub(super) type Object = serde_json::Map<String, serde_json::Value>;

fn object(text: &str) -> Result<Object, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

fn pooling() -> impl TypedValueParser<Value = Pooling> {
    PossibleValuesParser::new(Pooling::ALL.map(Pooling::name)).map(|name| {
        let mut all = Pooling::ALL.into_iter();
        all.find(|pooling| pooling.name() == name)
            .unwrap_or_default()
    })
}
