//! Factors that a config has, as what matrices give is multiplied with: weights stay as they are, and mapped.

use super::Fields;
use super::rows::f32s;
use crate::LoadError;
use crate::names::Role;

/// No row of a matrix is longer.
const MAX_SIZE: usize = 1 << 20;
/// No model has more.
const MAX_LAYERS: usize = 512;

impl Fields<'_> {
    /// Has the outputs of a matrix in each layer be multiplied: all with one factor, or each with its own.
    pub fn scale_layers(&mut self, roles: &[(Role, Vec<f32>)]) -> Result<(), LoadError> {
        for layer in 0..self.bounded("block_count")?.min(MAX_LAYERS) {
            for (role, factors) in roles {
                let name = format!("{}.scale", role.gguf(layer));
                let factors = factors.iter().copied();
                self.add_tensor(f32s(name, vec![factors.len()], factors));
            }
        }
        Ok(())
    }

    /// A factor; 1 if it is not there.
    pub fn factor(&self, key: &str) -> Result<f32, LoadError> {
        Ok(self.float(key)?.unwrap_or(1.0))
    }

    /// So many factors; 1 if they are not there.
    pub fn factors<const N: usize>(&self, key: &str) -> Result<[f32; N], LoadError> {
        let list = self.floats(key)?.unwrap_or_else(|| vec![1.0; N]);
        list.try_into()
            .map_err(|_| self.wrong(key, &format!("{N} numbers")))
    }

    /// A size that has been written, if it can be believed before any tensor was seen.
    pub fn bounded(&self, key: &str) -> Result<usize, LoadError> {
        let size = self.written(key).map_or(0, |size| size as usize);
        match size {
            1..MAX_SIZE => Ok(size),
            _ => Err(LoadError::Hyperparameter {
                key: format!("{}.{key}", self.prefix),
                expected: format!("1 to {MAX_SIZE}"),
                found: size.to_string(),
            }),
        }
    }

    /// Factors on what goes into a state space model of heads, one for each row: of gates, values, what writes the
    /// state, what reads it, and steps.
    pub fn scan_factors(&self, factors: [f32; 5]) -> Result<Vec<f32>, LoadError> {
        let (inner, heads) = (
            self.bounded("ssm.inner_size")?,
            self.bounded("ssm.time_step_rank")?,
        );
        let state = self.bounded("ssm.state_size")?;
        let rows = state.saturating_mul(self.bounded("ssm.group_count")?);
        let lens = [inner, inner, rows.min(MAX_SIZE), rows.min(MAX_SIZE), heads];
        let parts = lens.into_iter().zip(factors);
        Ok(parts.flat_map(|(len, factor)| vec![factor; len]).collect())
    }
}
