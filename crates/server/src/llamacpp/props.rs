//! `/props`, `/lora-adapters`: the server's state, in llama.cpp's words.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use ingle::{Model, SamplerParams};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::settings;
use crate::body::{self, Body};
use crate::error::{ApiError, Kind, Outcome};
use crate::openai::{FINGERPRINT, tools};
use crate::params::Params;
use crate::state::App;

/// Which model, if there are several.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Which {
    model: Option<String>,
}

/// An adapter and its weight.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Adapter {
    id: u64,
    scale: Option<f32>,
}

/// `GET /props`.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Params(which): Params<Which>,
) -> Outcome<Json<Value>> {
    let named = match app.registry.find(which.model.as_deref()) {
        Ok(named) => named,
        // Of many models none is meant.
        Err(_) if which.model.is_none() => return Ok(Json(of_no_model(&app))),
        Err(error) => return Err(error),
    };
    let model = app.registry.pool.peek(&named.source);
    let mut props = of_no_model(&app);
    props["model_alias"] = json!(named.id);
    props["model_path"] = json!(named.source);
    props["is_sleeping"] = json!(model.is_none());
    props["role"] = json!("model");
    if let Some(model) = model {
        describe(&app, &model, &mut props);
    }
    Ok(Json(props))
}

fn of_no_model(app: &App) -> Value {
    let mut params = SamplerParams::default();
    (app.options.sampler)(&mut params);
    json!({
        "role": "router",
        "default_generation_settings": { "n_ctx": 0, "params": settings::sampling(&params) },
        "total_slots": app.options.parallel,
        "max_instances": app.options.max_models,
        "models_autoload": true,
        "model_alias": "ingle",
        "model_path": "none",
        "modalities": { "vision": false, "audio": false },
        "chat_template": "",
        "chat_template_caps": {},
        "bos_token": "",
        "eos_token": "",
        "build_info": FINGERPRINT,
        "is_sleeping": false,
        "endpoint_slots": app.options.slots,
        "endpoint_props": app.options.props,
        "endpoint_metrics": app.options.metrics,
        "webui": app.options.ui,
    })
}

fn describe(app: &App, model: &Model, props: &mut Value) {
    let (info, tokenizer) = (model.info(), model.tokenizer());
    let mut params = SamplerParams::default();
    info.sampler.apply(&mut params);
    (app.options.sampler)(&mut params);
    let mut params = settings::sampling(&params);
    params.insert(
        "n_predict".into(),
        app.options.max_tokens.map_or(json!(-1), |most| json!(most)),
    );
    let text = |id: Option<u32>| {
        let text = id.and_then(|id| tokenizer.token_text(id));
        json!(text.unwrap_or_default())
    };
    props["default_generation_settings"] = json!({ "n_ctx": info.ctx, "params": params });
    if let Some(path) = info.paths.first() {
        props["model_path"] = json!(path);
    }
    props["chat_template"] = json!(info.chat_template.as_deref().unwrap_or_default());
    let has_calls = tools::can_call(info.chat_template.as_deref());
    props["chat_template_caps"] = json!({
        "supports_string_content": true,
        "supports_tools": has_calls,
        "supports_tool_calls": has_calls,
    });
    props["bos_token"] = text(tokenizer.bos());
    props["eos_token"] = text(tokenizer.eos());
}

/// `POST /props`: there is nothing to change yet, in llama.cpp's server as here.
pub(crate) async fn change(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    if !app.options.props {
        let message = "this server was started without `--props`";
        return Err(ApiError::new(Kind::NotSupported, message));
    }
    let _: Map<String, Value> = body.read()?;
    if let Some(name) = body.object().keys().next() {
        return Err(ApiError::unsupported(name));
    }
    body.end();
    Ok(Json(json!({ "success": true })))
}

/// `GET /lora-adapters`: none can be loaded.
pub(crate) async fn adapters() -> Json<Value> {
    Json(json!([]))
}

/// `POST /lora-adapters`.
pub(crate) async fn set_adapters(
    State(app): State<Arc<App>>,
    request: Request,
) -> Outcome<Json<Value>> {
    let bytes = body::bytes(request, &app).await?;
    let adapters: Vec<Adapter> = serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("the request's body: expected a list of adapters: {error}");
        ApiError::new(Kind::Invalid, message)
    })?;
    // What is scaled to nothing need not be there.
    match adapters.iter().find(|adapter| adapter.scale != Some(0.0)) {
        None => Ok(Json(json!({ "success": true }))),
        Some(Adapter { id, .. }) => {
            let message = format!("there is no adapter {id}, nor any other");
            Err(ApiError::field("[0].id", message))
        }
    }
}
