//! Our models as tools of others, over stdin and stdout.

use std::sync::Arc;

use ingle::{GrammarSpec, Message, Model, Pool, Request, SamplerParams};
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer, serve_server};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Error;

/// Texts of one call of `embed`, at most.
const MAX_TEXTS: usize = 256;

/// What is answered: a turn of a conversation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// `system`, `user` or `assistant`.
    role: String,
    content: String,
}

/// How a text is made.
#[derive(Deserialize, JsonSchema)]
struct How {
    /// One of the models that are served; the first otherwise.
    model: Option<String>,
    /// Tokens at most.
    max_tokens: Option<usize>,
    /// 0 always takes the most probable token.
    temperature: Option<f32>,
    /// The same seed gives the same text.
    seed: Option<u64>,
    /// A JSON schema that the text fits.
    json_schema: Option<Value>,
}

#[derive(Deserialize, JsonSchema)]
struct ChatArguments {
    /// What is asked; or `messages`.
    prompt: Option<String>,
    /// How the model shall behave.
    system: Option<String>,
    /// A conversation, its last turn the user's.
    messages: Option<Vec<Turn>>,
    #[serde(flatten)]
    how: How,
}

#[derive(Deserialize, JsonSchema)]
struct CompleteArguments {
    /// The text to go on from.
    prompt: String,
    #[serde(flatten)]
    how: How,
}

#[derive(Deserialize, JsonSchema)]
struct EmbedArguments {
    texts: Vec<String>,
    /// One of the models that are served; the first otherwise.
    model: Option<String>,
}

/// What is served.
#[derive(Clone)]
struct Models {
    pool: Pool,
    names: Arc<Vec<String>>,
}

/// Serves the models of these names, until the client ends it.
///
/// # Errors
/// If stdin and stdout are no MCP client, or it goes without a word.
pub async fn serve_stdio(pool: Pool, names: Vec<String>) -> Result<(), Error> {
    let gone = |message: String| Error::Serve { message };
    let models = Models {
        pool,
        names: Arc::new(names),
    };
    let transport = rmcp::transport::io::stdio();
    let running = serve_server(models, transport)
        .await
        .map_err(|error| gone(error.to_string()))?;
    running
        .waiting()
        .await
        .map_err(|error| gone(error.to_string()))?;
    Ok(())
}

impl ServerHandler for Models {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = Implementation::new("ingle", env!("CARGO_PKG_VERSION"));
        config.instructions = Some(format!(
            "Language models of this machine: {}",
            self.names.join(", ")
        ));
        config
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![
            tool::<ChatArguments>("chat", "Asks a language model that runs on this machine"),
            tool::<CompleteArguments>(
                "complete",
                "Has a language model that runs on this machine go on from a text",
            ),
            tool::<EmbedArguments>(
                "embed",
                "Turns texts into vectors, whose products say how alike the texts are",
            ),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let answering = async {
            match &*request.name {
                "chat" => self.chat(arguments).await,
                "complete" => self.complete(arguments).await,
                "embed" => self.embed(arguments).await,
                other => Err(format!("there is no tool `{other}`")),
            }
        };
        // A client that wants no answer any more lets go of it, and the model with it.
        let outcome = tokio::select! {
            outcome = answering => outcome,
            () = context.ct.cancelled() => Err("cancelled".to_owned()),
        };
        Ok(match outcome {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]).into(),
            Err(message) => CallToolResult::error(vec![ContentBlock::text(message)]).into(),
        })
    }
}

fn tool<T: JsonSchema>(name: &'static str, description: &'static str) -> Tool {
    let schema = match schema_for!(T).to_value() {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    Tool::new(name, description, Arc::new(schema))
}

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|error| error.to_string())
}

impl Models {
    /// A model that is served. Clients name no others: a name might start a download.
    async fn model(&self, name: Option<&str>) -> Result<Model, String> {
        let name = match name {
            None => &self.names[0],
            Some(name) => self
                .names
                .iter()
                .find(|known| *known == name)
                .ok_or_else(|| {
                    format!(
                        "`model`: expected one of `{}`, found `{name}`",
                        self.names.join("`, `")
                    )
                })?,
        };
        self.pool
            .get_async(name)
            .await
            .map_err(|error| error.to_string())
    }

    async fn chat(&self, arguments: Value) -> Result<String, String> {
        let ChatArguments {
            prompt,
            system,
            messages,
            how,
        } = read(arguments)?;
        let turns = messages.unwrap_or_default().into_iter();
        let turns = turns.map(|turn| Message::new(turn.role, turn.content));
        let system = system.map(Message::system);
        let turns: Vec<_> = system
            .into_iter()
            .chain(turns)
            .chain(prompt.map(Message::user))
            .collect();
        if turns.last().is_none_or(|turn| turn.role != "user") {
            return Err("expected `prompt`, or `messages` that end with the user's".to_owned());
        }
        let model = self.model(how.model.as_deref()).await?;
        let request = how.of(model.chat(turns), &model)?;
        let answer = request
            .answer_async()
            .await
            .map_err(|error| error.to_string())?;
        Ok(answer.content)
    }

    async fn complete(&self, arguments: Value) -> Result<String, String> {
        let CompleteArguments { prompt, how } = read(arguments)?;
        let model = self.model(how.model.as_deref()).await?;
        let request = how.of(model.complete(prompt), &model)?;
        let reply = request
            .run_async()
            .await
            .map_err(|error| error.to_string())?;
        Ok(reply.text)
    }

    async fn embed(&self, arguments: Value) -> Result<String, String> {
        let EmbedArguments { texts, model } = read(arguments)?;
        if texts.is_empty() || texts.len() > MAX_TEXTS {
            return Err(format!(
                "`texts`: expected 1 to {MAX_TEXTS}, found {}",
                texts.len()
            ));
        }
        let model = self.model(model.as_deref()).await?;
        let vectors = model
            .embed(texts)
            .run_async()
            .await
            .map_err(|error| error.to_string())?;
        Ok(json!({ "vectors": vectors }).to_string())
    }
}

impl How {
    fn of(self, request: Request, model: &Model) -> Result<Request, String> {
        let mut params = SamplerParams::default();
        model.info().sampler.apply(&mut params);
        params.temp = self.temperature.unwrap_or(params.temp);
        params.seed = self.seed.unwrap_or_else(random_seed);
        params.validate().map_err(|error| error.to_string())?;
        let mut request = request.sampler(params);
        if let Some(max_tokens) = self.max_tokens {
            request = request.max_tokens(max_tokens);
        }
        Ok(match self.json_schema {
            Some(schema) => request.grammar(GrammarSpec::JsonSchema(schema)),
            None => request,
        })
    }
}

/// A seed nobody chose.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
