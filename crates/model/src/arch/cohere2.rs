//! Command R7B, A, Aya Expanse 2 (arXiv:2504.00698). Reference: transformers `modeling_cohere2.py`.
//!
//! Differs from Command R so: three of four layers see a window, and the fourth has no positions.

use super::command_r;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "cohere2",
    models: "Command R7B, Command A",
    config,
    hf: &[HuggingFace {
        keys: &[("logit_scale", "logit_scale")],
        metadata: |fields| fields.only("position_embedding_type", &["rope_gptj"]),
        ..HuggingFace::new("Cohere2ForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = command_r::config(h, loader)?;
    let windowed = h.windowed_layers(config.layers.len(), 4)?;
    config.set_global_without_rope(&windowed);
    Ok(config)
}
