//! `/v1/responses`: OpenAI's newer dialect, without a memory. Each request brings its whole conversation, so
//! `previous_response_id`, `store` and `background` are refused. Thoughts come as they are, not encrypted.

mod events;
mod input;
mod output;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::dialogue::{Tool, ToolChoice};
use ingle::{GrammarSpec, Model, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::input::Input;
use self::output::{Facts, Output};
use super::tools;
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{LimitFields, ReasoningFields, SamplingFields, refuse_foreign};
use crate::generate::{self, off_thread};
use crate::llamacpp::template::counted;
use crate::state::App;

/// What a response has beside the fields that others have too.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ResponseFields {
    model: Option<String>,
    input: Input,
    /// A system message before everything else.
    instructions: Option<String>,
    tools: Option<Vec<FunctionTool>>,
    tool_choice: Option<FunctionChoice>,
    parallel_tool_calls: Option<bool>,
    text: Option<TextFormat>,
    reasoning: Option<Reasoning>,
    max_output_tokens: Option<usize>,
    /// Of how many tokens in each place log-probabilities are told, at most 20.
    top_logprobs: Option<usize>,
    /// `message.output_text.logprobs`, `reasoning.encrypted_content`.
    include: Option<Vec<String>>,
    /// Labels, which are given back.
    #[expect(dead_code, reason = "checked, and given back as it came")]
    metadata: Option<Map<String, Value>>,
    /// `disabled`.
    truncation: Option<String>,
    /// Variables for the chat template.
    chat_template_kwargs: Option<Map<String, Value>>,
}

/// A function that may be called.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct FunctionTool {
    /// `function`.
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Value>,
    #[expect(dead_code, reason = "schemas are always kept to")]
    strict: Option<bool>,
}

