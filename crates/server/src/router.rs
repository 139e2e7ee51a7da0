//! Which path is answered by what.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use crate::error::{ApiError, Kind, Outcome};
use crate::guard::guard;
use crate::state::App;
use crate::{anthropic, health, llamacpp, ollama, openai, openapi, page};

pub(crate) fn router(app: Arc<App>) -> Router {
    let table = health::routes()
        .merge(openai::routes())
        .merge(llamacpp::routes())
        .merge(anthropic::routes())
        .merge(ollama::routes());
    let (routes, entries) = table.into_parts();
    let described = Arc::new(openapi::describe(&entries, &app.options.prefix));
    let openapi = get(move || async move { Json(Value::clone(&described)) });
    let routes = routes
        .route("/openapi.json", openapi)
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
    let message = format!("`{path}` does not take {method}");
    let error = ApiError::new(Kind::Invalid, message);
    Err(error.with_status(axum::http::StatusCode::METHOD_NOT_ALLOWED))
}
