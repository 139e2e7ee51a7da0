//! What Ollama's clients call models: `llama3.2`, `llama3.2:latest`, `qwen3:8b`, `hf.co/user/repo:Q4_K_M`.
//!
//! A name finds what this server calls so, then what Ollama itself has downloaded under it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ingle::Model;
use ingle::hub::{self, ModelRef};

use crate::error::{ApiError, Kind, Outcome};
use crate::generate::{self, off_thread};
use crate::registry::Named;
use crate::state::App;

/// The tag that a name without one has.
const LATEST: &str = ":latest";

/// The model that a name means.
///
/// # Errors
/// If there is none.
pub(super) async fn find(app: &Arc<App>, asked: Option<&str>) -> Outcome<Named> {
    let asked = asked.unwrap_or_default().to_owned();
    let app = Arc::clone(app);
    off_thread(move || {
        let short = asked.strip_suffix(LATEST).unwrap_or(&asked);
        let first = match app.registry.find(Some(&asked)) {
            Err(error) if error.kind() == Kind::NotFound => error,
            outcome => return outcome,
        };
        let others = [short.to_owned(), format!("ollama:{asked}")];
        let mut found = others
            .iter()
            .filter_map(|name| app.registry.find(Some(name)).ok());
        let named = found.next().ok_or(first);
        named.map_err(|_| not_found(&asked))
    })
    .await?
}

/// The model that a name means, loaded, and how long that took.
///
/// # Errors
/// If there is none, or it cannot be loaded.
pub(super) async fn open(app: &Arc<App>, asked: Option<&str>) -> Outcome<(Named, Model, Duration)> {
    let started = Instant::now();
    let named = find(app, asked).await?;
    let (_, model) = generate::model(app, Some(&named.id)).await?;
    Ok((named, model, started.elapsed()))
}

/// A name to fetch or remove by: nothing that is a path or an address.
///
/// # Errors
/// If it is one, or no name at all.
pub(super) fn reference(asked: &str) -> Outcome<ModelRef> {
    let short = asked.strip_suffix(LATEST).unwrap_or(asked);
    let parsed = ModelRef::parse(short).map_err(|error| match error {
        hub::Error::UnknownName { .. } => not_found(asked),
        error => ApiError::field("model", format!("`model`: {error}")),
    });
    match parsed? {
        ModelRef::Path(_) | ModelRef::Url(_) => {
            let message =
                format!("`model`: expected a name, found `{asked}`, a path or an address");
            Err(ApiError::field("model", message))
        }
        reference => Ok(reference),
    }
}

/// Ollama's own words, which clients look for.
fn not_found(asked: &str) -> ApiError {
    ApiError::not_found(format!("model '{asked}' not found"))
}
