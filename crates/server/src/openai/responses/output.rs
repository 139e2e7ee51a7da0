//! A response in the making: items, one after the other, and the events that tell of them.

use axum::body::Bytes;
use ingle::dialogue::Delta;
use ingle::{Ending, FinishReason, Model, Part, SamplerParams, TokenInfo, Usage};
use serde_json::{Map, Value, json};

use super::events::{Events, More};
use crate::ids;
use crate::openai::logprobs;
use crate::registry::Named;

/// What is known of a response before its first token.
pub(super) struct Facts {
    id: String,
    created: u64,
    model: String,
    /// Fields of the request, or what stands for them.
    settings: Map<String, Value>,
}

impl Facts {
    pub(super) fn new(named: &Named, params: &SamplerParams, echoed: Map<String, Value>) -> Self {
        let settings = json!({
            "instructions": null,
            "max_output_tokens": null,
            "metadata": {},
            "parallel_tool_calls": true,
            "reasoning": { "effort": null, "summary": null },
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "temperature": params.temp,
            "top_p": params.top_p,
            "truncation": "disabled",
            "service_tier": "default",
            "store": false,
            "background": false,
            "previous_response_id": null,
        });
        let mut settings = match settings {
            Value::Object(settings) => settings,
            _ => Map::new(),
        };
        settings.extend(echoed);
        Self {
            id: ids::new("resp_"),
            created: ids::unix_time(),
            model: named.id.clone(),
            settings,
        }
    }
}

/// The event of more of a call.
const ARGUMENTS: &str = "response.function_call_arguments.delta";

/// The item that is under way.
enum Open {
    Reasoning,
    Message,
    Call { id: String, name: String },
}

/// Items so far.
pub(super) struct Output {
    model: Model,
    facts: Facts,
    with_logprobs: bool,
    done: Vec<Value>,
    open: Option<Open>,
    item_id: String,
    /// What the open item says.
    text: String,
    /// The tokens of it, and those that no event has told yet.
    tokens: Vec<TokenInfo>,
    pending: Vec<TokenInfo>,
    usage: Usage,
    reasoning_tokens: usize,
    status: &'static str,
    /// Why it failed.
    error: Value,
    events: Events,
}

impl Output {
    /// None yet. If the response `streams`, events tell of what comes.
    pub(super) fn new(model: &Model, facts: Facts, with_logprobs: bool, streams: bool) -> Self {
        Self {
            model: model.clone(),
            facts,
            with_logprobs,
            done: Vec::new(),
            open: None,
            item_id: String::new(),
            text: String::new(),
            tokens: Vec::new(),
            pending: Vec::new(),
            usage: Usage::default(),
            reasoning_tokens: 0,
            status: "in_progress",
            error: Value::Null,
            events: Events::new(streams),
        }
    }

    /// The response as it is now.
    pub(super) fn response(&self) -> Value {
        let cut = json!({ "reason": "max_output_tokens" });
        let mut response = json!({
            "id": self.facts.id,
            "object": "response",
            "created_at": self.facts.created,
            "status": self.status,
            "model": self.facts.model,
            "output": self.done,
            "error": self.error,
            "incomplete_details": (self.status == "incomplete").then_some(cut),
            "usage": (self.status != "in_progress").then(|| self.usage()),
        });
        if let Value::Object(response) = &mut response {
            response.extend(self.facts.settings.clone());
        }
        response
    }

    fn usage(&self) -> Value {
        let usage = &self.usage;
        json!({
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": { "cached_tokens": usage.cached_tokens, "cache_write_tokens": 0 },
            "output_tokens": usage.generated_tokens,
            "output_tokens_details": { "reasoning_tokens": self.reasoning_tokens },
            "total_tokens": usage.prompt_tokens + usage.generated_tokens,
        })
    }

    /// What is told before the first piece.
    pub(super) fn start(&mut self) -> Vec<Bytes> {
        self.tell("response.created");
        self.tell("response.in_progress");
        self.events.take()
    }

    /// Adds an event about the response.
    fn tell(&mut self, kind: &str) {
        let response = json!({ "response": self.response() });
        self.events.push(kind, &response);
    }

    /// A piece of the reply; the events that tell of it.
    pub(super) fn part(&mut self, part: Part) -> Vec<Bytes> {
        let new = part.usage.generated_tokens - self.usage.generated_tokens;
        self.usage = part.usage;
        self.pending.extend(part.tokens);
        for delta in part.deltas {
            self.delta(delta);
        }
        if matches!(self.open, Some(Open::Reasoning)) {
            self.reasoning_tokens += new;
        }
        self.events.take()
    }

    /// Its end.
    pub(super) fn end(&mut self, ending: &Ending) -> Vec<Bytes> {
        self.usage = ending.usage;
        self.status = match ending.reason {
            FinishReason::Stop => "completed",
            FinishReason::Length | FinishReason::Cancelled => "incomplete",
        };
        self.close(self.status);
        self.tell(&format!("response.{}", self.status));
        self.events.take()
    }

