//! From a conversation or a text to the tokens that a model goes on from.

use serde_json::{Map, Value};
use tokenizer::TemplateInput;

use crate::dialogue::{Tool, ToolChoice};
use crate::{Error, Message, Model};

/// What to go on from.
#[derive(Clone)]
pub(crate) enum Prompt {
    Chat {
        messages: Vec<Message>,
        variables: Map<String, Value>,
        /// The last turn is gone on with.
        continues: bool,
    },
    Text(String),
    Tokens(Vec<u32>),
}

/// What a reply may call.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: ToolChoice,
    pub(crate) parallel: bool,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            choice: ToolChoice::default(),
            parallel: true,
        }
    }
}

/// Characters of the prompt's end that say whether it has begun the model's thoughts.
const TAIL: usize = 64;

impl Prompt {
    /// The prompt in tokens, and the end of its text if it is a conversation. A template writes its own start token,
    /// if the model wants one.
    ///
    /// # Errors
    /// If the model has no chat template, or it refuses the conversation.
    pub(crate) fn tokens(&self, model: &Model, tools: &Tools) -> Result<(Vec<u32>, String), Error> {
        let tokenizer = model.tokenizer();
        let text = match self {
            Self::Text(text) => return Ok((tokenizer.encode(text, true, true), String::new())),
            Self::Tokens(tokens) => return Ok((tokens.clone(), String::new())),
            Self::Chat { .. } => self.text(model, tools)?,
        };
        let mut tokens = tokenizer.encode(&text, false, true);
        if tokenizer.add_bos()
            && let Some(bos) = tokenizer.bos()
            && tokens.first() != Some(&bos)
        {
            tokens.insert(0, bos);
        }
        let start = text.char_indices().rev().nth(TAIL - 1);
        let tail = &text[start.map_or(0, |(at, _)| at)..];
        Ok((tokens, tail.to_owned()))
    }

    /// The prompt as text, which a template writes if it is a conversation.
    ///
    /// # Errors
    /// As for [`Prompt::tokens`].
    pub(crate) fn text(&self, model: &Model, tools: &Tools) -> Result<String, Error> {
        let tokenizer = model.tokenizer();
        let (messages, variables, continues) = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::Tokens(tokens) => return Ok(tokenizer.decode(tokens, false)),
            Self::Chat {
                messages,
                variables,
                continues,
            } => (messages, variables, *continues),
        };
        crate::chat::check_roles(messages)?;
        let Some(template) = model.chat_template() else {
            return Err(Error::NoChatTemplate {
                model: model.info().name.clone(),
            });
        };
        let text_of = |id: Option<u32>| {
            id.and_then(|id| tokenizer.token_text(id))
                .unwrap_or_default()
        };
        // Hugging Face passes `None` for none, which templates tell from an undefined variable.
        let shown = match (tools.tools.as_slice(), &tools.choice) {
            ([], _) | (_, ToolChoice::None) => Value::Null,
            (tools, _) => tools.iter().map(Tool::to_template).collect(),
        };
        let mut text = template.render(&TemplateInput {
            messages: serde_json::to_value(messages).expect("messages are JSON"),
            tools: Some(shown),
            add_generation_prompt: !continues,
            bos_token: text_of(tokenizer.bos()).to_owned(),
            eos_token: text_of(tokenizer.eos()).to_owned(),
            extra: variables.clone(),
            ..TemplateInput::default()
        })?;
        if continues {
            cut_behind_last(&mut text, messages)?;
        }
        Ok(text)
    }
}

/// Cuts a conversation behind its last turn's text, so that it goes on there.
///
/// # Errors
/// If the last turn is not the assistant's, or the template does not show its text as it is.
fn cut_behind_last(text: &mut String, messages: &[Message]) -> Result<(), Error> {
    let last = messages.last().filter(|last| last.role == "assistant");
    let content = last.map(|last| last.content.trim()).unwrap_or_default();
    let at = match content {
        "" => None,
        content => text.rfind(content).map(|at| at + content.len()),
    };
    text.truncate(at.ok_or(Error::NothingToContinue)?);
    Ok(())
}
