//! Ollama's dialect: `/api/…`, with replies as lines of JSON.
//!
//! What is different on purpose: a prompt that is too long is an error and never cut, a context (`num_ctx`) other than
//! the one that the model was loaded with is an error, and so are templates in Go's language.

mod chat;
mod common;
mod details;
mod embed;
mod generate;
mod keep_alive;
mod lines;
mod models;
mod names;
mod pull;
mod time;

pub(crate) use details::Known;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use futures_core::Stream;
use serde_json::Value;

use crate::error::{ApiError, Kind, Outcome};
use crate::state::App;

/// Its paths.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/generate", post(generate::generate))
        .route("/api/chat", post(chat::chat))
        .route("/api/embed", post(embed::embed))
        .route("/api/embeddings", post(embed::embeddings))
        .route("/api/tags", get(models::tags))
        .route("/api/show", post(models::show))
        .route("/api/ps", get(models::ps))
        .route("/api/version", get(crate::health::version))
        .route("/api/pull", post(pull::pull))
        .route("/api/delete", delete(models::delete))
        .route("/api/copy", post(absent))
        .route("/api/create", post(absent))
        .route("/api/push", post(absent))
        .route("/api/blobs/{digest}", post(absent).head(absent))
}

/// What makes models of other models: those of this server are files, and are made by `ingle quantize`.
async fn absent() -> Outcome<()> {
    let message = "this server makes no models and uploads none";
    Err(ApiError::new(Kind::NotSupported, message))
}

/// A response of lines, which go out as they come. Nothing may come between them: clients read each as JSON.
fn respond(lines: impl Stream<Item = Value> + Send + 'static) -> Response {
    let bytes = async_stream::stream! {
        for await line in lines {
            yield Ok::<_, Infallible>(Bytes::from(format!("{line}\n")));
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}
