//! Facts about a model that is on the disk, read from its metadata without loading it.

use std::collections::{HashMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use ingle::{DType, Gguf, GgufValue};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::{ApiError, Outcome};
use crate::registry::{Listed, Named};

/// What lists and descriptions say of a model.
#[derive(Clone, Debug)]
pub(super) struct Details {
    architecture: String,
    parameters: u64,
    quant: String,
}

/// What is known of models, by their files and when they were written.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<u64, Details>>);

impl Known {
    /// The facts about a model; none if its files cannot be read.
    pub(super) fn details(&self, listed: &Listed) -> Option<Details> {
        let mut hasher = DefaultHasher::new();
        (&listed.named.source, listed.modified, listed.bytes).hash(&mut hasher);
        let key = hasher.finish();
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(details) = known().get(&key) {
            return Some(details.clone());
        }
        let opened = ingle::open(&listed.named.source, &mut ()).ok()?;
        let details = Details::new(opened.gguf().ok()?.as_ref(), listed.quant.as_deref());
        known().insert(key, details.clone());
        Some(details)
    }
}

impl Details {
    pub(super) fn new(gguf: &Gguf, quant: Option<&str>) -> Self {
        let elements = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        let mut by_type: HashMap<DType, u64> = HashMap::new();
        for tensor in gguf.tensors() {
            *by_type.entry(tensor.dtype).or_default() += elements(&tensor.shape);
        }
        let most = by_type.iter().max_by_key(|(_, elements)| **elements);
        let quant = quant.map_or_else(
            || most.map_or(String::new(), |(dtype, _)| dtype.name().to_uppercase()),
            str::to_owned,
        );
        Self {
            architecture: string(gguf, "general.architecture").unwrap_or_default(),
            parameters: by_type.values().sum(),
            quant,
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "parent_model": "",
            "format": "gguf",
            "family": self.architecture,
            "families": [self.architecture],
            "parameter_size": rounded(self.parameters),
            "quantization_level": self.quant,
        })
    }
}

/// A model's metadata; lists are left out, as Ollama has it, since those of a vocabulary are long.
pub(super) fn metadata(gguf: &Gguf, details: &Details) -> Value {
    let mut fields = Map::new();
    for (key, value) in gguf.metadata().iter() {
        fields.insert(key.to_owned(), plain(value));
    }
    fields.insert("general.parameter_count".into(), json!(details.parameters));
    Value::Object(fields)
}

/// A metadata value that is text.
pub(super) fn string(gguf: &Gguf, key: &str) -> Option<String> {
    match gguf.metadata().get(key) {
        Some(GgufValue::String(text)) => Some(text.to_str_lossy().into_owned()),
        _ => None,
    }
}

fn plain(value: &GgufValue) -> Value {
    match value {
        GgufValue::U8(x) => json!(x),
        GgufValue::I8(x) => json!(x),
        GgufValue::U16(x) => json!(x),
        GgufValue::I16(x) => json!(x),
        GgufValue::U32(x) => json!(x),
        GgufValue::I32(x) => json!(x),
        GgufValue::U64(x) => json!(x),
        GgufValue::I64(x) => json!(x),
        GgufValue::F32(x) => json!(x),
        GgufValue::F64(x) => json!(x),
        GgufValue::Bool(x) => json!(x),
        GgufValue::String(text) => json!(text.to_str_lossy()),
        GgufValue::Array(_) => Value::Null,
    }
}

/// What tells versions of a model apart, in the form of a SHA-256. It is not that of the files, which would take
/// minutes to read: it is made of their name, length and time.
pub(super) fn digest(listed: &Listed) -> String {
    let Named { source, .. } = &listed.named;
    let text = format!("{source}\n{}\n{}", listed.bytes, listed.modified);
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `1.5B`, `270M`.
fn rounded(parameters: u64) -> String {
    let number = parameters as f64;
    match parameters {
        0..1_000 => parameters.to_string(),
        1_000..1_000_000 => format!("{:.2}K", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", number / 1e6),
        _ => format!("{:.1}B", number / 1e9),
    }
}

/// Opens a model's files.
///
/// # Errors
/// If they cannot be read.
pub(super) fn open(named: &Named) -> Outcome<ingle::ModelFiles> {
    ingle::open(&named.source, &mut ()).map_err(ApiError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let cases = [
            (999, "999"),
            (260_032, "260.03K"),
            (134_515_008, "134.52M"),
            (1_543_714_304, "1.5B"),
        ];
        for (number, text) in cases {
            assert_eq!(rounded(number), text);
        }
    }
}
