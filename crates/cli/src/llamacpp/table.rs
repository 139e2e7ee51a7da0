//! The flags of llama-server, and what becomes of each.
//!
//! Names and variables are those that `llama-server --help` prints (b10573).

/// A flag of llama-server.
pub(crate) struct Flag {
    /// Its names, dashes included.
    pub(crate) names: &'static [&'static str],
    /// Its names that say no.
    pub(crate) no: &'static [&'static str],
    /// Its variable, or nothing.
    pub(crate) env: &'static str,
    pub(crate) to: To,
}

/// What becomes of a flag.
pub(crate) enum To {
    /// A flag of ours, by its long name, that takes the value.
    Value(&'static str),
    /// A switch: what yes means, and what no does.
    Switch(Side, Side),
    /// These values are what holds anyway; others are refused. With `true` there may be no value.
    OneOf(&'static [&'static str], bool, &'static str),
    /// Any value: it changes no reply.
    Any(&'static str),
    /// Takes a value, and there is no such thing here.
    Lacks(&'static str),
}

/// One side of a switch.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// A switch of ours, by its long name.
    Ours(&'static str),
    /// It changes no reply.
    Same(&'static str),
    /// There is no such thing here.
    Lacks(&'static str),
}

use Side::{Ours, Same};

const fn flag(names: &'static [&'static str], env: &'static str, to: To) -> Flag {
    let no: &[&str] = &[];
    Flag { names, no, env, to }
}

const fn value(names: &'static [&'static str], env: &'static str, ours: &'static str) -> Flag {
    flag(names, env, To::Value(ours))
}

const fn lacks(names: &'static [&'static str], env: &'static str, why: &'static str) -> Flag {
    flag(names, env, To::Lacks(why))
}

const fn any(names: &'static [&'static str], env: &'static str, why: &'static str) -> Flag {
    flag(names, env, To::Any(why))
}

const fn one_of(
    names: &'static [&'static str],
    env: &'static str,
    values: &'static [&'static str],
    why: &'static str,
) -> Flag {
    flag(names, env, To::OneOf(values, false, why))
}

/// A switch that has no side that says no.
const fn only(names: &'static [&'static str], env: &'static str, yes: Side) -> Flag {
    flag(names, env, To::Switch(yes, Same("")))
}

const fn switch(
    names: &'static [&'static str],
    no: &'static [&'static str],
    env: &'static str,
    yes: Side,
    and_no: Side,
) -> Flag {
    let to = To::Switch(yes, and_no);
    Flag { names, no, env, to }
}

const CPU: &str = "ingle computes on the CPU";
const STEPS: &str = "no reply depends on how its prompt is cut into steps";
const KEPT: &str = "keys and values are kept in blocks that all requests share";
const SHIFT: &str = "a full context ends the reply";
const TEXT: &str = "ingle reads text only";
const LORA: &str = "ingle applies no adapters";
const ROPE: &str = "positions are turned as the model's file says";
const PLACE: &str = "threads are not tied to processors (`taskset` does that)";
const TLS: &str = "ingle speaks plain HTTP; a proxy in front of it has the certificates";
const MAPPED: &str = "weights are mapped as they lie in the file";
const PER_REQUEST: &str = "requests say this themselves";
const PROMPT: &str = "a server takes prompts from requests";
const GUESSES: &str = "how far guesses go is found out while they are made";
const DRAFTS: &str = "a draft model computes as the model does";
const LOGS: &str = "lines always carry their time and level";
const FIT: &str = "the context that fits is found from the memory there is";

