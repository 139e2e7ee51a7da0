//! Baichuan 7B and 13B (arXiv:2309.10305). Layers are Llama's, so the golden is made by transformers'
//! `modeling_llama.py`, whose heads do not turn for the 13B model and whose mask is ALiBi's.
//!
//! Differs from Llama so: query, key and value are one matrix in folders. The 13B model, known by its 40 layers or in
//! folders by a length without `max_position_embeddings`, has ALiBi. Baichuan 2 has rows of the output matrix scaled to
//! length 1; its GGUF files have to hold them so.

use super::llama;
use super::prelude::*;

const LAYERS_OF_13B: usize = 40;

const FORM: HuggingFace = HuggingFace {
    names: &[(Role::AttentionQkv, "model.layers.{i}.self_attn.W_pack")],
    metadata: |fields| {
        // Baichuan 2's configs have this, those of 1 do not.
        if fields.get("z_loss_weight").is_some() {
            fields.set_own("unit_output", Value::Bool(true));
        }
        let turns = fields.size("max_position_embeddings")?.is_some();
        if !turns {
            fields.copy("model_max_length", "context_length")?;
        }
        fields.set_own("alibi", Value::Bool(!turns));
        Ok(())
    },
    permuted: true,
    rows: &[(Role::Output, Rows::UnitsIf("unit_output"))],
    ..HuggingFace::new("BaiChuanForCausalLM")
};

pub(super) const FAMILY: Family = Family {
    gguf_name: "baichuan",
    models: "Baichuan and Baichuan 2 7B, 13B",
    config,
    hf: &[
        FORM,
        HuggingFace {
            architecture: "BaichuanForCausalLM",
            ..FORM
        },
    ],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let by_layers = config.layers.len() == LAYERS_OF_13B;
    if h.own("alibi")?.unwrap_or(by_layers) {
        config.set_alibi(8.0);
    }
    Ok(config)
}
