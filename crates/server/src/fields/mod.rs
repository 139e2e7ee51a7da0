//! Fields that several dialects share, under OpenAI's, llama.cpp's and vLLM's names.

mod format;
mod limits;
mod reasoning;
mod sampling;
mod text_or;
mod texts;

pub(crate) use format::FormatFields;
pub(crate) use limits::{LimitFields, checked_stops};
pub(crate) use reasoning::{ReasoningFields, usual_thoughts};
pub(crate) use sampling::SamplingFields;
pub(crate) use text_or::TextOr;
pub(crate) use texts::{Text, TextFields};

use serde::Deserialize;

/// One or several.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}
