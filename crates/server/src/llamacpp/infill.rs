//! `/infill`: what stands between two texts, for editors.
//!
//! Other files go before the place as the makers of the models with a file separator have it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ingle::Model;
use schemars::JsonSchema;
use serde::Deserialize;

use super::completion::Completion;
use crate::body::Body;
use crate::error::{ApiError, Kind, Outcome};
use crate::generate::{self, off_thread};
use crate::infill::{self, Marks};
use crate::state::App;

/// What goes around the place.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct InfillFields {
    input_prefix: Option<String>,
    input_suffix: Option<String>,
    /// Other files, the most useful last.
    input_extra: Option<Vec<Extra>>,
    /// Text behind the prefix, of which the reply is the rest.
    prompt: Option<String>,
    /// The prompt's time is not bounded.
    t_max_prompt_ms: Option<i64>,
}

/// Some of another file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Extra {
    filename: Option<String>,
    text: String,
}

/// The file around the place, to models that want names.
const FILE: &str = "filename";

/// `POST /infill`.
pub(crate) async fn complete(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Response> {
    let fields: InfillFields = body.read()?;
    // A bound that would only cut the prompt, as llama.cpp's server takes it and leaves it.
    body.known("t_max_prompt_ms");
    let _ = fields.t_max_prompt_ms;
    let completion = Completion::read(&mut body)?;
    body.end();
    if fields.input_prefix.is_none() && fields.input_suffix.is_none() {
        return Err(ApiError::field(
            "input_prefix",
            "`input_prefix` is missing, and `input_suffix` too",
        ));
    }
    let (named, model) = generate::model(&app, completion.fields.model.as_deref()).await?;
    let Some(marks) = Marks::of(model.tokenizer()) else {
        let message =
            "infill is not supported by this model: it has no tokens for prefix, suffix and middle";
        return Err(ApiError::new(Kind::NotSupported, message));
    };
    let room = model.info().ctx;
    let tokens = {
        let model = model.clone();
        off_thread(move || fields.tokens(&model, &marks, room))
    };
    let (prompt, is_cut) = tokens.await?;
    completion
        .respond(&app, &named, &model, vec![prompt], is_cut)
        .await
}

impl InfillFields {
    /// The prompt, and whether some of the other files had no room beside half a context for the reply.
    fn tokens(&self, model: &Model, marks: &Marks, ctx: usize) -> (Vec<u32>, bool) {
        let tokenizer = model.tokenizer();
        let encode = |text: &str| tokenizer.encode(text, false, false);
        let mut place = Vec::new();
        if let Some((_, file)) = marks.files {
            place.push(file);
            place.extend(encode(&format!("{FILE}\n")));
        }
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let before = [text(&self.input_prefix), text(&self.prompt)];
        let before = [before[0].as_str(), before[1].as_str()];
        place.extend(marks.place(tokenizer, &before, &text(&self.input_suffix)));
        let room = (ctx / 2).saturating_sub(place.len());
        let (files, is_cut) = self.files(marks, room, encode);
        let mut prompt = Vec::with_capacity(files.len() + place.len() + 1);
        prompt.extend(infill::start(tokenizer));
        prompt.extend(files);
        prompt.extend(place);
        (prompt, is_cut)
    }

    /// The other files: the last of them, as many as there is room for.
    fn files(
        &self,
        marks: &Marks,
        room: usize,
        encode: impl Fn(&str) -> Vec<u32>,
    ) -> (Vec<u32>, bool) {
        let extras = self.input_extra.as_deref().unwrap_or_default();
        let head = match marks.files {
            Some((project, _)) => {
                let mut head = vec![project];
                head.extend(encode("project\n"));
                head
            }
            None => Vec::new(),
        };
        let (mut files, mut len, mut is_cut) = (Vec::new(), head.len(), false);
        for extra in extras.iter().rev() {
            let mut tokens = Vec::new();
            match marks.files {
                Some((_, file)) => {
                    tokens.push(file);
                    let name = extra.filename.as_deref().unwrap_or("tmp");
                    tokens.extend(encode(&format!("{name}\n")));
                }
                None => tokens.extend(encode("\n\n--- snippet ---\n\n")),
            }
            tokens.extend(encode(&extra.text));
            len += tokens.len();
            if len > room {
                is_cut = true;
                break;
            }
            files.push(tokens);
        }
        if files.is_empty() && marks.files.is_none() {
            return (Vec::new(), is_cut);
        }
        files.push(head);
        files.reverse();
        (files.concat(), is_cut)
    }
}
