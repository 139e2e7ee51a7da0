//! The `tojson` filter: `json.dumps` as Hugging Face calls it.
//!
//! Unlike Jinja's own filter it escapes no HTML, keeps non-ASCII text and the order of keys, and
//! separates with `", "` and `": "` (transformers, `chat_template_utils.py`).

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::args::Args;
use super::error::{limit, operation};
use super::limits::{MAX_VALUE_DEPTH, Meter, meter};
use super::print::push_float;
use super::value::type_name;

/// `value|tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(super) fn tojson(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "ensure_ascii", "indent", "separators", "sort_keys"])?;
    let indent = args
        .get(2)
        .filter(|value| !value.is_none())
        .map(indent_text)
        .transpose()?;
    let mut separators = (
        if indent.is_some() { "," } else { ", " }.to_owned(),
        ": ".to_owned(),
    );
    if let Some(given) = args.get(3).filter(|value| !value.is_none()) {
        let part = |i| given.get_item_by_index(i).ok()?.as_str().map(str::to_owned);
        separators = part(0)
            .zip(part(1))
            .ok_or_else(|| operation("`separators` of tojson must be two strings"))?;
    }
    let mut writer = Writer {
        meter: meter(state),
        out: String::new(),
        ascii: args.get(1).is_some_and(Value::is_true),
        sort: args.get(4).is_some_and(Value::is_true),
        indent,
        separators,
    };
    writer.write(args.first()?, 0)?;
    Ok(Value::from(writer.out))
}

fn indent_text(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str().filter(|text| text.len() <= 64) {
        return Ok(text.to_owned());
    }
    match i64::try_from(value.clone()) {
        Ok(width @ ..=64) => Ok(" ".repeat(usize::try_from(width).unwrap_or(0))),
        _ => Err(operation("`indent` of tojson must be at most 64")),
    }
}

struct Writer<'m> {
    meter: &'m mut Meter,
    out: String,
    ascii: bool,
    sort: bool,
    indent: Option<String>,
    separators: (String, String),
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_VALUE_DEPTH {
            return Err(limit(format!("{MAX_VALUE_DEPTH} nested values")));
        }
        self.meter.make(8)?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self
                .out
                .push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => self.out.push_str(&value.to_string()),
            ValueKind::Number => push_float(
                f64::try_from(value.clone()).unwrap_or(f64::NAN),
                "Infinity",
                "NaN",
                &mut self.out,
            ),
            ValueKind::String => self.write_string(value.as_str().unwrap_or_default())?,
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?;
                self.container('[', ']', items, depth, |writer, item| {
                    writer.write(&item, depth + 1)
                })?;
            }
            ValueKind::Map => {
                let object = value.as_object().expect("a map is an object");
                let mut pairs: Vec<_> = object.try_iter_pairs().into_iter().flatten().collect();
                if self.sort {
                    pairs.sort_by(|a, b| a.0.as_str().cmp(&b.0.as_str()));
                }
                self.container('{', '}', pairs.into_iter(), depth, |writer, (key, item)| {
                    writer.write_key(&key)?;
                    let colon = writer.separators.1.clone();
                    writer.push(&colon)?;
                    writer.write(&item, depth + 1)
                })?;
            }
            _ => {
                let name = type_name(value);
                return Err(operation(format!(
                    "Object of type {name} is not JSON serializable"
                )));
            }
        }
        Ok(())
    }

    fn container<T>(
        &mut self,
        open: char,
        close: char,
        items: impl Iterator<Item = T>,
        depth: usize,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        let mut empty = true;
        for item in items {
            if !empty {
                let comma = self.separators.0.clone();
                self.push(&comma)?;
            }
            empty = false;
            self.new_line(depth + 1)?;
            write(self, item)?;
        }
        if !empty {
            self.new_line(depth)?;
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) -> Result<(), Error> {
        if let Some(indent) = &self.indent {
            self.meter.make(1 + indent.len() * depth)?;
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
        Ok(())
    }

    /// Keys that are not strings become ones, as in Python.
    fn write_key(&mut self, key: &Value) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => self.write_string(key.as_str().unwrap_or_default()),
            ValueKind::Number | ValueKind::Bool | ValueKind::None => {
                self.out.push('"');
                self.write(key, MAX_VALUE_DEPTH)?;
                self.out.push('"');
                Ok(())
            }
            _ => Err(operation(format!(
                "keys must be str, int, float, bool or None, not {}",
                type_name(key)
            ))),
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Error> {
        self.meter.make(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn write_string(&mut self, text: &str) -> Result<(), Error> {
        self.meter
            .make(text.len().saturating_mul(if self.ascii { 6 } else { 2 }))?;
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }
}
