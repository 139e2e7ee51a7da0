//! Gemma 3, text (arXiv:2503.19786). Reference: transformers `modeling_gemma3.py`.
//!
//! Differs from Gemma so: what attention and FFN give is normed before it is added; heads of query and key are
//! normed; five of six layers see a window and have rotary positions of base 10,000, unscaled. The 27B model,
//! known by its 62 layers, scales scores as if its heads were `d_model / n_heads` wide.

use super::gemma;
use super::prelude::*;

const LAYERS_OF_27B: usize = 62;

pub(super) const FAMILY: Family = Family {
    gguf_name: "gemma3",
    models: "Gemma 3 (text)",
    config,
    hf: &[
        FORM,
        HuggingFace {
            metadata: |fields| {
                // Configs of models that see say little of what is as in the class, `Gemma3TextConfig`.
                fields.defaults(&[
                    ("attention.head_count", Value::U32(8)),
                    ("attention.head_count_kv", Value::U32(4)),
                    ("attention.key_length", Value::U32(256)),
                    ("attention.value_length", Value::U32(256)),
                    ("attention.layer_norm_rms_epsilon", Value::F32(1e-6)),
                    ("context_length", Value::U32(131_072)),
                    ("rope.freq_base", Value::F32(1e6)),
                ]);
                gemma::query_width(fields)
            },
            ..FORM.within("Gemma3ForConditionalGeneration")
        },
    ],
};

const FORM: HuggingFace = HuggingFace {
    names: HF_POST_NORMS,
    keys: &[("final_logit_softcapping", "final_logit_softcapping")],
    metadata: gemma::query_width,
    gain_plus_one: Role::is_norm,
    ..HuggingFace::new("Gemma3ForCausalLM")
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = gemma::config(h, loader)?;
    let n_layers = config.layers.len();
    config.logit_softcap = h.opt("final_logit_softcapping")?;
    config.set_qk_norm(QkNormOver::Head);
    config.set_post_norms();
    let theta = f64::from(h.positive_or("rope.freq_base_swa", 10_000.0)?);
    let windowed = h.windowed_layers(n_layers, 6)?;
    config.set_local_theta(&windowed, theta);
    gemma::set_query_width(&mut config, h, LAYERS_OF_27B)?;
    Ok(config)
}
