//! What can go wrong, in one type.

use std::path::PathBuf;

/// Any failure of this crate. Every message names the thing and, where it can, a way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name, the download or the cache.
    #[error(transparent)]
    Hub(#[from] hub::Error),
    /// The file.
    #[error(transparent)]
    Format(#[from] formats::Error),
    /// Loading, for a reason outside of the file.
    #[error(transparent)]
    Load(#[from] model::LoadError),
    /// The model in a file or folder.
    #[error("`{}`: {error}", path.display())]
    Model {
        /// The file, the first of several, or the folder.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<model::LoadError>,
    },
    /// The vocabulary in the file.
    #[error(transparent)]
    Vocabulary(#[from] engine::vocab::Error),
    /// The tokenizer and the like in a folder.
    #[error(transparent)]
    Folder(#[from] engine::hf::Error),
    /// The chat template.
    #[error(transparent)]
    Template(#[from] tokenizer::TemplateError),
    /// The request.
    #[error(transparent)]
    Request(#[from] engine::RequestError),
    /// What the reply must look like cannot be enforced.
    #[error(transparent)]
    Grammar(#[from] engine::grammar::GrammarError),
    /// Tools, or a call of one, cannot be enforced.
    #[error(transparent)]
    Tools(#[from] crate::dialogue::ToolError),
    /// A reply cannot have two forms.
    #[error("tools are given, and a grammar too\nhint: `tool_choice` none, or no grammar")]
    GrammarAndTools,
    /// The model calls tools and does not come to an answer.
    #[error("no answer after {max_rounds} rounds of tool calls")]
    ToolRounds {
        /// How many there might be.
        max_rounds: usize,
    },
    /// A reply that was to be a value was cut.
    #[error("the reply ended before the value was whole: `{text}`\nhint: a larger `max_tokens`")]
    NotWhole {
        /// What there is of it.
        text: String,
    },
    /// A reply has the form of its schema and is no value of the type all the same: a number out of its range, say.
    #[error("`{text}`: {error}")]
    NotOfType {
        /// The reply.
        text: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Reading weights that are not in memory.
    #[error(transparent)]
    Read(#[from] model::ReadError),
    /// Chatting with a model that has no chat template.
    #[error(
        "`{model}` has no chat template\nhint: complete plain text instead, or give a template"
    )]
    NoChatTemplate {
        /// The model's name.
        model: String,
    },
    /// Scoring documents with a model that has no single token for an answer.
    #[error(
        "the vocabulary has no token for `{answer}`, so the model cannot say how well a document answers\nhint: a reranker"
    )]
    NoAnswerToken {
        /// The answer.
        answer: &'static str,
    },
    /// A turn of a conversation has a role that no template knows.
    #[error("`messages[{index}].role`: expected one of {}, found `{found}`", crate::chat::ROLES.join(", "))]
    Role {
        /// Which turn, from 0.
        index: usize,
        /// Its role.
        found: String,
    },
    /// There is no turn of the assistant's to go on with.
    #[error(
        "the last message cannot be continued: it is not the assistant's, is empty, or the template changes its text"
    )]
    NothingToContinue,
    /// A type that models are not quantised to while they are loaded.
    #[error("cannot quantise to {found}, expected one of: {}", crate::quant::TYPES.map(tensor::DType::name).join(", "))]
    QuantType {
        /// The type.
        found: tensor::DType,
    },
    /// No chat template has this name.
    #[error("no chat template is named `{name}`, expected one of: {}", known.join(", "))]
    NoSuchTemplate {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The vocabulary and the weights are not of one model.
    #[error(
        "`{}`: `tokenizer.ggml.tokens` has {tokens} tokens, expected at most {rows}, the rows of `token_embd.weight`",
        path.display()
    )]
    VocabularySize {
        /// The file, the first of several.
        path: PathBuf,
        /// In the tokenizer.
        tokens: usize,
        /// In the embedding.
        rows: usize,
    },
    /// A context length that the model or the caller cannot mean.
    #[error("context of {ctx} tokens: expected 1 to {max}, what the model was trained for")]
    Context {
        /// Asked for.
        ctx: usize,
        /// The most there is.
        max: usize,
    },
    /// Keys, values and buffers for the context are more than there is memory.
    #[error(
        "keys and values of {tokens} tokens and buffers need {needed} bytes besides the weights, {budget} may be taken\nhint: a smaller context (`--ctx`)"
    )]
    Memory {
        /// Room asked for, in tokens.
        tokens: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes that are free, given, or left by the control group.
        budget: u64,
    },
    /// A model that was quantised while it was loaded is more than there is memory.
    #[error(
        "the model takes {needed} bytes as it was quantised, {budget} may be taken\nhint: a smaller type (`--quant`)"
    )]
    QuantMemory {
        /// Bytes needed, with keys, values and buffers.
        needed: u64,
        /// Bytes that are free, given, or left by the control group.
        budget: u64,
    },
    /// The text is too short for what was asked.
    #[error("the text has {tokens} tokens, at least {needed} are needed")]
    TextTooShort {
        /// It has.
        tokens: usize,
        /// It should have.
        needed: usize,
    },
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it says.
        error: std::io::Error,
    },
    /// As many models as there may be, and all are in use.
    #[error(
        "{max_models} models are loaded and in use, and no more may be\nhint: a larger `max_models`"
    )]
    PoolFull {
        /// The most there may be.
        max_models: usize,
    },
    /// No request at a time, or too many.
    #[error("`parallel`: expected 1 to {most} requests side by side, found {parallel}")]
    Parallel {
        /// Asked for.
        parallel: usize,
        /// The most there may be.
        most: usize,
    },
    /// Less room for keys and values than one sequence needs.
    #[error(
        "keys and values of {kv_tokens} tokens: expected at least {ctx}, the context of one sequence"
    )]
    KvTokens {
        /// Asked for.
        kv_tokens: usize,
        /// The context in use.
        ctx: usize,
    },
    /// More replies than there may be, or fewer candidates than replies.
    #[error(
        "`n` = {n}, `best_of` = {best_of}: expected 1 <= n <= best_of <= {}",
        crate::request::MAX_CHOICES
    )]
    Choices {
        /// Replies asked for.
        n: usize,
        /// Replies generated.
        best_of: usize,
    },
    /// The best of several cannot be told before all of them have ended.
    #[error(
        "`best_of` = {best_of}: the best replies are known at the end, so they cannot be streamed"
    )]
    BestOfStream {
        /// Replies generated.
        best_of: usize,
    },
    /// A model that shall guess for another.
    #[error("draft model `{name}`: {error}")]
    Draft {
        /// Its name.
        name: String,
        /// Why it cannot.
        error: crate::DraftError,
    },
    /// A cached beginning in a file.
    #[error("`{}`: {error}", path.display())]
    Prefix {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: crate::PrefixError,
    },
    /// The model's thread is gone.
    #[error("the model's thread has ended")]
    WorkerGone,
}
