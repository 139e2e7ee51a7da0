//! DeepSeek-V2, V3, R1 and Kimi K2 (arXiv:2405.04434, arXiv:2412.19437). Reference: transformers
//! `modeling_deepseek_v2.py`, `modeling_deepseek_v3.py`.
//!
//! Differs from Llama so: latent attention, whose scores grow with YaRN's factor; experts behind first layers
//! without, in groups of which the best count (by their best score in V2, by their two best in V3), and a network
//! for every token. Neighbours turn together, as they were trained.

use super::llama;
use super::prelude::*;
use crate::decoder::set_latent;

const ROWS: &[(Role, Rows)] = &[(Role::LatentKB, Rows::LatentB)];

pub(super) const FAMILY: Family = Family {
    gguf_name: "deepseek2",
    models: "DeepSeek V2, V2 Lite, V3, R1, Kimi K2, GLM 4.7 Flash",
    config,
    hf: &[
        HuggingFace {
            names: SHARED_EXPERTS,
            metadata: |fields| {
                fields.latents()?;
                fields.only("scoring_func", &["softmax"])?;
                fields.only("topk_method", &["greedy", "group_limited_greedy"])?;
                if fields.text("topk_method")? == Some("greedy") {
                    fields.set("expert_group_count", Value::U32(1));
                }
                fields.set("expert_gating_func", Value::U32(1));
                Ok(())
            },
            rows: ROWS,
            ..HuggingFace::new("DeepseekV2ForCausalLM")
        },
        HuggingFace {
            names: SHARED_EXPERTS,
            metadata: v3,
            rows: ROWS,
            ..HuggingFace::new("DeepseekV3ForCausalLM")
        },
        HuggingFace {
            names: SHARED_EXPERTS,
            metadata: v3,
            rows: ROWS,
            ..HuggingFace::new("Glm4MoeLiteForCausalLM")
        },
    ],
};

fn v3(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.latents()?;
    fields.only("scoring_func", &["sigmoid"])?;
    fields.only("topk_method", &["noaux_tc"])?;
    fields.set("expert_gating_func", Value::U32(2));
    Ok(())
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    set_latent(&mut config, h)?;
    let temperature = h.opt::<f32>("attention.temperature_scale")?;
    if temperature.is_some_and(|scale| scale != 0.0) {
        let what = "latent attention whose scores grow with the position (Mistral Large 3)".into();
        return Err(LoadError::Unsupported { what });
    }
    // Files of GLM do not say what the bias for the choice does: the scores are sigmoids then.
    let biased = (0..config.layers.len()).any(|layer| loader.has_bias(Role::RouterBias, layer));
    let gating = (biased && !h.has("expert_gating_func")).then_some(Gating::Sigmoid);
    for experts in config.experts_mut() {
        experts.gating = gating.unwrap_or(experts.gating);
        experts.normalise = h.opt("expert_weights_norm")?.unwrap_or(false);
        if let Some(groups) = &mut experts.groups
            && experts.gating == Gating::Softmax
        {
            groups.n_scores = 1;
        }
    }
    Ok(config)
}
