//! Who answers: a model that this program has loaded, or a server that has.

use std::io;

use ingle::{Model, Request};

use crate::App;
use crate::answer::{self, Answer};
use crate::cmd::run::Settings;
use crate::failure::Failure;
use crate::remote::{self, Asked, Remote};

/// A model, wherever it is.
pub(crate) enum Speaker {
    /// Loaded here.
    Here(Model),
    /// At a server.
    There(Remote),
}

impl Speaker {
    /// What the model is called.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Here(model) => &model.info().name,
            Self::There(remote) => &remote.model,
        }
    }

    /// Its context, if that is known.
    pub(crate) fn ctx(&self) -> Option<u64> {
        match self {
            Self::Here(model) => Some(model.info().ctx as u64),
            Self::There(remote) => remote.ctx,
        }
    }

    /// The model itself, if it is here.
    pub(crate) fn model(&self) -> Option<&Model> {
        match self {
            Self::Here(model) => Some(model),
            Self::There(_) => None,
        }
    }

    /// Asks, and hands each piece of text to `on_piece`; Ctrl-C ends the answer.
    ///
    /// # Errors
    /// If it cannot be answered.
    pub(crate) fn answer(
        &self,
        app: &App,
        asked: &Asked<'_>,
        settings: &Settings,
        seed: u64,
        on_piece: &mut dyn FnMut(&str) -> io::Result<()>,
    ) -> Result<Answer, Failure> {
        let model = match self {
            Self::Here(model) => model,
            Self::There(remote) => {
                return remote::stream(remote, asked, settings, seed, &app.interrupt, on_piece);
            }
        };
        let request: Request = match asked {
            Asked::Text(prompt) => model.complete(*prompt),
            Asked::Chat(messages, tools) => model.chat(*messages).tools(tools.to_vec()),
        };
        let request = settings.request(request, seed);
        match asked {
            Asked::Chat(_, tools) if !tools.is_empty() => {
                answer::stream_apart(request, &app.interrupt, on_piece)
            }
            _ => answer::stream(request, &app.interrupt, on_piece),
        }
    }
}
