//! What mixes tokens: one file for each kind.

mod attention;

pub(crate) use attention::AttentionWeights;
