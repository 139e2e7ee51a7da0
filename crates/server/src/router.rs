//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::error::{ApiError, Outcome};
use crate::guard::guard;
use crate::state::App;
use crate::{anthropic, health, llamacpp, ollama, openai, page};

pub(crate) fn router(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/health", get(health::ready))
        .route("/v1/health", get(health::ready))
        .route("/readyz", get(health::ready))
        .route("/livez", get(health::alive))
        .route("/version", get(health::version))
        .route("/metrics", get(health::metrics))
        .route("/v1/chat/completions", post(openai::chat::complete))
        .route("/chat/completions", post(openai::chat::complete))
        .route("/v1/completions", post(openai::completions::complete))
        .route("/v1/models", get(openai::models::list))
        .route("/models", get(openai::models::list))
        .route("/v1/models/{*id}", get(openai::models::show))
        .merge(anthropic::routes())
        .merge(llamacpp::routes())
        .merge(ollama::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(other_method);
    let routes = match app.options.prefix.as_str() {
        "" => routes,
        prefix => Router::new().nest(prefix, routes).fallback(nothing),
    };
    let routes = match app.options.ui {
        true => routes.merge(page::routes(&app.options.prefix)),
        false => routes,
    };
    routes
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

async fn nothing(request: Request) -> Outcome<()> {
    let (method, path) = (request.method(), request.uri().path());
    Err(ApiError::not_found(format!(
        "there is no `{method} {path}`"
    )))
}

async fn other_method(request: Request) -> Outcome<()> {
    let (method, path) = (request.method(), request.uri().path());
    let error = ApiError::not_found(format!("`{path}` does not take {method}"));
    Err(error.with_status(axum::http::StatusCode::METHOD_NOT_ALLOWED))
}
