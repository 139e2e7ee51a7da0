//! `/v1/messages`, `/v1/messages/count_tokens`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ingle::{GrammarSpec, Model, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocks::{self, Blocks};
use super::content::{Content, TurnFields, messages};
use super::stream::Events;
use super::tools::{self, ChoiceFields, ToolFields};
use super::{stop_reason, usage};
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{SamplingFields, checked_stops, usual_thoughts};
use crate::generate::{self, Reply, off_thread};
use crate::guard::RequestId;
use crate::ids;
use crate::registry::Named;
use crate::state::App;

/// What a request says beside how to choose tokens.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Fields {
    model: Option<String>,
    messages: Vec<TurnFields>,
    system: Option<Content>,
    /// Most tokens of the reply; must be there for a reply.
    max_tokens: Option<usize>,
    stop_sequences: Option<Vec<String>>,
    stream: Option<bool>,
    tools: Option<Vec<ToolFields>>,
    tool_choice: Option<ChoiceFields>,
    thinking: Option<Thinking>,
    output_config: Option<OutputConfig>,
    /// An earlier name of `output_config.format`.
    output_format: Option<OutputFormat>,
    /// Goes on when the model ends its turn (llama.cpp's).
    ignore_eos: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Thinking {
    /// `enabled`, `disabled` or `adaptive`.
    #[serde(rename = "type")]
    kind: String,
    /// Most tokens of thoughts.
    budget_tokens: Option<usize>,
    /// `omitted` leaves thoughts out of the reply.
    display: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OutputConfig {
    /// Goes to the template as `reasoning_effort`.
    effort: Option<String>,
    format: Option<OutputFormat>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OutputFormat {
    /// `json_schema`.
    #[serde(rename = "type")]
    kind: String,
    schema: Value,
}

/// What there is on Anthropic's machines alone.
const UNSUPPORTED: [&str; 4] = ["container", "mcp_servers", "speed", "inference_geo"];

/// Labels, which change no reply. Beginnings are cached without `cache_control`.
const LABELS: [&str; 6] = [
    "metadata",
    "service_tier",
    "cache_control",
    "diagnostics",
    "user_profile_id",
    "workspace_id",
];

/// `POST /v1/messages`.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Outcome<Response> {
    let (asked, named, model) = Asked::read(&app, body).await?;
    let Some(max_tokens) = asked.max_tokens else {
        return Err(ApiError::field("max_tokens", "`max_tokens` is missing"));
    };
    if max_tokens == 0 {
        let message = "`max_tokens`: expected at least 1, found 0";
        return Err(ApiError::field("max_tokens", message));
    }
    let request = asked.request.max_tokens(max_tokens);
    let mut begun = generate::begin(&app, &named, vec![request], 1).await?;
    let reply = begun.remove(0).replies.remove(0);
    drop(model);
    let blocks = Blocks::new(asked.hides_thoughts);
    match asked.streams {
        true => Ok(Events::new(&named, max_tokens, blocks, id).respond(&app, reply)),
        false => whole(&named, max_tokens, blocks, reply).await,
    }
}

/// `POST /v1/messages/count_tokens`.
pub(crate) async fn count_tokens(State(app): State<Arc<App>>, body: Body) -> Outcome<Response> {
    let (asked, ..) = Asked::read(&app, body).await?;
    let tokens = off_thread(move || asked.request.tokens()).await??;
    Ok(Json(json!({ "input_tokens": tokens.len() })).into_response())
}

async fn whole(
    named: &Named,
    max_tokens: usize,
    mut blocks: Blocks,
    mut reply: Reply,
) -> Outcome<Response> {
    let content = blocks::whole(&mut reply, &mut blocks).await?;
    let ending = reply.ending().ok_or(ingle::Error::WorkerGone)?;
    let (reason, sequence) = stop_reason(ending, blocks.has_calls, max_tokens);
    let mut message = message(&named.id, usage(&ending.usage));
    message["content"] = json!(content);
    message["stop_reason"] = json!(reason);
    message["stop_sequence"] = sequence;
    Ok(Json(message).into_response())
}

/// A reply of which there is nothing yet.
pub(crate) fn message(model: &str, usage: Value) -> Value {
    json!({
        "id": ids::new("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
    })
}

/// What a body asks for.
struct Asked {
    request: Request,
    max_tokens: Option<usize>,
    streams: bool,
    hides_thoughts: bool,
}

impl Asked {
    /// Reads a body, and finds the model that it means.
    ///
    /// # Errors
    /// A field that is wrong, or asks for what there is not.
    async fn read(app: &Arc<App>, mut body: Body) -> Outcome<(Self, Named, Model)> {
        let (fields, sampling): (Fields, SamplingFields) = (body.read()?, body.read()?);
        body.refuse(&UNSUPPORTED, |name, value| match name {
            "mcp_servers" => *value == json!([]),
            "speed" => value == "standard",
            _ => false,
        })?;
        LABELS.iter().for_each(|label| body.known(label));
        let (named, model) = generate::model(app, fields.model.as_deref()).await?;
        if let Some(thinking) = &fields.thinking {
            thinking.note(&model, &mut body);
        }
        body.end();
        let max_tokens = fields.max_tokens;
        let streams = fields.stream.unwrap_or(false);
        let hides_thoughts = fields.thinking.as_ref().is_some_and(Thinking::is_hidden);
        let request = fields.request(app, &model, &sampling)?;
        let asked = Self {
            request,
            max_tokens,
            streams,
            hides_thoughts,
        };
        Ok((asked, named, model))
    }
}

impl Fields {
    fn request(self, app: &App, model: &Model, sampling: &SamplingFields) -> Outcome<Request> {
        let (conversation, continues) = messages(self.system, self.messages)?;
        let tools = tools::tools(self.tools.unwrap_or_default())?;
        let (choice, parallel) = tools::choice(self.tool_choice, &tools)?;
        crate::openai::tools::check_format(model, &tools)?;
        let mut request = model
            .chat(conversation)
            .sampler(sampling.params(app, model)?)
            .keep_special(true)
            .split_reasoning(app.options.reasoning)
            .ignore_eos(self.ignore_eos.unwrap_or(app.options.ignore_eos))
            .continue_final(continues)
            .tools(tools)
            .tool_choice(choice)
            .parallel_tool_calls(parallel)
            .guesses(app.options.guesses);
        request = usual_thoughts(app, request);
        if let Some(budget) = self
            .thinking
            .as_ref()
            .and_then(|thinking| thinking.budget_tokens)
        {
            request = request.reasoning_budget(budget);
        }
        for (name, value) in &app.options.template_variables {
            request = request.template_variable(name, value.clone());
        }
        if let Some(stops) = self.stop_sequences {
            request = request.stop(checked_stops("stop_sequences", stops)?);
        }
        if let Some(shown) = self
            .thinking
            .map(|thinking| thinking.enable())
            .transpose()?
        {
            request = shown.into_iter().fold(request, |request, on| {
                request.template_variable("enable_thinking", json!(on))
            });
        }
        let (effort, format) = self
            .output_config
            .map_or((None, None), |config| (config.effort, config.format));
        if let Some(effort) = effort {
            request = request.template_variable("reasoning_effort", json!(effort));
        }
        match format.or(self.output_format) {
            None => Ok(request),
            Some(format) if format.kind == "json_schema" => {
                Ok(request.grammar(GrammarSpec::JsonSchema(format.schema)))
            }
            Some(format) => {
                let path = "output_config.format.type";
                let message = format!("`{path}`: expected `json_schema`, found `{}`", format.kind);
                Err(ApiError::field(path, message))
            }
        }
    }
}

impl Thinking {
    /// What the template is told: nothing leaves it to the model.
    fn enable(&self) -> Outcome<Option<bool>> {
        if let Some(other) = self.display.as_deref()
            && !matches!(other, "summarized" | "omitted")
        {
            let message =
                format!("`thinking.display`: expected `summarized` or `omitted`, found `{other}`");
            return Err(ApiError::field("thinking.display", message));
        }
        match self.kind.as_str() {
            "enabled" => Ok(Some(true)),
            "disabled" => Ok(Some(false)),
            "adaptive" => Ok(None),
            other => {
                let message = format!(
                    "`thinking.type`: expected `enabled`, `disabled` or `adaptive`, found `{other}`"
                );
                Err(ApiError::field("thinking.type", message))
            }
        }
    }

    fn is_hidden(&self) -> bool {
        self.display.as_deref() == Some("omitted")
    }

    /// Names what cannot be had.
    fn note(&self, model: &Model, body: &mut Body) {
        let template = model.info().chat_template.as_deref().unwrap_or_default();
        if self.kind != "adaptive" && !template.contains("enable_thinking") {
            body.ignore("thinking.type");
        }
    }
}
