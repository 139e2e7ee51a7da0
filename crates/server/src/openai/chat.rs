//! `/v1/chat/completions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::dialogue::{Tool, ToolChoice};
use ingle::{Message, Model, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chunks::Chunks;
use super::messages::{MessageFields, messages};
use super::tools::{self, ToolChoiceFields, ToolFields};
use super::{FINGERPRINT, Timings, finish_reason, logprobs, usage};
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{FormatFields, LimitFields, ReasoningFields, SamplingFields, refuse_foreign};
use crate::generate::{self, Prompted, Whole};
use crate::ids;
use crate::registry::Named;
use crate::routes::{About, about};
use crate::state::App;

/// What a chat has beside the fields that others have too.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ChatFields {
    pub(crate) model: Option<String>,
    messages: Vec<MessageFields>,
    tools: Option<Vec<ToolFields>>,
    tool_choice: Option<ToolChoiceFields>,
    parallel_tool_calls: Option<bool>,
    /// Whether log-probabilities are reported.
    logprobs: Option<bool>,
    /// Of how many tokens in each place, at most 20.
    top_logprobs: Option<usize>,
    /// Variables for the chat template.
    chat_template_kwargs: Option<Map<String, Value>>,
    /// Goes on with the last message.
    continue_final_message: Option<bool>,
    /// False goes on with the last message, as `continue_final_message` does.
    add_generation_prompt: Option<bool>,
    reasoning_effort: Option<String>,
    /// Whether tools of the server's MCP servers are offered and called.
    mcp: Option<bool>,
    /// `none` leaves thoughts in the content; `auto` and `deepseek` tell them apart.
    reasoning_format: Option<String>,
}

/// A conversation, and what may be called in the answer.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) conversation: Vec<Message>,
    /// Goes on with the last turn.
    pub(super) continues: bool,
    pub(super) tools: Vec<Tool>,
    pub(super) choice: ToolChoice,
}

/// Fields of OpenAI's that ask for what there is not.
const UNSUPPORTED: [&str; 7] = [
    "audio",
    "modalities",
    "prediction",
    "web_search_options",
    "functions",
    "function_call",
    "store",
];

/// Labels, which change no reply.
const LABELS: [&str; 7] = [
    "user",
    "metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "verbosity",
];

/// Most alternatives of a token, as OpenAI has it.
const MAX_TOP: usize = 20;

/// A chat, read.
pub(crate) struct Chat {
    pub(crate) fields: ChatFields,
    sampling: SamplingFields,
    pub(crate) limits: LimitFields,
    format: FormatFields,
    reasoning: ReasoningFields,
}

impl Chat {
    /// Reads a body.
    ///
    /// # Errors
    /// A field that is wrong, or asks for what there is not.
    pub(crate) fn read(mut body: Body) -> Outcome<Self> {
        let chat = Self {
            fields: body.read()?,
            sampling: body.read()?,
            limits: body.read()?,
            format: body.read()?,
            reasoning: body.read()?,
        };
        body.refuse(&UNSUPPORTED, |name, value| match name {
            "modalities" => *value == json!(["text"]),
            "store" => *value == json!(false),
            _ => false,
        })?;
        refuse_foreign(&mut body)?;
        LABELS.iter().for_each(|label| body.known(label));
        body.end();
        Ok(chat)
    }

    /// What the library is asked.
    ///
    /// # Errors
    /// What cannot be understood.
    pub(crate) fn request(&mut self, app: &App, model: &Model) -> Outcome<Request> {
        let asked = self.asked()?;
        self.round(app, model, asked)
    }

    /// What is to blame if a reply's form cannot be enforced.
    pub(super) fn form(&self) -> &'static str {
        self.format.field().unwrap_or("tools")
    }

    /// Whether log-probabilities are reported.
    pub(super) fn with_logprobs(&self) -> bool {
        self.fields.logprobs.unwrap_or(false)
    }

    /// What is said and asked for, taken out of the fields.
    ///
    /// # Errors
    /// What cannot be understood.
    pub(super) fn asked(&mut self) -> Outcome<Asked> {
        let fields = &mut self.fields;
        let continues = fields.continue_final_message == Some(true)
            || fields.add_generation_prompt == Some(false);
        Ok(Asked {
            conversation: messages(std::mem::take(&mut fields.messages))?,
            continues,
            tools: tools::tools(fields.tools.take().unwrap_or_default())?,
            choice: tools::choice(fields.tool_choice.take())?,
        })
    }

    /// Whether tools of MCP servers are offered.
    ///
    /// # Errors
    /// If they are asked for and there are none.
    pub(super) fn wants_mcp(&self, app: &App) -> Outcome<bool> {
        match (self.fields.mcp, &app.options.mcp) {
            (Some(true), None) => {
                let message = "`mcp`: this server was started without `--mcp-config`";
                Err(ApiError::field("mcp", message))
            }
            (wanted, Some(_)) => Ok(wanted.unwrap_or(app.options.mcp_auto)),
            (_, None) => Ok(false),
        }
    }

    /// What the library is asked, of these tools and turns.
    ///
    /// # Errors
    /// What cannot be understood.
    pub(super) fn round(&mut self, app: &App, model: &Model, asked: Asked) -> Outcome<Request> {
        let Asked {
            conversation,
            continues,
            tools,
            choice,
        } = asked;
        let mut request = model
            .chat(conversation)
            .sampler(self.sampling.params(app, model)?);
        request = self
            .limits
            .apply(app, request)?
            .keep_special(true)
            .continue_final(continues);
        if tools.is_empty() && matches!(choice, ToolChoice::Required | ToolChoice::Named(_)) {
            return Err(ApiError::field(
                "tool_choice",
                "`tool_choice`: a call is required, and there are no tools",
            ));
        }
        tools::check_format(model, &tools)?;
        request = request
            .tools(tools)
            .tool_choice(choice)
            .parallel_tool_calls(self.fields.parallel_tool_calls.unwrap_or(true));
        if let Some(spec) = self.format.spec()? {
            request = request.grammar(spec);
        }
        if let Some(top) = self.fields.top()? {
            request = request.logprobs(top);
        }
        let reasoning = match self.fields.reasoning_format.as_deref() {
            None => app.options.reasoning,
            Some("auto" | "deepseek") => true,
            Some("none") => false,
            Some(other) => {
                let message = format!(
                    "`reasoning_format`: expected `none`, `auto` or `deepseek`, found `{other}`"
                );
                return Err(ApiError::field("reasoning_format", message));
            }
        };
        request = self
            .reasoning
            .apply(app, request.split_reasoning(reasoning))?;
        for (name, value) in self.fields.variables(&app.options.template_variables) {
            request = request.template_variable(name, value);
        }
        Ok(request)
    }
}

