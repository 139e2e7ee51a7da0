//! What goes wrong.

use std::path::PathBuf;
use std::time::Duration;

/// Why there are no tools.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is not as it should be.
    #[error("`{}`: {message}\nhint: as in {{\"mcpServers\": {{\"time\": {{\"command\": \"mcp-server-time\"}}}}}}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A server does not start, or is none.
    #[error("the MCP server `{server}` does not start: {message}")]
    Start {
        /// Its name in the file.
        server: String,
        /// What it says.
        message: String,
    },
    /// A server takes too long.
    #[error("the MCP server `{server}` did not answer within {} s", after.as_secs())]
    Slow {
        /// Its name in the file.
        server: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// More tools than a model could choose from.
    #[error("{found} tools, at most {most} are offered to a model")]
    TooMany {
        /// Of all servers.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// Serving ended otherwise than by the client's wish.
    #[error("the MCP client is gone: {message}")]
    Serve {
        /// What happened.
        message: String,
    },
}

/// Why a call has no result. The text is for the model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such tool.
    #[error("there is no tool `{0}`")]
    Unknown(String),
    /// The arguments are no object.
    #[error("the arguments of a tool are a JSON object")]
    Arguments,
    /// The tool says so.
    #[error("{0}")]
    Failed(String),
    /// It takes too long.
    #[error("the tool did not answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// The server is gone, or breaks the protocol.
    #[error("the tool cannot be reached: {0}")]
    Server(String),
}
