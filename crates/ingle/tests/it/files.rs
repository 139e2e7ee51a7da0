//! Models for these tests, and files that last as long as a test.

use std::path::PathBuf;

use ingle::{Gguf, Model, ModelBuilder, SamplerParams};
use testkit::golden;
use testkit::tiny::Parts;

/// A file in the temporary folder, gone at the end.
pub(crate) struct TempFile(PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("ingle-test-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A small model that writes little stories; no chat template of its own.
pub(crate) fn stories() -> ModelBuilder {
    let path = golden::path("models/stories260K-f32.gguf");
    Model::builder(path.to_str().expect("a path in UTF-8")).threads(2)
}

/// The file of [`stories`] in parts, to be changed.
pub(crate) fn stories_parts() -> Parts {
    let gguf = Gguf::parse(golden::bytes("models/stories260K-f32.gguf")).expect("a golden file");
    Parts::of(&gguf)
}

/// Always the best token.
pub(crate) fn greedy() -> SamplerParams {
    SamplerParams {
        temp: 0.0,
        ..SamplerParams::default()
    }
}

/// Always this token.
pub(crate) fn always(id: u32) -> SamplerParams {
    SamplerParams {
        logit_bias: vec![(id, 1e9)],
        ..greedy()
    }
}
