//! `/completion`: a text goes on, in llama.cpp's own dialect.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use ingle::{Model, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::answers::Answers;
use super::settings;
use crate::body::Body;
use crate::error::{ApiError, Outcome};
use crate::fields::{FormatFields, LimitFields, SamplingFields, Text, TextFields, refuse_foreign};
use crate::generate::{self, Prompted, off_thread};
use crate::registry::Named;
use crate::state::App;

/// What a completion has beside the fields that others have too.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CompletionFields {
    pub(super) model: Option<String>,
    prompt: Option<TextFields>,
    /// Log-probabilities of so many tokens in each place.
    n_probs: Option<usize>,
    /// Another name of `n_probs`.
    logprobs: Option<usize>,
    /// Whether these are those that tokens were drawn by, after all samplers.
    post_sampling_probs: Option<bool>,
    /// Whether the reply's token ids are told.
    return_tokens: Option<bool>,
    /// Milliseconds after the first token, after which the text ends with the first whole line.
    t_max_predict_ms: Option<i64>,
    /// Fields of the answer, as paths (`timings/predicted_ms`); all without it.
    response_fields: Option<Vec<String>>,
    /// A slot that must be there; which one a reply gets changes nothing.
    id_slot: Option<i64>,
    /// Seconds of silence after which a stream shows that it lives; -1: never.
    sse_ping_interval: Option<i64>,
    /// Tokens that stay when the context is shifted, which never happens here.
    n_keep: Option<i64>,
    /// Tokens that go when the context is shifted.
    n_discard: Option<i64>,
    /// Least length of later parts of a prompt that are used again.
    n_cache_reuse: Option<i64>,
}

/// Most prompts of one request.
const MAX_PROMPTS: usize = 256;

/// Most alternatives of a token.
const MAX_PROBS: usize = 128;

/// Most fields that an answer can be reduced to.
const MAX_FIELDS: usize = 128;

/// A request, read.
pub(super) struct Completion {
    pub(super) fields: CompletionFields,
    pub(super) sampling: SamplingFields,
    pub(super) limits: LimitFields,
    format: FormatFields,
}

impl Completion {
    /// Reads a body; its end is the caller's.
    ///
    /// # Errors
    /// A field that is wrong, or asks for what there is not.
    pub(super) fn read(body: &mut Body) -> Outcome<Self> {
        let completion = Self {
            fields: body.read()?,
            sampling: body.read()?,
            limits: body.read()?,
            format: body.read()?,
        };
        refuse_foreign(body)?;
        body.refuse(&["verbose"], |_, value| *value == json!(false))?;
        body.refuse(&["adaptive_target"], |_, value| {
            value.as_f64().is_some_and(|target| target < 0.0)
        })?;
        body.known("adaptive_decay");
        Ok(completion)
    }

    /// Checks what has no other place where it would be checked.
    fn check(&self, app: &App) -> Outcome<()> {
        let fields = &self.fields;
        let least = [
            ("id_slot", fields.id_slot, -1),
            ("t_max_predict_ms", fields.t_max_predict_ms, -1),
            ("sse_ping_interval", fields.sse_ping_interval, -1),
            ("n_keep", fields.n_keep, -1),
            ("n_discard", fields.n_discard, 0),
            ("n_cache_reuse", fields.n_cache_reuse, 0),
        ];
        for (name, given, least) in least {
            if let Some(given) = given.filter(|&given| given < least) {
                let message = format!("`{name}`: expected at least {least}, found {given}");
                return Err(ApiError::field(name, message));
            }
        }
        let most = [
            ("id_slot", fields.id_slot, app.options.parallel as u64 - 1),
            (
                "n_probs",
                fields.num_probs().map(|n| n as i64),
                MAX_PROBS as u64,
            ),
            ("sse_ping_interval", fields.sse_ping_interval, 3600),
        ];
        for (name, given, most) in most {
            if let Some(given) = given.filter(|&given| given > most as i64) {
                let message = format!("`{name}`: expected at most {most}, found {given}");
                return Err(ApiError::field(name, message));
            }
        }
        let paths = fields.response_fields.as_ref().map_or(0, Vec::len);
        if paths > MAX_FIELDS {
            let message =
                format!("`response_fields`: expected at most {MAX_FIELDS}, found {paths}");
            return Err(ApiError::field("response_fields", message));
        }
        Ok(())
    }

