//! `/apply-template`, and how many tokens a chat is: what would be computed, without computing it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::Outcome;
use crate::generate::{self, off_thread};
use crate::openai::chat::Chat;
use crate::state::App;

/// `POST /apply-template`: a chat as the model sees it.
pub(crate) async fn apply(State(app): State<Arc<App>>, body: Body) -> Outcome<Json<Value>> {
    let mut chat = Chat::read(body)?;
    let (_, model) = generate::model(&app, chat.fields.model.as_deref()).await?;
    let request = chat.request(&app, &model)?;
    let prompt = off_thread(move || request.prompt_text()).await??;
    Ok(Json(json!({ "prompt": prompt })))
}

/// `POST /v1/chat/completions/input_tokens`.
pub(crate) async fn count(State(app): State<Arc<App>>, body: Body) -> Outcome<Json<Value>> {
    let mut chat = Chat::read(body)?;
    let (_, model) = generate::model(&app, chat.fields.model.as_deref()).await?;
    let request = chat.request(&app, &model)?;
    let tokens = off_thread(move || request.tokens()).await??;
    Ok(Json(counted(tokens.len())))
}

/// OpenAI's form of a count.
pub(crate) fn counted(tokens: usize) -> Value {
    json!({ "object": "response.input_tokens", "input_tokens": tokens })
}
