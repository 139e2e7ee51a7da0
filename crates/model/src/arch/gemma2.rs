//! Gemma 2 (arXiv:2408.00118). Reference: transformers `modeling_gemma2.py`.
//!
//! Differs from Gemma so: what attention and FFN give is normed before it is added; scores and logits have
//! soft caps; layers 0, 2, 4, … see a window of 4,096. The 27B model, known by its 46 layers, scales scores as
//! if its heads were `d_model / n_heads` wide.

use super::gemma;
use super::prelude::*;

const LAYERS_OF_27B: usize = 46;

pub(super) const FAMILY: Family = Family {
    gguf_name: "gemma2",
    models: "Gemma 2",
    config,
    hf: &[HuggingFace {
        names: HF_POST_NORMS,
        keys: &[
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping"),
        ],
        metadata: gemma::query_width,
        gain_plus_one: Role::is_norm,
        ..HuggingFace::new("Gemma2ForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = gemma::config(h, loader)?;
    config.logit_softcap = Some(h.positive_or("final_logit_softcapping", 30.0)?);
    let softcap = h.positive_or("attn_logit_softcapping", 50.0)?;
    let window = h.size_or("attention.sliding_window", 4096)?;
    for (i, attention) in config.attentions_mut().enumerate() {
        attention.softcap = Some(softcap);
        attention.window = i.is_multiple_of(2).then_some(window);
    }
    gemma::set_query_width(&mut config, h, LAYERS_OF_27B)?;
    config.set_post_norms();
    Ok(config)
}
