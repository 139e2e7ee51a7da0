//! How much a model may think before it answers.

use ingle::Request;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{ApiError, Outcome};
use crate::state::App;

/// A bound on thoughts, as llama.cpp has it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct ReasoningFields {
    /// Most tokens of thoughts; -1: as the server was told.
    reasoning_budget_tokens: Option<i64>,
    /// Another name of `reasoning_budget_tokens`.
    thinking_budget_tokens: Option<i64>,
    /// What thoughts end with that are cut short.
    reasoning_budget_message: Option<String>,
}

/// Most bytes of what thoughts end with.
const MAX_MESSAGE: usize = 1024;

impl ReasoningFields {
    /// Puts the bound into a request.
    ///
    /// # Errors
    /// What is out of range.
    pub(crate) fn apply(&self, app: &App, request: Request) -> Outcome<Request> {
        let mut request = usual_thoughts(app, request);
        let budgets = [
            ("reasoning_budget_tokens", self.reasoning_budget_tokens),
            ("thinking_budget_tokens", self.thinking_budget_tokens),
        ];
        let given = budgets
            .into_iter()
            .find_map(|(name, given)| Some((name, given?)));
        if let Some((name, given)) = given.filter(|&(_, given)| given != -1) {
            let tokens = usize::try_from(given).map_err(|_| {
                let message = format!("`{name}`: expected -1 or a number of tokens, found {given}");
                ApiError::field(name, message)
            })?;
            request = request.reasoning_budget(tokens);
        }
        if let Some(text) = &self.reasoning_budget_message {
            if text.len() > MAX_MESSAGE {
                let (name, found) = ("reasoning_budget_message", text.len());
                let message =
                    format!("`{name}`: expected at most {MAX_MESSAGE} bytes, found {found}");
                return Err(ApiError::field(name, message));
            }
            request = request.reasoning_budget_message(text);
        }
        Ok(request)
    }
}

/// Puts the server's own bound into a request.
pub(crate) fn usual_thoughts(app: &App, request: Request) -> Request {
    let options = &app.options;
    let request = request.reasoning_budget_message(options.reasoning_budget_message.as_str());
    match options.reasoning_budget {
        Some(tokens) => request.reasoning_budget(tokens),
        None => request,
    }
}
