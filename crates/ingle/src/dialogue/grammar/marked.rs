//! Arguments as Gemma 4 writes them: `{key:<|"|>text<|"|>,other:[1,true]}`, keys in order, texts as they are.
//!
//! JSON's grammar does not help, so schemas are followed here: types, `enum`, `const`, `properties`, `items` with their
//! least and most number, `anyOf`, `$ref`. Lengths of texts are not enforced, as in other formats without JSON. A schema
//! that says more is not described.

use serde_json::{Map, Value};

use super::formats::Rules;
use super::quoted;
use super::values::{members, properties};
use crate::dialogue::Tool;

const QUOTE: &str = "<|\"|>";
/// Names of the members of an object whose schema has none.
const KEY: &str = "/[A-Za-z_][A-Za-z0-9_.-]{0,63}/";

/// What says nothing about values, or nothing that is enforced.
const SILENT: [&str; 11] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "$comment",
    "$defs",
    "definitions",
    "$schema",
    "minLength",
    "maxLength",
];
/// Schemas in schemas; whoever reads a deeper value refuses it.
const MAX_DEPTH: usize = 32;

/// All arguments of a tool. None if its schema says something that is not described here.
pub(super) fn arguments(tool: &Tool, rules: &mut Rules) -> Option<String> {
    let mut schema = tool.parameters.as_object()?.clone();
    // Where the schema is silent, there are no arguments but those that it names.
    schema.insert("additionalProperties".into(), false.into());
    let mut writer = Writer {
        root: &tool.parameters,
        rules,
        references: Vec::new(),
        depth: 0,
    };
    writer.object(&schema)
}