/// `none`, `auto`, `required`, or a function.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum FunctionChoice {
    Word(String),
    Named {
        #[serde(rename = "type")]
        kind: String,
        name: Option<String>,
    },
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct TextFormat {
    format: Option<Format>,
    #[expect(dead_code, reason = "a wish that no model here was trained to meet")]
    verbosity: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Format {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    kind: String,
    schema: Option<Value>,
    #[expect(dead_code, reason = "a label")]
    name: Option<String>,
    #[expect(dead_code, reason = "a label")]
    description: Option<String>,
    #[expect(dead_code, reason = "schemas are always kept to")]
    strict: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Reasoning {
    effort: Option<String>,
    #[expect(dead_code, reason = "thoughts are given whole")]
    summary: Option<String>,
    #[expect(dead_code, reason = "likewise")]
    generate_summary: Option<String>,
}

/// Fields of OpenAI's that ask for what there is not.
const UNSUPPORTED: [&str; 7] = [
    "previous_response_id",
    "conversation",
    "store",
    "background",
    "prompt",
    "max_tool_calls",
    "context_management",
];

/// Labels, which change no reply.
const LABELS: [&str; 6] = [
    "user",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "client_metadata",
];

/// Fields that are given back as they came.
const ECHOED: [&str; 11] = [
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "user",
    "safety_identifier",
];

const MAX_TOP: usize = 20;

/// A request for a response, read.
struct Asked {
    fields: ResponseFields,
    sampling: SamplingFields,
    limits: LimitFields,
    reasoning: ReasoningFields,
    echoed: Map<String, Value>,
    /// What is to blame if a reply's form cannot be enforced.
    form: &'static str,
}

impl Asked {
    fn read(mut body: Body) -> Outcome<Self> {
        let (fields, sampling, limits) = (body.read()?, body.read()?, body.read()?);
        let reasoning = body.read()?;
        body.refuse(&UNSUPPORTED, |name, value| {
            matches!(name, "store" | "background") && *value == json!(false)
        })?;
        refuse_foreign(&mut body)?;
        LABELS.iter().for_each(|label| body.known(label));
        let object = body.object();
        let echoed = ECHOED.iter().filter_map(|&name| {
            let value = object.get(name).filter(|value| !value.is_null())?;
            Some((name.to_owned(), value.clone()))
        });
        let echoed = echoed.collect();
        body.end();
        let asked = Self {
            fields,
            sampling,
            limits,
            reasoning,
            echoed,
            form: "tools",
        };
        asked.check()?;
        Ok(asked)
    }

    fn check(&self) -> Outcome<()> {
        let fields = &self.fields;
        let wrong =
            |name: &str, what: String| Err(ApiError::field(name, format!("`{name}`: {what}")));
        if self.limits.num_choices() != 1 {
            return wrong("n", "a response is one reply".into());
        }
        if self.limits.tells_progress() {
            return wrong("return_progress", "responses have no such event".into());
        }
        if self.limits.timings_per_token() {
            return wrong("timings_per_token", "responses tell no times".into());
        }
        if let Some(other) = fields
            .truncation
            .as_ref()
            .filter(|&word| word != "disabled")
        {
            return wrong(
                "truncation",
                format!("expected `disabled`, found `{other}`"),
            );
        }
        let top = fields.top_logprobs.unwrap_or(0);
        if top > MAX_TOP {
            return wrong(
                "top_logprobs",
                format!("expected at most {MAX_TOP}, found {top}"),
            );
        }
        let known = [
            "message.output_text.logprobs",
            "reasoning.encrypted_content",
        ];
        let include = fields.include.as_deref().unwrap_or_default();
        match include.iter().find(|name| !known.contains(&name.as_str())) {
            Some(other) => wrong("include", format!("`{other}` is not supported")),
            None => Ok(()),
        }
    }

    /// Alternatives of each token, if log-probabilities are asked for.
    fn top(&self) -> Option<usize> {
        let include = self.fields.include.as_deref().unwrap_or_default();
        let named = include
            .iter()
            .any(|name| name == "message.output_text.logprobs");
        let top = self.fields.top_logprobs.unwrap_or(0);
        (named || top > 0).then_some(top)
    }

    /// What the library is asked.
    fn request(&mut self, app: &App, model: &Model) -> Outcome<Request> {
        let top = self.top();
        let fields = &mut self.fields;
        let input = std::mem::replace(&mut fields.input, Input::Text(String::new()));
        let messages = input.messages(fields.instructions.take())?;
        let request = model
            .chat(messages)
            .sampler(self.sampling.params(app, model)?);
        let mut request = self.limits.apply(app, request)?.keep_special(true);
        if let Some(most) = fields.max_output_tokens {
            request = request.max_tokens(most);
        }
        let tools = fields.tools.take().unwrap_or_default();
        let tools: Vec<Tool> = tools
            .into_iter()
            .enumerate()
            .map(FunctionTool::read)
            .collect::<Outcome<_>>()?;
        let choice = match fields.tool_choice.take() {
            None => ToolChoice::Auto,
            Some(choice) => choice.read()?,
        };
        if tools.is_empty() && matches!(choice, ToolChoice::Required | ToolChoice::Named(_)) {
            let message = "`tool_choice`: a call is required, and there are no tools";
            return Err(ApiError::field("tool_choice", message));
        }
        tools::check_format(model, &tools)?;
        request = request
            .tools(tools)
            .tool_choice(choice)
            .parallel_tool_calls(fields.parallel_tool_calls.unwrap_or(true))
            .split_reasoning(app.options.reasoning);
        request = self.reasoning.apply(app, request)?;
        let format = fields.text.take().and_then(|text| text.format);
        if let Some(spec) = format.map(Format::spec).transpose()?.flatten() {
            self.form = "text.format";
            request = request.grammar(spec);
        }
        if let Some(top) = top {
            request = request.logprobs(top);
        }
        for (name, value) in app.options.template_variables.clone() {
            request = request.template_variable(name, value);
        }
        if let Some(effort) = fields
            .reasoning
            .take()
            .and_then(|reasoning| reasoning.effort)
        {
            if matches!(effort.as_str(), "none" | "minimal") {
                request = request.template_variable("enable_thinking", json!(false));
            }
            request = request.template_variable("reasoning_effort", json!(effort));
        }
        for (name, value) in fields.chat_template_kwargs.take().unwrap_or_default() {
            request = request.template_variable(name, value);
        }
        Ok(request)
    }
}

impl FunctionTool {
    fn read((at, fields): (usize, Self)) -> Outcome<Tool> {
        let wrong = |field: &str, what: &str| {
            let path = format!("tools[{at}].{field}");
            let message = format!("`{path}`: {what}");
            Err(ApiError::field(path, message))
        };
        if fields.kind != "function" {
            return wrong(
                "type",
                &format!("expected `function`, found `{}`", fields.kind),
            );
        }
        let Some(name) = fields.name else {
            return wrong("name", "a function has a name");
        };
        let schema = fields.parameters.filter(|schema| !schema.is_null());
        Ok(Tool::new(
            name,
            fields.description.unwrap_or_default(),
            schema.unwrap_or_else(tools::no_parameters),
        ))
    }
}

impl FunctionChoice {
    fn read(self) -> Outcome<ToolChoice> {
        let found = match self {
            Self::Word(word) => match word.as_str() {
                "none" => return Ok(ToolChoice::None),
                "auto" => return Ok(ToolChoice::Auto),
                "required" => return Ok(ToolChoice::Required),
                _ => word,
            },
            Self::Named { kind, name } => match (kind.as_str(), name) {
                ("function", Some(name)) => return Ok(ToolChoice::Named(name)),
                _ => kind,
            },
        };
        let message = format!(
            "`tool_choice`: expected `none`, `auto`, `required` or a function, found `{found}`"
        );
        Err(ApiError::field("tool_choice", message))
    }
}

impl Format {
    fn spec(self) -> Outcome<Option<GrammarSpec>> {
        match (self.kind.as_str(), self.schema) {
            ("text", None) => Ok(None),
            ("json_object", None) => Ok(Some(GrammarSpec::JsonObject)),
            ("json_schema", Some(schema)) => Ok(Some(GrammarSpec::JsonSchema(schema))),
            ("json_schema", None) => Err(ApiError::field(
                "text.format.schema",
                "`text.format.schema` is missing",
            )),
            (other, _) => {
                let message = format!(
                    "`text.format.type`: expected `text`, `json_object` or `json_schema`, found `{other}`"
                );
                Err(ApiError::field("text.format.type", message))
            }
        }
    }
}

/// `POST /v1/responses`.
pub(crate) async fn create(State(app): State<Arc<App>>, body: Body) -> Outcome<Response> {
    let mut asked = Asked::read(body)?;
    let (named, model) = generate::model(&app, asked.fields.model.as_deref()).await?;
    let request = asked.request(&app, &model)?;
    let params = request.params().clone();
    let with_logprobs = params.logprobs.is_some();
    let begun = generate::begin(&app, &named, vec![request], 1).await;
    let mut begun = begun.map_err(|error| error.of_form(Some(asked.form)))?;
    let Some(mut reply) = begun.remove(0).replies.pop() else {
        return Err(ingle::Error::WorkerGone.into());
    };
    let facts = Facts::new(&named, &params, asked.echoed);
    let streams = asked.limits.streams();
    let mut output = Output::new(&model, facts, with_logprobs, streams);
    if streams {
        return Ok(events::respond(&app, reply, output));
    }
    while let Some(part) = reply.next().await {
        output.part(part?);
    }
    let ending = reply
        .ending()
        .ok_or(ApiError::from(ingle::Error::WorkerGone))?;
    output.end(ending);
    Ok(Json(output.response()).into_response())
}

/// `POST /v1/responses/input_tokens`.
pub(crate) async fn count(State(app): State<Arc<App>>, body: Body) -> Outcome<Json<Value>> {
    let mut asked = Asked::read(body)?;
    let (_, model) = generate::model(&app, asked.fields.model.as_deref()).await?;
    let request = asked.request(&app, &model)?;
    let tokens = off_thread(move || request.tokens()).await??;
    Ok(Json(counted(tokens.len())))
}
