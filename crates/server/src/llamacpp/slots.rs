//! `/slots`: what is computed side by side, and what was computed last, kept in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use ingle::{Error, Model};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings;
use crate::body::MaybeBody;
use crate::error::{ApiError, Kind, Outcome};
use crate::generate;
use crate::params::{InPath, Params};
use crate::slots::Task;
use crate::state::App;

/// Which model, if there are several.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SlotsParams {
    model: Option<String>,
    /// `1`: 503 if no slot is free.
    fail_on_no_slot: Option<String>,
}

/// What is done with a slot.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SlotParams {
    /// `save`, `restore` or `erase`.
    action: Option<String>,
}

/// Where to.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SlotFields {
    model: Option<String>,
    /// A file's name, without a folder.
    filename: Option<String>,
}

/// `GET /slots`.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Params(which): Params<SlotsParams>,
) -> Outcome<Json<Value>> {
    if !app.options.slots {
        let message = "this server was started with `--no-slots`";
        return Err(ApiError::new(Kind::NotSupported, message));
    }
    let named = app.registry.find(which.model.as_deref())?;
    let ctx = app.registry.pool.peek(&named.source);
    let ctx = ctx.map_or(0, |model| model.info().ctx);
    let mut tasks = app.slots.of(&named.id);
    tasks.resize(app.options.parallel.max(tasks.len()), None);
    let wants_idle = which.fail_on_no_slot.as_deref();
    let wants_idle = wants_idle.is_some_and(|value| !matches!(value, "0" | "false"));
    if wants_idle && tasks.iter().all(Option::is_some) {
        return Err(ApiError::new(Kind::Unavailable, "no slot available"));
    }
    let slots = tasks.iter().enumerate();
    let slots = slots.map(|(id, task)| slot(id, ctx, task.as_deref()));
    Ok(Json(slots.collect()))
}

fn slot(id: usize, ctx: usize, task: Option<&Task>) -> Value {
    let mut slot = json!({
        "id": id,
        "n_ctx": ctx,
        "is_processing": task.is_some(),
        "speculative": false,
    });
    if let Some(task) = task {
        let decoded = task.decoded();
        slot["id_task"] = json!(task.id);
        slot["n_prompt_tokens"] = json!(task.prompt_tokens);
        slot["n_decoded"] = json!(decoded);
        slot["params"] = Value::Object(settings::sampling(&task.params));
        slot["next_token"] = json!([{ "has_next_token": true, "n_decoded": decoded }]);
    }
    slot
}

/// `POST /slots/{id}`: what is kept of a slot is the prompt that was computed last in it. Erasing forgets all prompts,
/// since slots share what they computed.
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    InPath(id): InPath<usize>,
    Params(asked): Params<SlotParams>,
    MaybeBody(mut body): MaybeBody,
) -> Outcome<Json<Value>> {
    let Some(folder) = &app.options.slot_save_path else {
        let message = "this server was started without `--slot-save-path`";
        return Err(ApiError::new(Kind::NotSupported, message));
    };
    let fields: SlotFields = body.read()?;
    body.end();
    if id >= app.options.parallel {
        let message = format!(
            "`id`: expected less than {}, found {id}",
            app.options.parallel
        );
        return Err(ApiError::field("id", message));
    }
    let file = || file_in(folder, fields.filename.as_deref());
    let (named, model) = generate::model(&app, fields.model.as_deref()).await?;
    let nothing = || ApiError::field("id", format!("`id`: nothing was computed in slot {id}"));
    match asked.action.as_deref() {
        Some("save") => {
            let prompt = app.slots.prompt(&named.id, id).ok_or_else(nothing)?;
            save(id, &model, &prompt, &file()?).await
        }
        Some("restore") => {
            let (prompt, answer) = restore(id, &model, &file()?).await?;
            app.slots.set_prompt(&named.id, id, Some(&prompt));
            Ok(answer)
        }
        Some("erase") => {
            let prompt = app.slots.prompt(&named.id, id);
            app.slots.set_prompt(&named.id, id, None);
            model.clear_cache()?;
            let num = prompt.map_or(0, |prompt| prompt.len());
            Ok(Json(json!({ "id_slot": id, "n_erased": num })))
        }
        _ => Err(ApiError::field(
            "action",
            "`action`: expected `save`, `restore` or `erase`",
        )),
    }
}

async fn save(id: usize, model: &Model, prompt: &[u32], path: &Path) -> Outcome<Json<Value>> {
    let started = Instant::now();
    let num_saved = model
        .prefixes()
        .save_async(prompt, path)
        .await
        .map_err(in_file)?;
    Ok(Json(json!({
        "id_slot": id,
        "filename": path.file_name().and_then(|name| name.to_str()),
        "n_saved": num_saved,
        "n_written": bytes_of(path),
        "timings": { "save_ms": started.elapsed().as_secs_f64() * 1e3 },
    })))
}

async fn restore(id: usize, model: &Model, path: &Path) -> Outcome<(Vec<u32>, Json<Value>)> {
    let started = Instant::now();
    // A pipe or a device would be waited for.
    if !path.symlink_metadata().is_ok_and(|facts| facts.is_file()) {
        let message = "`filename`: there is no such file";
        return Err(ApiError::field("filename", message));
    }
    let prompt = model
        .prefixes()
        .restore_async(path)
        .await
        .map_err(in_file)?;
    let answer = json!({
        "id_slot": id,
        "filename": path.file_name().and_then(|name| name.to_str()),
        "n_restored": prompt.len(),
        "n_read": bytes_of(path),
        "timings": { "restore_ms": started.elapsed().as_secs_f64() * 1e3 },
    });
    Ok((prompt, Json(answer)))
}

fn bytes_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |facts| facts.len())
}

/// The file is the client's business, where it lies is not.
fn in_file(error: Error) -> ApiError {
    match error {
        Error::Prefix { error, .. } => ApiError::field("filename", format!("`filename`: {error}")),
        error => error.into(),
    }
}

/// A file of this name in the folder, and in no other.
fn file_in(folder: &Path, name: Option<&str>) -> Outcome<PathBuf> {
    let wrong = |what: &str| Err(ApiError::field("filename", format!("`filename`: {what}")));
    let Some(name) = name else {
        return wrong("a name is missing");
    };
    let fits = |c: char| c.is_alphanumeric() || "-_.+ ".contains(c);
    let is_plain = (1..=128).contains(&name.len()) && name.chars().all(fits);
    match is_plain && !name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']) {
        true => Ok(folder.join(name)),
        false => {
            wrong("expected 1 to 128 bytes of letters, digits and `-_.+`, not a dot at either end")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_their_folder() {
        let folder = Path::new("/saved");
        let file = file_in(folder, Some("chat-1.bin")).expect("a name");
        assert_eq!(file, folder.join("chat-1.bin"));
        let long = "a".repeat(129);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "a\0b",
            ".hidden",
            "c:x",
            &long,
        ] {
            assert!(file_in(folder, Some(name)).is_err(), "{name}");
        }
        assert!(file_in(folder, None).is_err());
    }
}
