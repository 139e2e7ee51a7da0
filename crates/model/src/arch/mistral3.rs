//! Ministral 3 and Mistral Small 3.1 as llama.cpp names them (Mistral 2025). Reference: transformers
//! `modeling_ministral3.py`.
//!
//! Differs from Llama so: positions are stretched by YaRN, and queries grow with their position.

use super::llama;
use super::prelude::*;
use crate::config::Temperature;

pub(super) const FAMILY: Family = Family {
    gguf_name: "mistral3",
    models: "Ministral 3",
    config,
    hf: &[
        FORM,
        // What is published sees, too.
        FORM.within("Mistral3ForConditionalGeneration"),
    ],
};

const FORM: HuggingFace = HuggingFace {
    keys: &[(
        "rope_parameters.llama_4_scaling_beta",
        "attention.temperature_scale",
    )],
    permuted: true,
    ..HuggingFace::new("Ministral3ForCausalLM")
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let scale = h.opt::<f32>("attention.temperature_scale")?;
    let span = h.size_or("rope.scaling.original_context_length", config.max_seq_len)?;
    for attention in config.attentions_mut() {
        attention.temperature = scale
            .filter(|&scale| scale != 0.0)
            .map(|scale| Temperature { scale, span });
    }
    Ok(config)
}
