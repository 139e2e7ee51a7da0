//! Tools of MCP servers, called when the user lets them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use ::mcp::{Clients, Config, Limits};
use ingle::dialogue::{Tool, ToolCall};
use tokio::runtime::Runtime;

use crate::App;
use crate::failure::Failure;
use crate::text;
use crate::tools::Tools;

/// Which servers, and what they may do.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Tools")]
pub(crate) struct McpArgs {
    /// File that names MCP servers ("mcpServers", as other programs have it), whose tools the model may call
    #[arg(long, value_name = "FILE")]
    pub(crate) mcp_config: Option<PathBuf>,
    /// Tool that may be called without asking; may be repeated, * is all
    #[arg(long, value_name = "NAME", requires = "mcp_config")]
    mcp_allow: Vec<String>,
}

/// Servers that run as long as this lives.
pub(crate) struct McpTools {
    runtime: Runtime,
    clients: Option<Clients>,
    tools: Vec<Tool>,
    allowed: RefCell<BTreeSet<String>>,
}

/// What the user says to a call.
enum Consent {
    Once,
    Always,
    No,
}

/// The servers that a file names.
///
/// # Errors
/// If it is not as it should be, or a server does not start.
pub(crate) async fn connect(path: &Path) -> Result<Clients, Failure> {
    let config = Config::read(path).map_err(Failure::new)?;
    let connecting = Clients::connect(&config, Limits::default());
    connecting.await.map_err(Failure::new)
}

impl McpTools {
    /// Starts the servers, if any are named.
    ///
    /// # Errors
    /// If the file is not as it should be, or a server does not start.
    pub(crate) fn start(args: &McpArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.mcp_config else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("ingle-mcp")
            .enable_all()
            .build()?;
        let clients = runtime.block_on(connect(path))?;
        for name in &args.mcp_allow {
            if name != "*" && clients.tool(name).is_none() {
                let known: Vec<_> = clients
                    .tools()
                    .iter()
                    .map(|tool| tool.name.as_str())
                    .collect();
                return Err(Failure::Usage(format!(
                    "`--mcp-allow`: there is no tool `{name}`\nhint: there are `{}`",
                    known.join("`, `")
                )));
            }
        }
        let tools = clients.tools().iter();
        let tools =
            tools.map(|tool| Tool::new(&tool.name, &tool.description, tool.parameters.clone()));
        Ok(Some(Self {
            tools: tools.collect(),
            runtime,
            clients: Some(clients),
            allowed: RefCell::new(args.mcp_allow.iter().cloned().collect()),
        }))
    }

    fn is_allowed(&self, name: &str) -> bool {
        let allowed = self.allowed.borrow();
        allowed.contains("*") || allowed.contains(name)
    }

    /// Asks the user; without a terminal there is nobody to ask.
    fn ask(&self, app: &App, call: &ToolCall) -> Result<Consent, Failure> {
        let mut err = io::stderr();
        if !io::stdin().is_terminal() {
            let note = format!(
                "`{}` was not called: `--mcp-allow {}` lets it be",
                call.name, call.name
            );
            let _ = writeln!(err, "{}", app.style.err_dim(&note));
            return Ok(Consent::No);
        }
        let server = self
            .clients
            .as_ref()
            .and_then(|clients| clients.tool(&call.name));
        let server = server.map_or("", |tool| tool.server.as_str());
        let arguments = text::shorten(&call.arguments.to_string(), 1000);
        loop {
            write!(
                err,
                "call `{}` of `{server}` with {arguments}? [y]es, [a]lways, [n]o: ",
                call.name
            )?;
            err.flush()?;
            let mut line = String::new();
            // The end of the input is no consent.
            let read = io::stdin().read_line(&mut line);
            if app.interrupt.caught() || !matches!(read, Ok(1..)) {
                return Ok(Consent::No);
            }
            match line.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(Consent::Once),
                "a" | "always" => return Ok(Consent::Always),
                "n" | "no" => return Ok(Consent::No),
                _ => {}
            }
        }
    }
}

impl Tools for McpTools {
    fn list(&self) -> &[Tool] {
        &self.tools
    }

    fn call(&self, app: &App, call: &ToolCall) -> Result<String, Failure> {
        let Some(clients) = &self.clients else {
            return Ok("error: the tools are gone".to_owned());
        };
        if !self.is_allowed(&call.name) && clients.tool(&call.name).is_some() {
            match self.ask(app, call)? {
                Consent::No => return Ok("error: the user did not allow this call".to_owned()),
                Consent::Always => {
                    self.allowed.borrow_mut().insert(call.name.clone());
                }
                Consent::Once => {}
            }
        }
        let outcome = self
            .runtime
            .block_on(clients.call(&call.name, &call.arguments));
        Ok(outcome.unwrap_or_else(|error| format!("error: {error}")))
    }
}

impl Drop for McpTools {
    fn drop(&mut self) {
        if let Some(clients) = self.clients.take() {
            self.runtime.block_on(clients.close());
        }
    }
}
