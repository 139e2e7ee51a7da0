//! Models that Ollama downloaded, used where they lie (read only).
//!
//! Its store has `manifests/registry.ollama.ai/<namespace>/<name>/<tag>`, a JSON list of layers, and
//! `blobs/sha256-<hex>`. The layer of type `application/vnd.ollama.image.model` is a plain GGUF
//! file. Templates, parameters and adapters of a manifest are left out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::hub::LocalModel;
use crate::remote::api::is_sha256;

/// The store's file for `name` (`llama3.2`, `someone/model`) and `tag`.
///
/// # Errors
/// [`Error::NotCached`] if the store lacks it; [`Error::Protocol`] if its manifest makes no sense.
pub(crate) fn find(store: &Path, name: &str, tag: &str) -> Result<LocalModel, Error> {
    let full = format!("ollama:{name}:{tag}");
    let absent = |hint: &str| Error::NotCached {
        name: full.clone(),
        cache: store.to_owned(),
        hint: hint.to_owned(),
    };
    let (namespace, model) = name.split_once('/').unwrap_or(("library", name));
    let path: PathBuf = [
        store,
        "manifests/registry.ollama.ai".as_ref(),
        namespace.as_ref(),
        model.as_ref(),
        tag.as_ref(),
    ]
    .iter()
    .collect();
    let pull = format!("fetch it with `ollama pull {name}:{tag}`, or set OLLAMA_MODELS");
    let text = fs::read_to_string(&path).map_err(|_| absent(&pull))?;
    let digest = model_digest(&text).ok_or_else(|| Error::Protocol {
        host: "ollama".to_owned(),
        what: path.display().to_string(),
        reason: "expected a manifest with one model layer".to_owned(),
        hint: String::new(),
    })?;
    let blob = store.join("blobs").join(format!("sha256-{digest}"));
    if !blob.is_file() {
        return Err(absent(&pull));
    }
    LocalModel::new(full, vec![blob])
}

/// The hash of the model layer, checked to be one: it becomes a file name.
fn model_digest(manifest: &str) -> Option<String> {
    let json: Value = serde_json::from_str(manifest).ok()?;
    let layers = json.get("layers")?.as_array()?;
    let is_model = |layer: &&Value| {
        layer.get("mediaType").and_then(Value::as_str) == Some("application/vnd.ollama.image.model")
    };
    let digest = layers.iter().find(is_model)?.get("digest")?.as_str()?;
    digest
        .strip_prefix("sha256:")
        .filter(|hash| is_sha256(hash))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hash_becomes_a_file_name() {
        let manifest = |digest: &str| {
            format!(
                r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.license","digest":"x"}},
                {{"mediaType":"application/vnd.ollama.image.model","digest":"{digest}"}}]}}"#
            )
        };
        let hash = "ab".repeat(32);
        assert_eq!(
            model_digest(&manifest(&format!("sha256:{hash}"))),
            Some(hash)
        );
        for digest in ["sha256:../../etc/passwd", "sha256:", "md5:ab", ""] {
            assert_eq!(model_digest(&manifest(digest)), None, "{digest}");
        }
        assert_eq!(model_digest("not json"), None);
    }
}
