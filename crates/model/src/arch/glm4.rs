//! GLM 4 0414 (THUDM 2025), and the text part of GLM 4.1V (arXiv:2507.01006). Reference: transformers `modeling_glm4.py`,
//! `modeling_glm4v.py`.
//!
//! Differs from Llama so: what attention and FFN give is normed before it is added; only half of a head turns;
//! gate and up are one matrix; query, key and value have biases. GGUF files of models that see, known by their sections of
//! positions, have rows of query and key in the order in which `i` turns with `i + dim / 2`.

use formats::gguf::Array;

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "glm4",
    models: "GLM 4 0414, GLM Z1, GLM 4.1V and 4.6V Flash (text)",
    config,
    hf: &[
        FORM,
        HuggingFace {
            metadata: |fields| {
                let older = fields.sizes("rope_scaling.mrope_section")?;
                let sections = fields.sizes("rope_parameters.mrope_section")?.or(older);
                let sections = sections.unwrap_or_default();
                let key = "rope.dimension_sections";
                fields.set(key, Value::Array(Array::U32(sections)));
                Ok(())
            },
            rows: &[
                (Role::AttentionQ, Rows::Halved),
                (Role::AttentionK, Rows::Halved),
            ],
            ..FORM.within("Glm4vForConditionalGeneration")
        },
    ],
};

const FORM: HuggingFace = HuggingFace {
    names: &[
        (
            Role::MixerPostNorm,
            "model.layers.{i}.post_self_attn_layernorm",
        ),
        (Role::FfnNorm, "model.layers.{i}.post_attention_layernorm"),
        (Role::FfnPostNorm, "model.layers.{i}.post_mlp_layernorm"),
        (Role::FfnUp, "model.layers.{i}.mlp.gate_up_proj"),
    ],
    ..HuggingFace::new("Glm4ForCausalLM")
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_post_norms();
    if h.has("rope.dimension_sections") {
        config.set_pairing(Pairing::HalfSplit);
    }
    Ok(config)
}
