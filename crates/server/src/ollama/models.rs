//! `/api/tags`, `/api/show`, `/api/ps`, `/api/delete`: which models there are.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use ingle::{ModelFiles, PoolEntry};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::common::can_think;
use super::details::{self, Details, digest, metadata};
use super::names;
use crate::body::Body;
use crate::error::{ApiError, Kind, Outcome};
use crate::generate::off_thread;
use crate::openai::tools::can_call;
use crate::registry::{Listed, Named};
use crate::state::App;
use crate::time;

/// A model's name.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NameFields {
    model: Option<String>,
    /// An earlier name of `model`.
    name: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ShowFields {
    /// Whether lists are shown too; they never are.
    #[expect(dead_code, reason = "lists of a vocabulary are too long to be sent")]
    verbose: Option<bool>,
}

impl NameFields {
    pub(super) fn name(&self) -> Option<&str> {
        self.model.as_deref().or(self.name.as_deref())
    }

    /// The name, which must be there.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn given(&self) -> Outcome<&str> {
        let given = self.name().filter(|name| !name.is_empty());
        given.ok_or_else(|| ApiError::field("model", "`model`: expected the name of a model"))
    }
}

/// `GET /api/tags`.
pub(super) async fn tags(State(app): State<Arc<App>>) -> Outcome<Json<Value>> {
    let listed = off_thread(move || {
        let listed = app.registry.list().into_iter();
        listed.map(|listed| tag(&app, &listed)).collect::<Vec<_>>()
    });
    Ok(Json(json!({ "models": listed.await? })))
}

fn tag(app: &App, listed: &Listed) -> Value {
    let details = app.known.details(listed);
    let loaded = app.registry.pool.peek(&listed.named.source);
    let size = match listed.bytes {
        0 => loaded.map_or(0, |model| model.info().file_bytes),
        bytes => bytes,
    };
    json!({
        "name": listed.named.id,
        "model": listed.named.id,
        "modified_at": time::seconds(listed.modified),
        "size": size,
        "digest": digest(listed),
        "details": details.as_ref().map(Details::json),
    })
}

/// `POST /api/show`.
pub(super) async fn show(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let fields: NameFields = body.read()?;
    let _: ShowFields = body.read()?;
    body.end();
    let named = names::find(&app, Some(fields.given()?)).await?;
    off_thread(move || describe(&app, &named)).await?.map(Json)
}

fn describe(app: &App, named: &Named) -> Outcome<Value> {
    let listed = app.registry.list();
    let listed = listed
        .iter()
        .find(|listed| listed.named.source == named.source);
    let files = details::open(named)?;
    let gguf = files.gguf()?;
    let quant = listed.and_then(|listed| listed.quant.as_deref());
    let details = Details::new(&gguf, quant);
    let template = match app.registry.pool.peek(&named.source) {
        // It may have been loaded with a template of the server's.
        Some(model) => model.info().chat_template.clone(),
        None => files
            .chat_templates()?
            .into_iter()
            .next()
            .map(|named| named.source),
    };
    let parameters = parameters(&files);
    Ok(json!({
        "license": details::string(&gguf, "general.license"),
        "modelfile": modelfile(&named.id, template.as_deref(), &parameters),
        "parameters": parameters,
        "template": template,
        "details": details.json(),
        "model_info": metadata(&gguf, &details),
        "capabilities": capabilities(&files, template.as_deref()),
        "modified_at": time::seconds(listed.map_or(0, |listed| listed.modified)),
    }))
}

/// What the makers recommend for sampling, a line each.
fn parameters(files: &ModelFiles) -> String {
    let mut params = ingle::SamplerParams::default();
    let before = params.clone();
    if let Ok(defaults) = files.sampler_defaults() {
        defaults.apply(&mut params);
    }
    let floats = [
        ("temperature", params.temp, before.temp),
        ("top_p", params.top_p, before.top_p),
        ("min_p", params.min_p, before.min_p),
        (
            "repeat_penalty",
            params.repeat_penalty,
            before.repeat_penalty,
        ),
    ];
    let changed = floats.iter().filter(|(_, now, before)| now != before);
    let mut lines: Vec<String> = changed
        .map(|(name, now, _)| format!("{name} {now}"))
        .collect();
    if params.top_k != before.top_k {
        lines.push(format!("top_k {}", params.top_k));
    }
    lines.join("\n")
}

