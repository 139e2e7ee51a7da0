//! Rotary frequencies out of metadata: base, and how long contexts stretch them.

use kernels::Pairing;

use crate::LoadError;
use crate::config::RopeConfig;
use crate::hparams::Hparams;
use crate::names::Role;
use crate::weights::Loader;

/// The rotary embedding that the metadata describes, for heads of `head_dim`.
///
/// Pair `i` of `rope_dim / 2` turns by `theta^(-2i / rope_dim)` radians a position. Linear scaling
/// divides that (Chen et al. 2023, arXiv:2306.15595); Llama 3.1 ships a divisor for each pair in `rope_freqs`.
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
    let stretch = f64::from(linear_factor(h)?);
    let mut frequencies: Vec<f64> = (0..rope_dim / 2)
        .map(|i| theta.powf(-2.0 * i as f64 / rope_dim as f64) / stretch)
        .collect();
    if loader.has(Role::RopeFrequencies, 0) {
        let divisors = loader.vector(Role::RopeFrequencies, 0, rope_dim / 2)?;
        for (frequency, divisor) in frequencies.iter_mut().zip(divisors) {
            if !(divisor > 0.0 && divisor.is_finite()) {
                return Err(LoadError::Hyperparameter {
                    key: format!("{}.weight", Role::RopeFrequencies.gguf(0)),
                    expected: "positive numbers".into(),
                    found: divisor.to_string(),
                });
            }
            *frequency /= f64::from(divisor);
        }
    }
    Ok(RopeConfig {
        pairing,
        frequencies,
        magnitude: 1.0,
    })
}

/// By what linear scaling divides frequencies; 1 without.
fn linear_factor(h: &Hparams<'_>) -> Result<f32, LoadError> {
    // Files of 2023 write only `rope.scale_linear`.
    if let Some(kind) = h.opt_str("rope.scaling.type")? {
        return match kind.as_str() {
            "none" => Ok(1.0),
            "linear" => h.positive("rope.scaling.factor"),
            _ => {
                let what = format!("rope scaling `{kind}` (`{}`)", h.key("rope.scaling.type"));
                Err(LoadError::Unsupported { what })
            }
        };
    }
    h.positive_or("rope.scale_linear", 1.0)
}
