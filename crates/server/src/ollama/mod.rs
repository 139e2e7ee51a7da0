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
mod line;
mod lines;
mod models;
mod names;
mod pull;

pub(crate) use details::Known;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;

use self::common::CommonFields;
use crate::error::{ApiError, Kind, Outcome};
use crate::routes::{Fields, Routes, about};

/// Its paths.
pub(crate) fn routes() -> Routes {
    let name = |summary| about(summary).body::<models::NameFields>();
    let common = |summary| about(summary).body::<CommonFields>().streams(LINES);
    let models: Fields = &[("models", "array")];
    const REPLY: Fields = &[
        ("model", "string"),
        ("created_at", "string"),
        ("done", "boolean"),
    ];
    Routes::default()
        .post(
            &["/api/generate"],
            generate::generate,
            common("Goes on from a prompt")
                .body::<generate::GenerateFields>()
                .gives(REPLY),
        )
        .post(
            &["/api/chat"],
            chat::chat,
            common("Answers a conversation")
                .body::<chat::ChatFields>()
                .gives(REPLY),
        )
        .post(
            &["/api/embed"],
            embed::embed,
            about("Texts as vectors")
                .body::<embed::EmbedFields>()
                .gives(&[("model", "string"), ("embeddings", "array")]),
        )
        .post(
            &["/api/embeddings"],
            embed::embeddings,
            about("A text as a vector")
                .body::<embed::EmbeddingsFields>()
                .gives(&[("embedding", "array")]),
        )
        .get(
            &["/api/tags"],
            models::tags,
            about("Models on the disk").gives(models),
        )
        .post(
            &["/api/show"],
            models::show,
            name("Facts about a model").body::<models::ShowFields>(),
        )
        .get(
            &["/api/ps"],
            models::ps,
            about("Models in memory").gives(models),
        )
        .get(
            &["/api/version"],
            crate::health::version,
            about("Which version this is").gives(&[("version", "string")]),
        )
        .post(
            &["/api/pull"],
            pull::pull,
            name("Downloads a model")
                .body::<pull::PullFields>()
                .streams(LINES),
        )
        .delete(&["/api/delete"], models::delete, name("Removes a model"))
        .post(&ABSENT, absent, about("Not done by this server"))
        .head(
            &["/api/blobs/{digest}"],
            absent,
            about("Not done by this server"),
        )
}

const LINES: &str = "application/x-ndjson";

const ABSENT: [&str; 4] = [
    "/api/copy",
    "/api/create",
    "/api/push",
    "/api/blobs/{digest}",
];

/// What makes models of other models: those of this server are files that somebody put there.
async fn absent() -> Outcome<()> {
    let message = "this server makes no models and uploads none";
    Err(ApiError::new(Kind::NotSupported, message))
}

/// A response of lines, which go out as they come. Nothing may come between them: clients read each as JSON.
fn respond(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let bytes = async_stream::stream! {
        for await line in lines {
            yield Ok::<_, Infallible>(line);
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}