impl ChatFields {
    /// Alternatives of each token, if log-probabilities are asked for.
    fn top(&self) -> Outcome<Option<usize>> {
        match (self.logprobs.unwrap_or(false), self.top_logprobs) {
            (false, None | Some(0)) => Ok(None),
            (false, Some(_)) => Err(ApiError::field(
                "top_logprobs",
                "`top_logprobs`: `logprobs` must be true",
            )),
            (true, top) if top.unwrap_or(0) > MAX_TOP => {
                let message = format!(
                    "`top_logprobs`: expected at most {MAX_TOP}, found {}",
                    top.unwrap_or(0)
                );
                Err(ApiError::field("top_logprobs", message))
            }
            (true, top) => Ok(Some(top.unwrap_or(0))),
        }
    }

    /// What the chat template reads beside the conversation.
    fn variables(&self, defaults: &Map<String, Value>) -> Map<String, Value> {
        let mut variables = defaults.clone();
        if let Some(effort) = &self.reasoning_effort {
            if matches!(effort.as_str(), "none" | "minimal") {
                variables.insert("enable_thinking".into(), json!(false));
            }
            variables.insert("reasoning_effort".into(), json!(effort));
        }
        variables.extend(self.chat_template_kwargs.clone().unwrap_or_default());
        variables
    }
}

/// A handler that reads a chat.
pub(crate) fn chat_about(summary: &'static str) -> About {
    about(summary)
        .body::<ChatFields>()
        .body::<SamplingFields>()
        .body::<LimitFields>()
        .body::<FormatFields>()
        .body::<ReasoningFields>()
}

/// `POST /v1/chat/completions`.
pub(crate) async fn complete(State(app): State<Arc<App>>, body: Body) -> Outcome<Response> {
    let mut chat = Chat::read(body)?;
    if chat.wants_mcp(&app)? {
        return super::mcp::complete(app, chat).await;
    }
    let (named, model) = generate::model(&app, chat.fields.model.as_deref()).await?;
    let request = chat.request(&app, &model)?;
    let begun = generate::begin(&app, &named, vec![request], chat.limits.num_choices()).await;
    let mut begun = begun.map_err(|error| error.of_form(Some(chat.form())))?;
    let prompted = begun.remove(0);
    match chat.limits.streams() {
        true => Ok(
            Chunks::chat(&named, &model, &chat.limits, chat.with_logprobs())
                .respond(&app, vec![prompted]),
        ),
        false => whole(&named, &model, &chat, prompted).await,
    }
}

async fn whole(named: &Named, model: &Model, chat: &Chat, prompted: Prompted) -> Outcome<Response> {
    let mut wholes = Vec::new();
    for reply in prompted.replies {
        wholes.push(reply.whole().await?);
    }
    let with_logprobs = chat.with_logprobs();
    let choices = wholes.iter().enumerate();
    let choices = choices.map(|(index, whole)| choice(model, index, whole, with_logprobs));
    let usages: Vec<_> = wholes.iter().map(|whole| &whole.ending.usage).collect();
    let body = json!({
        "id": ids::new("chatcmpl-"),
        "object": "chat.completion",
        "created": ids::unix_time(),
        "model": named.id,
        "system_fingerprint": FINGERPRINT,
        "choices": choices.collect::<Value>(),
        "usage": usage(prompted.prompt.len(), &usages, usages.len()),
        "timings": usages.first().map(|usage| Timings::new(usage)),
    });
    Ok(Json(body).into_response())
}

pub(super) fn choice(model: &Model, index: usize, whole: &Whole, with_logprobs: bool) -> Value {
    let answer = &whole.answer;
    let has_calls = !answer.tool_calls.is_empty();
    let mut message = json!({
        "role": "assistant",
        "content": answer.content,
        "refusal": null,
    });
    if has_calls {
        let calls = answer.tool_calls.iter().zip(&whole.call_texts);
        message["tool_calls"] = calls.map(|(call, text)| tools::call(call, text)).collect();
        if answer.content.is_empty() {
            message["content"] = Value::Null;
        }
    }
    if !answer.reasoning.is_empty() {
        message["reasoning_content"] = json!(answer.reasoning);
    }
    let logprobs = with_logprobs.then(|| logprobs::of_chat(model.tokenizer(), &whole.tokens));
    json!({
        "index": index,
        "message": message,
        "finish_reason": finish_reason(answer.finish_reason, has_calls),
        "logprobs": logprobs,
    })
}
