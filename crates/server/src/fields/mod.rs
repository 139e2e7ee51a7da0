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
use serde_json::Value;

use crate::body::Body;
use crate::error::Outcome;

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

/// Fields of other servers (llama.cpp's, vLLM's, SGLang's) that would change a reply, and that are not done here.
const FOREIGN: [&str; 30] = [
    "allowed_token_ids",
    "bad_words",
    "chat_template",
    "custom_logit_processor",
    "documents",
    "ebnf",
    "echo",
    "grammar_lazy",
    "grammar_triggers",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "image_data",
    "include_stop_str_in_output",
    "logits_processors",
    "lora",
    "lora_path",
    "multimodal_data",
    "n_indent",
    "n_probs",
    "post_sampling_probs",
    "preserved_tokens",
    "prompt_logprobs",
    "regex",
    "response_fields",
    "return_token_ids",
    "t_max_predict_ms",
    "truncate_prompt_tokens",
    "use_beam_search",
];

/// Refuses them, once the fields that are done have been read; values that ask for nothing are let pass.
///
/// # Errors
/// The first of them.
pub(crate) fn refuse_foreign(body: &mut Body) -> Outcome<()> {
    let foreign: Vec<&str> = FOREIGN
        .into_iter()
        .filter(|name| body.is_unknown(name))
        .collect();
    body.refuse(&foreign, |_, value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        // No bound on a time, or on a prompt.
        Value::Number(number) => number.as_f64().is_some_and(|number| number <= 0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
    })
}
