//! Servers that are running, and their tools.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService, serve_client};
use rmcp::transport::child_process::TokioChildProcess;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};

use crate::http::HttpClient;
use crate::{CallError, Config, Error, Server, names, results};

/// Bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a server may take to start and list its tools.
    pub start: Duration,
    /// How long a call may take.
    pub call: Duration,
    /// Bytes of a result that a model is shown.
    pub result_bytes: usize,
    /// Tools of all servers.
    pub tools: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(60),
            call: Duration::from_secs(60),
            result_bytes: 32 << 10,
            tools: 128,
        }
    }
}

/// A tool that a model may be offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// What the model calls it.
    pub name: String,
    /// The server's name in the configuration.
    pub server: String,
    /// What the server calls it.
    pub own_name: String,
    /// What it does, as the server says.
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Value,
}

/// Servers that are running. They end when this is dropped.
pub struct Clients {
    servers: Vec<(String, RunningService<RoleClient, ()>)>,
    tools: Vec<Tool>,
    limits: Limits,
}

impl Clients {
    /// Starts all servers and asks for their tools.
    ///
    /// # Errors
    /// If one of them does not start.
    pub async fn connect(config: &Config, limits: Limits) -> Result<Self, Error> {
        let mut clients = Self {
            servers: Vec::new(),
            tools: Vec::new(),
            limits,
        };
        for (name, server) in &config.servers {
            let starting = clients.start(name, server);
            match tokio::time::timeout(limits.start, starting).await {
                Ok(outcome) => outcome?,
                Err(_) => {
                    return Err(Error::Slow {
                        server: name.clone(),
                        after: limits.start,
                    });
                }
            }
        }
        if clients.tools.len() > limits.tools {
            return Err(Error::TooMany {
                found: clients.tools.len(),
                most: limits.tools,
            });
        }
        let own = clients
            .tools
            .iter()
            .map(|tool| (tool.server.clone(), tool.own_name.clone()));
        let offered = names::offered(&own.collect::<Vec<_>>());
        for (tool, name) in clients.tools.iter_mut().zip(offered) {
            tool.name = name;
        }
        Ok(clients)
    }

    async fn start(&mut self, name: &str, server: &Server) -> Result<(), Error> {
        let failed = |message: String| Error::Start {
            server: name.to_owned(),
            message,
        };
        let running = match server {
            Server::Program { .. } => {
                let (transport, last) =
                    program(server).map_err(|error| failed(error.to_string()))?;
                serve_client((), transport)
                    .await
                    .map_err(|error| failed(format!("{error}{}", last.said())))?
            }
            Server::Http { url, headers } => {
                let client = HttpClient::new(headers).map_err(failed)?;
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                let transport = StreamableHttpClientTransport::with_client(client, config);
                serve_client((), transport)
                    .await
                    .map_err(|error| failed(error.to_string()))?
            }
        };
        let listed = running
            .list_all_tools()
            .await
            .map_err(|error| failed(error.to_string()))?;
        self.tools.extend(listed.into_iter().map(|tool| Tool {
            name: String::new(),
            server: name.to_owned(),
            own_name: tool.name.into_owned(),
            description: tool.description.unwrap_or_default().into_owned(),
            parameters: Value::Object((*tool.input_schema).clone()),
        }));
        self.servers.push((name.to_owned(), running));
        Ok(())
    }

    /// The tools of all servers, each under a name of its own.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// The tool of this name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// Whatever goes wrong, in words for the model.
    pub async fn call(&self, name: &str, arguments: &Value) -> Result<String, CallError> {
        let tool = self
            .tool(name)
            .ok_or_else(|| CallError::Unknown(name.to_owned()))?;
        let server = self.servers.iter().find(|(name, _)| *name == tool.server);
        let (_, server) = server.ok_or_else(|| CallError::Unknown(name.to_owned()))?;
        let arguments = match arguments {
            Value::Object(arguments) => arguments.clone(),
            Value::Null => serde_json::Map::new(),
            _ => return Err(CallError::Arguments),
        };
        let params = CallToolRequestParams::new(tool.own_name.clone()).with_arguments(arguments);
        let calling = tokio::time::timeout(self.limits.call, server.call_tool(params));
        match calling.await {
            Err(_) => Err(CallError::Slow(self.limits.call)),
            Ok(Err(error)) => Err(CallError::Server(error.to_string())),
            Ok(Ok(result)) => results::text(&result, self.limits.result_bytes),
        }
    }

    /// Ends all servers, and waits for that.
    pub async fn close(self) {
        for (_, server) in self.servers {
            // One that is gone already is no matter.
            let _ = server.cancel().await;
        }
    }
}

/// Starts a program. Its stderr is no data: the end of it is kept, for when it does not start.
fn program(server: &Server) -> std::io::Result<(TokioChildProcess, LastWords)> {
    let Server::Program {
        command,
        args,
        env,
        cwd,
    } = server
    else {
        unreachable!("the caller has looked");
    };
    let mut program = Command::new(command);
    program.args(args).envs(env).kill_on_drop(true);
    if let Some(cwd) = cwd {
        program.current_dir(cwd);
    }
    let builder = TokioChildProcess::builder(program).stderr(Stdio::piped());
    let (process, stderr) = builder.spawn()?;
    let last = LastWords::default();
    if let Some(stderr) = stderr {
        tokio::spawn(last.clone().listen(stderr));
    }
    Ok((process, last))
}

/// The last that a program wrote to its stderr.
#[derive(Clone, Default)]
struct LastWords(Arc<Mutex<Vec<u8>>>);

impl LastWords {
    const MAX_BYTES: usize = 2048;

    async fn listen(self, mut stderr: ChildStderr) {
        let mut buffer = [0; 1024];
        while let Ok(length) = stderr.read(&mut buffer).await {
            if length == 0 {
                return;
            }
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            last.extend_from_slice(&buffer[..length]);
            let excess = last.len().saturating_sub(Self::MAX_BYTES);
            last.drain(..excess);
        }
    }

    fn said(&self) -> String {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match String::from_utf8_lossy(&last).trim() {
            "" => String::new(),
            text => format!("\n{text}"),
        }
    }
}
