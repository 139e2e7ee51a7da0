//! `/tokenize`, `/detokenize`: text to tokens and back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::generate::{self, off_thread};
use crate::state::App;

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TokenizeFields {
    model: Option<String>,
    content: String,
    /// Whether the start token goes before it.
    #[serde(default)]
    add_special: Option<bool>,
    /// Whether the names of control tokens in the text are those tokens.
    parse_special: Option<bool>,
    /// Whether each token comes with its text.
    with_pieces: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DetokenizeFields {
    model: Option<String>,
    tokens: Vec<u32>,
}

/// `POST /tokenize`.
pub(crate) async fn tokenize(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let fields: TokenizeFields = body.read()?;
    body.end();
    let (_, model) = generate::model(&app, fields.model.as_deref()).await?;
    let tokens = off_thread(move || {
        let (add, parse) = (
            fields.add_special.unwrap_or(false),
            fields.parse_special.unwrap_or(true),
        );
        let tokens = model.tokenizer().encode(&fields.content, add, parse);
        let piece = |&id: &u32| {
            let bytes = model.tokenizer().token_bytes(id);
            // A part of a character is no text.
            let piece = String::from_utf8(bytes)
                .map_or_else(|error| json!(error.into_bytes()), Value::from);
            json!({ "id": id, "piece": piece })
        };
        match fields.with_pieces.unwrap_or(false) {
            true => tokens.iter().map(piece).collect(),
            false => json!(tokens),
        }
    });
    Ok(Json(json!({ "tokens": tokens.await? })))
}

/// `POST /detokenize`.
pub(crate) async fn detokenize(
    State(app): State<Arc<App>>,
    mut body: Body,
) -> Outcome<Json<Value>> {
    let fields: DetokenizeFields = body.read()?;
    body.end();
    let (_, model) = generate::model(&app, fields.model.as_deref()).await?;
    let known = model.tokenizer().vocab_size();
    if let Some(id) = fields.tokens.iter().find(|&&id| id as usize >= known) {
        let message = format!("`tokens`: token {id} is not of the vocabulary, which has {known}");
        return Err(ApiError::field("tokens", message));
    }
    let text = model.tokenizer().decode(&fields.tokens, false);
    Ok(Json(json!({ "content": text })))
}
