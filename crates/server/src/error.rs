//! What goes wrong with a request, and how each dialect says so.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingle::RequestError;
use ingle::dialogue::ToolError;
use serde_json::{Map, Value, json};

/// Why a server cannot be started, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it says.
        error: std::io::Error,
    },
    /// The model that was to be served cannot be loaded, or another thing of the library.
    #[error(transparent)]
    Model(#[from] ingle::Error),
    /// A key that no header can carry.
    #[error("an API key is empty, or has characters that no HTTP header can carry")]
    Key,
}

/// The family of an error: its name in llama.cpp's dialect, and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Invalid,
    Authentication,
    Permission,
    NotFound,
    TooLarge,
    ContextSize,
    Busy,
    Server,
    NotSupported,
    Unavailable,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::ContextSize => StatusCode::BAD_REQUEST,
            Self::Authentication => StatusCode::UNAUTHORIZED,
            Self::Permission => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Server => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// llama.cpp's and OpenAI's word.
    fn name(self) -> &'static str {
        match self {
            Self::Invalid | Self::TooLarge => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::ContextSize => "exceed_context_size_error",
            Self::Busy => "rate_limit_error",
            Self::Server => "server_error",
            Self::NotSupported => "not_supported_error",
            Self::Unavailable => "unavailable_error",
        }
    }

    /// Anthropic's word.
    fn anthropic(self) -> &'static str {
        match self {
            Self::Invalid | Self::ContextSize | Self::NotSupported => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::TooLarge => "request_too_large",
            Self::Busy => "rate_limit_error",
            Self::Server => "api_error",
            Self::Unavailable => "overloaded_error",
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    message: String,
    /// The field that is wrong.
    param: Option<String>,
    /// OpenAI's finer word.
    code: Option<&'static str>,
    /// Further fields of the error.
    extra: Map<String, Value>,
    status: StatusCode,
}

