//! What a server is told at its start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingle::{ModelBuilder, SamplerParams};

/// How models are loaded.
pub type Configure = Arc<dyn Fn(ModelBuilder) -> ModelBuilder + Send + Sync>;

/// Settings of a [`Server`](crate::Server).
#[derive(Clone)]
pub struct Options {
    /// Address to listen at.
    pub host: String,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// The model that is served; without one, those that requests name and that are on this disk.
    pub model: Option<String>,
    /// Names that the model is known by; its own otherwise.
    pub aliases: Vec<String>,
    /// Whether a request must name the model that is served by one of its names. Otherwise any name will do, as
    /// clients that were made for other servers name other models.
    pub strict_model: bool,
    /// A folder whose GGUF files and model folders can be named too.
    pub models_dir: Option<PathBuf>,
    /// Where models are found and fetched; as the environment says otherwise.
    pub hub: Option<ingle::hub::Config>,
    /// Most models in memory at a time.
    pub max_models: usize,
    /// Most bytes of all models.
    pub memory: Option<u64>,
    /// After so long without a request a model is unloaded.
    pub idle: Option<Duration>,
    /// How models are loaded.
    pub configure: Configure,
    /// Requests that are computed side by side, of each model.
    pub parallel: usize,
    /// Requests that may wait beside those.
    pub max_queue: usize,
    /// Keys, one of which every request must show; none: no request must.
    pub api_keys: Vec<String>,
    /// Web pages that may use this server, as origins (`https://example.org`), beside those of this machine; `*` is all.
    pub allowed_origins: Vec<String>,
    /// Names that this server is called by, beside those of this machine; `*` is all.
    pub allowed_hosts: Vec<String>,
    /// Whether `/metrics` is there.
    pub metrics: bool,
    /// Whether `/slots` is there.
    pub slots: bool,
    /// Whether settings may be changed through `POST /props`.
    pub props: bool,
    /// Where `/slots` saves prompts; nowhere: it does not.
    pub slot_save_path: Option<PathBuf>,
    /// Whether the page is there.
    pub ui: bool,
    /// What goes before every path: `/llm`.
    pub prefix: String,
    /// Most bytes of a request's body.
    pub max_body: usize,
    /// Changes the sampler that requests start from.
    pub sampler: Arc<dyn Fn(&mut SamplerParams) + Send + Sync>,
    /// Seed of requests that have none; a new one for each otherwise.
    pub seed: Option<u64>,
    /// Most tokens of a reply to a request that does not say.
    pub max_tokens: Option<usize>,
    /// Whether replies go on after the end of the text, unless a request says.
    pub ignore_eos: bool,
    /// Variables for chat templates, beside those of requests.
    pub template_variables: serde_json::Map<String, serde_json::Value>,
    /// How texts become vectors, unless a request says; as the model is made otherwise.
    pub pooling: Option<ingle::Pooling>,
    /// MCP servers, whose tools chats may be offered.
    pub mcp: Option<Arc<mcp::Clients>>,
    /// Whether they are offered to chats that do not say.
    pub mcp_auto: bool,
    /// Whether thoughts are told from the answer, unless a request says.
    pub reasoning: bool,
    /// Most tokens of thoughts, unless a request says; none: as many as the model likes.
    pub reasoning_budget: Option<usize>,
    /// What thoughts end with that this cuts short, unless a request says.
    pub reasoning_budget_message: String,
    /// How many tokens are guessed in a row, unless a request says.
    pub guesses: ingle::Guesses,
    /// How long replies under way may take after the signal to end.
    pub drain: Duration,
    /// A comment or event is sent on a stream after so long without a token.
    pub ping: Duration,
    /// How long a client may take to send a request, or not read what is sent to it.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            model: None,
            aliases: Vec::new(),
            strict_model: false,
            models_dir: None,
            hub: None,
            max_models: 4,
            memory: None,
            idle: None,
            configure: Arc::new(|builder| builder),
            parallel: ingle::DEFAULT_PARALLEL,
            max_queue: 512,
            api_keys: Vec::new(),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            metrics: false,
            slots: true,
            props: false,
            slot_save_path: None,
            ui: true,
            prefix: String::new(),
            max_body: 32 << 20,
            sampler: Arc::new(|_| {}),
            seed: None,
            max_tokens: None,
            ignore_eos: false,
            template_variables: serde_json::Map::new(),
            pooling: None,
            mcp: None,
            mcp_auto: false,
            reasoning: true,
            reasoning_budget: None,
            reasoning_budget_message: String::new(),
            guesses: ingle::Guesses::default(),
            drain: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            patience: Duration::from_secs(30),
        }
    }
}
