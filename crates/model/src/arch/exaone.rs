//! EXAONE 3 and 3.5 (arXiv:2408.03541, arXiv:2412.04862). Its layers are Llama's with pairs `i` and `i + dim / 2`, so
//! the golden is made by transformers' `modeling_llama.py`. Folders call RMSNorm's epsilon LayerNorm's.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "exaone",
    models: "EXAONE 3, 3.5, Deep",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "transformer.wte"),
            (Role::OutputNorm, "transformer.ln_f"),
            (Role::MixerNorm, "transformer.h.{i}.ln_1"),
            (Role::AttentionQ, "transformer.h.{i}.attn.attention.q_proj"),
            (Role::AttentionK, "transformer.h.{i}.attn.attention.k_proj"),
            (Role::AttentionV, "transformer.h.{i}.attn.attention.v_proj"),
            (
                Role::AttentionOutput,
                "transformer.h.{i}.attn.attention.out_proj",
            ),
            (Role::FfnNorm, "transformer.h.{i}.ln_2"),
            (Role::FfnGate, "transformer.h.{i}.mlp.c_fc_0"),
            (Role::FfnUp, "transformer.h.{i}.mlp.c_fc_1"),
            (Role::FfnDown, "transformer.h.{i}.mlp.c_proj"),
        ],
        keys: &[
            ("num_layers", "block_count"),
            ("layer_norm_epsilon", "attention.layer_norm_rms_epsilon"),
        ],
        ..HuggingFace::new("ExaoneForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    set_rms_norms(&mut config, h)?;
    Ok(config)
}
