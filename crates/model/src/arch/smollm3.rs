//! SmolLM 3 (Hugging Face 2025). Reference: transformers `modeling_smollm3.py`.
//!
//! Differs from Llama so: every fourth layer has no positions.

use super::llama;
use super::prelude::*;

const NO_ROPE_STEP: usize = 4;

pub(super) const FAMILY: Family = Family {
    gguf_name: "smollm3",
    models: "SmolLM 3",
    config,
    hf: &[HuggingFace {
        metadata: |fields| {
            fields.only("no_rope_layer_interval", &["4"])?;
            let listed = fields.sizes("no_rope_layers")?.unwrap_or_default();
            let wrong = |(i, &turns): (usize, &u32)| (turns == 0) != ((i + 1) % NO_ROPE_STEP == 0);
            if listed.iter().enumerate().any(wrong) {
                return Err(fields.wrong(
                    "no_rope_layers",
                    "0 for every fourth layer, 1 for the others",
                ));
            }
            Ok(())
        },
        permuted: true,
        ..HuggingFace::new("SmolLM3ForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    for attention in config
        .attentions_mut()
        .skip(NO_ROPE_STEP - 1)
        .step_by(NO_ROPE_STEP)
    {
        if let Some(rope) = &mut attention.rope {
            // Turned by nothing, not left out: a folder's rows change their order on the way.
            rope.frequencies.fill(0.0);
        }
    }
    Ok(config)
}
