//! Chat templates: one, or several with names.

use std::path::Path;

use formats::hf::{read_object, read_text};
use serde_json::Value;

use super::Error;

const SETTINGS: &str = "tokenizer_config.json";
/// Since 2025 the template has a file of its own, and others are in a folder.
const FILE: &str = "chat_template.jinja";
const FOLDER: &str = "additional_chat_templates";
/// Where models that see images had theirs.
const OLD_FILE: &str = "chat_template.json";
/// The name of the template that is used unless another is asked for.
const DEFAULT: &str = "default";

/// A chat template and its name: `default`, `tool_use`, `rag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTemplate {
    /// What it is for.
    pub name: String,
    /// Jinja.
    pub source: String,
}

/// The chat templates of the folder at `path`; the first is the one to use unless another is asked for.
///
/// # Errors
/// If a file is broken.
pub fn chat_templates(path: &Path) -> Result<Vec<NamedTemplate>, Error> {
    let mut templates = Vec::new();
    if let Some(bytes) = read_text(&path.join(FILE))? {
        push(&mut templates, DEFAULT, &String::from_utf8_lossy(&bytes));
    }
    for (name, source) in in_folder(&path.join(FOLDER))? {
        push(&mut templates, &name, &source);
    }
    for file in [SETTINGS, OLD_FILE] {
        let settings = read_object(&path.join(file))?.unwrap_or_default();
        match settings.get("chat_template") {
            None | Some(Value::Null) => {}
            Some(Value::String(source)) => push(&mut templates, DEFAULT, source),
            Some(list) => {
                for (name, source) in named(list).ok_or_else(|| Error::Value {
                    path: path.join(file),
                    key: "chat_template".to_owned(),
                    expected: "Jinja, or a list of objects with `name` and `template`".to_owned(),
                    found: list.to_string().chars().take(200).collect(),
                })? {
                    push(&mut templates, name, source);
                }
            }
        }
    }
    templates.sort_by_key(|template| template.name != DEFAULT);
    Ok(templates)
}

/// Adds a template unless one of that name is there.
fn push(templates: &mut Vec<NamedTemplate>, name: &str, source: &str) {
    if !templates.iter().any(|template| template.name == name) {
        templates.push(NamedTemplate {
            name: name.to_owned(),
            source: source.to_owned(),
        });
    }
}

/// Names and sources; `None` if one of the two is missing somewhere.
fn named(list: &Value) -> Option<Vec<(&str, &str)>> {
    let entries = list.as_array()?.iter();
    entries
        .map(|entry| Some((entry["name"].as_str()?, entry["template"].as_str()?)))
        .collect()
}

/// Names and sources of the `.jinja` files of a folder, sorted; none if there is no such folder.
fn in_folder(folder: &Path) -> Result<Vec<(String, String)>, Error> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| Some(file.strip_suffix(".jinja")?.to_owned()))
        .collect();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        if let Some(bytes) = read_text(&folder.join(format!("{name}.jinja")))? {
            found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(found)
}
