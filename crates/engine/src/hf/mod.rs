//! Tokenizer, chat templates and sampler of a Hugging Face folder, from the files beside its weights.
//!
//! ```text
//! tokenizer.json           text ↔ ids; without it
//! tokenizer.model          the same, of SentencePiece
//! tokenizer_config.json    roles of tokens, chat templates, what goes around a text
//! chat_template.jinja      the chat template; additional_chat_templates/NAME.jinja: more of them
//! generation_config.json   sampler defaults, ids that end the generation
//! config.json              such ids too
//! ```
//! What the files mean is `transformers`' doing (`tokenization_utils_base.py`,
//! `configuration_utils.py`, <https://github.com/huggingface/transformers>).

mod sampling;
mod templates;
mod tokens;

use std::path::PathBuf;

use thiserror::Error as ThisError;

pub use self::sampling::{SamplerDefaults, sampler_defaults};
pub use self::templates::{NamedTemplate, chat_templates};
pub use self::tokens::tokenizer;

/// Why the files beside the weights cannot be used: names file, key, what was expected, what was found.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or is not what it should be.
    #[error(transparent)]
    File(#[from] formats::Error),
    /// A folder without a tokenizer that can be read.
    #[error(
        "no tokenizer in `{}`: expected `tokenizer.json`, `tekken.json`, `tokenizer.model` or `{}`{hint}",
        folder.display(), tokenizer::WORLD_FILE
    )]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
        /// What is there instead, or nothing.
        hint: &'static str,
    },
    /// Something is wrong with the tokenizer in this file.
    #[error("`{}`: {error}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: tokenizer::Error,
    },
    /// A tokenizer with tokens that the model has no rows for.
    #[error(
        "`{}` has {tokens} tokens, expected at most {rows}, the rows of the embedding (`{token}` has none)",
        path.display()
    )]
    Rows {
        /// The file of the tokenizer.
        path: PathBuf,
        /// Tokens in it.
        tokens: usize,
        /// Rows of the model's embedding.
        rows: usize,
        /// The first token without a row.
        token: String,
    },
    /// A value that cannot be right.
    #[error("`{}`, key `{key}`: expected {expected}, found {found}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What its value should be.
        expected: String,
        /// What it is.
        found: String,
    },
}
