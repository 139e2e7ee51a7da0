//! A bound on what a model thinks before it answers.

use engine::ThoughtLimit;
use tokenizer::Tokenizer;

use crate::dialogue::{CallFormat, Format};

/// The bound that a caller sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    /// Most tokens of thoughts; none: as many as the model likes.
    pub(crate) tokens: Option<usize>,
    /// What thoughts that are cut short end with.
    pub(crate) message: String,
}

/// Thoughts of gpt-oss are a message on a channel of their own.
const CHANNEL: (&str, &str) = ("<|channel|>analysis<|message|>", "<|end|>");
/// What follows them where the answer is to be next.
const ANSWER: &str = "<|start|>assistant<|channel|>final<|message|>";

impl Budget {
    /// The bound in the marks of a format; none if there is no bound, or the format has no thoughts. The answer may be a
    /// call if there are tools.
    pub(crate) fn limit(
        &self,
        format: &Format,
        has_tools: bool,
        prompt_tail: &str,
        tokenizer: &Tokenizer,
    ) -> Option<ThoughtLimit> {
        let max_tokens = self.tokens?;
        let (open, close, next) = match (format.reasoning, format.calls) {
            (Some(tags), _) => (tags.open, tags.close, ""),
            (None, Some(CallFormat::Harmony)) if has_tools => (CHANNEL.0, CHANNEL.1, ""),
            (None, Some(CallFormat::Harmony)) => (CHANNEL.0, CHANNEL.1, ANSWER),
            (None, _) => return None,
        };
        let ending = format!("{}{close}{next}", self.message);
        Some(ThoughtLimit {
            max_tokens,
            open: open.to_owned(),
            close: close.to_owned(),
            is_open: prompt_tail.trim_end().ends_with(open),
            ending: tokenizer.encode(&ending, false, true),
        })
    }
}
