//! `/api/generate`: goes on from a prompt, through the model's chat template unless it is `raw`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::{Message, Model, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::{done, keep_for, load};
use super::common::Common;
use super::lines::Lines;
use super::names;
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::generate;
use crate::infill;
use crate::state::App;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GenerateFields {
    #[serde(default)]
    prompt: Option<String>,
    /// What comes after the text that is wanted; for models that fill in the middle.
    suffix: Option<String>,
    system: Option<String>,
    /// An earlier reply's `context`, which is gone on from.
    context: Option<Vec<u32>>,
    /// The prompt goes to the model as it is.
    raw: Option<bool>,
    images: Option<Vec<Value>>,
}

/// What makes pictures.
const UNSUPPORTED: [&str; 3] = ["width", "height", "steps"];

/// `POST /api/generate`.
pub(super) async fn generate(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Response> {
    let started = Instant::now();
    let mut fields: GenerateFields = body.read()?;
    let common = Common::read(&mut body)?;
    body.refuse(&UNSUPPORTED, |_, value| *value == json!(0))?;
    if body
        .object()
        .get("template")
        .is_some_and(|template| template != "" && !template.is_null())
    {
        let message = "`template`: templates in Go's language are not read\nhint: `raw`, with the whole prompt";
        return Err(ApiError::field("template", message));
    }
    body.known("template");
    body.end();
    if fields
        .images
        .take()
        .is_some_and(|images| !images.is_empty())
    {
        return Err(ApiError::field(
            "images",
            "`images`: this model reads text alone",
        ));
    }
    let keep = common.keep()?;
    let asked = common.fields.model.as_deref();
    if fields.is_empty() {
        let (named, reason) = load(&app, asked, keep).await?;
        return Ok(Json(done(&named, "response", json!(""), reason)).into_response());
    }
    let (named, model, load) = names::open(&app, asked).await?;
    let request = fields.request(&model)?;
    let request = common.apply(&app, &model, request)?;
    keep_for(&app, &named, keep);
    let mut begun = generate::begin(&app, &named, vec![request], 1).await?;
    let lines = Lines {
        name: named.id,
        model,
        is_chat: false,
        with_logprobs: common.with_logprobs(),
        with_context: fields.raw != Some(true),
        started,
        load,
        state: Default::default(),
    };
    lines.respond(begun.remove(0), common.streams()).await
}

impl GenerateFields {
    fn is_empty(&self) -> bool {
        let empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        empty(&self.prompt) && empty(&self.suffix)
    }

    fn request(&mut self, model: &Model) -> Outcome<Request> {
        let prompt = self.prompt.take().unwrap_or_default();
        let system = self.system.take().filter(|system| !system.is_empty());
        let history = self.context.take().unwrap_or_default();
        let suffix = self.suffix.take().filter(|suffix| !suffix.is_empty());
        let wrong = |field: &str, what: &str| {
            let message = format!("`{field}`: {what}");
            Err(ApiError::field(field, message))
        };
        if let Some(suffix) = suffix {
            let tokens = infill::between(model, &prompt, &suffix)?;
            return Ok(model.complete_tokens(tokens));
        }
        if self.raw == Some(true) {
            return match (system, history.is_empty()) {
                (None, true) => Ok(model.complete(prompt)),
                (Some(_), _) => wrong("system", "a raw prompt has no template to put it into"),
                (_, false) => wrong("context", "a raw prompt is the whole of it"),
            };
        }
        if model.chat_template().is_none() {
            return match system {
                None => Ok(model.complete(prompt).history(history)),
                Some(_) => wrong("system", "this model has no chat template to put it into"),
            };
        }
        let mut messages: Vec<Message> = system.into_iter().map(Message::system).collect();
        messages.push(Message::user(prompt));
        Ok(model.chat(messages).keep_special(true).history(history))
    }
}
