//! GPT-NeoX and Pythia (arXiv:2204.06745, arXiv:2304.01373). Reference: transformers `modeling_gpt_neox.py`.
//!
//! Differs from Llama so: LayerNorm; attention and FFN stand side by side, each behind a norm of its own;
//! only part of a head turns, `i` with `i + dim / 2`; query, key and value are one matrix, in folders head by
//! head; the FFN has no gate and GELU; everything has biases.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "gptneox",
    models: "GPT-NeoX, Pythia, RedPajama, Dolly 2",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "gpt_neox.embed_in"),
            (Role::OutputNorm, "gpt_neox.final_layer_norm"),
            (Role::Output, "embed_out"),
            (Role::MixerNorm, "gpt_neox.layers.{i}.input_layernorm"),
            (
                Role::AttentionQkv,
                "gpt_neox.layers.{i}.attention.query_key_value",
            ),
            (Role::AttentionOutput, "gpt_neox.layers.{i}.attention.dense"),
            (
                Role::FfnNorm,
                "gpt_neox.layers.{i}.post_attention_layernorm",
            ),
            (Role::FfnUp, "gpt_neox.layers.{i}.mlp.dense_h_to_4h"),
            (Role::FfnDown, "gpt_neox.layers.{i}.mlp.dense_4h_to_h"),
        ],
        keys: &[("use_parallel_residual", "use_parallel_residual")],
        rows: &[(Role::AttentionQkv, Rows::ByHead)],
        ignored: &["attention.bias", "attention.masked_bias"],
        ..HuggingFace::new("GPTNeoXForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_plain_ffn(Activation::Gelu);
    if h.opt("use_parallel_residual")?.unwrap_or(true) {
        config.set_parallel(true);
    }
    Ok(config)
}
