//! Tools and their calls, as chat templates get them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// A function that a model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name: letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON schema of its arguments, an object.
    pub parameters: Value,
}

impl Tool {
    /// A tool whose arguments fit the JSON schema `parameters`.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters,
        }
    }

    /// What Hugging Face passes to templates, one of the list `tools`.
    pub fn to_template(&self) -> Value {
        json!({
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.parameters,
            }
        })
    }

    /// The schema of one argument.
    pub(super) fn argument(&self, name: &str) -> Option<&Value> {
        self.parameters.get("properties")?.get(name)
    }
}

/// A call that a model made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What the tool's answer refers to.
    pub id: String,
    /// The tool.
    pub name: String,
    /// An object. From OpenAI's API it comes as a string of JSON, which is read.
    pub arguments: Value,
}

/// The form in which templates and OpenAI's API have it.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    id: String,
    #[serde(rename = "type", default = "function")]
    kind: String,
    function: WireFunction,
}

#[derive(Serialize, Deserialize)]
struct WireFunction {
    name: String,
    #[serde(default)]
    arguments: Value,
}

fn function() -> String {
    "function".to_owned()
}

impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = Wire {
            id: self.id.clone(),
            kind: function(),
            function: WireFunction {
                name: self.name.clone(),
                arguments: self.arguments.clone(),
            },
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let arguments = match wire.function.arguments {
            Value::Null => Value::Object(Map::new()),
            Value::String(text) => serde_json::from_str(&text).map_err(|e| {
                let name = &wire.function.name;
                serde::de::Error::custom(format!("`arguments` of `{name}`: expected JSON, {e}"))
            })?,
            other => other,
        };
        Ok(Self {
            id: wire.id,
            name: wire.function.name,
            arguments,
        })
    }
}
