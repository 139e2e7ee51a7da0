//! `/v1/models`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::error::{ApiError, Outcome};
use crate::generate::off_thread;
use crate::params::InPath;
use crate::registry::Listed;
use crate::state::App;
use crate::time;

/// `GET /v1/models`. All are in one page, as Anthropic's clients are told.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Outcome<Json<Value>> {
    let data = entries(&app).await?;
    let id = |entry: Option<&Value>| entry.map(|entry| entry["id"].clone());
    Ok(Json(json!({
        "object": "list",
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "has_more": false,
        "data": data,
    })))
}

/// `GET /v1/models/{id}`.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Outcome<Json<Value>> {
    let known = |entry: &Value| {
        let aliases = entry["aliases"].as_array();
        entry["id"] == id.as_str()
            || aliases.is_some_and(|names| names.iter().any(|name| name == id.as_str()))
    };
    let found = entries(&app).await?.into_iter().find(known);
    found
        .map(Json)
        .ok_or_else(|| ApiError::model_not_found(&id))
}

async fn entries(app: &Arc<App>) -> Outcome<Vec<Value>> {
    let shared = Arc::clone(app);
    let listed = off_thread(move || shared.registry.list()).await?;
    Ok(listed.iter().map(|listed| entry(app, listed)).collect())
}

/// OpenAI's fields; Anthropic's, llama.cpp's state and facts, vLLM's length beside them.
fn entry(app: &App, listed: &Listed) -> Value {
    let mut entry = json!({
        "id": listed.named.id,
        "object": "model",
        "created": listed.modified,
        "type": "model",
        "display_name": listed.named.id,
        "created_at": time::seconds(listed.modified),
        "owned_by": "ingle",
        "aliases": listed.aliases,
        "status": { "value": listed.state.name() },
        "size": listed.bytes,
        "quantization": listed.quant,
    });
    let entries = app.registry.pool.entries();
    if let Some(found) = entries
        .iter()
        .find(|entry| entry.name == listed.named.source)
    {
        entry["status"]["memory"] = json!(found.memory);
        entry["status"]["is_in_use"] = json!(found.is_in_use);
        entry["status"]["idle_seconds"] = json!(found.idle.as_secs());
        entry["status"]["unload_in_seconds"] = json!(found.unloads_in.map(|left| left.as_secs()));
    }
    if let Some(model) = app.registry.pool.peek(&listed.named.source) {
        let (info, config) = (model.info(), model.model().config());
        entry["max_model_len"] = json!(info.ctx);
        entry["meta"] = json!({
            "n_vocab": config.vocab_size,
            "n_ctx": info.ctx,
            "n_ctx_train": info.max_seq_len,
            "n_embd": config.d_model,
            "size": info.file_bytes,
        });
    }
    entry
}
