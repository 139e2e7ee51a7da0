//! Rotary frequencies out of metadata: base, and how long contexts stretch them.

use std::f64::consts::TAU;

use kernels::Pairing;

use crate::LoadError;
use crate::config::{RopeConfig, ShortRope};
use crate::hparams::Hparams;
use crate::names::Role;
use crate::weights::Loader;

/// The rotary embedding that the metadata describes, for heads of `head_dim`.
///
/// Pair `i` of `rope_dim / 2` turns by `theta^(-2i / rope_dim)` radians a position. Linear scaling
/// divides that (Chen et al. 2023, arXiv:2306.15595); Llama 3.1 ships a divisor for each pair in `rope_freqs`,
/// LongRoPE (Ding et al. 2024, arXiv:2402.13753) two lists of them; YaRN divides long waves only and makes
/// scores steeper (Peng et al. 2023, arXiv:2309.00071).
///
/// # Errors
/// If a number makes no sense, or the file asks for a scaling that is not known here.
pub(crate) fn rope_config(
    h: &Hparams<'_>,
    loader: &Loader<'_>,
    head_dim: usize,
    pairing: Pairing,
) -> Result<RopeConfig, LoadError> {
    let rope_dim = h.size_or("rope.dimension_count", head_dim)?;
    let fits = rope_dim <= head_dim && rope_dim.is_multiple_of(2);
    h.check(
        "rope.dimension_count",
        rope_dim,
        &format!("an even number up to {head_dim}"),
        fits,
    )?;
    let theta = f64::from(h.positive_or("rope.freq_base", 10_000.0)?);
    let mut rope = RopeConfig::plain(theta, rope_dim, pairing);
    scale(h, loader, theta, &mut rope)?;
    if loader.has(Role::RopeFrequencies, 0) {
        divide(&mut rope, Role::RopeFrequencies, loader)?;
    }
    Ok(rope)
}

/// YaRN whose mixing begins and ends anywhere, for heads of `head_dim`.
pub(crate) fn smooth_yarn(
    h: &Hparams<'_>,
    head_dim: usize,
    pairing: Pairing,
) -> Result<RopeConfig, LoadError> {
    let theta = f64::from(h.positive_or("rope.freq_base", 10_000.0)?);
    let mut rope = RopeConfig::plain(theta, head_dim, pairing);
    if h.opt_str("rope.scaling.type")?.as_deref() == Some("yarn") {
        yarn(h, theta, &mut rope, false)?;
    }
    Ok(rope)
}

impl RopeConfig {
    /// Pair `i` of `rope_dim / 2` turns by `theta^(-2i / rope_dim)` radians a position.
    pub fn plain(theta: f64, rope_dim: usize, pairing: Pairing) -> Self {
        let frequency = |i| theta.powf(-2.0 * i as f64 / rope_dim as f64);
        Self {
            pairing,
            frequencies: (0..rope_dim / 2).map(frequency).collect(),
            magnitude: 1.0,
            short: None,
        }
    }
}

/// Divides frequencies by a tensor of the file.
fn divide(rope: &mut RopeConfig, role: Role, loader: &Loader<'_>) -> Result<(), LoadError> {
    let divisors = loader.vector(role, 0, rope.frequencies.len())?;
    for (frequency, divisor) in rope.frequencies.iter_mut().zip(divisors) {
        if !(divisor > 0.0 && divisor.is_finite()) {
            return Err(LoadError::Hyperparameter {
                key: format!("{}.weight", role.gguf(0)),
                expected: "positive numbers".into(),
                found: divisor.to_string(),
            });
        }
        *frequency /= f64::from(divisor);
    }
    Ok(())
}

/// What `rope.scaling` asks for.
fn scale(
    h: &Hparams<'_>,
    loader: &Loader<'_>,
    theta: f64,
    rope: &mut RopeConfig,
) -> Result<(), LoadError> {
    // Files of 2023 write only `rope.scale_linear`, or a factor without a type; Phi-3's have lists and no type.
    let kind = h.opt_str("rope.scaling.type")?;
    let has_lists = loader.has(Role::RopeLong, 0) || loader.has(Role::RopeShort, 0);
    match kind.as_deref() {
        None if has_lists => longrope(h, loader, rope),
        None => {
            let keys = ["rope.scaling.factor", "rope.scale_linear"];
            let key = keys.into_iter().find(|key| h.has(key));
            let factor = key.map_or(Ok(1.0), |key| h.positive(key))?;
            let factor = f64::from(factor);
            rope.frequencies.iter_mut().for_each(|x| *x /= factor);
            Ok(())
        }
        Some("none") => Ok(()),
        Some("linear") => {
            let factor = f64::from(h.positive("rope.scaling.factor")?);
            rope.frequencies.iter_mut().for_each(|x| *x /= factor);
            Ok(())
        }
        Some("yarn") => yarn(h, theta, rope, !h.own("rope.smooth")?.unwrap_or(false)),
        Some("longrope") => longrope(h, loader, rope),
        Some(kind) => {
            let what = format!("rope scaling `{kind}` (`{}`)", h.key("rope.scaling.type"));
            Err(LoadError::Unsupported { what })
        }
    }
}

