//! llama.cpp's dialect.

mod models;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;

use crate::state::App;

/// Its paths.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/models/load", post(models::load))
        .route("/models/unload", post(models::unload))
}
