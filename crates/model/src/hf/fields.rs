//! `config.json` as GGUF metadata: what family files read and write.

use std::cell::RefCell;
use std::collections::HashSet;

use formats::Tensor;
use formats::gguf::{Array, Metadata, Value};
use serde_json::{Map, Value as Json};

use crate::LoadError;

/// The architecture's name.
pub(super) fn architecture(json: &Map<String, Json>) -> Result<&str, LoadError> {
    let names = json.get("architectures").and_then(Json::as_array);
    let name = names.and_then(|names| names.first()).and_then(Json::as_str);
    name.ok_or_else(|| {
        wrong(
            "architectures",
            "a list with one name",
            json.get("architectures"),
        )
    })
}

/// The part that is about the text model; older files have its keys beside the others.
pub(super) fn text_part(json: &Map<String, Json>) -> Result<&Map<String, Json>, LoadError> {
    let part = json.get("text_config");
    if part.is_none() && json.contains_key("hidden_size") {
        return Ok(json);
    }
    let object = part.and_then(Json::as_object);
    object.ok_or_else(|| wrong("text_config", "an object", part))
}

/// What a family reads of `config.json`, and writes into metadata.
pub struct Fields<'a> {
    json: &'a Map<String, Json>,
    pub(super) prefix: &'static str,
    metadata: &'a mut Metadata,
    tensors: Vec<Tensor>,
    /// Keys that somebody asked for; the others are judged in the end.
    read: RefCell<HashSet<String>>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        json: &'a Map<String, Json>,
        prefix: &'static str,
        metadata: &'a mut Metadata,
    ) -> Self {
        Self {
            json,
            prefix,
            metadata,
            tensors: Vec::new(),
            read: RefCell::default(),
        }
    }

    /// The whole config.
    pub(super) fn json(&self) -> &'a Map<String, Json> {
        self.json
    }

    /// What has been written.
    pub(super) fn metadata(&self) -> &Metadata {
        self.metadata
    }

    /// Adds a tensor that comes from the config.
    pub(super) fn add_tensor(&mut self, tensor: Tensor) {
        self.tensors.push(tensor);
    }

    /// Takes the tensors that come from the config.
    pub(super) fn take_tensors(&mut self) -> Vec<Tensor> {
        std::mem::take(&mut self.tensors)
    }

    /// Whether somebody asked for a key.
    pub(super) fn was_read(&self, key: &str) -> bool {
        self.read.borrow().contains(key)
    }

    /// Copies a number, truth value, string or list of numbers, if it is there.
    pub fn copy(&mut self, from: &str, to: &str) -> Result<(), LoadError> {
        let value = match self.get(from) {
            None => return Ok(()),
            Some(Json::Bool(x)) => Value::Bool(*x),
            Some(Json::String(x)) => Value::String(x.as_str().into()),
            Some(Json::Number(x)) if x.is_u64() => Value::U32(self.size(from)?.unwrap_or(0)),
            Some(Json::Number(_)) => Value::F32(self.float(from)?.unwrap_or(0.0)),
            other => return Err(wrong(from, "a number, a truth value or a string", other)),
        };
        self.set(to, value);
        Ok(())
    }

    /// A value, unless it is absent or null. Dots lead into objects.
    pub fn get(&self, key: &str) -> Option<&'a Json> {
        self.read.borrow_mut().insert(key.to_owned());
        self.peek(key)
    }

    /// The same, without a promise that the value is heeded.
    pub(super) fn peek(&self, key: &str) -> Option<&'a Json> {
        let mut parts = key.split('.');
        let first = self.json.get(parts.next()?)?;
        let found = parts.try_fold(first, |object, part| object.get(part))?;
        (!found.is_null()).then_some(found)
    }

    /// A whole number, if it is there; or one for each layer, all the same.
    pub fn size(&self, key: &str) -> Result<Option<u32>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let one = match value.as_array().map(Vec::as_slice) {
            Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => first,
            _ => value,
        };
        let size = one.as_u64().and_then(|x| u32::try_from(x).ok());
        size.map(Some)
            .ok_or_else(|| wrong(key, "a whole number", Some(value)))
    }

    /// A number, if it is there.
    pub fn float(&self, key: &str) -> Result<Option<f32>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let x = value.as_f64().map(|x| x as f32);
        x.map(Some)
            .ok_or_else(|| wrong(key, "a number", Some(value)))
    }

    /// A truth value, if it is there.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::Bool(x)) => Ok(Some(*x)),
            other => Err(wrong(key, "true or false", other)),
        }
    }

    /// A string, if it is there.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::String(x)) => Ok(Some(x)),
            other => Err(wrong(key, "a string", other)),
        }
    }

    /// A list of numbers, if it is there.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let list = value.as_array().and_then(|list| {
            let numbers = list.iter().map(|x| Some(x.as_f64()? as f32));
            numbers.collect()
        });
        list.map(Some)
            .ok_or_else(|| wrong(key, "a list of numbers", Some(value)))
    }

    /// A list of whole numbers, if it is there.
    pub fn sizes(&self, key: &str) -> Result<Option<Vec<u32>>, LoadError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let list = value.as_array().and_then(|list| {
            let numbers = list.iter().map(|x| u32::try_from(x.as_u64()?).ok());
            numbers.collect()
        });
        list.map(Some)
            .ok_or_else(|| wrong(key, "a list of whole numbers", Some(value)))
    }

    /// An error that names a key.
    pub fn wrong(&self, key: &str, expected: &str) -> LoadError {
        wrong(key, expected, self.peek(key))
    }

    /// Writes which layers `layer_types` calls `kind`, if it is there.
    pub fn layers_of(&mut self, kind: &str, key: &str) -> Result<(), LoadError> {
        let Some(types) = self.get("layer_types") else {
            return Ok(());
        };
        let list = types.as_array();
        let list = list.ok_or_else(|| wrong("layer_types", "a list", Some(types)))?;
        let layers = list.iter().map(|found| found == kind).collect();
        self.set(key, Value::Array(Array::Bool(layers)));
        Ok(())
    }

    /// Says that these layers have KV heads, and none else.
    pub fn kv_heads_where(&mut self, attends: impl Fn(u32) -> bool) -> Result<(), LoadError> {
        let heads = self.written("attention.head_count_kv").unwrap_or(0);
        // No more layers are believed.
        let n_layers = self.written("block_count").unwrap_or(0).min(512);
        let heads = (0..n_layers).map(|layer| if attends(layer) { heads } else { 0 });
        let heads = Value::Array(Array::U32(heads.collect()));
        self.set("attention.head_count_kv", heads);
        Ok(())
    }

    /// Says that layers have KV heads as `layer_types` calls them `attention`, and none else.
    pub fn kv_heads_of(&mut self, attention: &str) -> Result<(), LoadError> {
        let types = self.get("layer_types").and_then(Json::as_array);
        let expected = "a list with one kind for each layer";
        let types = types.ok_or_else(|| wrong("layer_types", expected, self.get("layer_types")))?;
        let heads = self.written("attention.head_count_kv").unwrap_or(0);
        let of_layer = |kind: &Json| if kind == attention { heads } else { 0 };
        let heads = types.iter().map(of_layer).collect();
        self.set("attention.head_count_kv", Value::Array(Array::U32(heads)));
        Ok(())
    }

    /// Fails unless `key` is absent or one of `supported`, for what changes the computation.
    pub fn only(&self, key: &str, supported: &[&str]) -> Result<(), LoadError> {
        match self.get(key).map(text) {
            Some(found) if !supported.contains(&found.as_str()) => Err(LoadError::Unsupported {
                what: format!("`{key}` = `{found}` in config.json"),
            }),
            _ => Ok(()),
        }
    }

    /// Fails unless `key` is absent or a range from 0 without an end: infinity is the greatest number in files as Python
    /// writes JSON (`formats::hf`), and an object in newer ones.
    pub fn only_from_zero_on(&self, key: &str) -> Result<(), LoadError> {
        let Some(range) = self.get(key) else {
            return Ok(());
        };
        let endless = |x: &Json| x.as_f64() == Some(f64::MAX) || x["__float__"] == "Infinity";
        match range.as_array().map(Vec::as_slice) {
            Some([from, to]) if from.as_f64() == Some(0.0) && endless(to) => Ok(()),
            _ => self.only(key, &[]),
        }
    }

    /// Elements of a head, as written or from the width.
    pub(super) fn head_dim(&self) -> Option<u32> {
        let heads = self.written("attention.head_count").filter(|&n| n > 0);
        self.written("attention.key_length")
            .or_else(|| Some(self.written("embedding_length")? / heads?))
    }

    /// Writes values that a config leaves out where they are its class's own.
    pub fn defaults(&mut self, values: &[(&str, Value)]) {
        for (key, value) in values {
            if self
                .metadata
                .get(&format!("{}.{key}", self.prefix))
                .is_none()
            {
                self.set(key, value.clone());
            }
        }
    }

    /// Writes a value under the architecture's prefix.
    pub fn set(&mut self, key: &str, value: Value) {
        self.metadata
            .insert(&format!("{}.{key}", self.prefix), value);
    }

    /// Writes a value that GGUF has no key for, see [`crate::hparams::Hparams::own`].
    pub fn set_own(&mut self, key: &str, value: Value) {
        self.metadata.insert(&format!("ingle.{key}"), value);
    }

    /// A whole number that has been written.
    pub(super) fn written(&self, key: &str) -> Option<u32> {
        match self.metadata.get(&format!("{}.{key}", self.prefix)) {
            Some(Value::U32(x)) => Some(*x),
            _ => None,
        }
    }
}

/// A value as text, strings without quotes.
pub(super) fn text(value: &Json) -> String {
    match value {
        Json::String(x) => x.clone(),
        other => other.to_string(),
    }
}

/// An error that names a key of `config.json`.
pub(super) fn wrong(key: &str, expected: &str, found: Option<&Json>) -> LoadError {
    LoadError::Hyperparameter {
        key: format!("{key} (config.json)"),
        expected: expected.into(),
        found: found.map_or("nothing".into(), Json::to_string),
    }
}
