//! What a reply must look like.

use ingle::GrammarSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{ApiError, Outcome};

/// The form of a reply, at most one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct FormatFields {
    response_format: Option<ResponseFormat>,
    /// A JSON schema (llama.cpp).
    json_schema: Option<Value>,
    /// A grammar in llama.cpp's language.
    grammar: Option<String>,
    /// One of several forms (vLLM).
    structured_outputs: Option<StructuredOutputs>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    kind: String,
    json_schema: Option<NamedSchema>,
    schema: Option<Value>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct NamedSchema {
    schema: Option<Value>,
    #[expect(dead_code, reason = "a label")]
    name: Option<String>,
    #[expect(dead_code, reason = "a label")]
    description: Option<String>,
    #[expect(dead_code, reason = "schemas are always kept to")]
    strict: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct StructuredOutputs {
    json: Option<Value>,
    regex: Option<String>,
    choice: Option<Vec<String>>,
    grammar: Option<String>,
    json_object: Option<bool>,
}

impl FormatFields {
    /// The form that is asked for.
    ///
    /// # Errors
    /// If there are several, or none can be made out.
    pub(crate) fn spec(&self) -> Outcome<Option<GrammarSpec>> {
        let mut specs = Vec::new();
        if let Some(format) = &self.response_format {
            specs.extend(format.spec()?.map(|spec| ("response_format", spec)));
        }
        if let Some(schema) = &self.json_schema {
            specs.push(("json_schema", GrammarSpec::JsonSchema(schema.clone())));
        }
        // Clients send an empty grammar for none.
        if let Some(grammar) = self
            .grammar
            .as_ref()
            .filter(|grammar| !grammar.trim().is_empty())
        {
            specs.push(("grammar", GrammarSpec::Gbnf(grammar.clone())));
        }
        if let Some(outputs) = &self.structured_outputs {
            specs.extend(
                outputs
                    .specs()
                    .into_iter()
                    .map(|spec| ("structured_outputs", spec)),
            );
        }
        match specs.as_slice() {
            [] | [_] => Ok(specs.pop().map(|(_, spec)| spec)),
            [.., (name, _)] => {
                let message = format!("`{name}`: the form of the reply is given already");
                Err(ApiError::field(*name, message))
            }
        }
    }
}

impl FormatFields {
    /// The field that asks for a form, if one does.
    pub(crate) fn field(&self) -> Option<&'static str> {
        let fields = [
            ("response_format", self.response_format.is_some()),
            ("json_schema", self.json_schema.is_some()),
            ("grammar", self.grammar.is_some()),
            ("structured_outputs", self.structured_outputs.is_some()),
        ];
        fields
            .into_iter()
            .find_map(|(name, is_given)| is_given.then_some(name))
    }

    /// The form as llama.cpp reports it.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        let grammar = self.grammar.clone().unwrap_or_default();
        let pairs = [
            ("grammar", Some(json!(grammar))),
            ("json_schema", self.json_schema.clone()),
        ];
        let pairs = pairs.into_iter();
        pairs
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

impl ResponseFormat {
    fn spec(&self) -> Outcome<Option<GrammarSpec>> {
        let named = self
            .json_schema
            .as_ref()
            .and_then(|named| named.schema.as_ref());
        let schema = self.schema.as_ref().or(named);
        let wrong =
            |param: &str, what: &str| Err(ApiError::field(param, format!("`{param}`: {what}")));
        match (self.kind.as_str(), schema) {
            ("text", None) => Ok(None),
            ("json_object", None) => Ok(Some(GrammarSpec::JsonObject)),
            ("json_object" | "json_schema", Some(schema)) => {
                Ok(Some(GrammarSpec::JsonSchema(schema.clone())))
            }
            ("json_schema", None) => wrong("response_format.json_schema", "a schema is missing"),
            ("text", Some(_)) => wrong("response_format.type", "text has no schema"),
            (other, _) => {
                let what =
                    format!("expected `text`, `json_object` or `json_schema`, found `{other}`");
                wrong("response_format.type", &what)
            }
        }
    }
}

impl StructuredOutputs {
    fn specs(&self) -> Vec<GrammarSpec> {
        let grammar = |text: &String| match text.contains("::=") {
            true => GrammarSpec::Gbnf(text.clone()),
            false => GrammarSpec::Lark(text.clone()),
        };
        // A schema may come as text.
        let json = |value: &Value| match value.as_str().map(serde_json::from_str) {
            Some(Ok(schema)) => GrammarSpec::JsonSchema(schema),
            _ => GrammarSpec::JsonSchema(value.clone()),
        };
        let object = self.json_object.filter(|&object| object);
        let specs = [
            self.json.as_ref().map(json),
            self.regex.clone().map(GrammarSpec::Regex),
            self.choice.clone().map(GrammarSpec::Choice),
            self.grammar.as_ref().map(grammar),
            object.map(|_| GrammarSpec::JsonObject),
        ];
        specs.into_iter().flatten().collect()
    }
}
