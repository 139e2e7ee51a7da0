//! EXAONE 4 (arXiv:2507.11407). Reference: transformers `modeling_exaone4.py`.
//!
//! Differs from Llama so: norms stand behind attention and FFN, not before them; heads of query and key are
//! normed; rotary positions turn `i` with `i + dim / 2`. In the 32B model three of four layers see a window,
//! and the fourth has no positions.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "exaone4",
    models: "EXAONE 4",
    config,
    hf: &[HuggingFace {
        names: HF_POST_NORMS,
        ..HuggingFace::new("Exaone4ForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::Head);
    config.set_post_norms();
    for layer in &mut config.layers {
        (layer.mixer_norm, layer.ffn_norm) = (None, None);
    }
    if h.has("attention.sliding_window") {
        let windowed = h.windowed_layers(config.layers.len(), 4)?;
        config.set_global_without_rope(&windowed);
    }
    Ok(config)
}
