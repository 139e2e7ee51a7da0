//! Rust's `{:?}` text as JSON.
//!
//! A model's config is plain data with derived `Debug`, and grows with every new family. Read this way, a
//! field that is added there appears in `ingle show` without anybody listing it here.
//!
//! ```text
//! XConfig { a: 1, b: None } → {"a": 1, "b": null}      Name(x) → {"Name": x}      Some(x) → x
//! Name { a: 1 }             → {"type": "Name", "a": 1}                             Name    → "Name"
//! ```
//!
//! `Debug` writes a struct and a variant with fields alike. The config's structs are all called `…Config`,
//! which says nothing; any other name is a variant's, which does.

use serde_json::{Map, Value};

/// The JSON of a value's derived `Debug`; text that is none of that comes back as a string.
pub(super) fn to_json(value: &impl std::fmt::Debug) -> Value {
    let text = format!("{value:?}");
    let mut reader = Reader { rest: &text };
    match reader.value() {
        Some(value) if reader.rest.is_empty() => value,
        _ => Value::String(text),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Option<Value> {
        match self.rest.chars().next()? {
            '[' => {
                self.eat("[");
                self.list("]").map(Value::Array)
            }
            '"' => self.string(),
            c if c == '-' || c.is_ascii_digit() => self.number(),
            _ => self.named(),
        }
    }

    /// `Name`, `Name(…)`, `Name { … }`, and the words that JSON has too.
    fn named(&mut self) -> Option<Value> {
        let name = self.word();
        match name {
            "true" | "false" => return Some(Value::Bool(name == "true")),
            "None" => return Some(Value::Null),
            "NaN" | "inf" => return Some(Value::String(name.to_owned())),
            _ => {}
        }
        if self.eat("(") {
            let mut values = self.list(")")?;
            let inner = match values.len() {
                1 => values.swap_remove(0),
                _ => Value::Array(values),
            };
            return Some(match name {
                "" | "Some" => inner,
                _ => Value::Object(Map::from_iter([(name.to_owned(), inner)])),
            });
        }
        if self.eat(" { ") {
            return self.fields(name);
        }
        (!name.is_empty()).then(|| Value::String(name.to_owned()))
    }

    fn fields(&mut self, name: &str) -> Option<Value> {
        let mut fields = Map::new();
        if !name.ends_with("Config") {
            fields.insert("type".to_owned(), Value::String(name.to_owned()));
        }
        loop {
            let field = self.word();
            if !self.eat(": ") {
                return None;
            }
            fields.insert(field.to_owned(), self.value()?);
            if self.eat(" }") {
                return Some(Value::Object(fields));
            }
            if !self.eat(", ") {
                return None;
            }
        }
    }

    fn list(&mut self, end: &str) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        while !self.eat(end) {
            values.push(self.value()?);
            if !self.eat(", ") && !self.rest.starts_with(end) {
                return None;
            }
        }
        Some(values)
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let text = self.take_while(is_part);
        match text.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => {
                let float: f64 = text.parse().ok()?;
                Some(
                    serde_json::Number::from_f64(float)
                        .map_or(Value::String(text.to_owned()), Value::Number),
                )
            }
        }
    }

    /// Rust's escapes are JSON's but for `\u{…}` and `\'`, which names and numbers do not hold.
    fn string(&mut self) -> Option<Value> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let is_end = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            is_end
        });
        let (text, rest) = self.rest.split_at(end?.0 + 1);
        self.rest = rest;
        Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
    }

    fn word(&mut self) -> &'a str {
        self.take_while(|c| c.is_alphanumeric() || c == '_')
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_json;

    #[derive(Debug)]
    #[allow(dead_code, reason = "read through Debug")]
    struct InnerConfig {
        eps: f32,
        list: Vec<f64>,
        name: &'static str,
    }

    #[derive(Debug)]
    #[allow(dead_code, reason = "read through Debug")]
    enum Kind {
        Unit,
        Tuple(InnerConfig),
        Struct {
            a: Option<i32>,
            b: Option<bool>,
            pair: (u8, u8),
        },
    }

    #[test]
    fn derived_debug_reads_as_json() {
        let inner = InnerConfig {
            eps: 1e-5,
            list: vec![1.0, -0.5],
            name: "a \"b\"",
        };
        let expected = json!({"Tuple": {"eps": 1e-5, "list": [1.0, -0.5], "name": "a \"b\""}});
        assert_eq!(to_json(&Kind::Tuple(inner)), expected);
        assert_eq!(to_json(&Kind::Unit), json!("Unit"));
        let found = to_json(&Kind::Struct {
            a: None,
            b: Some(true),
            pair: (1, 2),
        });
        assert_eq!(
            found,
            json!({"type": "Struct", "a": null, "b": true, "pair": [1, 2]})
        );
        assert_eq!(to_json(&Vec::<u8>::new()), json!([]));
    }

    #[test]
    fn other_text_stays_text() {
        assert_eq!(to_json(&format_args!("<opaque> 1")), json!("<opaque> 1"));
    }
}
