//! Texts in all the forms that clients send them: text, tokens, both mixed, and lists of those.

use std::borrow::Cow;

use ingle::Tokenizer;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{ApiError, Outcome};

/// Text or token ids, mixed at will, one text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct TextFields(Value);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Token(u32),
}

impl JsonSchema for TextFields {
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let piece = serde_json::json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0 }] });
        json_schema!({
            "description": "Text, token ids, both mixed, or a list of those.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "array",
                    "minItems": 1,
                    "items": { "anyOf": [piece, { "type": "array", "minItems": 1, "items": piece }] },
                },
            ],
        })
    }
}

impl TextFields {
    /// The texts, at most `most`. Numbers beside each other are one text, as are numbers beside strings; strings alone
    /// are a text each.
    ///
    /// # Errors
    /// What is no text, by its place in `field`.
    pub(crate) fn read(&self, field: &str, most: usize) -> Outcome<Vec<Text>> {
        let texts = match &self.0 {
            Value::Array(items) if items.is_empty() => Vec::new(),
            Value::Array(items) if items.iter().any(Value::is_number) && !has_lists(items) => {
                vec![pieces(field, items)?]
            }
            Value::Array(items) => {
                let text = |(at, item)| one(&format!("{field}[{at}]"), item);
                items.iter().enumerate().map(text).collect::<Outcome<_>>()?
            }
            other => vec![one(field, other)?],
        };
        match (1..=most).contains(&texts.len()) {
            true => Ok(texts),
            false => {
                let found = texts.len();
                let message = format!("`{field}`: expected 1 to {most} texts, found {found}");
                Err(ApiError::field(field, message))
            }
        }
    }
}

fn has_lists(items: &[Value]) -> bool {
    items.iter().any(|item| item.is_array() || item.is_object())
}

fn one(path: &str, value: &Value) -> Outcome<Text> {
    match value {
        Value::String(text) => Ok(Text(vec![Piece::Text(text.clone())])),
        Value::Array(items) => pieces(path, items),
        // llama.cpp's form of a text with pictures, without any.
        Value::Object(object) => match (object.get("prompt_string"), object.get("multimodal_data"))
        {
            (Some(Value::String(text)), None | Some(Value::Null)) => {
                Ok(Text(vec![Piece::Text(text.clone())]))
            }
            (Some(Value::String(text)), Some(Value::Array(data))) if data.is_empty() => {
                Ok(Text(vec![Piece::Text(text.clone())]))
            }
            _ => Err(ApiError::unsupported(format!("{path}.multimodal_data"))),
        },
        other => {
            let message = format!("`{path}`: expected text or tokens, found {other}");
            Err(ApiError::field(path, message))
        }
    }
}

fn pieces(path: &str, items: &[Value]) -> Outcome<Text> {
    let piece = |(at, item): (usize, &Value)| match item {
        Value::String(text) => Ok(Piece::Text(text.clone())),
        item => {
            let id = item.as_u64().and_then(|id| u32::try_from(id).ok());
            id.map(Piece::Token).ok_or_else(|| {
                let path = format!("{path}[{at}]");
                let message = format!("`{path}`: expected text or a token, found {item}");
                ApiError::field(path, message)
            })
        }
    };
    let pieces = items.iter().enumerate().map(piece);
    Ok(Text(pieces.collect::<Outcome<_>>()?))
}

impl Text {
    /// In tokens. What a text begins with is added if it begins with text, not with tokens. Names of control tokens in
    /// it are those tokens if `parse_special`.
    ///
    /// # Errors
    /// A token that is not of the vocabulary.
    pub(crate) fn tokens(
        &self,
        field: &str,
        tokenizer: &Tokenizer,
        parse_special: bool,
    ) -> Outcome<Vec<u32>> {
        let (mut tokens, known) = (Vec::new(), tokenizer.vocab_size());
        for (at, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Text(text) => tokens.extend(tokenizer.encode(text, at == 0, parse_special)),
                Piece::Token(id) if (*id as usize) < known => tokens.push(*id),
                Piece::Token(id) => {
                    let message = format!(
                        "`{field}`: token {id} is not of the vocabulary, which has {known}"
                    );
                    return Err(ApiError::field(field, message));
                }
            }
        }
        Ok(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lens(value: Value) -> Outcome<Vec<usize>> {
        let texts = TextFields(value).read("prompt", 4)?;
        Ok(texts.iter().map(|text| text.0.len()).collect())
    }

    #[test]
    fn all_forms_are_read() {
        let forms = [
            (json!("a"), vec![1]),
            (json!([1, 2, 3]), vec![3]),
            (json!([1, "a", 3]), vec![3]),
            (json!(["a", "b"]), vec![1, 1]),
            (json!([[1, 2], "b", [1, "a"]]), vec![2, 1, 2]),
            (
                json!({ "prompt_string": "a", "multimodal_data": [] }),
                vec![1],
            ),
        ];
        for (form, expected) in forms {
            assert_eq!(lens(form.clone()).expect("a form"), expected, "{form}");
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        let wrong = [
            (json!(1), "prompt"),
            (json!([]), "prompt"),
            (json!(["a", "b", "c", "d", "e"]), "prompt"),
            (json!([1, -2]), "prompt[1]"),
            (json!([[1, 0.5]]), "prompt[0][1]"),
            (json!([null, [1]]), "prompt[0]"),
            (
                json!({ "prompt_string": "a", "multimodal_data": ["x"] }),
                "prompt.multimodal_data",
            ),
        ];
        for (form, param) in wrong {
            let error = lens(form.clone()).expect_err("no text");
            let error = error.body(crate::error::Dialect::OpenAi);
            assert_eq!(error["error"]["param"], param, "{form}");
        }
    }
}
