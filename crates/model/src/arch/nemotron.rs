//! Nemotron 4 and Minitron (arXiv:2402.16819, arXiv:2407.14679). Reference: transformers `modeling_nemotron.py`.
//!
//! Differs from Orion so: norms' gains are stored without their 1 in folders; only part of a head turns; the FFN has no
//! gate and a squared ReLU.

use super::orion;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "nemotron",
    models: "Nemotron 4, Minitron",
    config,
    hf: &[HuggingFace {
        keys: &[("norm_eps", "attention.layer_norm_epsilon")],
        gain_plus_one: Role::is_norm,
        ..HuggingFace::new("NemotronForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = orion::config(h, loader)?;
    config.set_plain_ffn(Activation::ReluSquared);
    Ok(config)
}
