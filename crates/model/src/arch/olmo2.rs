//! OLMo 2 and 3 (arXiv:2501.00656). Reference: transformers `modeling_olmo2.py`, `modeling_olmo3.py`.
//!
//! Differs from Llama so: norms stand behind attention and FFN, not before them; all heads of query and
//! key together are normed; rotary positions turn `i` with `i + dim / 2`. In OLMo 3, three of four layers
//! see a window and do not stretch positions.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "olmo2",
    models: "OLMo 2, 3",
    config,
    hf: &[
        HuggingFace {
            names: HF_POST_NORMS,
            ..HuggingFace::new("Olmo2ForCausalLM")
        },
        HuggingFace {
            names: HF_POST_NORMS,
            ..HuggingFace::new("Olmo3ForCausalLM")
        },
    ],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::All);
    config.set_post_norms();
    for layer in &mut config.layers {
        (layer.mixer_norm, layer.ffn_norm) = (None, None);
    }
    if h.has("attention.sliding_window") {
        let theta = f64::from(h.positive_or("rope.freq_base", 10_000.0)?);
        let windowed = h.windowed_layers(config.layers.len(), 4)?;
        config.set_local_theta(&windowed, theta);
    }
    Ok(config)
}
