//! A server that runs already: `ingle run --host`, `ingle ps`, `ingle stop`.
//!
//! Chats go through `/v1/chat/completions`, so any server of OpenAI's dialect will do for them.

mod address;
mod chat;
mod events;
mod fields;

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use self::address::Address;
pub(crate) use self::address::from_env as address_from_env;
pub(crate) use self::chat::{Asked, stream};
use crate::failure::Failure;

/// How long a server may take to be reached. Replies may take any time.
const CONNECT: Duration = Duration::from_secs(5);

/// A server, and the model there that is meant. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Remote {
    agent: Agent,
    address: Address,
    key: Option<String>,
    /// What the server calls the model.
    pub(crate) model: String,
    /// The model's context, if the server says.
    pub(crate) ctx: Option<u64>,
}

impl Remote {
    /// The server at `host`, or where the environment or nobody says.
    ///
    /// # Errors
    /// If that is no address.
    pub(crate) fn new(host: Option<&str>) -> Result<Self, Failure> {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false)
            .build();
        let key = ["INGLE_API_KEY", "LLAMA_API_KEY"];
        let key = key.into_iter().find_map(|name| std::env::var(name).ok());
        Ok(Self {
            agent: config.new_agent(),
            address: match host {
                Some(host) => Address::parse(host, address::PORT)?,
                None => address_from_env()?.unwrap_or_default(),
            },
            // llama-server takes several; one of them opens the door.
            key: key.and_then(|keys| Some(keys.split(',').next()?.trim().to_owned())),
            model: String::new(),
            ctx: None,
        })
    }

    /// Finds the model of this name, or else one that is loaded, or else any.
    ///
    /// # Errors
    /// If the server has none.
    pub(crate) fn choose(mut self, name: Option<&str>) -> Result<Self, Failure> {
        let models = self.models()?;
        let known = |entry: &&Value| entry["id"].as_str() == name;
        let loaded = |entry: &&Value| entry["status"]["value"] == "loaded";
        let found = match name {
            Some(_) => models.iter().find(known),
            None => models.iter().find(loaded).or_else(|| models.first()),
        };
        self.model = match (name, found) {
            // A server knows more names than it lists.
            (Some(name), _) => name.to_owned(),
            (None, Some(entry)) => entry["id"].as_str().unwrap_or_default().to_owned(),
            (None, None) => {
                return Err(Failure::new(format_args!(
                    "the server at {} has no model",
                    self.address
                )));
            }
        };
        self.ctx = found.and_then(|entry| entry["max_model_len"].as_u64());
        Ok(self)
    }

    /// The server's models, as `/v1/models` has them.
    ///
    /// # Errors
    /// If it cannot be reached, or says no.
    pub(crate) fn models(&self) -> Result<Vec<Value>, Failure> {
        let request = self.authorised(self.agent.get(self.url("/v1/models")));
        let list = self.json(request.call())?;
        Ok(list["data"].as_array().cloned().unwrap_or_default())
    }

    /// Asks whether requests can be answered, which needs no key.
    ///
    /// # Errors
    /// If they cannot: it loads, ends, or cannot be reached.
    pub(crate) fn ready(&self) -> Result<(), Failure> {
        self.checked(self.agent.get(self.url("/health")).call())?;
        Ok(())
    }

    /// Has a model unloaded.
    ///
    /// # Errors
    /// If it is not loaded, or the server cannot be reached.
    pub(crate) fn unload(&self, model: &str) -> Result<(), Failure> {
        self.json(self.post("/models/unload", &json!({ "model": model })))?;
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Response<Body>, ureq::Error> {
        let request = self.authorised(self.agent.post(self.url(path)));
        request
            .header("content-type", "application/json")
            .send(body.to_string())
    }

    fn authorised<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    fn json(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Value, Failure> {
        let mut response = self.checked(response)?;
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(format_args!(
                "{} answers with something that is no JSON: {error}",
                self.address
            ))
        })
    }

    /// The response, if the server is content.
    fn checked(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, Failure> {
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = said["error"]["message"]
            .as_str()
            .or_else(|| said["error"].as_str());
        let hint = match response.status().as_u16() {
            401 => "\nhint: the key goes in `INGLE_API_KEY`",
            _ => "",
        };
        Err(Failure::new(match message {
            Some(message) => format!("{message}{hint}"),
            None => format!("{} answers {}{hint}", self.address, response.status()),
        }))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(format_args!(
            "cannot reach {}: {error}\nhint: `ingle serve` starts a server; `--host` or `INGLE_HOST` says where it is",
            self.address
        ))
    }
}
