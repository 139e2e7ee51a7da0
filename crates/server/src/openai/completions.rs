//! `/v1/completions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::{Model, Request, TokenInfo};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chunks::Chunks;
use super::{FINGERPRINT, Timings, finish_reason, logprobs, usage};
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{FormatFields, LimitFields, SamplingFields};
use crate::generate::{self, Prompted, Whole};
use crate::ids;
use crate::registry::Named;
use crate::state::App;

/// What a completion has beside the fields that others have too.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CompletionFields {
    model: Option<String>,
    prompt: Option<Prompts>,
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
    body.refuse(&["suffix"], |_, value| value == "")?;
    body.known("user");
    body.end();
    let (named, model) = generate::model(&app, fields.model.as_deref()).await?;
    let params = sampling.params(&app, &model)?;
    let echo = fields.echo.unwrap_or(false);
    let best_of = fields.best_of(&limits)?;
    let spec = format.spec()?;
    let prompts = fields.prompts()?;
    let request = |prompt: &Prompt| -> Outcome<Request> {
        let request = match prompt {
            Prompt::Text(text) => model.complete(text.clone()),
            Prompt::Tokens(tokens) => model.complete_tokens(tokens.clone()),
        };
        let mut request = limits
            .apply(&app, request.sampler(params.clone()))?
            .n(best_of);
        if let Some(spec) = &spec {
            request = request.grammar(spec.clone());
        }
        if let Some(top) = fields.logprobs {
            request = request.logprobs(top);
            if echo {
                request = request.prompt_logprobs(top);
            }
        } else if best_of > limits.num_choices() {
            request = request.logprobs(0);
        }
        Ok(request)
    };
    let requests: Vec<Request> = prompts.iter().map(request).collect::<Outcome<_>>()?;
    let begun = generate::begin(&app, &named, requests, best_of).await?;
    let echoed = |(prompt, begun): (&Prompt, &Prompted)| match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Tokens(_) => model.tokenizer().decode(&begun.prompt, false),
    };
    let echoes: Vec<String> = match echo {
        true => prompts.iter().zip(&begun).map(echoed).collect(),
        false => Vec::new(),
    };
    if limits.streams() {
        let with_logprobs = fields.logprobs.is_some();
        let chunks = Chunks::completion(&named, &model, &limits, with_logprobs, echoes);
        return Ok(chunks.respond(&app, begun));
    }
    let with_logprobs = fields.logprobs.is_some();
    whole(
        &named,
        &model,
        begun,
        &echoes,
        limits.num_choices(),
        with_logprobs,
    )
    .await
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
    echoes: &[String],
    num_choices: usize,
    with_logprobs: bool,
) -> Outcome<Response> {
    let (mut choices, mut usages, mut prompt_tokens) = (Vec::new(), Vec::new(), 0);
    for (at, prompted) in begun.into_iter().enumerate() {
        prompt_tokens += prompted.prompt.len();
        let mut wholes = Vec::new();
        for reply in prompted.replies {
            wholes.push(reply.whole().await?);
        }
        usages.extend(wholes.iter().map(|whole| whole.ending.usage));
        if wholes.len() > num_choices {
            wholes.sort_by(|a, b| mean(&b.tokens).total_cmp(&mean(&a.tokens)));
            wholes.truncate(num_choices);
        }
        let echo = echoes.get(at);
        for whole in &wholes {
            let first = prompted.prompt.first().copied();
            choices.push(choice(
                model,
                choices.len(),
                whole,
                echo,
                first,
                with_logprobs,
            ));
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
        "usage": usage(prompt_tokens, &usages),
        "timings": usages.first().map(|usage| Timings::new(usage)),
    });
    Ok(Json(body).into_response())
}

fn mean(tokens: &[TokenInfo]) -> f32 {
    let sum: f32 = tokens.iter().filter_map(|token| token.logprob).sum();
    match tokens.len() {
        0 => f32::NEG_INFINITY,
        n => sum / n as f32,
    }
}

fn choice(
    model: &Model,
    index: usize,
    whole: &Whole,
    echo: Option<&String>,
    first: Option<u32>,
    with_logprobs: bool,
) -> Value {
    let mut tokens = Vec::new();
    if echo.is_some() {
        // Nothing comes before the first token, so it has no probability.
        let first = first.map(|id| TokenInfo {
            id,
            logprob: None,
            top_logprobs: Vec::new(),
        });
        tokens.extend(first);
        tokens.extend_from_slice(&whole.prompt_tokens);
    }
    tokens.extend_from_slice(&whole.tokens);
    let logprobs = with_logprobs.then(|| logprobs::of_completion(model.tokenizer(), &tokens, 0));
    let text = &whole.answer.content;
    json!({
        "index": index,
        "text": echo.map_or_else(|| text.clone(), |echo| format!("{echo}{text}")),
        "finish_reason": finish_reason(whole.ending.reason, false),
        "logprobs": logprobs,
    })
}