    /// What the library is asked to go on from.
    ///
    /// # Errors
    /// What cannot be understood.
    fn request(&self, app: &App, model: &Model, prompt: Vec<u32>) -> Outcome<Request> {
        let mut params = self.sampling.params(app, model)?;
        params.logprobs_after = self.fields.after_sampling();
        let request = model.complete_tokens(prompt).sampler(params);
        let mut request = self.limits.apply(app, request)?;
        if let Some(spec) = self.format.spec()? {
            request = request.grammar(spec);
        }
        match (self.fields.num_probs(), self.fields.return_tokens) {
            (Some(top), _) if top > 0 => request = request.logprobs(top),
            (_, Some(true)) => request = request.logprobs(0),
            _ => {}
        }
        Ok(request)
    }

    /// Has the prompts computed, and answers.
    ///
    /// # Errors
    /// What cannot be computed.
    pub(super) async fn respond(
        self,
        app: &Arc<App>,
        named: &Named,
        model: &Model,
        prompts: Vec<Vec<u32>>,
        is_cut: bool,
    ) -> Outcome<Response> {
        self.check(app)?;
        let request = |prompt| self.request(app, model, prompt);
        let requests: Vec<Request> = prompts.into_iter().map(request).collect::<Outcome<_>>()?;
        let mut settings = requests
            .first()
            .map(|request| settings::sampling(request.params()))
            .unwrap_or_default();
        settings.extend(self.limits.settings(app)?);
        settings.extend(self.format.settings());
        settings.insert(
            "post_sampling_probs".into(),
            json!(self.fields.after_sampling()),
        );
        let num_choices = self.limits.num_choices();
        let begun = generate::begin(app, named, requests, num_choices).await;
        let mut begun = begun.map_err(|error| error.of_form(self.format.field()))?;
        if let Some(ms) = self.fields.t_max_predict_ms
            && let Ok(ms @ 1..) = u64::try_from(ms)
        {
            let replies = begun
                .iter_mut()
                .flat_map(|prompted: &mut Prompted| &mut prompted.replies);
            replies.for_each(|reply| reply.limit_time(Duration::from_millis(ms)));
        }
        let fields = self.fields;
        let answers = Answers {
            model: model.clone(),
            name: named.id.clone(),
            settings: settings.into(),
            prompts: begun
                .iter()
                .map(|prompted| model.tokenizer().decode(&prompted.prompt, false))
                .collect(),
            per_prompt: num_choices,
            with_tokens: fields.return_tokens.unwrap_or(false),
            with_probs: fields.num_probs().is_some_and(|top| top > 0),
            after_sampling: fields.after_sampling(),
            with_timings: self.limits.timings_per_token(),
            with_progress: self.limits.tells_progress(),
            only: fields.response_fields.unwrap_or_default(),
            is_cut,
        };
        if self.limits.streams() {
            let silence = match fields.sse_ping_interval {
                None => app.options.ping,
                // A day of silence is no wait that a client has.
                Some(..=0) => Duration::from_secs(86_400),
                Some(seconds) => Duration::from_secs(seconds.unsigned_abs()),
            };
            return Ok(answers.stream(begun, silence));
        }
        answers.whole(begun).await
    }
}

impl CompletionFields {
    fn num_probs(&self) -> Option<usize> {
        self.n_probs.or(self.logprobs)
    }

    fn after_sampling(&self) -> bool {
        self.post_sampling_probs.unwrap_or(false)
    }
}

/// `POST /completion`.
pub(crate) async fn complete(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Response> {
    let completion = Completion::read(&mut body)?;
    body.end();
    let Some(prompt) = &completion.fields.prompt else {
        return Err(ApiError::field("prompt", "`prompt` is missing"));
    };
    let texts = prompt.read("prompt", MAX_PROMPTS)?;
    let (named, model) = generate::model(&app, completion.fields.model.as_deref()).await?;
    let prompts = tokens("prompt", texts, &model).await?;
    completion
        .respond(&app, &named, &model, prompts, false)
        .await
}

/// Texts in tokens.
///
/// # Errors
/// A token that is not of the vocabulary.
pub(crate) async fn tokens(
    field: &'static str,
    texts: Vec<Text>,
    model: &Model,
) -> Outcome<Vec<Vec<u32>>> {
    let model = model.clone();
    let tokens = move || {
        let tokens = texts
            .iter()
            .map(|text| text.tokens(field, model.tokenizer(), true));
        tokens.collect::<Outcome<_>>()
    };
    off_thread(tokens).await?
}
