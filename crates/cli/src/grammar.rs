//! Flags that say what an answer must look like.

use std::path::PathBuf;

use ingle::{GrammarSpec, Request};
use serde_json::Value;

use crate::failure::Failure;
use crate::load::read_text;

/// What an answer must look like. What cannot be enforced is an error.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Form of the answer")]
#[group(multiple = false)]
pub(crate) struct GrammarArgs {
    /// JSON of this schema; `{}` is any JSON
    #[arg(short = 'j', long, value_name = "SCHEMA")]
    json_schema: Option<String>,
    /// JSON of the schema in a file
    #[arg(long, value_name = "FILE")]
    json_schema_file: Option<PathBuf>,
    /// Text by a grammar in llama.cpp's language (GBNF)
    #[arg(long, value_name = "GRAMMAR")]
    grammar: Option<String>,
    /// Text by the grammar in a file: GBNF, or Lark if the name ends in .lark
    #[arg(long, value_name = "FILE")]
    grammar_file: Option<PathBuf>,
    /// Text that a regular expression matches as a whole
    #[arg(long, value_name = "REGEX")]
    regex: Option<String>,
    /// One of several texts, with `|` between them
    #[arg(long, value_name = "A|B|…")]
    choice: Option<String>,
}

impl GrammarArgs {
    /// What the flags say, if there are any.
    ///
    /// # Errors
    /// If a file cannot be read, or a schema is not JSON.
    pub(crate) fn spec(&self) -> Result<Option<GrammarSpec>, Failure> {
        let schema = match (&self.json_schema, &self.json_schema_file) {
            (Some(text), _) => Some(text.clone()),
            (None, Some(path)) => Some(read_text(path)?),
            (None, None) => None,
        };
        if let Some(text) = schema {
            let parsed: Result<Value, _> = serde_json::from_str(&text);
            let schema = parsed.map_err(|error| Failure::Usage(format!("JSON schema: {error}")))?;
            return Ok(Some(GrammarSpec::JsonSchema(schema)));
        }
        if let Some(path) = &self.grammar_file {
            let text = read_text(path)?;
            let is_lark = path
                .extension()
                .is_some_and(|extension| extension == "lark");
            return Ok(Some(match is_lark {
                true => GrammarSpec::Lark(text),
                false => GrammarSpec::Gbnf(text),
            }));
        }
        let choice = |texts: &String| {
            let texts = texts.split('|').map(str::to_owned);
            GrammarSpec::Choice(texts.collect())
        };
        let grammar = self.grammar.clone().map(GrammarSpec::Gbnf);
        let regex = self.regex.clone().map(GrammarSpec::Regex);
        Ok(grammar.or(regex).or(self.choice.as_ref().map(choice)))
    }
}

/// The request with what the answer must look like, if anything is said.
pub(crate) fn apply(request: Request, spec: Option<&GrammarSpec>) -> Request {
    match spec {
        Some(spec) => request.grammar(spec.clone()),
        None => request,
    }
}
