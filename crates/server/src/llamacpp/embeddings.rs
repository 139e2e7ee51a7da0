//! `/embedding`: texts as vectors.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
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
    content: Option<TextFields>,
    /// Another name of `content`.
    input: Option<TextFields>,
    /// -1 none, 0 greatest, 1 taxicab, 2 Euclidean, or a degree.
    embd_normalize: Option<i32>,
}

/// `POST /embedding`.
pub(crate) async fn embeddings(
    State(app): State<Arc<App>>,
    mut body: Body,
) -> Outcome<Json<Value>> {
    let fields: EmbeddingFields = body.read()?;
    body.end();
    let (field, texts) = match (&fields.content, &fields.input) {
        (Some(content), None) => ("content", content),
        (None, Some(input)) => ("input", input),
        (None, None) => return Err(ApiError::field("content", "`content` is missing")),
        (Some(_), Some(_)) => {
            return Err(ApiError::field(
                "input",
                "`input`: `content` is given already",
            ));
        }
    };
    let (_, model) = generate::model(&app, fields.model.as_deref()).await?;
    let mut embedded = embed::embed(&app, &model, field, texts).await?;
    let vectors = embedded.vectors.iter_mut().enumerate();
    let entry = vectors.map(|(index, vector)| {
        embed::normalize(vector, fields.embd_normalize.unwrap_or(2));
        // A list of vectors, since some servers can give one for each token.
        json!({ "index": index, "embedding": [vector] })
    });
    Ok(Json(entry.collect()))
}
