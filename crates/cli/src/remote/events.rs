//! The chunks of OpenAI's dialect, put together.

use std::time::Duration;

use ingle::dialogue::ToolCall;
use ingle::{FinishReason, Usage};
use serde_json::Value;

use crate::answer::Answer;
use crate::failure::Failure;

/// A reply as far as it came.
#[derive(Default)]
pub(super) struct Events {
    text: String,
    calls: Vec<Call>,
    reason: Option<FinishReason>,
    usage: Usage,
}

/// Most calls in a reply.
const MAX_CALLS: usize = 64;

#[derive(Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Events {
    /// Takes a chunk; what it adds to the text, if it does.
    ///
    /// # Errors
    /// If it is an error of the server.
    pub(super) fn take(&mut self, event: &Value) -> Result<Option<String>, Failure> {
        if let Some(error) = event.get("error") {
            let message = error["message"].as_str().or_else(|| error.as_str());
            return Err(Failure::new(
                message.unwrap_or("the server failed without saying how"),
            ));
        }
        if event["usage"].is_object() {
            self.count(&event["usage"]);
        }
        if event["timings"].is_object() {
            self.time(&event["timings"]);
        }
        let choice = &event["choices"][0];
        match choice["finish_reason"].as_str() {
            None => {}
            Some("length") => self.reason = Some(FinishReason::Length),
            Some(_) => self.reason = Some(FinishReason::Stop),
        }
        for call in choice["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            self.call(call)?;
        }
        let piece = choice["delta"]["content"]
            .as_str()
            .or_else(|| choice["text"].as_str());
        let piece = piece.filter(|piece| !piece.is_empty());
        self.text += piece.unwrap_or_default();
        Ok(piece.map(str::to_owned))
    }

    fn call(&mut self, part: &Value) -> Result<(), Failure> {
        let index = part["index"].as_u64().unwrap_or(0) as usize;
        if index >= MAX_CALLS {
            return Err(Failure::new(format_args!(
                "more than {MAX_CALLS} calls in a reply"
            )));
        }
        if self.calls.len() <= index {
            self.calls.resize_with(index + 1, Call::default);
        }
        let call = &mut self.calls[index];
        let add = |text: &mut String, part: &Value| *text += part.as_str().unwrap_or_default();
        add(&mut call.id, &part["id"]);
        add(&mut call.name, &part["function"]["name"]);
        add(&mut call.arguments, &part["function"]["arguments"]);
        Ok(())
    }

    fn count(&mut self, usage: &Value) {
        let number = |value: &Value| value.as_u64().unwrap_or(0) as usize;
        self.usage.prompt_tokens = number(&usage["prompt_tokens"]);
        self.usage.generated_tokens = number(&usage["completion_tokens"]);
        self.usage.cached_tokens = number(&usage["prompt_tokens_details"]["cached_tokens"]);
    }

    fn time(&mut self, timings: &Value) {
        let time = |value: &Value| {
            let seconds = value.as_f64().unwrap_or(0.0) / 1e3;
            Duration::try_from_secs_f64(seconds).unwrap_or_default()
        };
        self.usage.prompt_time = time(&timings["prompt_ms"]);
        self.usage.generation_time = time(&timings["predicted_ms"]);
    }

    /// The reply, which Ctrl-C ended.
    pub(super) fn interrupted(self) -> Answer {
        Answer {
            text: self.text,
            calls: Vec::new(),
            end: None,
        }
    }

    /// The whole reply.
    ///
    /// # Errors
    /// If its end did not come, or a call makes no sense.
    pub(super) fn finish(self) -> Result<Answer, Failure> {
        let reason = self
            .reason
            .ok_or_else(|| Failure::new("the server ended the reply without saying why"))?;
        let calls = self.calls.into_iter().map(|call| {
            let arguments = serde_json::from_str(&call.arguments).map_err(|error| {
                Failure::new(format_args!(
                    "the arguments of `{}` are no JSON: {error}",
                    call.name
                ))
            })?;
            Ok(ToolCall {
                id: call.id,
                name: call.name,
                arguments,
            })
        });
        Ok(Answer {
            text: self.text,
            calls: calls.collect::<Result<_, Failure>>()?,
            end: Some((reason, self.usage)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chunks_become_an_answer() {
        let mut events = Events::default();
        let chunk = |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta }] });
        let start =
            json!([{ "index": 0, "id": "a", "function": { "name": "f", "arguments": "" } }]);
        let rest = json!([{ "index": 0, "function": { "arguments": "{\"x\": 1}" } }]);
        assert_eq!(
            events.take(&chunk(json!({ "content": "" }))).ok(),
            Some(None)
        );
        assert_eq!(
            events
                .take(&chunk(json!({ "content": "Hi" })))
                .ok()
                .flatten()
                .as_deref(),
            Some("Hi")
        );
        events
            .take(&chunk(json!({ "tool_calls": start })))
            .expect("a call");
        events
            .take(&chunk(json!({ "tool_calls": rest })))
            .expect("its arguments");
        events
            .take(&json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] }))
            .expect("an end");
        let usage =
            json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2 } });
        events.take(&usage).expect("counts");
        let answer = events.finish().expect("it ended");
        assert_eq!((answer.text.as_str(), answer.calls.len()), ("Hi", 1));
        assert_eq!(answer.calls[0].arguments, json!({ "x": 1 }));
        let (reason, usage) = answer.end.expect("an end");
        assert_eq!((reason, usage.prompt_tokens), (FinishReason::Stop, 3));
    }

    #[test]
    fn errors_and_broken_ends_are_told() {
        let error = json!({ "error": { "message": "out of luck" } });
        assert!(
            matches!(Events::default().take(&error), Err(Failure::Failed(text)) if text == "out of luck")
        );
        assert!(Events::default().finish().is_err());
        let far =
            json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 1_000_000_000 }] } }] });
        assert!(Events::default().take(&far).is_err());
    }
}
