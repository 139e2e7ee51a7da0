//! `/models/load`, `/models/unload`: what is in memory, as llama.cpp's router has it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::generate;
use crate::state::App;

/// Which model.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WhichFields {
    model: String,
}

/// `POST /models/load`: ends when it is loaded.
pub(crate) async fn load(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let fields: WhichFields = body.read()?;
    body.end();
    generate::model(&app, Some(&fields.model)).await?;
    Ok(Json(json!({ "success": true })))
}

/// `POST /models/unload`: replies under way keep it until they end.
pub(crate) async fn unload(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let fields: WhichFields = body.read()?;
    body.end();
    let named = app.registry.find(Some(&fields.model))?;
    match app.registry.pool.unload(&named.source) {
        true => Ok(Json(json!({ "success": true }))),
        false => {
            let message = format!("`model`: `{}` is not loaded", fields.model);
            Err(ApiError::field("model", message))
        }
    }
}