    /// What went wrong under way, as the last event.
    pub(super) fn fail(&mut self, message: &str) -> Vec<Bytes> {
        self.status = "failed";
        self.error = json!({ "code": "server_error", "message": message });
        self.tell("response.failed");
        self.events.take()
    }

    fn delta(&mut self, delta: Delta) {
        match delta {
            Delta::Reasoning(text) => {
                if !matches!(self.open, Some(Open::Reasoning)) {
                    self.open(Open::Reasoning);
                }
                self.say("response.reasoning_text.delta", &text, None);
            }
            Delta::Content(text) => {
                if !matches!(self.open, Some(Open::Message)) {
                    self.open(Open::Message);
                }
                let logprobs = self.logprobs(&self.pending);
                self.tokens.append(&mut self.pending);
                self.say("response.output_text.delta", &text, Some(logprobs));
            }
            Delta::ToolCallStart { id, name, .. } => self.open(Open::Call { id, name }),
            Delta::ToolCallArguments { json_fragment, .. } => {
                self.say(ARGUMENTS, &json_fragment, None);
            }
            Delta::ToolCallEnd { .. } => self.close("completed"),
        }
    }

    fn say(&mut self, kind: &str, text: &str, logprobs: Option<Value>) {
        self.text += text;
        let more = More {
            item_id: &self.item_id,
            output_index: self.done.len(),
            // A call has no parts.
            content_index: (kind != ARGUMENTS).then_some(0),
            delta: text,
            logprobs,
        };
        self.events.push(kind, &more);
    }

    /// Begins an item, after the end of the one before.
    fn open(&mut self, open: Open) {
        self.close("completed");
        self.item_id = ids::new(match open {
            Open::Reasoning => "rs_",
            Open::Message => "msg_",
            Open::Call { .. } => "fc_",
        });
        if !matches!(open, Open::Message) {
            self.pending.clear();
        }
        let item = self.item(&open, "in_progress");
        let index = self.done.len();
        let fields = json!({ "output_index": index, "item": item });
        self.events.push("response.output_item.added", &fields);
        if let Some(part) = self.content(&open) {
            let fields = json!({ "item_id": self.item_id, "output_index": index, "content_index": 0, "part": part });
            self.events.push("response.content_part.added", &fields);
        }
        self.open = Some(open);
    }

    /// Ends the item that is under way, if there is one.
    fn close(&mut self, status: &str) {
        let Some(open) = self.open.take() else { return };
        let (item_id, index) = (self.item_id.clone(), self.done.len());
        let at = json!({ "item_id": item_id, "output_index": index, "content_index": 0 });
        let with = |name: &str, value: Value| {
            let mut fields = at.clone();
            fields[name] = value;
            fields
        };
        match &open {
            Open::Call { name, .. } => {
                let fields = json!({ "item_id": item_id, "output_index": index, "name": name, "arguments": self.text });
                let kind = "response.function_call_arguments.done";
                self.events.push(kind, &fields);
            }
            Open::Reasoning => {
                let fields = with("text", json!(self.text));
                self.events.push("response.reasoning_text.done", &fields);
            }
            Open::Message => {
                let mut fields = with("text", json!(self.text));
                fields["logprobs"] = self.logprobs(&self.tokens);
                self.events.push("response.output_text.done", &fields);
            }
        }
        if let Some(part) = self.content(&open) {
            let fields = with("part", part);
            self.events.push("response.content_part.done", &fields);
        }
        let item = self.item(&open, status);
        let fields = json!({ "output_index": index, "item": item.clone() });
        self.events.push("response.output_item.done", &fields);
        self.done.push(item);
        self.text.clear();
        self.tokens.clear();
    }

    /// What an item says, as its one part.
    fn content(&self, open: &Open) -> Option<Value> {
        match open {
            Open::Reasoning => Some(json!({ "type": "reasoning_text", "text": self.text })),
            Open::Message => Some(json!({
                "type": "output_text", "text": self.text, "annotations": [], "logprobs": self.logprobs(&self.tokens),
            })),
            Open::Call { .. } => None,
        }
    }

    /// An item as it is now; at its beginning it has no part yet.
    fn item(&self, open: &Open, status: &str) -> Value {
        let id = &self.item_id;
        let content = match status {
            "in_progress" => Vec::new(),
            _ => Vec::from_iter(self.content(open)),
        };
        match open {
            Open::Reasoning => json!({
                "id": id, "type": "reasoning", "summary": [], "content": content, "status": status,
            }),
            Open::Message => json!({
                "id": id, "type": "message", "role": "assistant", "status": status, "content": content,
            }),
            Open::Call { id: call_id, name } => json!({
                "id": id, "type": "function_call", "call_id": call_id, "name": name, "arguments": self.text,
                "status": status,
            }),
        }
    }

    fn logprobs(&self, tokens: &[TokenInfo]) -> Value {
        match self.with_logprobs {
            true => logprobs::of_chat(self.model.tokenizer(), tokens)["content"].take(),
            false => json!([]),
        }
    }
}
