//! What can be wrong with a folder of safetensors files, beyond what is wrong inside one.

use std::path::PathBuf;

/// Why a folder cannot be used: names file, tensor or key, what was expected, what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file of JSON that is not JSON, or not of the form it should have.
    #[error("`{}`: expected {expected}: {error}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// A file of text that is too long to be what it should be.
    #[error("`{}` has {found} bytes, expected at most {max}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The most that is read.
        max: u64,
    },
    /// A folder without weights that can be read.
    #[error(
        "no weights in `{}`: expected `model.safetensors` or `model.safetensors.index.json`{hint}",
        folder.display()
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// What is there instead, or nothing.
        hint: &'static str,
    },
    /// A shard whose name leads out of the folder.
    #[error(
        "`{}`: tensor `{tensor}` is said to be in `{found}`, expected the plain name of a file",
        index.display()
    )]
    ShardName {
        /// The index.
        index: PathBuf,
        /// A tensor in the shard.
        tensor: String,
        /// The name.
        found: String,
    },
    /// A file that the index names and that is not there.
    #[error(
        "`{}` names the file `{shard}` for tensor `{tensor}`, but it is not there\nhint: the download may be incomplete",
        index.display()
    )]
    ShardMissing {
        /// The index.
        index: PathBuf,
        /// The name of the file.
        shard: String,
        /// A tensor it should have.
        tensor: String,
    },
    /// A tensor that is in no file, or not in the file that the index names.
    #[error(
        "tensor `{tensor}`: expected in `{expected}`, as `{}` says, found {}",
        index.display(),
        found.as_deref().map_or("nowhere".into(), |file| format!("in `{file}`"))
    )]
    WrongShard {
        /// The tensor's name.
        tensor: String,
        /// The index.
        index: PathBuf,
        /// The file that the index names.
        expected: String,
        /// The file that has it.
        found: Option<String>,
    },
    /// A tensor that is in two files.
    #[error("tensor `{tensor}` is in `{first}` and in `{second}`, expected it once")]
    TwoShards {
        /// The tensor's name.
        tensor: String,
        /// One of the files.
        first: String,
        /// The other.
        second: String,
    },
    /// Scales that do not fit the weights they belong to.
    #[error("tensor `{tensor}`: expected scales for weights of shape {weights:?}, found {found}")]
    Scale {
        /// The name of the tensor of scales.
        tensor: String,
        /// Shape of the weights.
        weights: Vec<usize>,
        /// Shape or type of the scales.
        found: String,
    },
    /// A value in `config.json` that cannot be right.
    #[error("`{}`, key `{key}`: expected {expected}, found {found}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key, with dots between levels.
        key: String,
        /// What its value should be.
        expected: String,
        /// What it is.
        found: String,
    },
}
