//! A head that gives scores to a text instead of its next token: what rerankers have in place of an output matrix.
//!
//! As llama.cpp's converter writes it for decoders (`cls.output`, since its pull request 14029): one row for each
//! label, over the hidden state of the last token. The dense layer that encoders put before it is not read.

use crate::LoadError;
use crate::names::Role;
use crate::weights::Loader;

/// Rows over a hidden state, one for each label.
pub struct RankHead {
    /// `[n_labels, d_model]`.
    weights: Vec<f32>,
    /// `[n_labels]`.
    bias: Option<Vec<f32>>,
    d_model: usize,
}

impl RankHead {
    /// The head, if the file has one.
    pub(crate) fn load(loader: &Loader<'_>, d_model: usize) -> Result<Option<Self>, LoadError> {
        let Some(n_labels) = loader.num_rows(Role::Rank).filter(|&n| n > 0) else {
            return Ok(None);
        };
        let linear = loader.linear(Role::Rank, 0, n_labels, d_model)?;
        let mut weights = vec![0.0; n_labels * d_model];
        for (label, row) in weights.chunks_exact_mut(d_model).enumerate() {
            linear.row(label, row)?;
        }
        Ok(Some(Self {
            weights,
            bias: linear.bias,
            d_model,
        }))
    }

    /// The logit of each label, from the hidden state of a text's last token.
    ///
    /// # Panics
    /// If the state is not as wide as the model.
    pub fn logits(&self, hidden: &[f32]) -> Vec<f64> {
        assert_eq!(hidden.len(), self.d_model, "a hidden state of this model");
        let rows = self.weights.chunks_exact(self.d_model).enumerate();
        let logits = rows.map(|(label, row)| {
            let bias = self.bias.as_ref().map_or(0.0, |bias| bias[label]);
            let products = row
                .iter()
                .zip(hidden)
                .map(|(&w, &x)| f64::from(w) * f64::from(x));
            products.sum::<f64>() + f64::from(bias)
        });
        logits.collect()
    }
}
