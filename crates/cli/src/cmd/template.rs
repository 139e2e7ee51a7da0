//! `ingle template`: a conversation as the text the model gets.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ingle::{ChatTemplate, TemplateInput};
use serde_json::{Map, Value};

use crate::App;
use crate::failure::Failure;
use crate::load;

/// Render a chat template
///
/// Prints exactly the text that the template makes, with no newline added; where the template refuses,
/// its own message, with exit code 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model whose template it is
    #[arg(value_name = "MODEL", required_unless_present = "file")]
    model: Option<String>,
    /// A Jinja file in place of a model's template
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    file: Option<PathBuf>,
    /// JSON: an object with `messages` and, if wanted, `tools`, `add_generation_prompt`, `bos_token`,
    /// `eos_token`, `now` and further variables of the template; `-` is stdin
    #[arg(long, value_name = "FILE")]
    messages: PathBuf,
}

/// A template and what its variables are if the input does not say.
struct Source {
    template: ChatTemplate,
    bos_token: String,
    eos_token: String,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let source = match (&args.file, &args.model) {
        (Some(path), _) => Source {
            template: ChatTemplate::new(&load::read_text(path)?)?,
            bos_token: String::new(),
            eos_token: String::new(),
        },
        (None, model) => of_model(app, model.as_deref().unwrap_or_default())?,
    };
    let json = read_json(&args.messages)?;
    let input = to_input(json, &source)
        .map_err(|wrong| Failure::new(format_args!("`{}`: {wrong}", args.messages.display())))?;
    let text = source.template.render(&input)?;
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn of_model(app: &App, model: &str) -> Result<Source, Failure> {
    let files = load::files(app, model)?;
    let Some(source) = files.chat_templates()?.into_iter().next() else {
        return Err(Failure::new(format_args!(
            "`{model}` has no chat template\nhint: `--file` names one"
        )));
    };
    let tokenizer = files.tokenizer(None)?;
    let name = |id: Option<u32>| {
        let text = id.and_then(|id| tokenizer.token_text(id));
        text.unwrap_or_default().to_owned()
    };
    Ok(Source {
        template: ChatTemplate::new(&source.source)?,
        bos_token: name(tokenizer.bos()),
        eos_token: name(tokenizer.eos()),
    })
}

fn read_json(path: &Path) -> Result<Value, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::new(format_args!("cannot read stdin: {error}")))?;
        text
    } else {
        load::read_text(path)?
    };
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(format_args!("`{}` is no JSON: {error}", path.display())))
}

/// The template's input; the error says what is wrong with the file.
fn to_input(json: Value, source: &Source) -> Result<TemplateInput, String> {
    let mut map = match json {
        Value::Object(map) => map,
        // A bare list of messages is plain enough.
        messages @ Value::Array(_) => Map::from_iter([("messages".to_owned(), messages)]),
        _ => return Err("expected an object with `messages`".to_owned()),
    };
    let messages = map
        .shift_remove("messages")
        .ok_or("`messages` is missing")?;
    let text = |value: Option<Value>, name: &str, default: &str| match value {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("`{name}`: expected a string, found {other}")),
    };
    Ok(TemplateInput {
        messages,
        tools: map.shift_remove("tools"),
        add_generation_prompt: match map.shift_remove("add_generation_prompt") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(wanted)) => wanted,
            Some(other) => {
                return Err(format!(
                    "`add_generation_prompt`: expected true or false, found {other}"
                ));
            }
        },
        bos_token: text(
            map.shift_remove("bos_token"),
            "bos_token",
            &source.bos_token,
        )?,
        eos_token: text(
            map.shift_remove("eos_token"),
            "eos_token",
            &source.eos_token,
        )?,
        now: match map.shift_remove("now") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                Some(text.parse().map_err(|error| format!("`now`: {error}"))?)
            }
            Some(other) => {
                return Err(format!(
                    "`now`: expected a time like \"2026-01-02T03:04:05\", found {other}"
                ));
            }
        },
        extra: map,
    })
}
