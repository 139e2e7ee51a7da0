//! Replies put together again from their pieces.

use ingle::dialogue::{Delta, Format, ReplyParser, Tool};
use serde_json::{Value, json};

pub(crate) fn template(name: &str) -> String {
    testkit::golden::text(&format!("templates/{name}.jinja"))
}

pub(crate) fn format(name: &str) -> Format {
    Format::detect(&template(name))
}

pub(crate) fn tools() -> Vec<Tool> {
    let weather = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
            "hourly": {"type": "boolean"}
        },
        "required": ["city"]
    });
    let write = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 2}
        },
        "required": ["path", "lines"]
    });
    vec![
        Tool::new("get_weather", "Current weather of a city", weather),
        Tool::new("write_file", "Writes a file", write),
        Tool::new(
            "now",
            "The time",
            json!({"type": "object", "properties": {}}),
        ),
    ]
}

/// What a reply came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Whole {
    pub(crate) content: String,
    pub(crate) reasoning: String,
    /// Names, arguments as they came, and whether each ended.
    pub(crate) calls: Vec<(String, String, bool)>,
    pub(crate) ids: Vec<String>,
}

impl Whole {
    pub(crate) fn add(&mut self, deltas: Vec<Delta>) {
        for delta in deltas {
            match delta {
                Delta::Content(text) => self.content += &text,
                Delta::Reasoning(text) => self.reasoning += &text,
                Delta::ToolCallStart { index, id, name } => {
                    assert_eq!(index, self.calls.len());
                    self.calls.push((name, String::new(), false));
                    self.ids.push(id);
                }
                Delta::ToolCallArguments {
                    index,
                    json_fragment,
                } => {
                    assert_eq!(index + 1, self.calls.len());
                    self.calls[index].1 += &json_fragment;
                }
                Delta::ToolCallEnd { index } => {
                    assert!(!self.calls[index].2);
                    self.calls[index].2 = true;
                }
            }
        }
    }

    /// Names and arguments, which must be JSON.
    pub(crate) fn calls(&self) -> Vec<(&str, Value)> {
        let call = |(name, arguments, ended): &'_ (String, String, bool)| {
            assert!(ended, "{name} has not ended");
            serde_json::from_str(arguments).unwrap_or_else(|e| panic!("{name}: {arguments}: {e}"))
        };
        self.calls
            .iter()
            .map(|one| (one.0.as_str(), call(one)))
            .collect()
    }
}

/// `reply` in pieces that end at `cuts`.
pub(crate) fn parse(format: &Format, prompt: &str, reply: &str, cuts: &[usize]) -> Whole {
    let mut parser = ReplyParser::new(format, prompt, &tools(), 7);
    let mut whole = Whole::default();
    let mut from = 0;
    for &cut in cuts.iter().chain([&reply.len()]) {
        whole.add(parser.push(&reply[from..cut]));
        from = cut;
    }
    whole.add(parser.finish());
    whole
}
