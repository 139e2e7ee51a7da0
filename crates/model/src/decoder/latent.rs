//! Latent attention out of metadata (DeepSeek-V2, arXiv:2405.04434).

use crate::LoadError;
use crate::config::{LatentConfig, Mixer, ModelConfig};
use crate::hparams::Hparams;

/// Has all layers attend by latents, whose scores grow with YaRN's factor.
///
/// # Errors
/// If a key is missing, or sizes do not fit together.
pub(crate) fn set_latent(config: &mut ModelConfig, h: &Hparams<'_>) -> Result<(), LoadError> {
    let kv_rank = h.size("attention.kv_lora_rank")?;
    let q_rank = h
        .opt::<usize>("attention.q_lora_rank")?
        .filter(|&rank| rank > 0);
    let (head_dim, value_dim) = (
        h.size("attention.key_length_mla")?,
        h.size("attention.value_length_mla")?,
    );
    let log = h.opt::<f32>("rope.scaling.yarn_log_multiplier")?;
    let stretch = h.positive_or("rope.scaling.factor", 1.0)?;
    let growth = 1.0 + log.unwrap_or(0.0) * stretch.max(1.0).ln();
    let norm = config.output_norm;
    for layer in &mut config.layers {
        let Mixer::Attention(attention) = &mut layer.mixer else {
            continue;
        };
        let Some(mut rope) = attention.rope.take() else {
            continue;
        };
        if log.is_some() {
            rope.magnitude = 1.0;
        }
        let turned = rope.rope_dim();
        let expected = format!("more than {turned}, the elements that turn");
        h.check(
            "attention.key_length_mla",
            head_dim,
            &expected,
            head_dim > turned,
        )?;
        let expected = format!("{}, latent and turned elements", kv_rank + turned);
        let kept = attention.head_dim;
        h.check(
            "attention.key_length",
            kept,
            &expected,
            kept == kv_rank + turned,
        )?;
        layer.mixer = Mixer::Latent(LatentConfig {
            n_heads: attention.n_heads,
            q_rank,
            kv_rank,
            nope_dim: head_dim - turned,
            value_dim,
            scale: growth * growth / (head_dim as f32).sqrt(),
            rope,
            norm,
        });
    }
    Ok(())
}
