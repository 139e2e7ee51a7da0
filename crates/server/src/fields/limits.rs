//! Where a reply ends, how many there are, and how they are sent.

use ingle::{Guesses, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::OneOrMany;
use crate::error::{ApiError, Outcome};
use crate::state::App;

/// Bounds of replies, and how they are sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct LimitFields {
    /// Most tokens of a reply.
    max_tokens: Option<i64>,
    /// OpenAI's newer name of `max_tokens`.
    max_completion_tokens: Option<i64>,
    /// llama.cpp's name of `max_tokens`; -1: no bound but the context.
    n_predict: Option<i64>,
    min_tokens: Option<usize>,
    stop: Option<OneOrMany<String>>,
    stop_token_ids: Option<Vec<u32>>,
    ignore_eos: Option<bool>,
    /// Replies to each prompt.
    n: Option<usize>,
    /// llama.cpp's name of `n`.
    n_cmpl: Option<usize>,
    /// Whether replies are sent as they are made, as server-sent events.
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Whether what is known of the same prompt may be used.
    cache_prompt: Option<bool>,
    /// What is known of a prompt is used for requests of the same salt alone.
    cache_salt: Option<String>,
    /// False shows control tokens.
    skip_special_tokens: Option<bool>,
    /// Whether each piece of a stream says how fast it goes.
    timings_per_token: Option<bool>,
    /// Whether a stream tells how much of the prompt is computed, before the first token (llama.cpp).
    return_progress: Option<bool>,
    /// Most tokens that are guessed in a row; 0: none.
    #[serde(rename = "speculative.n_max")]
    most_guesses: Option<usize>,
    /// Fewer are not guessed.
    #[serde(rename = "speculative.n_min")]
    least_guesses: Option<usize>,
}

/// How streams are sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
struct StreamOptions {
    /// Whether the last event has the counts of tokens.
    #[serde(default)]
    include_usage: Option<bool>,
    /// Whether every event has them.
    #[serde(default)]
    continuous_usage_stats: Option<bool>,
    /// Padding against eavesdroppers, which there is none of.
    #[serde(default)]
    #[expect(dead_code, reason = "known, and changes no text")]
    include_obfuscation: Option<bool>,
}

/// Most stop strings, and their most bytes.
const MAX_STOPS: usize = 64;
const MAX_STOP_BYTES: usize = 1024;

impl LimitFields {
    pub(crate) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(crate) fn num_choices(&self) -> usize {
        self.n.or(self.n_cmpl).unwrap_or(1)
    }

    pub(crate) fn include_usage(&self) -> bool {
        let options = self.stream_options.as_ref();
        options
            .and_then(|options| options.include_usage)
            .unwrap_or(false)
    }

    pub(crate) fn continuous_usage(&self) -> bool {
        let options = self.stream_options.as_ref();
        options
            .and_then(|options| options.continuous_usage_stats)
            .unwrap_or(false)
    }

    pub(crate) fn timings_per_token(&self) -> bool {
        self.timings_per_token.unwrap_or(false)
    }

    pub(crate) fn tells_progress(&self) -> bool {
        self.streams() && self.return_progress.unwrap_or(false)
    }

    fn guesses(&self, app: &App) -> Guesses {
        Guesses {
            min: self.least_guesses.unwrap_or(app.options.guesses.min),
            max: self.most_guesses.unwrap_or(app.options.guesses.max),
        }
    }

    /// The bounds as llama.cpp reports them.
    ///
    /// # Errors
    /// What is out of range.
    pub(crate) fn settings(&self, app: &App) -> Outcome<Map<String, Value>> {
        let most = self.max_tokens(app)?.map_or(json!(-1), |most| json!(most));
        let stop = self.stop.clone().map_or(Vec::new(), OneOrMany::into_vec);
        let guesses = self.guesses(app);
        let pairs = [
            ("n_predict", most.clone()),
            ("max_tokens", most),
            ("stop", json!(stop)),
            (
                "ignore_eos",
                json!(self.ignore_eos.unwrap_or(app.options.ignore_eos)),
            ),
            ("stream", json!(self.streams())),
            ("timings_per_token", json!(self.timings_per_token())),
            (
                "return_progress",
                json!(self.return_progress.unwrap_or(false)),
            ),
            ("cache_prompt", json!(self.cache_prompt.unwrap_or(true))),
            // llama.cpp counts them in 32 bits.
            (
                "speculative.n_max",
                json!(guesses.max.min(i32::MAX as usize)),
            ),
            (
                "speculative.n_min",
                json!(guesses.min.min(i32::MAX as usize)),
            ),
        ];
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Ok(pairs.collect())
    }

    /// Tokens of a reply at most; none: up to the end of the context.
    fn max_tokens(&self, app: &App) -> Outcome<Option<usize>> {
        let fields = [
            ("max_completion_tokens", self.max_completion_tokens),
            ("max_tokens", self.max_tokens),
            ("n_predict", self.n_predict),
        ];
        for (name, given) in fields {
            match given {
                None => {}
                Some(-1) => return Ok(None),
                Some(number) => {
                    let number = usize::try_from(number).map_err(|_| {
                        let message =
                            format!("`{name}`: expected -1 or a number of tokens, found {number}");
                        ApiError::field(name, message)
                    })?;
                    return Ok(Some(number));
                }
            }
        }
        Ok(app.options.max_tokens)
    }

    /// Puts the bounds into a request.
    ///
    /// # Errors
    /// What is out of range.
    pub(crate) fn apply(&self, app: &App, mut request: Request) -> Outcome<Request> {
        if let Some(max_tokens) = self.max_tokens(app)? {
            request = request.max_tokens(max_tokens);
        }
        if let Some(stop) = self.stop.clone() {
            request = request.stop(checked_stops("stop", stop.into_vec())?);
        }
        if let Some(tokens) = self.stop_token_ids.clone() {
            request = request.stop_tokens(tokens);
        }
        if let Some(cache) = self.cache_prompt {
            request = request.cache_prompt(cache);
        }
        if let Some(salt) = &self.cache_salt {
            request = request.cache_salt(salt.as_str());
        }
        if self.num_choices() == 0 {
            return Err(ApiError::field("n", "`n`: expected at least 1, found 0"));
        }
        Ok(request
            .n(self.num_choices())
            .guesses(self.guesses(app))
            .progress(self.tells_progress())
            .min_tokens(self.min_tokens.unwrap_or(0))
            .ignore_eos(self.ignore_eos.unwrap_or(app.options.ignore_eos))
            .keep_special(self.skip_special_tokens == Some(false)))
    }
}

/// Stop strings, of the field `name`.
///
/// # Errors
/// If there are too many, or one is empty or too long.
pub(crate) fn checked_stops(name: &str, stops: Vec<String>) -> Outcome<Vec<String>> {
    let wrong = |what: String| Err(ApiError::field(name, format!("`{name}`: {what}")));
    if stops.len() > MAX_STOPS {
        return wrong(format!(
            "expected at most {MAX_STOPS} strings, found {}",
            stops.len()
        ));
    }
    match stops
        .iter()
        .find(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES)
    {
        Some(stop) => wrong(format!(
            "expected 1 to {MAX_STOP_BYTES} bytes, found {}",
            stop.len()
        )),
        None => Ok(stops),
    }
}
