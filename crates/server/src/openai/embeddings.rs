//! `/v1/embeddings`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::embed;
use crate::error::{ApiError, Outcome};
use crate::fields::TextFields;
use crate::generate;
use crate::state::App;

/// Texts that become vectors.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EmbeddingFields {
    model: Option<String>,
    input: TextFields,
    /// `float`, or `base64` of little-endian floats.
    encoding_format: Option<String>,
    /// So many of the first parts, scaled to length 1 again.
    dimensions: Option<usize>,
    /// llama.cpp's norms: -1 none, 0 greatest, 1 taxicab, 2 Euclidean, or a degree.
    embd_normalize: Option<i32>,
}

/// `POST /v1/embeddings`.
pub(crate) async fn embeddings(
    State(app): State<Arc<App>>,
    mut body: Body,
) -> Outcome<Json<Value>> {
    let fields: EmbeddingFields = body.read()?;
    body.known("user");
    body.end();
    let as_text = match fields.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let message =
                format!("`encoding_format`: expected `float` or `base64`, found `{other}`");
            return Err(ApiError::field("encoding_format", message));
        }
    };
    let (named, model) = generate::model(&app, fields.model.as_deref()).await?;
    let dimensions = embed::dimensions(fields.dimensions, &model)?;
    let mut embedded = embed::embed(&app, &model, "input", &fields.input).await?;
    for vector in &mut embedded.vectors {
        vector.truncate(dimensions);
        embed::normalize(vector, fields.embd_normalize.unwrap_or(2));
    }
    let data = embedded.vectors.iter().enumerate().map(|(index, vector)| {
        let embedding = match as_text {
            true => json!(as_base64(vector)),
            false => json!(vector),
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let num_tokens = embedded.num_tokens;
    Ok(Json(json!({
        "object": "list",
        "data": data.collect::<Value>(),
        "model": named.id,
        "usage": { "prompt_tokens": num_tokens, "total_tokens": num_tokens },
    })))
}

fn as_base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
