//! `/rerank`: documents by how well they answer a query, as Jina's clients and those of text-embeddings-inference
//! (TEI) ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ingle::Error;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::{ApiError, Kind, Outcome};
use crate::generate::{self, off_thread};
use crate::state::App;

/// A query and documents.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct RerankFields {
    model: Option<String>,
    query: String,
    documents: Option<Vec<Document>>,
    /// TEI's name of `documents`, which is answered in TEI's form.
    texts: Option<Vec<Document>>,
    /// So many of the best; all without it.
    top_n: Option<usize>,
    /// Whether each document comes back with its score.
    return_documents: Option<bool>,
    /// TEI's name of `return_documents`.
    return_text: Option<bool>,
    /// What a good document does, in a sentence.
    instruction: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Document {
    Text(String),
    Object { text: String },
}

/// Most documents of one request.
const MAX_DOCUMENTS: usize = 2048;

/// Documents that are computed at a time, so that others come to their turn.
const AT_A_TIME: usize = 32;

/// `POST /rerank`.
pub(crate) async fn rerank(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Json<Value>> {
    let fields: RerankFields = body.read()?;
    // Scores are probabilities, and documents are never cut.
    body.refuse(&["raw_scores", "truncate"], |_, value| {
        *value == json!(false)
    })?;
    body.end();
    let returns = fields.return_documents.or(fields.return_text);
    let (field, documents, is_tei) = match (fields.documents, fields.texts) {
        (Some(documents), None) => ("documents", documents, false),
        (None, Some(texts)) => ("texts", texts, true),
        (None, None) => return Err(ApiError::field("documents", "`documents` is missing")),
        (Some(_), Some(_)) => {
            return Err(ApiError::field(
                "texts",
                "`texts`: `documents` is given already",
            ));
        }
    };
    if !(1..=MAX_DOCUMENTS).contains(&documents.len()) {
        let found = documents.len();
        let message = format!("`{field}`: expected 1 to {MAX_DOCUMENTS} documents, found {found}");
        return Err(ApiError::field(field, message));
    }
    let text = |document: Document| match document {
        Document::Text(text) | Document::Object { text } => text,
    };
    let documents: Vec<String> = documents.into_iter().map(text).collect();
    let (named, model) = generate::model(&app, fields.model.as_deref()).await?;
    let _place = app.queue.enter(1)?;
    let (mut scores, mut num_tokens) = (Vec::new(), 0);
    for some in documents.chunks(AT_A_TIME) {
        let mut rerank = model.rerank(fields.query.as_str(), some);
        if let Some(instruction) = &fields.instruction {
            rerank = rerank.instruction(instruction);
        }
        let prompts = {
            let rerank = rerank.clone();
            off_thread(move || rerank.prompts())
        };
        let prompts = prompts.await?.map_err(unable)?;
        // Also before they are sent, since what is too long takes time.
        let ctx = model.info().ctx;
        if let Some(num_tokens) = prompts.iter().map(Vec::len).find(|&len| len > ctx) {
            let max_seq_len = ctx;
            return Err(Error::Request(ingle::RequestError::ContextExceeded {
                num_tokens,
                max_seq_len,
            })
            .into());
        }
        num_tokens += prompts.iter().map(Vec::len).sum::<usize>();
        scores.extend(rerank.run_async().await.map_err(unable)?);
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order.truncate(fields.top_n.unwrap_or(usize::MAX));
    let result = |&index: &usize| {
        let name = if is_tei { "score" } else { "relevance_score" };
        let mut result = json!({ "index": index, name: scores[index] });
        if returns == Some(true) {
            let text = &documents[index];
            match is_tei {
                true => result["text"] = json!(text),
                false => result["document"] = json!({ "text": text }),
            }
        }
        result
    };
    let results: Value = order.iter().map(result).collect();
    if is_tei {
        return Ok(Json(results));
    }
    Ok(Json(json!({
        "object": "list",
        "model": named.id,
        "results": results,
        "usage": { "prompt_tokens": num_tokens, "total_tokens": num_tokens },
    })))
}

/// A model that cannot score is no fault of the server's.
fn unable(error: Error) -> ApiError {
    match error {
        Error::NoAnswerToken { .. } | Error::NoChatTemplate { .. } => {
            ApiError::new(Kind::NotSupported, error.to_string())
        }
        error => error.into(),
    }
}
