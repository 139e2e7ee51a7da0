//! `/api/embed`, `/api/embeddings`: texts as vectors.
//!
//! A text that is longer than the context is cut if `truncate` is true, and an error otherwise. Ollama's own default is
//! to cut without a word; the vector is then one of another text.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use ingle::{Embed, Model};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::keep_for;
use super::common::{LOADING, OptionFields};
use super::lines::nanos;
use super::{keep_alive, names};
use crate::body::Body;
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

/// Most texts of a request.
const MAX_TEXTS: usize = 2048;

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
    let width = model.model().config().d_model;
    if let Some(dimensions) = fields.dimensions
        && !(1..=width).contains(&dimensions)
    {
        let message = format!("`dimensions`: expected 1 to {width}, found {dimensions}");
        return Err(ApiError::field("dimensions", message));
    }
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
    if let Some(dimensions) = fields.dimensions {
        vectors
            .iter_mut()
            .for_each(|vector| shorten(vector, dimensions));
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

fn pooled(app: &App, embed: Embed) -> Embed {
    match app.options.pooling {
        Some(pooling) => embed.pooling(pooling),
        None => embed,
    }
}

/// The first elements of a vector, scaled to length 1.
fn shorten(vector: &mut Vec<f32>, dimensions: usize) {
    vector.truncate(dimensions);
    let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if square > 0.0 {
        let scale = 1.0 / square.sqrt();
        vector
            .iter_mut()
            .for_each(|x| *x = (f64::from(*x) * scale) as f32);
    }
}
