//! Tools that are functions of the program.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::dialogue::{Tool, ToolCall};
use crate::prompt::Prompt;
use crate::{Answer, Error, Message, Request};

type Function = Box<dyn Fn(Value) -> Result<Value, String> + Send + Sync>;

/// Functions that a model may call.
///
/// ```no_run
/// use ingle::{Model, Toolbox};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct City {
///     name: String,
/// }
///
/// let mut tools = Toolbox::new();
/// tools.add("temperature", "Degrees Celsius in a city", |city: City| {
///     Ok::<_, String>(if city.name == "Oslo" { -3 } else { 21 })
/// });
/// let model = Model::load("qwen2.5:1.5b")?;
/// let answer = model.chat("How cold is it in Oslo?").run_with(&tools, 4)?;
/// println!("{}", answer.content);
/// # Ok::<(), ingle::Error>(())
/// ```
#[derive(Default)]
pub struct Toolbox {
    tools: Vec<Tool>,
    functions: Vec<Function>,
}

impl Toolbox {
    /// No tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function. Its argument's JSON schema is what the model is shown and held to.
    pub fn add<A, R, E>(
        &mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        function: impl Fn(A) -> Result<R, E> + Send + Sync + 'static,
    ) where
        A: DeserializeOwned + JsonSchema,
        R: Serialize,
        E: std::fmt::Display,
    {
        let schema = SchemaGenerator::default().into_root_schema_for::<A>();
        let call = move |arguments: Value| {
            let arguments = serde_json::from_value(arguments).map_err(|error| error.to_string())?;
            let result = function(arguments).map_err(|error| error.to_string())?;
            serde_json::to_value(result).map_err(|error| error.to_string())
        };
        self.tools
            .push(Tool::new(name, description, schema.to_value()));
        self.functions.push(Box::new(call));
    }

    /// The tools as a request wants them.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// Carries a call out. What goes wrong is told to the model, which may try something else.
    pub fn call(&self, call: &ToolCall) -> Message {
        let at = self.tools.iter().position(|tool| tool.name == call.name);
        let result = match at {
            Some(at) => self.functions[at](call.arguments.clone()),
            None => Err(format!("there is no tool `{}`", call.name)),
        };
        let content = match result {
            Ok(Value::String(text)) => text,
            Ok(value) => value.to_string(),
            Err(error) => json!({ "error": error }).to_string(),
        };
        Message::tool(call, content)
    }
}

impl Request {
    /// Lets the model call functions until it answers without, at most `max_rounds` times.
    ///
    /// # Errors
    /// As for [`Request::answer`]; [`Error::ToolRounds`] if it still calls then.
    pub fn run_with(self, toolbox: &Toolbox, max_rounds: usize) -> Result<Answer, Error> {
        let mut request = self.tools(toolbox.tools().to_vec());
        for _ in 0..=max_rounds {
            let answer = request.clone().answer()?;
            if answer.tool_calls.is_empty() {
                return Ok(answer);
            }
            if let Prompt::Chat { messages, .. } = &mut request.prompt {
                let results = answer.tool_calls.iter().map(|call| toolbox.call(call));
                let results: Vec<Message> = results.collect();
                messages.push(Message::calls(answer.content, answer.tool_calls));
                messages.extend(results);
            }
        }
        Err(Error::ToolRounds { max_rounds })
    }
}
