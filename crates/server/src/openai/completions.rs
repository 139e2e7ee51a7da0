//! `/v1/completions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::{Model, Request, mean_logprob};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chunks::Chunks;
use super::{FINGERPRINT, Timings, finish_reason, logprobs, usage};
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{FormatFields, LimitFields, SamplingFields, refuse_foreign};
use crate::generate::{self, Prompted, Whole};
use crate::ids;
use crate::infill;
use crate::registry::Named;
use crate::state::App;

/// What a completion has beside the fields that others have too.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CompletionFields {
    model: Option<String>,
    prompt: Option<Prompts>,
    /// What comes after the text that is wanted; for models that fill in the middle.
    suffix: Option<String>,
    /// Of how many tokens in each place log-probabilities are reported.
    logprobs: Option<usize>,
    /// Whether the prompt goes before the reply.
    echo: Option<bool>,
    /// Replies that are made, of which the best are given.
    best_of: Option<usize>,
}

/// Text or tokens, one prompt or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Prompts {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    ManyTokens(Vec<Vec<u32>>),
}

enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
}

/// Most prompts of one request.
const MAX_PROMPTS: usize = 256;

/// `POST /v1/completions`.
pub(crate) async fn complete(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Response> {
    let fields: CompletionFields = body.read()?;
    let (sampling, limits): (SamplingFields, LimitFields) = (body.read()?, body.read()?);
    let format: FormatFields = body.read()?;
    refuse_foreign(&mut body)?;
    body.known("user");
    body.end();
    let (named, model) = generate::model(&app, fields.model.as_deref()).await?;
    let params = sampling.params(&app, &model)?;
    let echo = fields.echo.unwrap_or(false);
    let suffix = fields.suffix.as_deref().filter(|suffix| !suffix.is_empty());
    if suffix.is_some() && echo {
        let message = "`echo`: a prompt with a `suffix` is not the beginning of the text";
        return Err(ApiError::field("echo", message));
    }
    let best_of = fields.best_of(&limits)?;
    let spec = format.spec()?;
    let request = |prompt: Prompt| -> Outcome<Request> {
        let request = match (prompt, suffix) {
            (Prompt::Text(text), Some(suffix)) => {
                model.complete_tokens(infill::between(&model, &text, suffix)?)
            }
            (Prompt::Text(text), None) => model.complete(text),
            (Prompt::Tokens(tokens), None) => model.complete_tokens(tokens),
            (Prompt::Tokens(_), Some(_)) => {
                let message = "`suffix`: expected a prompt of text beside it";
                return Err(ApiError::field("suffix", message));
            }
        };
        let request = limits.apply(&app, request.sampler(params.clone()))?;
        let mut request = request.echo(echo).best_of(best_of);
        if let Some(spec) = &spec {
            request = request.grammar(spec.clone());
        }
        if let Some(top) = fields.logprobs {
            request = request.logprobs(top);
        }
        Ok(request)
    };
    let requests = fields.prompts()?.into_iter().map(request);
    let requests: Vec<Request> = requests.collect::<Outcome<_>>()?;
    let begun = generate::begin(&app, &named, requests, best_of).await;
    let begun = begun.map_err(|error| error.of_form(format.field()))?;
    let with_logprobs = fields.logprobs.is_some();
    if limits.streams() {
        let chunks = Chunks::completion(&named, &model, &limits, with_logprobs);
        return Ok(chunks.respond(&app, begun));
    }
    whole(&named, &model, begun, limits.num_choices(), with_logprobs).await
}

impl CompletionFields {
    fn prompts(&self) -> Outcome<Vec<Prompt>> {
        let prompts: Vec<Prompt> = match self.prompt.clone() {
            None => return Err(ApiError::field("prompt", "`prompt` is missing")),
            Some(Prompts::Text(text)) => vec![Prompt::Text(text)],
            Some(Prompts::Texts(texts)) => texts.into_iter().map(Prompt::Text).collect(),
            Some(Prompts::Tokens(tokens)) => vec![Prompt::Tokens(tokens)],
            Some(Prompts::ManyTokens(lists)) => lists.into_iter().map(Prompt::Tokens).collect(),
        };
        match (1..=MAX_PROMPTS).contains(&prompts.len()) {
            true => Ok(prompts),
            false => {
                let message = format!(
                    "`prompt`: expected 1 to {MAX_PROMPTS} prompts, found {}",
                    prompts.len()
                );
                Err(ApiError::field("prompt", message))
            }
        }
    }

    fn best_of(&self, limits: &LimitFields) -> Outcome<usize> {
        let (n, best_of) = (
            limits.num_choices(),
            self.best_of.unwrap_or(limits.num_choices()),
        );
        let wrong = |what: String| Err(ApiError::field("best_of", format!("`best_of`: {what}")));
        match best_of {
            best_of if best_of < n => wrong(format!("expected at least `n`, {n}, found {best_of}")),
            best_of if best_of > n && limits.streams() => {
                wrong("the best replies are known at the end, so they cannot be streamed".into())
            }
            best_of => Ok(best_of),
        }
    }
}

async fn whole(
    named: &Named,
    model: &Model,
    begun: Vec<Prompted>,
    num_choices: usize,
    with_logprobs: bool,
) -> Outcome<Response> {
    let (mut choices, mut usages, mut prompt_tokens) = (Vec::new(), Vec::new(), 0);
    let per_prompt = begun.first().map_or(1, |prompted| prompted.replies.len());
    for prompted in begun {
        prompt_tokens += prompted.prompt.len();
        let mut wholes = Vec::new();
        for reply in prompted.replies {
            wholes.push(reply.whole().await?);
        }
        usages.extend(wholes.iter().map(|whole| whole.ending.usage));
        if wholes.len() > num_choices {
            let mean = |whole: &Whole| mean_logprob(&whole.tokens, &whole.ending.usage);
            wholes.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
            wholes.truncate(num_choices);
        }
        for whole in &wholes {
            choices.push(choice(model, choices.len(), whole, with_logprobs));
        }
    }
    let usages: Vec<_> = usages.iter().collect();
    let body = json!({
        "id": ids::new("cmpl-"),
        "object": "text_completion",
        "created": ids::unix_time(),
        "model": named.id,
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
        "usage": usage(prompt_tokens, &usages, per_prompt),
        "timings": usages.first().map(|usage| Timings::new(usage)),
    });
    Ok(Json(body).into_response())
}

fn choice(model: &Model, index: usize, whole: &Whole, with_logprobs: bool) -> Value {
    let tokenizer = model.tokenizer();
    let logprobs = with_logprobs.then(|| logprobs::of_completion(tokenizer, &whole.tokens, 0));
    json!({
        "index": index,
        "text": whole.answer.content,
        "finish_reason": finish_reason(whole.ending.reason, false),
        "logprobs": logprobs,
    })
}
