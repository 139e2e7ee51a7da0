//! The text of calls, format by format, as Lark.

use super::values::{json, member, object, python};
use super::{marked, quoted};
use crate::dialogue::{CallFormat, Tool};

/// Parts of the grammar of calls. What is in `before`, `between` and `after` is Lark.
pub(super) struct Shape {
    /// What begins calls; empty if nothing does.
    pub(super) mark: &'static str,
    pub(super) before: String,
    pub(super) between: String,
    pub(super) after: String,
    /// Rules, `call` among them.
    pub(super) rules: String,
}

impl Shape {
    /// None for arguments that no grammar here describes.
    pub(super) fn new(format: CallFormat, tools: &[&Tool]) -> Option<Self> {
        let mut rules = Rules::default();
        let call = |rules: &mut Rules, tool: &Tool| call(format, tool, rules);
        let names: Vec<String> = tools
            .iter()
            .enumerate()
            .map(|(i, tool)| {
                rules.tool = i;
                let text = call(&mut rules, tool)?;
                rules.lines.push(format!("call_{i}: {text}"));
                Some(format!("call_{i}"))
            })
            .collect::<Option<_>>()?;
        rules.lines.push(format!("call: {}", names.join(" | ")));
        let (mark, before, between, after) = around(format);
        Some(Self {
            mark,
            before,
            between,
            after,
            rules: rules.lines.join("\n") + "\n",
        })
    }
}

impl AsMut<Self> for Rules {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// Rules in the making. A rule's name has its tool's number in it.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) tool: usize,
    pub(super) lines: Vec<String>,
    numbers: usize,
}

impl Rules {
    /// Part of a name that no other rule has.
    pub(super) fn number(&mut self) -> String {
        self.numbers += 1;
        format!("{}_{}", self.tool, self.numbers)
    }

    /// A rule of its own for a text; its name.
    pub(super) fn rule(&mut self, kind: &str, text: &str) -> String {
        let name = format!("{kind}_{}", self.number());
        self.lines.push(format!("{name}: {text}"));
        name
    }

    /// A line that may be there already.
    pub(super) fn once(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }
}

/// The mark, and what comes before, between and after calls.
fn around(format: CallFormat) -> (&'static str, String, String, String) {
    let none = String::new;
    let list = |mark| (mark, quoted("["), quoted(", "), quoted("]"));
    match format {
        CallFormat::TaggedJson | CallFormat::TaggedXml | CallFormat::TaggedKeys => (
            "<tool_call>",
            none(),
            "\"\\n\" %token \"<tool_call>\"".to_owned(),
            none(),
        ),
        CallFormat::BracketArgs => (
            "[TOOL_CALLS]",
            none(),
            "%token \"[TOOL_CALLS]\"".to_owned(),
            none(),
        ),
        CallFormat::BracketList => list("[TOOL_CALLS]"),
        CallFormat::MarkedList => list("<|tool_call|>"),
        CallFormat::Pythonic => (
            "<|tool_call_start|>",
            quoted("["),
            quoted(", "),
            "\"]\" %token \"<|tool_call_end|>\"".to_owned(),
        ),
        CallFormat::ActionList => (
            "Action:",
            quoted("\n```json\n[\n"),
            quoted(",\n"),
            quoted("\n]```"),
        ),
        CallFormat::WideMarks | CallFormat::WideMarksCode => {
            let between = if format == CallFormat::WideMarks {
                none()
            } else {
                quoted("\n")
            };
            (
                "<｜tool▁calls▁begin｜>",
                none(),
                between,
                "%token \"<｜tool▁calls▁end｜>\"".to_owned(),
            )
        }
        CallFormat::CountedIds => (
            "<|tool_calls_section_begin|>",
            none(),
            none(),
            "%token \"<|tool_calls_section_end|>\"".to_owned(),
        ),
        CallFormat::MarkedCall => (
            "<|tool_call>",
            none(),
            "%token \"<|tool_call>\"".to_owned(),
            none(),
        ),
        CallFormat::BareJson | CallFormat::Harmony => ("", none(), none(), none()),
    }
}

