//! What chats and completions have in common.

use ingle::dialogue::Format;
use ingle::{GrammarSpec, Keep, Model, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::keep_alive;
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{OneOrMany, SamplingFields, checked_stops, usual_thoughts};
use crate::state::App;

/// Fields of both.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CommonFields {
    pub(super) model: Option<String>,
    /// Whether the reply is sent as it is made; it is, unless this is false.
    stream: Option<bool>,
    options: Option<OptionFields>,
    /// `json`, or a JSON schema.
    format: Option<Value>,
    /// Whether the model thinks, or how much.
    think: Option<Think>,
    keep_alive: Option<Value>,
    logprobs: Option<bool>,
    /// Of how many tokens in each place, at most 20.
    top_logprobs: Option<usize>,
    #[expect(
        dead_code,
        reason = "prompts are never cut: too long a one is an error"
    )]
    truncate: Option<bool>,
    #[expect(dead_code, reason = "a reply that reaches the context's end says so")]
    shift: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Think {
    Whether(bool),
    Level(String),
}

/// `options`, beside those of sampling.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct OptionFields {
    /// Context, which is decided when a model is loaded: a larger one is an error.
    num_ctx: Option<usize>,
    /// Most tokens of the reply; less than 0: up to the end of the context.
    num_predict: Option<i64>,
    stop: Option<OneOrMany<String>>,
    /// Goes on when the model ends its turn (llama.cpp's).
    ignore_eos: Option<bool>,
}

/// Options that say how to load a model, and change no reply.
pub(super) const LOADING: [&str; 14] = [
    "options.num_keep",
    "options.num_batch",
    "options.num_gpu",
    "options.main_gpu",
    "options.num_thread",
    "options.use_mmap",
    "options.use_mlock",
    "options.low_vram",
    "options.f16_kv",
    "options.numa",
    "options.logits_all",
    "options.vocab_only",
    "options.embedding_only",
    "options.draft_num_predict",
];

/// Most alternatives of a token.
const MAX_TOP: usize = 20;

/// The options of sampling.
#[derive(Debug, Deserialize)]
struct Sampling {
    options: Option<SamplingFields>,
}

/// What a body says of both.
pub(super) struct Common {
    pub(super) fields: CommonFields,
    sampling: SamplingFields,
}

impl Common {
    /// Reads it, once the body's own fields have been read.
    ///
    /// # Errors
    /// A field that is wrong.
    pub(super) fn read(body: &mut Body) -> Outcome<Self> {
        let fields = body.read()?;
        let sampling: Sampling = body.read()?;
        LOADING.iter().for_each(|option| body.known(option));
        Ok(Self {
            fields,
            sampling: sampling.options.unwrap_or_default(),
        })
    }

    pub(super) fn streams(&self) -> bool {
        self.fields.stream.unwrap_or(true)
    }

    pub(super) fn with_logprobs(&self) -> bool {
        self.fields.logprobs.unwrap_or(false)
    }

    pub(super) fn keep(&self) -> Outcome<Option<Keep>> {
        keep_alive::keep(self.fields.keep_alive.as_ref())
    }

    /// Puts all of it into a request.
    ///
    /// # Errors
    /// What cannot be had.
    pub(super) fn apply(&self, app: &App, model: &Model, request: Request) -> Outcome<Request> {
        let mut request = request
            .sampler(self.sampling.params(app, model)?)
            .split_reasoning(app.options.reasoning);
        for (name, value) in &app.options.template_variables {
            request = request.template_variable(name, value.clone());
        }
        request = usual_thoughts(app, request)
            .ignore_eos(app.options.ignore_eos)
            .guesses(app.options.guesses);
        if let Some(options) = &self.fields.options {
            request = options.apply(model, request)?;
        }
        if let (Some(most), None) = (app.options.max_tokens, self.num_predict()) {
            request = request.max_tokens(most);
        }
        if let Some(spec) = self.form()? {
            request = request.grammar(spec);
        }
        if let Some(top) = self.top()? {
            request = request.logprobs(top);
        }
        self.think(model, request)
    }

    fn num_predict(&self) -> Option<i64> {
        self.fields.options.as_ref()?.num_predict
    }

    /// What the reply must look like.
    fn form(&self) -> Outcome<Option<GrammarSpec>> {
        match &self.fields.format {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text == "json" => Ok(Some(GrammarSpec::JsonObject)),
            Some(Value::Object(schema)) => Ok(Some(GrammarSpec::JsonSchema(schema.clone().into()))),
            Some(other) => {
                let message = format!("`format`: expected `json` or a JSON schema, found {other}");
                Err(ApiError::field("format", message))
            }
        }
    }

    /// Alternatives of each token, if log-probabilities are asked for.
    fn top(&self) -> Outcome<Option<usize>> {
        let wrong = |what: String| {
            let message = format!("`top_logprobs`: {what}");
            Err(ApiError::field("top_logprobs", message))
        };
        match (self.with_logprobs(), self.fields.top_logprobs.unwrap_or(0)) {
            (_, top) if top > MAX_TOP => wrong(format!("expected at most {MAX_TOP}, found {top}")),
            (false, 0) => Ok(None),
            (false, _) => wrong("`logprobs` must be true".into()),
            (true, top) => Ok(Some(top)),
        }
    }

    fn think(&self, model: &Model, request: Request) -> Outcome<Request> {
        let level = match &self.fields.think {
            None => return Ok(request),
            Some(Think::Whether(false)) => {
                return Ok(request.template_variable("enable_thinking", json!(false)));
            }
            Some(Think::Whether(true)) => None,
            Some(Think::Level(level)) => match level.as_str() {
                "low" | "medium" | "high" | "max" => Some(level),
                other => {
                    let message = format!(
                        "`think`: expected true, false, `low`, `medium`, `high` or `max`, found `{other}`"
                    );
                    return Err(ApiError::field("think", message));
                }
            },
        };
        if !can_think(model.info().chat_template.as_deref()) {
            let name = self.fields.model.as_deref().unwrap_or("this model");
            let message = format!("`think`: \"{name}\" does not support thinking");
            return Err(ApiError::field("think", message));
        }
        let request = request.template_variable("enable_thinking", json!(true));
        Ok(match level {
            Some(level) => request.template_variable("reasoning_effort", json!(level)),
            None => request,
        })
    }
}

impl OptionFields {
    fn apply(&self, model: &Model, mut request: Request) -> Outcome<Request> {
        self.check_ctx(model)?;
        if let Some(most) = self.num_predict
            && let Ok(most) = usize::try_from(most)
        {
            request = request.max_tokens(most);
        }
        if let Some(stop) = self.stop.clone() {
            request = request.stop(checked_stops("options.stop", stop.into_vec())?);
        }
        Ok(match self.ignore_eos {
            Some(ignore) => request.ignore_eos(ignore),
            None => request,
        })
    }

    /// Checks that the context that is asked for is there.
    ///
    /// # Errors
    /// If the model was loaded with less.
    pub(super) fn check_ctx(&self, model: &Model) -> Outcome<()> {
        let ctx = model.info().ctx;
        match self.num_ctx {
            Some(asked) if asked > ctx => {
                let message = format!(
                    "`options.num_ctx`: the model was loaded with a context of {ctx} tokens, which a request cannot \
                     change, and {asked} are asked for\nhint: start the server with `--ctx-size {asked}`"
                );
                Err(ApiError::field("options.num_ctx", message))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a chat template has thoughts.
pub(super) fn can_think(template: Option<&str>) -> bool {
    let template = template.unwrap_or_default();
    Format::detect(template).reasoning.is_some() || template.contains("reasoning_effort")
}
