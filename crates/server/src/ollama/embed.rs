//! `/api/embed`, `/api/embeddings`: texts as vectors.
//!
//! A text that is longer than the context is cut if `truncate` is true, and an error otherwise. Ollama's own default is
//! to cut without a word; the vector is then one of another text.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use ingle::Model;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::keep_for;
use super::common::{LOADING, OptionFields};
use super::line::nanos;
use super::{keep_alive, names};
use crate::body::Body;
use crate::embed::{self, MAX_TEXTS, pooled};
use crate::error::{ApiError, Outcome};
use crate::fields::OneOrMany;
use crate::generate::off_thread;
use crate::registry::Named;
use crate::state::App;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EmbedFields {
    model: Option<String>,
    input: Option<OneOrMany<String>>,
    /// Whether a text that is longer than the context is cut.
    truncate: Option<bool>,
    /// Elements of a vector; the first ones, scaled to length 1.
    dimensions: Option<usize>,
    options: Option<OptionFields>,
    keep_alive: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EmbeddingsFields {
    model: Option<String>,
    prompt: Option<String>,
    options: Option<OptionFields>,
    keep_alive: Option<Value>,
}

/// `POST /api/embed`.
pub(super) async fn embed(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let started = Instant::now();
    let fields: EmbedFields = body.read()?;
    LOADING.iter().for_each(|option| body.known(option));
    body.end();
    let mut texts = fields.input.map(OneOrMany::into_vec).unwrap_or_default();
    if texts.len() > MAX_TEXTS {
        let message = format!(
            "`input`: expected at most {MAX_TEXTS} texts, found {}",
            texts.len()
        );
        return Err(ApiError::field("input", message));
    }
    // One empty text loads the model, as nothing does.
    if texts.iter().all(String::is_empty) && texts.len() < 2 {
        texts.clear();
    }
    let place = (fields.model.as_deref(), &fields.options, &fields.keep_alive);
    let (named, model, load) = open(&app, place).await?;
    let length = embed::dimensions(fields.dimensions, &model)?;
    let (shared, to_count) = (model.clone(), texts.clone());
    let count = off_thread(move || {
        let tokens = |text: &String| shared.tokenizer().encode(text, true, false).len();
        to_count
            .iter()
            .map(|text| tokens(text).min(shared.info().ctx))
            .sum::<usize>()
    });
    let count = count.await?;
    let mut vectors = match texts.len() {
        0 => Vec::new(),
        num => {
            let _places = app.queue.enter(num)?;
            let embed = pooled(&app, model.embed(texts));
            let truncate = fields.truncate.unwrap_or(false);
            embed.truncate(truncate).run_async().await?
        }
    };
    if fields.dimensions.is_some() {
        let vectors = vectors.iter_mut();
        vectors.for_each(|vector| embed::shorten(vector, length));
    }
    Ok(Json(json!({
        "model": named.id,
        "embeddings": vectors,
        "total_duration": nanos(started.elapsed()),
        "load_duration": nanos(load),
        "prompt_eval_count": count,
    })))
}

/// `POST /api/embeddings`: one text, whose vector has the length it has.
pub(super) async fn embeddings(
    State(app): State<Arc<App>>,
    mut body: Body,
) -> Outcome<Json<Value>> {
    let fields: EmbeddingsFields = body.read()?;
    LOADING.iter().for_each(|option| body.known(option));
    body.end();
    let place = (fields.model.as_deref(), &fields.options, &fields.keep_alive);
    let (_, model, _) = open(&app, place).await?;
    let prompt = fields.prompt.unwrap_or_default();
    if prompt.is_empty() {
        return Ok(Json(json!({ "embedding": [] })));
    }
    let _places = app.queue.enter(1)?;
    let embed = pooled(&app, model.embed([prompt]));
    let vectors = embed.normalize(false).run_async().await?;
    Ok(Json(json!({ "embedding": vectors.first() })))
}

/// The model of a request, which stays as long as it says.
async fn open(
    app: &Arc<App>,
    (asked, options, keep): (Option<&str>, &Option<OptionFields>, &Option<Value>),
) -> Outcome<(Named, Model, std::time::Duration)> {
    let keep = keep_alive::keep(keep.as_ref())?;
    let (named, model, load) = names::open(app, asked).await?;
    if let Some(options) = options {
        options.check_ctx(&model)?;
    }
    keep_for(app, &named, keep);
    Ok((named, model, load))
}