/// One call of `tool`, after the mark.
fn call(format: CallFormat, tool: &Tool, rules: &mut Rules) -> Option<String> {
    let name = &tool.name;
    let json = json(&tool.parameters);
    let front = |text: String| quoted(&text);
    Some(match format {
        CallFormat::TaggedJson => format!(
            "{} {json} \"}}\\n\" %token \"</tool_call>\"",
            front(format!("\n{{\"name\": \"{name}\", \"arguments\": "))
        ),
        CallFormat::BareJson => format!(
            "{} {json} \"}}\"",
            front(format!("{{\"name\": \"{name}\", \"parameters\": "))
        ),
        CallFormat::BracketList => format!(
            "{} {json} (\", \\\"id\\\": \\\"\" /[a-zA-Z0-9]{{9}}/ \"\\\"\")? \"}}\"",
            front(format!("{{\"name\": \"{name}\", \"arguments\": "))
        ),
        CallFormat::MarkedList => format!(
            "{} {json} \"}}\"",
            front(format!("{{\"name\": \"{name}\", \"arguments\": "))
        ),
        CallFormat::ActionList => format!(
            "{} {json} \"\\n    }}\"",
            front(format!(
                "    {{\n        \"tool_name\": \"{name}\",\n        \"parameters\": "
            ))
        ),
        CallFormat::BracketArgs => format!(
            "{} (%token \"[CALL_ID]\" /[a-zA-Z0-9]{{9}}/)? %token \"[ARGS]\" {json}",
            quoted(name)
        ),
        CallFormat::WideMarks => format!(
            "%token \"<｜tool▁call▁begin｜>\" {} %token \"<｜tool▁sep｜>\" {json} %token \"<｜tool▁call▁end｜>\"",
            quoted(name)
        ),
        CallFormat::WideMarksCode => format!(
            "%token \"<｜tool▁call▁begin｜>\" \"function\" %token \"<｜tool▁sep｜>\" {} {json} \"\\n```\" %token \"<｜tool▁call▁end｜>\"",
            front(format!("{name}\n```json\n"))
        ),
        CallFormat::CountedIds => format!(
            "%token \"<|tool_call_begin|>\" {} /[0-9]{{1,3}}/ %token \"<|tool_call_argument_begin|>\" {json} %token \"<|tool_call_end|>\"",
            front(format!("functions.{name}:"))
        ),
        CallFormat::Harmony => format!(
            "channel {} %token \"<|constrain|>\"? \"json\" message {json}",
            front(format!("commentary to=functions.{name} "))
        ),
        CallFormat::TaggedXml => {
            let each = |rules: &mut Rules, key: &str| {
                let value = member(tool, key, "</parameter>", "\n", rules);
                format!("{} {value} \"\\n\"", front(format!("<parameter={key}>\n")))
            };
            let arguments = object(tool, rules, "", &each)?;
            format!(
                "{} {arguments} \"</function>\\n\" %token \"</tool_call>\"",
                front(format!("\n<function={name}>\n"))
            )
        }
        CallFormat::TaggedKeys => {
            let each = |rules: &mut Rules, key: &str| {
                let value = member(tool, key, "</arg_value>", "", rules);
                format!(
                    "%token \"<arg_key>\" {} %token \"</arg_key>\" \"\\n\" %token \"<arg_value>\" {value} \"\\n\"",
                    quoted(key)
                )
            };
            let arguments = object(tool, rules, "", &each)?;
            format!(
                "{} {arguments} %token \"</tool_call>\"",
                front(format!("{name}\n"))
            )
        }
        CallFormat::Pythonic => {
            let each = |_: &mut Rules, key: &str| {
                format!("{} {}", front(format!("{key}=")), python(tool, key))
            };
            let arguments = object(tool, rules, ", ", &each)?;
            format!("{} {arguments} \")\"", front(format!("{name}(")))
        }
        CallFormat::MarkedCall => format!(
            "{} {} %token \"<tool_call|>\"",
            front(format!("call:{name}")),
            marked::arguments(tool, rules)?
        ),
    })
}
