//! The families: each file reads as its visible difference from Llama.
//!
//! This folder is the only place that knows an architecture's name, and the name is forgotten when
//! loading ends: everything after it sees a [`ModelConfig`].

mod gemma2;
mod llama;
mod qwen2;

use formats::gguf::Metadata;

use crate::LoadError;
use crate::config::ModelConfig;
use crate::hparams::Hparams;
use crate::weights::Loader;

/// A family: its GGUF name, and how its metadata becomes a config.
pub struct Family {
    /// `general.architecture`.
    pub gguf_name: &'static str,
    /// What people call the models.
    pub models: &'static str,
    config: fn(&Hparams<'_>, &Loader<'_>) -> Result<ModelConfig, LoadError>,
}

/// Every family there is.
pub const FAMILIES: &[Family] = &[
    Family {
        gguf_name: "llama",
        models: "Llama 2, 3, 3.1, 3.2, Mistral, Yi, SmolLM, TinyLlama",
        config: llama::config,
    },
    Family {
        gguf_name: "qwen2",
        models: "Qwen 2, 2.5, 2.5 Coder",
        config: qwen2::config,
    },
    Family {
        gguf_name: "gemma2",
        models: "Gemma 2",
        config: gemma2::config,
    },
];

/// The config of the model that `metadata` describes.
///
/// # Errors
/// If no family has its name, or a hyperparameter is missing or makes no sense.
pub fn config(metadata: &Metadata, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let name: String = metadata.require("general.architecture")?;
    let Some(family) = FAMILIES.iter().find(|family| family.gguf_name == name) else {
        let known = FAMILIES.iter().map(|family| family.gguf_name).collect();
        return Err(LoadError::Architecture { found: name, known });
    };
    (family.config)(&Hparams::new(metadata, &name), loader)
}
