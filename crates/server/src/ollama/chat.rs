//! `/api/chat`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::{Keep, Message, dialogue::ToolCall};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::common::Common;
use super::lines::Lines;
use super::names;
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::generate;
use crate::openai::tools::{self, ToolFields};
use crate::registry::Named;
use crate::state::App;
use crate::time;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ChatFields {
    messages: Option<Vec<TurnFields>>,
    tools: Option<Vec<ToolFields>>,
}

/// A turn.
#[derive(Debug, Deserialize, JsonSchema)]
struct TurnFields {
    /// `system`, `user`, `assistant` or `tool`.
    role: String,
    content: Option<String>,
    /// What the assistant thought.
    thinking: Option<String>,
    images: Option<Vec<Value>>,
    tool_calls: Option<Vec<CallFields>>,
    /// Which tool answers.
    tool_name: Option<String>,
    /// Which call it answers; the last of this tool otherwise.
    tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct CallFields {
    id: Option<String>,
    function: FunctionFields,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct FunctionFields {
    name: String,
    arguments: Option<Map<String, Value>>,
    #[expect(dead_code, reason = "calls are in their order")]
    index: Option<usize>,
}

/// `POST /api/chat`.
pub(super) async fn chat(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Response> {
    let started = Instant::now();
    let fields: ChatFields = body.read()?;
    let common = Common::read(&mut body)?;
    // Left over from an earlier form of the API, where it said which tools may be called.
    body.refuse(&["tool_choice"], |_, value| value == "auto")?;
    body.end();
    let keep = common.keep()?;
    let turns = fields.messages.unwrap_or_default();
    if turns.is_empty() {
        let (named, reason) = load(&app, common.fields.model.as_deref(), keep).await?;
        let message = json!({ "role": "assistant", "content": "" });
        return Ok(Json(done(&named, "message", message, reason)).into_response());
    }
    let continues = turns.last().is_some_and(|turn| turn.role == "assistant");
    let conversation = messages(turns)?;
    let tools = tools::tools(fields.tools.unwrap_or_default())?;
    let (named, model, load) = names::open(&app, common.fields.model.as_deref()).await?;
    if !tools.is_empty() && !tools::can_call(model.info().chat_template.as_deref()) {
        let message = format!("`tools`: \"{}\" does not support tools", named.id);
        return Err(ApiError::field("tools", message));
    }
    let request = model
        .chat(conversation)
        .keep_special(true)
        .continue_final(continues)
        .tools(tools);
    let request = common.apply(&app, &model, request)?;
    keep_for(&app, &named, keep);
    let mut begun = generate::begin(&app, &named, vec![request], 1).await?;
    let lines = Lines {
        name: named.id,
        model,
        is_chat: true,
        with_logprobs: common.with_logprobs(),
        with_context: false,
        started,
        load,
        state: Default::default(),
    };
    lines.respond(begun.remove(0), common.streams()).await
}

/// A reply to nothing: the model is loaded, or let go.
///
/// # Errors
/// If there is no such model.
pub(super) async fn load(
    app: &Arc<App>,
    asked: Option<&str>,
    keep: Option<Keep>,
) -> Outcome<(Named, &'static str)> {
    if keep == Some(Keep::For(std::time::Duration::ZERO)) {
        let named = names::find(app, asked).await?;
        app.registry.pool.unload(&named.source);
        return Ok((named, "unload"));
    }
    let (named, ..) = names::open(app, asked).await?;
    keep_for(app, &named, keep);
    Ok((named, "load"))
}

/// Has the model stay as long as the request says.
pub(super) fn keep_for(app: &App, named: &Named, keep: Option<Keep>) {
    if let Some(keep) = keep {
        app.registry.pool.keep(&named.source, keep);
    }
}

/// The line of a reply of which there is nothing.
pub(super) fn done(named: &Named, field: &str, nothing: Value, reason: &str) -> Value {
    json!({
        "model": named.id,
        "created_at": time::now(),
        field: nothing,
        "done": true,
        "done_reason": reason,
    })
}

/// The conversation.
///
/// # Errors
/// The place of an image.
fn messages(turns: Vec<TurnFields>) -> Outcome<Vec<Message>> {
    let mut messages: Vec<Message> = Vec::with_capacity(turns.len());
    for (at, turn) in turns.into_iter().enumerate() {
        if turn.images.is_some_and(|images| !images.is_empty()) {
            let path = format!("messages[{at}].images");
            let message = format!("`{path}`: this model reads text alone");
            return Err(ApiError::field(path, message));
        }
        let calls = turn.tool_calls.unwrap_or_default().into_iter().enumerate();
        let calls = calls.map(|(number, call)| ToolCall {
            id: call.id.unwrap_or_else(|| format!("call_{at}_{number}")),
            name: call.function.name,
            arguments: Value::Object(call.function.arguments.unwrap_or_default()),
        });
        let earlier = messages
            .iter()
            .rev()
            .flat_map(|message| &message.tool_calls);
        let answered = turn.tool_name.as_ref().and_then(|name| {
            let mut calls = earlier.filter(|call| call.name == *name);
            calls.next().map(|call| call.id.clone())
        });
        messages.push(Message {
            reasoning_content: turn.thinking.filter(|thoughts| !thoughts.is_empty()),
            tool_calls: calls.collect(),
            tool_call_id: turn.tool_call_id.or(answered),
            name: turn.tool_name,
            ..Message::new(turn.role, turn.content.unwrap_or_default())
        });
    }
    Ok(messages)
}
