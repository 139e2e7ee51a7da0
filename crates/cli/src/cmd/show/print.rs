//! The facts of `ingle show` for people.

use std::io::{self, Write};

use serde_json::Value;

use super::memory;
use crate::style::Style;
use crate::text::{self, Align};

/// Longest string value on one line.
const MAX_CHARS: usize = 72;

/// Writes every section.
pub(super) fn print(facts: &Value, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let heading = |out: &mut dyn Write, text: &str| writeln!(out, "\n{}", style.heading(text));
    writeln!(out, "{}", style.heading(&line(&facts["name"])))?;
    let rows = [
        ("ingle", line(&facts["version"])),
        ("cpu", cpu(&facts["cpu"])),
        ("architecture", line(&facts["architecture"])),
        ("gguf version", line(&facts["gguf_version"])),
        ("size", size(&facts["size"])),
    ];
    for (name, value) in rows {
        writeln!(out, "  {name:<14} {value}")?;
    }
    for file in list(&facts["files"]) {
        writeln!(out, "  {:<14} {}", "file", line(file))?;
    }

    heading(out, "Architecture")?;
    if let Some(problem) = facts["problem"].as_str() {
        indented(&format!("does not run here: {problem}"), out)?;
    }
    if !facts["config"].is_null() {
        tree(&facts["config"], 1, out)?;
    }
    heading(out, "Tensors")?;
    tensors(&facts["tensors"], out)?;
    heading(out, "Memory")?;
    memory::print(&facts["memory"], out)?;
    heading(out, "Tokenizer")?;
    tree(&facts["tokenizer"], 1, out)?;
    heading(out, "Sampler (what the model recommends)")?;
    match facts["sampler"].as_object() {
        Some(fields) if !fields.is_empty() => tree(&facts["sampler"], 1, out)?,
        _ => writeln!(out, "  {}", style.dim("nothing"))?,
    }
    heading(out, "Metadata")?;
    tree(&facts["metadata"], 1, out)?;
    heading(out, "Chat template")?;
    let names: Vec<_> = list(&facts["chat_templates"]).iter().map(line).collect();
    if names.len() > 1 {
        writeln!(
            out,
            "  {}",
            style.dim(&format!("one of: {}", names.join(", ")))
        )?;
    }
    match facts["chat_template"].as_str() {
        None => writeln!(out, "  {}", style.dim("none")),
        Some(template) => template
            .lines()
            .try_for_each(|line| writeln!(out, "  {}", text::shorten(line, usize::MAX))),
    }
}

fn cpu(cpu: &Value) -> String {
    let levels: Vec<_> = list(&cpu["levels"]).iter().map(line).collect();
    format!(
        "{}, level {} (of {}), {} threads",
        line(&cpu["arch"]),
        line(&cpu["level"]),
        levels.join(", "),
        line(&cpu["threads"]),
    )
}

fn tensors(facts: &Value, out: &mut dyn Write) -> io::Result<()> {
    if let Some(all) = facts["list"].as_array() {
        let rows = all.iter().map(|tensor| {
            let shape: Vec<_> = list(&tensor["shape"]).iter().map(line).collect();
            let shape = format!("[{}]", shape.join(", "));
            vec![
                line(&tensor["name"]),
                line(&tensor["type"]),
                shape,
                size(&tensor["size"]),
            ]
        });
        let align = [Align::Left, Align::Left, Align::Left, Align::Right];
        indented(&text::table(&align, &rows.collect::<Vec<_>>()), out)?;
        writeln!(out)?;
    }
    let names = ["type", "count", "elements", "size", "kernel"].map(str::to_owned);
    let mut rows = vec![names.to_vec()];
    for row in list(&facts["types"]) {
        let kernel = row["kernel"].as_str().unwrap_or_default().to_owned();
        let count = |key: &str| line(&row[key]);
        rows.push(vec![
            count("type"),
            count("count"),
            count("elements"),
            size(&row["size"]),
            kernel,
        ]);
    }
    let total = |key: &str| line(&facts[key]);
    let all = "all".to_owned();
    rows.push(vec![
        all,
        total("count"),
        total("elements"),
        size(&facts["size"]),
        String::new(),
    ]);
    let align = [
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
    ];
    indented(&text::table(&align, &rows), out)
}

/// Nested values, two spaces deeper each time; short lists and objects of plain values on one line.
fn tree(value: &Value, depth: usize, out: &mut dyn Write) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let whole = value
                    .as_str()
                    .filter(|_| name == "error")
                    .map(str::to_owned);
                match whole.or_else(|| plain(value)) {
                    Some(text) => writeln!(out, "{indent}{name}: {text}")?,
                    None => {
                        writeln!(out, "{indent}{name}:")?;
                        tree(value, depth + 1, out)?;
                    }
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| match plain(item) {
            Some(text) => writeln!(out, "{indent}{text}"),
            None => tree(item, depth, out),
        }),
        other => writeln!(out, "{indent}{}", line(other)),
    }
}

/// A value that fits on the line of its name.
fn plain(value: &Value) -> Option<String> {
    let is_flat = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Array(items) if items.iter().all(is_flat) => {
            let items: Vec<_> = items.iter().map(line).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Array(_) => None,
        Value::Object(fields) => match (
            fields.get("array_of"),
            fields.get("len"),
            fields.get("first"),
        ) {
            (of, Some(len), Some(first)) => {
                let of = of.map_or(String::new(), |of| format!("{} ", line(of)));
                let first: Vec<_> = list(first)
                    .iter()
                    .map(|x| text::shorten(&line(x), 24))
                    .collect();
                Some(format!("{} {of}[{}, …]", line(len), first.join(", ")))
            }
            _ if fields.len() <= 2 && fields.values().all(is_flat) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(k, v)| format!("{k} {}", line(v)))
                    .collect();
                Some(fields.join(", "))
            }
            _ => None,
        },
        flat => Some(line(flat)),
    }
}

/// A plain value on one line.
pub(super) fn line(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text::shorten(text, MAX_CHARS),
        Value::Number(x) if x.is_f64() => float(x.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// Six significant digits at most.
fn float(x: f64) -> String {
    let digits: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    format!("{digits:?}")
}

pub(super) fn size(value: &Value) -> String {
    value.as_u64().map_or_else(|| line(value), text::bytes)
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn indented(text: &str, out: &mut dyn Write) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "  {line}"))
}