/// All of them, a line each; of flags that share a name the first.
#[rustfmt::skip]
pub(crate) const FLAGS: &[Flag] = &[
    // The model.
    value(&["--model", "-m"], "LLAMA_ARG_MODEL", "model"),
    value(&["--model-url", "-mu"], "LLAMA_ARG_MODEL_URL", "model-url"),
    value(&["--hf-repo", "-hf", "-hfr"], "LLAMA_ARG_HF_REPO", "hf-repo"),
    value(&["--hf-file", "-hff"], "LLAMA_ARG_HF_FILE", "hf-file"),
    lacks(&["--hf-token", "-hft"], "", "the token is read from `HF_TOKEN`, which other users of this machine do not see"),
    lacks(&["--docker-repo", "-dr"], "LLAMA_ARG_DOCKER_REPO", "models come from the Hugging Face hub, a URL or a path"),
    only(&["--offline"], "LLAMA_ARG_OFFLINE", Ours("offline")),
    value(&["--alias", "-a"], "LLAMA_ARG_ALIAS", "alias"),
    lacks(&["--tags"], "LLAMA_ARG_TAGS", "models have no tags"),
    value(&["--models-dir"], "LLAMA_ARG_MODELS_DIR", "models-dir"),
    value(&["--models-max"], "LLAMA_ARG_MODELS_MAX", "models-max"),
    lacks(&["--models-preset"], "LLAMA_ARG_MODELS_PRESET", "all models are loaded with the flags of the server"),
    switch(&["--models-autoload"], &["--no-models-autoload"], "LLAMA_ARG_MODELS_AUTOLOAD", Same("models are loaded when they are asked for"), Side::Lacks("models are loaded when they are asked for")),
    value(&["--sleep-idle-seconds"], "", "sleep-idle-seconds"),
    lacks(&["--lora"], "LLAMA_ARG_LORA", LORA),
    lacks(&["--lora-scaled"], "", LORA),
    only(&["--lora-init-without-apply"], "", Side::Lacks(LORA)),
    lacks(&["--control-vector"], "", LORA),
    lacks(&["--control-vector-scaled"], "", LORA),
    lacks(&["--control-vector-layer-range"], "", LORA),
    lacks(&["--override-kv"], "", "metadata is what the file says"),
    only(&["--check-tensors"], "", Side::Lacks("files are checked when they are opened, their numbers are not")),
    // How it is computed.
    value(&["--ctx-size", "-c"], "LLAMA_ARG_CTX_SIZE", "ctx"),
    value(&["--threads", "-t"], "LLAMA_ARG_THREADS", "threads"),
    value(&["--threads-batch", "-tb"], "", "threads-batch"),
    value(&["--parallel", "-np"], "LLAMA_ARG_N_PARALLEL", "parallel"),
    any(&["--batch-size", "-b"], "LLAMA_ARG_BATCH", STEPS),
    any(&["--ubatch-size", "-ub"], "LLAMA_ARG_UBATCH", STEPS),
    value(&["--cache-type-k", "-ctk"], "LLAMA_ARG_CACHE_TYPE_K", "cache-type-k"),
    value(&["--cache-type-v", "-ctv"], "LLAMA_ARG_CACHE_TYPE_V", "cache-type-v"),
    flag(&["--flash-attn", "-fa"], "LLAMA_ARG_FLASH_ATTN", To::OneOf(&["on", "off", "auto", "1", "0", "-1", "true", "false", "enabled", "disabled"], true, "there is one attention, which keeps no matrix of scores")),
    switch(&["--cont-batching", "-cb"], &["--no-cont-batching", "-nocb"], "LLAMA_ARG_CONT_BATCHING", Same("requests join others at every step"), Side::Lacks("requests always join others; `--parallel 1` computes one at a time")),
    switch(&["--context-shift"], &["--no-context-shift"], "LLAMA_ARG_CONTEXT_SHIFT", Side::Lacks(SHIFT), Same(SHIFT)),
    any(&["--keep"], "", SHIFT),
    switch(&["--kv-unified", "-kvu"], &["--no-kv-unified", "-no-kvu"], "LLAMA_ARG_KV_UNIFIED", Same(KEPT), Side::Lacks(KEPT)),
    lacks(&["--kv-unified-per-slot"], "LLAMA_ARG_KV_UNIFIED_PER_SLOT", "any request may have the whole context (`--ctx-size`)"),
    value(&["--cache-ram", "-cram"], "LLAMA_ARG_CACHE_RAM", "cache-ram"),
    switch(&["--cache-idle-slots"], &["--no-cache-idle-slots"], "LLAMA_ARG_CACHE_IDLE_SLOTS", Same(KEPT), Same(KEPT)),
    switch(&["--cache-prompt"], &["--no-cache-prompt"], "LLAMA_ARG_CACHE_PROMPT", Same("beginnings that were computed are used again"), Side::Lacks("requests say `\"cache_prompt\": false`; replies are the same either way")),
    one_of(&["--cache-reuse"], "LLAMA_ARG_CACHE_REUSE", &["0"], "only what a prompt begins with is used again"),
    any(&["--slot-prompt-similarity", "-sps"], "", KEPT),
    any(&["--ctx-checkpoints", "--swa-checkpoints", "-ctxcp"], "LLAMA_ARG_CTX_CHECKPOINTS", KEPT),
    any(&["--checkpoint-min-step", "-cms"], "LLAMA_ARG_CHECKPOINT_MIN_SPACING_NT", KEPT),
    only(&["--swa-full"], "LLAMA_ARG_SWA_FULL", Same("windows keep the ends of texts; what is missing elsewhere is computed again")),
    any(&["--defrag-thold", "-dt"], "LLAMA_ARG_DEFRAG_THOLD", KEPT),
    one_of(&["--load-mode", "-lm"], "LLAMA_ARG_LOAD_MODE", &["auto", "mmap"], MAPPED),
    only(&["--mlock"], "LLAMA_ARG_MLOCK", Side::Lacks(MAPPED)),
    switch(&["--mmap"], &["--no-mmap"], "LLAMA_ARG_MMAP", Same(MAPPED), Side::Lacks(MAPPED)),
    lacks(&["--lazy-mode", "-lzm"], "LLAMA_ARG_LAZY_MODE", MAPPED),
    switch(&["--direct-io", "-dio"], &["--no-direct-io", "-ndio"], "LLAMA_ARG_DIO", Side::Lacks("`--memory` decides what is read past the page cache"), Same(MAPPED)),
    switch(&["--repack"], &["--no-repack", "-nr"], "LLAMA_ARG_REPACK", Same("weights are repacked where there is room"), Ours("no-repack")),
    switch(&["--warmup"], &["--no-warmup"], "LLAMA_ARG_WARMUP", Same("there is nothing to warm up"), Same("there is nothing to warm up")),
    switch(&["--perf"], &["--no-perf"], "LLAMA_ARG_PERF", Same("times are always measured"), Same("times are always measured")),
    one_of(&["--fit", "-fit"], "LLAMA_ARG_FIT", &["on"], FIT),
    lacks(&["--fit-target", "-fitt"], "LLAMA_ARG_FIT_TARGET", "`--memory` says how much memory may be taken"),
    lacks(&["--fit-ctx", "-fitc"], "LLAMA_ARG_FIT_CTX", "`--ctx-size` says how long the context must be"),
    any(&["--poll"], "", "threads find out themselves how long to wait"),
    any(&["--poll-batch"], "", "threads find out themselves how long to wait"),
    one_of(&["--prio"], "", &["0"], "`nice` sets priorities"),
    one_of(&["--prio-batch"], "", &["0"], "`nice` sets priorities"),
    lacks(&["--cpu-mask", "-C"], "", PLACE),
    lacks(&["--cpu-range", "-Cr"], "", PLACE),
    one_of(&["--cpu-strict"], "", &["0"], PLACE),
    lacks(&["--cpu-mask-batch", "-Cb"], "", PLACE),
    lacks(&["--cpu-range-batch", "-Crb"], "", PLACE),
    one_of(&["--cpu-strict-batch"], "", &["0"], PLACE),
    lacks(&["--numa"], "LLAMA_ARG_NUMA", PLACE),
    // Accelerators.
    one_of(&["--n-gpu-layers", "--gpu-layers", "-ngl"], "LLAMA_ARG_N_GPU_LAYERS", &["0", "auto"], CPU),
    one_of(&["--device", "-dev"], "LLAMA_ARG_DEVICE", &["none"], CPU),
    only(&["--list-devices"], "", Side::Lacks(CPU)),
    any(&["--split-mode", "-sm"], "LLAMA_ARG_SPLIT_MODE", CPU),
    any(&["--main-gpu", "-mg"], "LLAMA_ARG_MAIN_GPU", CPU),
    lacks(&["--tensor-split", "-ts"], "LLAMA_ARG_TENSOR_SPLIT", CPU),
    lacks(&["--override-tensor", "-ot"], "LLAMA_ARG_OVERRIDE_TENSOR", CPU),
    only(&["--cpu-moe", "-cmoe"], "LLAMA_ARG_CPU_MOE", Same(CPU)),
    any(&["--n-cpu-moe", "-ncmoe"], "LLAMA_ARG_N_CPU_MOE", CPU),
    any(&["--n-cpu-ffn", "-ncffn"], "LLAMA_ARG_N_CPU_FFN", CPU),
    switch(&["--kv-offload", "-kvo"], &["--no-kv-offload", "-nkvo"], "LLAMA_ARG_KV_OFFLOAD", Same(CPU), Same(CPU)),
    switch(&["--op-offload"], &["--no-op-offload"], "", Same(CPU), Same(CPU)),
    only(&["--no-host"], "LLAMA_ARG_NO_HOST", Same(CPU)),
    only(&["--backend-sampling", "-bs"], "LLAMA_ARG_BACKEND_SAMPLING", Same(CPU)),
    lacks(&["--rpc"], "LLAMA_ARG_RPC", "a model is computed on one machine"),
    // Positions.
    lacks(&["--rope-scaling"], "LLAMA_ARG_ROPE_SCALING_TYPE", ROPE),
    lacks(&["--rope-scale"], "LLAMA_ARG_ROPE_SCALE", ROPE),
    lacks(&["--rope-freq-base"], "LLAMA_ARG_ROPE_FREQ_BASE", ROPE),
    lacks(&["--rope-freq-scale"], "LLAMA_ARG_ROPE_FREQ_SCALE", ROPE),
    lacks(&["--yarn-orig-ctx"], "LLAMA_ARG_YARN_ORIG_CTX", ROPE),
    lacks(&["--yarn-ext-factor"], "LLAMA_ARG_YARN_EXT_FACTOR", ROPE),
    lacks(&["--yarn-attn-factor"], "LLAMA_ARG_YARN_ATTN_FACTOR", ROPE),
    lacks(&["--yarn-beta-slow"], "LLAMA_ARG_YARN_BETA_SLOW", ROPE),
    lacks(&["--yarn-beta-fast"], "LLAMA_ARG_YARN_BETA_FAST", ROPE),
    // Images and sound.
    lacks(&["--mmproj", "-mm"], "LLAMA_ARG_MMPROJ", TEXT),
    lacks(&["--mmproj-url", "-mmu"], "LLAMA_ARG_MMPROJ_URL", TEXT),
    switch(&["--mmproj-auto"], &["--no-mmproj", "--no-mmproj-auto"], "LLAMA_ARG_MMPROJ_AUTO", Side::Lacks(TEXT), Same(TEXT)),
    switch(&["--mmproj-offload"], &["--no-mmproj-offload"], "LLAMA_ARG_MMPROJ_OFFLOAD", Same(TEXT), Same(TEXT)),
    lacks(&["--mmproj-device", "-mmdev"], "MTMD_BACKEND_DEVICE", TEXT),
    lacks(&["--image-min-tokens"], "LLAMA_ARG_IMAGE_MIN_TOKENS", TEXT),
    lacks(&["--image-max-tokens"], "LLAMA_ARG_IMAGE_MAX_TOKENS", TEXT),
    lacks(&["--mtmd-batch-max-tokens"], "LLAMA_ARG_MTMD_BATCH_MAX_TOKENS", TEXT),
    lacks(&["--video-fps"], "LLAMA_ARG_VIDEO_FPS", TEXT),
    lacks(&["--video-timestamp-interval"], "LLAMA_ARG_VIDEO_TIMESTAMP_INTERVAL", TEXT),
    lacks(&["--video-ffmpeg-dir"], "LLAMA_ARG_VIDEO_FFMPEG_DIR", TEXT),
    lacks(&["--media-path"], "", TEXT),
    // Guesses.
    value(&["--spec-type"], "LLAMA_ARG_SPEC_TYPE", "spec-type"),
    only(&["--spec-default"], "", Same("guesses are made from the text so far unless told otherwise")),
    value(&["--model-draft", "-md", "--spec-draft-model"], "LLAMA_ARG_SPEC_DRAFT_MODEL", "draft"),
    value(&["--hf-repo-draft", "-hfd", "-hfrd", "--spec-draft-hf"], "LLAMA_ARG_SPEC_DRAFT_HF_REPO", "draft"),
    value(&["--spec-draft-n-max"], "LLAMA_ARG_SPEC_DRAFT_N_MAX", "spec-draft-n-max"),
    value(&["--spec-draft-n-min"], "LLAMA_ARG_SPEC_DRAFT_N_MIN", "spec-draft-n-min"),
    value(&["--draft-n", "--draft-max"], "LLAMA_ARG_DRAFT_MAX", "spec-draft-n-max"),
    value(&["--draft-min", "--draft-n-min"], "LLAMA_ARG_DRAFT_MIN", "spec-draft-n-min"),
    lacks(&["--spec-draft-p-min", "--draft-p-min"], "LLAMA_ARG_SPEC_DRAFT_P_MIN", GUESSES),
    lacks(&["--spec-draft-p-split", "--draft-p-split"], "LLAMA_ARG_SPEC_DRAFT_P_SPLIT", GUESSES),
    lacks(&["--spec-ngram-mod-n-min"], "", GUESSES),
    lacks(&["--spec-ngram-mod-n-max"], "", GUESSES),
    lacks(&["--spec-ngram-mod-n-match"], "", GUESSES),
    lacks(&["--spec-ngram-size-n", "--spec-ngram-simple-size-n", "--spec-ngram-map-k-size-n", "--spec-ngram-map-k4v-size-n"], "", GUESSES),
    lacks(&["--spec-ngram-size-m", "--spec-ngram-simple-size-m", "--spec-ngram-map-k-size-m", "--spec-ngram-map-k4v-size-m"], "", GUESSES),
    lacks(&["--spec-ngram-min-hits", "--spec-ngram-simple-min-hits", "--spec-ngram-map-k-min-hits", "--spec-ngram-map-k4v-min-hits"], "", GUESSES),
    lacks(&["--spec-draft-threads", "-td", "--threads-draft"], "", DRAFTS),
    lacks(&["--spec-draft-threads-batch", "-tbd", "--threads-batch-draft"], "", DRAFTS),
    lacks(&["--spec-draft-type-k", "-ctkd", "--cache-type-k-draft"], "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K", DRAFTS),
    lacks(&["--spec-draft-type-v", "-ctvd", "--cache-type-v-draft"], "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V", DRAFTS),
    one_of(&["--spec-draft-ngl", "-ngld", "--gpu-layers-draft", "--n-gpu-layers-draft"], "LLAMA_ARG_N_GPU_LAYERS_DRAFT", &["0", "auto"], CPU),
    one_of(&["--spec-draft-device", "-devd", "--device-draft"], "", &["none"], CPU),
    only(&["--mtp"], "", Side::Lacks("guesses are made from the text so far")),
    only(&["--dflash"], "", Side::Lacks("guesses are made from the text so far")),
    lacks(&["--lookup-cache-static", "-lcs"], "", "guesses are made from the text so far"),
    lacks(&["--lookup-cache-dynamic", "-lcd"], "", "guesses are made from the text so far"),
    // How tokens are chosen, unless a request says.
    value(&["--seed", "-s"], "", "seed"),
    value(&["--n-predict", "--predict", "-n"], "LLAMA_ARG_N_PREDICT", "n-predict"),
    value(&["--temp", "--temperature"], "LLAMA_ARG_TEMPERATURE", "temp"),
    value(&["--top-k"], "LLAMA_ARG_TOP_K", "top-k"),
    value(&["--top-p"], "LLAMA_ARG_TOP_P", "top-p"),
    value(&["--min-p"], "LLAMA_ARG_MIN_P", "min-p"),
    value(&["--top-n-sigma", "--top-nsigma"], "", "top-n-sigma"),
    value(&["--xtc-probability"], "", "xtc-probability"),
    value(&["--xtc-threshold"], "", "xtc-threshold"),
    value(&["--typical", "--typical-p"], "", "typical"),
    value(&["--repeat-last-n"], "", "repeat-last-n"),
    value(&["--repeat-penalty"], "LLAMA_ARG_REPEAT_PENALTY", "repeat-penalty"),
    value(&["--presence-penalty"], "LLAMA_ARG_PRESENCE_PENALTY", "presence-penalty"),
    value(&["--frequency-penalty"], "LLAMA_ARG_FREQUENCY_PENALTY", "frequency-penalty"),
    value(&["--dry-multiplier"], "", "dry-multiplier"),
    value(&["--dry-base"], "", "dry-base"),
    value(&["--dry-allowed-length"], "", "dry-allowed-length"),
    value(&["--dry-penalty-last-n"], "", "dry-penalty-last-n"),
    value(&["--dry-sequence-breaker"], "", "dry-sequence-breaker"),
    value(&["--dynatemp-range"], "", "dynatemp-range"),
    value(&["--dynatemp-exp"], "", "dynatemp-exp"),
    value(&["--mirostat"], "", "mirostat"),
    value(&["--mirostat-lr"], "", "mirostat-lr"),
    value(&["--mirostat-ent"], "", "mirostat-ent"),
    value(&["--samplers"], "", "samplers"),
    value(&["--sampler-seq", "--sampling-seq"], "", "sampler-seq"),
    value(&["--logit-bias", "-l"], "", "logit-bias"),
    only(&["--ignore-eos"], "", Ours("ignore-eos")),
    lacks(&["--adaptive-target"], "", "there is no such sampler"),
    lacks(&["--adaptive-decay"], "", "there is no such sampler"),
    lacks(&["--grammar"], "", PER_REQUEST),
    lacks(&["--grammar-file"], "", PER_REQUEST),
    lacks(&["--json-schema", "-j"], "", PER_REQUEST),
    lacks(&["--json-schema-file", "-jf"], "", PER_REQUEST),
    lacks(&["--reverse-prompt", "-r"], "", PER_REQUEST),
    only(&["--special", "-sp"], "", Side::Lacks(PER_REQUEST)),
    only(&["--spm-infill"], "", Side::Lacks(PER_REQUEST)),
    lacks(&["--prompt", "-p"], "", PROMPT),
    lacks(&["--file", "-f"], "", PROMPT),
    lacks(&["--binary-file", "-bf"], "", PROMPT),
    switch(&["--escape", "-e"], &["--no-escape"], "", Same("prompts come as JSON"), Same("prompts come as JSON")),
    // Chats.
    switch(&["--jinja"], &["--no-jinja"], "LLAMA_ARG_JINJA", Same("chat templates are Jinja"), Side::Lacks("chat templates are Jinja")),
    value(&["--chat-template"], "LLAMA_ARG_CHAT_TEMPLATE", "chat-template"),
    value(&["--chat-template-file"], "LLAMA_ARG_CHAT_TEMPLATE_FILE", "chat-template-file"),
    value(&["--chat-template-kwargs"], "LLAMA_ARG_CHAT_TEMPLATE_KWARGS", "chat-template-kwargs"),
    value(&["--reasoning-format"], "LLAMA_ARG_THINK", "reasoning-format"),
    value(&["--reasoning", "-rea"], "LLAMA_ARG_REASONING", "reasoning"),
    value(&["--reasoning-effort"], "LLAMA_ARG_REASONING_EFFORT", "reasoning-effort"),
    value(&["--reasoning-budget"], "LLAMA_ARG_THINK_BUDGET", "reasoning-budget"),
    value(&["--reasoning-budget-message"], "LLAMA_ARG_THINK_BUDGET_MESSAGE", "reasoning-budget-message"),
    switch(&["--reasoning-preserve"], &["--no-reasoning-preserve"], "LLAMA_ARG_REASONING_PRESERVE", Side::Lacks("the chat template decides"), Same("the chat template decides")),
    switch(&["--skip-chat-parsing"], &["--no-skip-chat-parsing"], "LLAMA_ARG_SKIP_CHAT_PARSING", Side::Lacks("`--reasoning-format none` leaves thoughts in the text"), Same("replies are taken apart")),
    switch(&["--prefill-assistant"], &["--no-prefill-assistant"], "LLAMA_ARG_PREFILL_ASSISTANT", Side::Lacks("requests say `\"continue_final_message\": true`"), Same("requests say it")),
    // Vectors.
    only(&["--embedding", "--embeddings"], "LLAMA_ARG_EMBEDDINGS", Same("vectors are always to be had")),
    only(&["--reranking", "--rerank"], "LLAMA_ARG_RERANKING", Same("models that rank do so without being told")),
    value(&["--pooling"], "LLAMA_ARG_POOLING", "pooling"),
    one_of(&["--embd-normalize"], "", &["2"], "vectors have length 1 unless a request says"),
    // HTTP.
    value(&["--host"], "LLAMA_ARG_HOST", "host"),
    value(&["--port"], "LLAMA_ARG_PORT", "port"),
    only(&["--reuse-port"], "LLAMA_ARG_REUSE_PORT", Side::Lacks("one server has one port")),
    lacks(&["--path"], "LLAMA_ARG_STATIC_PATH", "the page is in the program"),
    value(&["--api-prefix"], "LLAMA_ARG_API_PREFIX", "api-prefix"),
    value(&["--api-key"], "LLAMA_API_KEY", "api-key"),
    value(&["--api-key-file"], "LLAMA_ARG_API_KEY_FILE", "api-key-file"),
    lacks(&["--ssl-key-file"], "LLAMA_ARG_SSL_KEY_FILE", TLS),
    lacks(&["--ssl-cert-file"], "LLAMA_ARG_SSL_CERT_FILE", TLS),
    value(&["--cors-origins"], "LLAMA_ARG_CORS_ORIGINS", "cors-origins"),
    lacks(&["--cors-methods"], "LLAMA_ARG_CORS_METHODS", "pages that may use the server may use all of it"),
    lacks(&["--cors-headers"], "LLAMA_ARG_CORS_HEADERS", "pages that may use the server may use all of it"),
    switch(&["--cors-credentials"], &["--no-cors-credentials"], "LLAMA_ARG_CORS_CREDENTIALS", Side::Lacks("there are no cookies"), Same("there are no cookies")),
    value(&["--timeout", "-to"], "LLAMA_ARG_TIMEOUT", "timeout"),
    value(&["--sse-ping-interval"], "LLAMA_ARG_SSE_PING_INTERVAL", "sse-ping-interval"),
    value(&["--threads-http"], "LLAMA_ARG_THREADS_HTTP", "threads-http"),
    only(&["--metrics"], "LLAMA_ARG_ENDPOINT_METRICS", Ours("metrics")),
    only(&["--props"], "LLAMA_ARG_ENDPOINT_PROPS", Ours("props")),
    switch(&["--slots"], &["--no-slots"], "LLAMA_ARG_ENDPOINT_SLOTS", Ours("slots"), Ours("no-slots")),
    value(&["--slot-save-path"], "", "slot-save-path"),
    switch(&["--ui", "--webui"], &["--no-ui", "--no-webui"], "LLAMA_ARG_UI", Ours("ui"), Ours("no-ui")),
    lacks(&["--ui-config", "--webui-config"], "LLAMA_ARG_UI_CONFIG", "the page keeps its settings in the browser"),
    lacks(&["--ui-config-file", "--webui-config-file"], "LLAMA_ARG_UI_CONFIG_FILE", "the page keeps its settings in the browser"),
    switch(&["--ui-mcp-proxy", "--webui-mcp-proxy"], &["--no-ui-mcp-proxy", "--no-webui-mcp-proxy"], "LLAMA_ARG_UI_MCP_PROXY", Side::Lacks("nothing that a page names is fetched"), Same("nothing that a page names is fetched")),
    lacks(&["--tools"], "LLAMA_ARG_TOOLS", "the server has no tools of its own"),
    lacks(&["--tools-runtime"], "LLAMA_ARG_TOOLS_RUNTIME", "the server has no tools of its own"),
    switch(&["--agent", "-ag"], &["--no-agent", "-no-ag"], "LLAMA_ARG_AGENT", Side::Lacks("the server has no tools of its own"), Same("the server has no tools of its own")),
    value(&["--mcp-servers-config"], "LLAMA_ARG_MCP_SERVERS_CONFIG", "mcp-config"),
    lacks(&["--mcp-servers-json"], "LLAMA_ARG_MCP_SERVERS_JSON", "`--mcp-config` takes a file"),
    // What is said.
    only(&["--verbose", "--log-verbose", "-v"], "", Ours("verbose")),
    value(&["--verbosity", "--log-verbosity", "-lv"], "LLAMA_ARG_LOG_VERBOSITY", "verbosity"),
    only(&["--log-disable"], "", Ours("log-disable")),
    switch(&["--log-jsonl"], &["--no-log-jsonl"], "LLAMA_ARG_LOG_JSONL", Ours("log-jsonl"), Same("lines are text unless told otherwise")),
    lacks(&["--log-file"], "LLAMA_ARG_LOG_FILE", "lines go to stderr, where `2> FILE` takes them"),
    lacks(&["--log-prompts-dir"], "", "no prompt is written down"),
    any(&["--log-colors"], "LLAMA_ARG_LOG_COLORS", "colours are for terminals (`NO_COLOR`, `CLICOLOR_FORCE`)"),
    switch(&["--log-prefix"], &["--no-log-prefix"], "LLAMA_ARG_LOG_PREFIX", Same(LOGS), Same(LOGS)),
    switch(&["--log-timestamps"], &["--no-log-timestamps"], "LLAMA_ARG_LOG_TIMESTAMPS", Same(LOGS), Same(LOGS)),
];

impl Flag {
    /// The flag of this name, and whether the name says yes.
    pub(crate) fn find(name: &str) -> Option<(&'static Self, bool)> {
        let yes = FLAGS.iter().find(|flag| flag.names.contains(&name));
        let no = || FLAGS.iter().find(|flag| flag.no.contains(&name));
        yes.map(|flag| (flag, true))
            .or_else(|| no().map(|flag| (flag, false)))
    }
}
