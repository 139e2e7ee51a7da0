//! Recurrent mixers as keys under `ssm` describe them.

use kernels::Heads;

use crate::LoadError;
use crate::config::{
    ChannelScanConfig, DeltaNetConfig, HeadScanConfig, InnerNorms, Mixer, NormConfig,
};
use crate::hparams::Hparams;

/// A state space model of channels.
///
/// # Errors
/// If a key is missing or makes no sense; so for all here.
pub(crate) fn channel_scan(h: &Hparams<'_>, norms: Option<InnerNorms>) -> Result<Mixer, LoadError> {
    Ok(Mixer::ChannelScan(ChannelScanConfig {
        channels: h.size("ssm.inner_size")?,
        n_state: h.size("ssm.state_size")?,
        rank: h.size("ssm.time_step_rank")?,
        conv_width: h.conv_width("ssm.conv_kernel")?,
        norms,
    }))
}

/// A state space model of heads.
pub(crate) fn head_scan(
    h: &Hparams<'_>,
    norm: Option<NormConfig>,
) -> Result<HeadScanConfig, LoadError> {
    let (d_inner, n_heads) = (h.size("ssm.inner_size")?, h.size("ssm.time_step_rank")?);
    let expected = format!("a divisor of {d_inner}, the inner size");
    let whole = d_inner.is_multiple_of(n_heads);
    h.check("ssm.time_step_rank", n_heads, &expected, whole)?;
    let n_groups = h.size_or("ssm.group_count", 1)?;
    let expected = format!("a divisor of {n_heads}, the number of heads");
    let whole = n_heads.is_multiple_of(n_groups);
    h.check("ssm.group_count", n_groups, &expected, whole)?;
    Ok(HeadScanConfig {
        heads: Heads {
            n_heads,
            key_dim: h.size("ssm.state_size")?,
            value_dim: d_inner / n_heads,
        },
        n_groups,
        conv_width: h.conv_width("ssm.conv_kernel")?,
        norm,
    })
}

/// Norm of RWKV's heads: `1e-5` times the square of 8, by which keys were divided once.
pub(crate) const WKV_NORM: NormConfig = NormConfig::Layer { eps: 64e-5 };

/// RWKV's heads, as wide as the model together.
pub(crate) fn wkv_heads(h: &Hparams<'_>) -> Result<Heads, LoadError> {
    let (d_model, dim) = (h.size("embedding_length")?, h.size("wkv.head_size")?);
    let expected = format!("a divisor of {d_model}, the width");
    let whole = d_model.is_multiple_of(dim);
    h.check("wkv.head_size", dim, &expected, whole)?;
    Ok(Heads {
        n_heads: d_model / dim,
        key_dim: dim,
        value_dim: dim,
    })
}

/// Linear attention with the gated delta rule; heads of values that share a key head are neighbours if they are
/// `grouped`.
pub(crate) fn delta_net(h: &Hparams<'_>, grouped: bool) -> Result<DeltaNetConfig, LoadError> {
    // The same keys; groups are what share a key.
    let scan = head_scan(h, None)?;
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    Ok(DeltaNetConfig {
        heads: scan.heads,
        n_key_heads: scan.n_groups,
        grouped,
        conv_width: scan.conv_width,
        norm: NormConfig::Rms { eps },
    })
}
