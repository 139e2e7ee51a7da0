//! Why a model cannot be loaded.

use formats::Error;
use tensor::DType;

/// Why a file's contents are no model that can run here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file itself is wrong.
    #[error(transparent)]
    Format(#[from] Error),
    /// No family file for this architecture.
    #[error("architecture `{found}` is not supported, expected one of {}", known.join(", "))]
    Architecture {
        /// What `general.architecture` says.
        found: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A hyperparameter makes no sense.
    #[error("metadata `{key}`: expected {expected}, found {found}")]
    Hyperparameter {
        /// The metadata key.
        key: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The model uses something that is not there yet.
    #[error("{what} is not supported yet")]
    Unsupported {
        /// The thing, with the key or tensor that asks for it.
        what: String,
    },
    /// A tensor is missing.
    #[error("tensor `{name}` is missing{}", if *vocab_only { "\nhint: the file holds a vocabulary and no weights" } else { "" })]
    MissingTensor {
        /// Its name.
        name: String,
        /// Whether the file has no tensors at all.
        vocab_only: bool,
    },
    /// A tensor that a model may lack is in some of its layers only: the file is damaged.
    #[error("tensor `{name}` is missing, expected as in other layers: found `{other}`")]
    OtherLayersHave {
        /// Its name.
        name: String,
        /// The same of another layer.
        other: String,
    },
    /// A tensor has the wrong shape.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Its name.
        name: String,
        /// By the hyperparameters, outermost first.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// A tensor's type cannot hold weights.
    #[error("tensor `{name}`: type {dtype} cannot hold weights")]
    WeightType {
        /// Its name.
        name: String,
        /// Its type.
        dtype: DType,
    },
    /// The file has a tensor that the family does not know: running without it would be wrong.
    #[error(
        "tensor `{name}` is unknown to this architecture\nhint: a newer model, or a wrong `general.architecture`?"
    )]
    UnknownTensor {
        /// Its name.
        name: String,
    },
    /// `INGLE_ISA` asks for something this CPU lacks.
    #[error("{0}")]
    Isa(String),
    /// Weights cannot be read into memory.
    #[error(transparent)]
    Read(#[from] formats::ReadError),
    /// Even with everything read in every step that can be, it does not fit.
    #[error(
        "the weights need {needed} bytes of memory at least, {budget} are left for them\nhint: a shorter context leaves more, a smaller quantisation needs less"
    )]
    Memory {
        /// Bytes that have to stay in memory.
        needed: u64,
        /// Bytes there are.
        budget: u64,
    },
    /// The system refuses threads.
    #[error("cannot start threads: {0}")]
    Threads(#[from] std::io::Error),
}

impl LoadError {
    /// Whether the file is at fault: another would load.
    pub fn is_of_the_file(&self) -> bool {
        match self {
            Self::Architecture { .. }
            | Self::Hyperparameter { .. }
            | Self::Unsupported { .. }
            | Self::MissingTensor { .. }
            | Self::OtherLayersHave { .. }
            | Self::Shape { .. }
            | Self::WeightType { .. }
            | Self::UnknownTensor { .. } => true,
            // Others name their file.
            Self::Format(error) => matches!(
                error,
                Error::InKey { .. } | Error::MissingKey { .. } | Error::WrongType { .. }
            ),
            // This names its file itself.
            Self::Read(_) => false,
            Self::Isa(_) | Self::Memory { .. } | Self::Threads(_) => false,
        }
    }
}