/// The model as Ollama's file of commands would make it.
fn modelfile(name: &str, template: Option<&str>, parameters: &str) -> String {
    let mut text = format!("FROM {name}\n");
    if let Some(template) = template {
        let _ = writeln!(text, "TEMPLATE \"\"\"{template}\"\"\"");
    }
    for line in parameters.lines() {
        let _ = writeln!(text, "PARAMETER {line}");
    }
    text
}

fn capabilities(files: &ModelFiles, template: Option<&str>) -> Vec<&'static str> {
    let special = files.tokenizer(None).ok();
    let special = special.as_ref().map(|tokenizer| tokenizer.special());
    let fills = special.is_some_and(|special| {
        special.fim_pre.is_some() && special.fim_suf.is_some() && special.fim_mid.is_some()
    });
    let all = [
        ("completion", true),
        ("tools", can_call(template)),
        ("thinking", can_think(template)),
        ("insert", fills),
    ];
    all.into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect()
}

/// For what is never unloaded: as far off as Ollama has it, whose clients then say so.
const FOREVER: Duration = Duration::from_nanos(i64::MAX as u64);

/// `GET /api/ps`: which models are loaded.
pub(super) async fn ps(State(app): State<Arc<App>>) -> Outcome<Json<Value>> {
    let loaded = off_thread(move || {
        let listed = app.registry.list();
        let entries = app.registry.pool.entries().into_iter();
        let loaded = entries.filter(|entry| entry.is_loaded);
        loaded
            .filter_map(|entry| process(&app, &listed, &entry))
            .collect::<Vec<_>>()
    });
    Ok(Json(json!({ "models": loaded.await? })))
}

fn process(app: &App, listed: &[Listed], entry: &PoolEntry) -> Option<Value> {
    let model = app.registry.pool.peek(&entry.name)?;
    let listed = listed
        .iter()
        .find(|listed| listed.named.source == entry.name);
    let name = listed.map_or(entry.name.as_str(), |listed| &listed.named.id);
    let details = listed.and_then(|listed| app.known.details(listed));
    Some(json!({
        "name": name,
        "model": name,
        "size": entry.memory,
        "size_vram": 0,
        "digest": listed.map_or_else(String::new, digest),
        "details": details.as_ref().map(Details::json),
        "expires_at": time::after(entry.unloads_in.unwrap_or(FOREVER)),
        "context_length": model.info().ctx,
    }))
}

/// `DELETE /api/delete`: removes a model from the cache of models.
pub(super) async fn delete(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let fields: NameFields = body.read()?;
    body.end();
    let asked = fields.given()?;
    let reference = names::reference(asked)?;
    app.registry.pool.unload(asked);
    let removed = off_thread(move || app.registry.hub.remove(&reference)).await?;
    match removed {
        Ok(_) => Ok(Json(json!({ "status": "success" }))),
        Err(error) => Err(hub_error(&error)),
    }
}

/// What the cache, or the hub, says.
pub(super) fn hub_error(error: &ingle::hub::Error) -> ApiError {
    use ingle::hub::Error;
    let message = error.to_string();
    match error {
        Error::NotCached { .. } | Error::NotFound { .. } | Error::UnknownName { .. } => {
            ApiError::not_found(message).code("model_not_found")
        }
        Error::BadName { .. }
        | Error::Ambiguous { .. }
        | Error::NotPossible { .. }
        | Error::NoSuchFile { .. }
        | Error::MissingPart { .. } => ApiError::field("model", message),
        Error::Forbidden { .. } => ApiError::new(Kind::Permission, message),
        Error::RateLimited { .. } | Error::Busy { .. } => ApiError::new(Kind::Busy, message),
        _ => ApiError::new(Kind::Server, message).with_status(axum::http::StatusCode::BAD_GATEWAY),
    }
}