/// Waves shorter than `original / beta_fast` stay, those longer than `original / beta_slow` are divided by the
/// factor, between them both are mixed.
///
/// `whole` begins and ends the mixing at whole pairs.
fn yarn(h: &Hparams<'_>, theta: f64, rope: &mut RopeConfig, whole: bool) -> Result<(), LoadError> {
    let factor = f64::from(h.positive("rope.scaling.factor")?);
    let original = h.size_or(
        "rope.scaling.original_context_length",
        h.size("context_length")?,
    )?;
    let beta_fast = f64::from(h.positive_or("rope.scaling.yarn_beta_fast", 32.0)?);
    let beta_slow = f64::from(h.positive_or("rope.scaling.yarn_beta_slow", 1.0)?);
    let dim = rope.rope_dim() as f64;
    // The pair that turns `beta` times over the original context.
    let pair = |beta: f64| dim * (original as f64 / (beta * TAU)).ln() / (2.0 * theta.ln());
    let (low, high) = (pair(beta_fast), pair(beta_slow));
    let (low, high) = if whole {
        (low.floor(), high.ceil())
    } else {
        (low, high)
    };
    let (low, high) = (low.max(0.0), high.min(dim - 1.0));
    let span = (high - low).max(0.001);
    for (i, frequency) in rope.frequencies.iter_mut().enumerate() {
        let stretched = ((i as f64 - low) / span).clamp(0.0, 1.0);
        *frequency *= (1.0 - stretched) + stretched / factor;
    }
    let scale = |weight: f64| 1.0 + 0.1 * weight * factor.max(1.0).ln();
    let (all, mscale) = ("rope.mscale_all_dim", "rope.mscale");
    let magnitude = if let Some(magnitude) = h.own::<f32>("rope.attention_factor")? {
        f64::from(magnitude)
    } else if let (Some(mscale), Some(all)) = (h.own::<f32>(mscale)?, h.own::<f32>(all)?)
        && mscale != 0.0
        && all != 0.0
    {
        scale(f64::from(mscale)) / scale(f64::from(all))
    } else if let Some(all) = h.opt::<f32>("rope.scaling.yarn_log_multiplier")?
        && all != 0.0
    {
        scale(1.0) / scale(f64::from(all))
    } else {
        scale(1.0)
    };
    rope.magnitude = magnitude as f32 * h.positive_or("rope.scaling.attn_factor", 1.0)?;
    Ok(())
}

/// Divisors for contexts longer than the model was first trained for, and others for shorter ones.
///
/// One list serves for all positions, as a cache cannot be turned again. It is chosen as llama.cpp does, by the context
/// in use ([`crate::Model::set_ctx`]): the long one if that is longer than the original. transformers takes the short
/// one as long as a sequence is short, and then the long one for what comes, beside keys that the short one turned.
fn longrope(h: &Hparams<'_>, loader: &Loader<'_>, rope: &mut RopeConfig) -> Result<(), LoadError> {
    let context = h.size("context_length")?;
    let original = h.size_or("rope.scaling.original_context_length", context)?;
    let mut short = rope.clone();
    if loader.has(Role::RopeShort, 0) || context <= original {
        divide(&mut short, Role::RopeShort, loader)?;
    }
    if context > original {
        divide(rope, Role::RopeLong, loader)?;
        rope.short = loader.has(Role::RopeShort, 0).then_some(ShortRope {
            max_ctx: original,
            frequencies: short.frequencies,
        });
    } else {
        *rope = short;
        // Known and not needed.
        loader.ignore(&format!("{}.weight", Role::RopeLong.gguf(0)));
    }
    let stretch = context as f64 / original as f64;
    let magnitude = if stretch > 1.0 {
        (1.0 + stretch.ln() / (original as f64).ln()).sqrt()
    } else {
        1.0
    };
    rope.magnitude = h.positive_or("rope.scaling.attn_factor", magnitude as f32)?;
    Ok(())
}