pub(crate) type Outcome<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            param: None,
            code: None,
            extra: Map::new(),
            status: kind.status(),
        }))
    }

    /// A field that is wrong.
    pub(crate) fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::new(Kind::Invalid, message);
        error.0.param = Some(param.into());
        error
    }

    /// A field that is known, and that this server does nothing with.
    pub(crate) fn unsupported(param: impl Into<String>) -> Self {
        let param = param.into();
        let mut error = Self::new(Kind::Invalid, format!("`{param}` is not supported"));
        (error.0.param, error.0.code) = (Some(param), Some("unsupported_parameter"));
        error
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub(crate) fn model_not_found(name: &str) -> Self {
        let message = format!("the model `{name}` does not exist");
        let mut error = Self::new(Kind::NotFound, message).code("model_not_found");
        error.0.param = Some("model".into());
        error
    }

    /// The same, which is about the field `param` if it is about a reply's form: what compiles that does not know who
    /// asked for it.
    pub(crate) fn of_form(mut self, param: Option<&str>) -> Self {
        if self.0.code == Some(BAD_FORM) && self.0.param.is_none() {
            self.0.param = param.map(Into::into);
        }
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The body of the error in the shape of a dialect.
    pub(crate) fn body(&self, dialect: Dialect) -> Value {
        let message = &self.0.message;
        match dialect {
            Dialect::OpenAi => {
                let mut error = json!({
                    "message": message,
                    "type": self.0.kind.name(),
                    "param": self.0.param,
                    "code": self.0.code,
                });
                merge(&mut error, &self.0.extra);
                json!({ "error": error })
            }
            Dialect::LlamaCpp => {
                let mut error = json!({
                    "code": self.0.status.as_u16(),
                    "message": message,
                    "type": self.0.kind.name(),
                });
                if let Some(param) = &self.0.param {
                    error["param"] = json!(param);
                }
                merge(&mut error, &self.0.extra);
                json!({ "error": error })
            }
            Dialect::Anthropic => json!({
                "type": "error",
                "error": { "type": self.0.kind.anthropic(), "message": self.for_anthropic() },
            }),
            Dialect::Ollama => json!({ "error": message }),
        }
    }
}

impl ApiError {
    /// Programs that shorten a conversation look for Anthropic's own words.
    fn for_anthropic(&self) -> String {
        let (tokens, ctx) = (
            self.0.extra.get("n_prompt_tokens"),
            self.0.extra.get("n_ctx"),
        );
        match (tokens, ctx) {
            (Some(tokens), Some(ctx)) => {
                format!("prompt is too long: {tokens} tokens > {ctx} maximum")
            }
            _ => self.0.message.clone(),
        }
    }
}

fn merge(error: &mut Value, extra: &Map<String, Value>) {
    if let Value::Object(error) = error {
        error.extend(
            extra
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
}

/// Whose shapes a path has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    LlamaCpp,
    Anthropic,
    Ollama,
}

impl Dialect {
    pub(crate) const ALL: [Self; 4] = [Self::OpenAi, Self::LlamaCpp, Self::Anthropic, Self::Ollama];

    pub(crate) fn of_path(path: &str) -> Self {
        match path {
            path if path.starts_with("/v1/messages") => Self::Anthropic,
            path if path.starts_with("/api/") => Self::Ollama,
            path if path.starts_with("/v1/") => Self::OpenAi,
            _ => Self::LlamaCpp,
        }
    }
}

/// The response says only what the status is; [`crate::guard`] writes the body in the path's dialect.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of an error that a handler gave to the request `id`.
pub(crate) fn in_dialect(mut response: Response, dialect: Dialect, id: &str) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    let mut body = error.body(dialect);
    if dialect == Dialect::Anthropic {
        body["request_id"] = json!(id);
    }
    let mut written = (error.0.status, Json(body)).into_response();
    if matches!(error.0.kind, Kind::Busy | Kind::Unavailable) {
        let soon = HeaderValue::from_static("1");
        written.headers_mut().insert(header::RETRY_AFTER, soon);
    }
    if error.0.kind == Kind::Authentication {
        let bearer = HeaderValue::from_static("Bearer");
        written
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, bearer);
    }
    written
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let message = error.to_string();
        match error {
            RequestError::ContextExceeded {
                num_tokens,
                max_seq_len,
            } => {
                let message = format!(
                    "request ({num_tokens} tokens) exceeds the available context size ({max_seq_len} tokens), \
                     try increasing it"
                );
                let mut error = Self::new(Kind::ContextSize, message);
                error.0.code = Some("context_length_exceeded");
                error
                    .0
                    .extra
                    .insert("n_prompt_tokens".into(), num_tokens.into());
                error.0.extra.insert("n_ctx".into(), max_seq_len.into());
                error
            }
            RequestError::EmptyPrompt => Self::field("prompt", message),
            RequestError::UnknownToken { field, .. } | RequestError::TooMany { field, .. } => {
                Self::field(public_name(field), message)
            }
            RequestError::Sampler(error) => Self::field(public_name(error.field), message),
            RequestError::Grammar(_) => Self::new(Kind::Invalid, message).code(BAD_FORM),
            RequestError::Busy { .. } => Self::new(Kind::Busy, message),
            _ => Self::new(Kind::Server, message),
        }
    }
}

/// OpenAI's finer word for a form of replies that cannot be enforced.
const BAD_FORM: &str = "unsupported_grammar";

/// What requests call a field of ours.
fn public_name(field: &'static str) -> &'static str {
    match field {
        "temp" => "temperature",
        "typ_p" => "typical_p",
        "logprobs" => "top_logprobs",
        other => other,
    }
}

impl From<ingle::Error> for ApiError {
    fn from(error: ingle::Error) -> Self {
        use ingle::Error;
        let message = error.to_string();
        match error {
            Error::Request(error) => error.into(),
            Error::Grammar(_) => Self::new(Kind::Invalid, message).code(BAD_FORM),
            Error::Tools(ToolError::Unknown { .. } | ToolError::NoTools) => {
                Self::field("tool_choice", message)
            }
            Error::Tools(_) => Self::field("tools", message),
            Error::Template(_) | Error::NoChatTemplate { .. } | Error::NothingToContinue => {
                Self::field("messages", message)
            }
            Error::Role { index, .. } => Self::field(format!("messages[{index}].role"), message),
            Error::GrammarAndTools => Self::field("tools", message),
            Error::Choices { .. } | Error::BestOfStream { .. } => Self::field("n", message),
            Error::PoolFull { .. } => Self::new(Kind::Unavailable, message),
            Error::Hub(_) => Self::new(Kind::NotFound, message).code("model_not_found"),
            _ => Self::new(Kind::Server, message),
        }
    }
}