struct Writer<'a> {
    root: &'a Value,
    rules: &'a mut Rules,
    /// Places in the schema, and the rules for what is there.
    references: Vec<(String, String)>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, schema: &Value) -> Option<String> {
        let words = match schema {
            Value::Bool(true) => return Some(self.anything()),
            _ => schema.as_object()?,
        };
        self.depth += 1;
        let written = (self.depth <= MAX_DEPTH).then(|| self.of_words(words));
        self.depth -= 1;
        written.flatten()
    }

    fn of_words(&mut self, words: &Map<String, Value>) -> Option<String> {
        let only = |known: &[&str]| {
            let is_known = |word: &&String| SILENT.contains(&word.as_str());
            let mut others = words.keys().filter(|word| !is_known(word));
            others.all(|word| known.contains(&word.as_str()))
        };
        if let Some(value) = words.get("const") {
            return only(&["const", "type"]).then(|| literal(value)).flatten();
        }
        if let Some(values) = words.get("enum") {
            let texts = values.as_array()?.iter().map(literal);
            let texts: Option<Vec<_>> = texts.collect();
            return texts.filter(|_| only(&["enum", "type"])).map(either);
        }
        if let Some(place) = words.get("$ref") {
            return self.reference(place.as_str()?).filter(|_| only(&["$ref"]));
        }
        if let Some(kinds) = words.get("anyOf").or(words.get("oneOf")) {
            let texts = kinds.as_array()?.iter().map(|kind| self.value(kind));
            let texts: Option<Vec<_>> = texts.collect();
            return texts.filter(|_| only(&["anyOf", "oneOf"])).map(either);
        }
        match words.get("type") {
            Some(Value::Array(kinds)) => {
                let texts = kinds.iter().map(|kind| {
                    let mut one = words.clone();
                    one.insert("type".into(), kind.clone());
                    self.of_words(&one)
                });
                texts.collect::<Option<Vec<_>>>().map(either)
            }
            Some(Value::String(kind)) => match kind.as_str() {
                "string" => only(&["type"]).then(|| self.text()),
                "object" => self.object(words),
                "array" => self.array(words),
                // As in JSON, and what they say more is checked there.
                _ => Some(format!("%json {}", Value::Object(words.clone()))),
            },
            Some(_) => None,
            None if words.contains_key("properties") => self.object(words),
            None if words.contains_key("items") => self.array(words),
            None => only(&[]).then(|| self.anything()),
        }
    }

    fn object(&mut self, words: &Map<String, Value>) -> Option<String> {
        const KNOWN: [&str; 4] = ["type", "properties", "required", "additionalProperties"];
        let is_known =
            |word: &String| KNOWN.contains(&word.as_str()) || SILENT.contains(&word.as_str());
        let schema = Value::Object(words.clone());
        let mut keys = properties(&schema).filter(|_| words.keys().all(is_known))?;
        let others = words.get("additionalProperties");
        if keys.is_empty() && others != Some(&Value::Bool(false)) {
            let value = self.value(others.unwrap_or(&Value::Bool(true)))?;
            return Some(format!(
                "\"{{\" ({KEY} \":\" ({value}) (\",\" {KEY} \":\" ({value}))*)? \"}}\""
            ));
        }
        // The order in which the template shows calls.
        keys.sort_by_key(|key| key.to_lowercase());
        let each = |writer: &mut Self, key: &str| {
            let value = writer.value(&schema["properties"][key])?;
            Some(format!("{} ({value})", quoted(&format!("{key}:"))))
        };
        let members = members(self, &schema, &keys, ",", &each)?;
        Some(format!("\"{{\" {members} \"}}\""))
    }

    fn array(&mut self, words: &Map<String, Value>) -> Option<String> {
        const KNOWN: [&str; 4] = ["type", "items", "minItems", "maxItems"];
        let is_known =
            |word: &String| KNOWN.contains(&word.as_str()) || SILENT.contains(&word.as_str());
        let item = self.value(words.get("items").unwrap_or(&Value::Bool(true)))?;
        let name = self.rules.rule("item", &item);
        let number = |word: &str| words.get(word).map(Value::as_u64);
        let (least, most) = (number("minItems").unwrap_or(Some(0))?, number("maxItems"));
        let most = match most {
            Some(most) => Some(most.filter(|&most| most >= least)?),
            None => None,
        };
        let more = match most {
            Some(0) => return Some("\"[]\"".to_owned()),
            Some(most) => format!("{{{},{}}}", least.saturating_sub(1), most - 1),
            None => format!("{{{},}}", least.saturating_sub(1)),
        };
        let optional = if least == 0 { "?" } else { "" };
        let items = format!("({name} (\",\" {name}){more}){optional}");
        words
            .keys()
            .all(is_known)
            .then(|| format!("\"[\" {items} \"]\""))
    }

    /// What is at a place in the schema, perhaps itself.
    fn reference(&mut self, place: &str) -> Option<String> {
        if let Some((_, name)) = self.references.iter().find(|(known, _)| known == place) {
            return Some(name.clone());
        }
        let schema = self.root.pointer(place.strip_prefix('#')?)?;
        let name = format!("place_{}", self.rules.number());
        self.references.push((place.to_owned(), name.clone()));
        let text = self.value(schema)?;
        self.rules.lines.push(format!("{name}: {text}"));
        Some(name)
    }

    /// Any text in quotes.
    fn text(&mut self) -> String {
        let until = format!("%until quoted QUOTED {}", quoted(QUOTE));
        self.rules.once(until);
        format!("%token {} quoted", quoted(QUOTE))
    }

    fn anything(&mut self) -> String {
        let text = self.text();
        self.rules.once(format!(
            "anything: {text} | %json {{\"type\": [\"number\", \"boolean\", \"null\"]}}\n\
             | \"[\" (anything (\",\" anything)*)? \"]\"\n\
             | \"{{\" ({KEY} \":\" anything (\",\" {KEY} \":\" anything)*)? \"}}\""
        ));
        "anything".to_owned()
    }
}

impl AsMut<Rules> for Writer<'_> {
    fn as_mut(&mut self) -> &mut Rules {
        self.rules
    }
}

fn either(texts: Vec<String>) -> String {
    format!("({})", texts.join(" | "))
}

/// One value. None if it cannot be written.
fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) if text.contains(QUOTE) => return None,
        Value::String(text) => {
            let mark = quoted(QUOTE);
            format!("%token {mark} {} %token {mark}", quoted(text))
        }
        Value::Array(_) | Value::Object(_) => return None,
        _ => quoted(&value.to_string()),
    })
}
