//! A norm with its weights.

use crate::LoadError;
use crate::config::NormConfig;
use crate::names::Role;
use crate::ops::Ops;
use crate::weights::Loader;

/// A norm of rows.
pub(crate) struct Norm {
    pub(crate) config: NormConfig,
    pub(crate) gain: Vec<f32>,
    /// Empty if there is none.
    pub(crate) bias: Vec<f32>,
}

impl Norm {
    /// The norm of a role, over rows of `len`.
    pub(crate) fn load(
        config: NormConfig,
        role: Role,
        layer: usize,
        len: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let (gain, bias) = match config {
            NormConfig::Rms { .. } => (loader.vector(role, layer, len)?, Vec::new()),
            NormConfig::Layer { .. } => (
                loader.vector(role, layer, len)?,
                loader.bias(role, layer, len)?.unwrap_or_default(),
            ),
            NormConfig::Plain { .. } => return Ok(Self::unit(config, len)),
        };
        Ok(Self { config, gain, bias })
    }

    /// A norm without a gain.
    pub(crate) fn unit(config: NormConfig, len: usize) -> Self {
        Self {
            config,
            gain: vec![1.0; len],
            bias: Vec::new(),
        }
    }

    /// [`Norm::load`], if there is a config.
    pub(crate) fn opt(
        config: Option<NormConfig>,
        role: Role,
        layer: usize,
        len: usize,
        loader: &Loader<'_>,
    ) -> Result<Option<Self>, LoadError> {
        config
            .map(|config| Self::load(config, role, layer, len, loader))
            .transpose()
    }

    /// `x = norm(x)`, row by row, with room for one copy of `x`.
    pub(crate) fn in_place(&self, ops: &Ops<'_>, x: &mut [f32], room: &mut [f32]) {
        let room = &mut room[..x.len()];
        room.copy_from_slice(x);
        ops.norm(self, room, x);
    }
}
