//! Whether the server lives, and whether it is ready.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::{ApiError, Kind, Outcome};
use crate::routes::{Routes, about};
use crate::state::App;

/// Its paths.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .get(
            &["/health", "/v1/health", "/readyz"],
            ready,
            about("Whether requests can be answered").gives(&[("status", "string")]),
        )
        .get(
            &["/livez"],
            alive,
            about("Whether the process answers at all").gives(&[("status", "string")]),
        )
        .get(
            &["/version"],
            version,
            about("Which version this is").gives(&[("version", "string")]),
        )
        .get(
            &["/metrics"],
            metrics,
            about("Counts and times, for Prometheus").answers("application/openmetrics-text"),
        )
}

/// `GET /health`, `/v1/health`, `/readyz`: whether requests can be answered.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Outcome<Json<Value>> {
    app.accepts()?;
    match app.registry.is_ready() {
        true => Ok(Json(json!({ "status": "ok" }))),
        false => Err(ApiError::new(Kind::Unavailable, "Loading model")),
    }
}

/// `GET /livez`: whether the process answers at all.
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /version`.
pub(crate) async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Outcome<Response> {
    if !app.options.metrics {
        let message = "this server was started without `--metrics`";
        return Err(ApiError::new(Kind::NotSupported, message));
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    app.metrics.set_places(app.queue.num_taken());
    Ok(([("content-type", content_type)], app.metrics.text()).into_response())
}
