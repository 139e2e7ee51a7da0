//! Cached beginnings in files: a long prompt is computed once, and the next process takes it from disk.
//!
//! ```text
//! "ingle kv"  version u32  identity [32]  num_tokens u32  tokens [u32]  keys, values, states  SHA-256 of all that
//! ```
//!
//! Numbers have their lowest byte first. The identity is a hash of the model (its configuration, the index of its
//! tensors, and the first bytes of each), the type of keys and values, and the context: under any other, the same
//! tokens would have other keys and values. What is read is checked before the cache sees any of it, and no more memory
//! is taken than a text of the context in use can need. A file is written under another name first, so that one that
//! is there is whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{RestoreError, Saved};
use formats::Gguf;
use model::KvType;
use model::config::ModelConfig;
use sha2::{Digest, Sha256};

use crate::worker::Command;
use crate::{Error, Model, Request};

const MAGIC: &[u8; 8] = b"ingle kv";
const VERSION: u32 = 2;
/// Bytes before the tokens, and after everything.
const HEAD: usize = 8 + 4 + 32 + 4;
const TAIL: usize = 32;
/// Bytes of each tensor that its model is told by.
const SAMPLE: usize = 64;

/// Why a file of a cached beginning is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("expected a cached prefix of version {VERSION}, found something else")]
    Foreign,
    /// It was saved with another model, type of keys and values, or context.
    #[error(
        "it was saved with another model, `--kv-type` or `--ctx`\nhint: the same settings as when it was saved"
    )]
    OtherModel,
    /// It has more tokens than the context.
    #[error("it has {num_tokens} tokens, the context has room for {ctx}")]
    TooLong {
        /// Tokens that it says it has.
        num_tokens: usize,
        /// Tokens of the context.
        ctx: usize,
    },
    /// It is shorter or longer than its tokens say.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes there should be.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// Its contents have changed since it was written.
    #[error("its contents do not match its checksum")]
    Damaged,
    /// The engine cannot take it.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// What tells a model, as it is loaded, from others. No weights are read but the first bytes of each tensor.
pub(crate) fn identity(gguf: &Gguf, config: &ModelConfig, kv_type: KvType, ctx: usize) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{config:?} {} {ctx}", kv_type.name()));
    for tensor in gguf.tensors() {
        hash.update(format!(
            "{} {:?} {:?}",
            tensor.name, tensor.dtype, tensor.shape
        ));
        hash.update(&tensor.data[..tensor.data.len().min(SAMPLE)]);
    }
    hash.finalize().into()
}

/// The cached beginnings of one salt; see [`Model::prefixes`].
#[derive(Clone)]
pub struct Prefixes {
    model: Model,
    salt: String,
}

impl Model {
    /// Cached beginnings of requests without a salt: to keep them in files.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("smollm2")?;
    /// let instructions = model.complete("A long text that many requests begin with").tokens()?;
    /// model.prefixes().save(&instructions, "instructions.kv")?;
    /// // Another day, with the same model and settings:
    /// let num_tokens = model.prefixes().restore("instructions.kv")?.len();
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn prefixes(&self) -> Prefixes {
        let (model, salt) = (self.clone(), String::new());
        Prefixes { model, salt }
    }
}

impl Prefixes {
    /// Those of requests with this salt ([`Request::cache_salt`]).
    pub fn cache_salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = salt.into();
        self
    }

    /// Writes keys, values and states of `tokens` to a file, after computing what of them is not cached. How many
    /// tokens that are: all, unless other requests took the room at that moment.
    ///
    /// # Errors
    /// If the tokens cannot be computed, or the file cannot be written; one that is there already stays then.
    pub fn save(&self, tokens: &[u32], path: impl AsRef<Path>) -> Result<usize, Error> {
        self.compute(tokens).run()?;
        let (sender, receiver) = async_channel::bounded(1);
        self.send(self.command(tokens, sender))?;
        let saved = receiver.recv_blocking().map_err(|_| Error::WorkerGone)?;
        self.write(&saved, path.as_ref())
    }

    /// [`Prefixes::save`] for any async runtime; the file itself is written in one go.
    ///
    /// # Errors
    /// As for [`Prefixes::save`].
    pub async fn save_async(&self, tokens: &[u32], path: impl AsRef<Path>) -> Result<usize, Error> {
        self.compute(tokens).run_async().await?;
        let (sender, receiver) = async_channel::bounded(1);
        let sent = self.model.0.commands.send(self.command(tokens, sender));
        sent.await.map_err(|_| Error::WorkerGone)?;
        let saved = receiver.recv().await.map_err(|_| Error::WorkerGone)?;
        self.write(&saved, path.as_ref())
    }

    /// Puts back what [`Prefixes::save`] wrote, for requests to find as if it had been computed here; gives its tokens.
    ///
    /// # Errors
    /// If the file is not whole, not of this model and these settings, or no such file at all, or if requests hold so
    /// much of the cache that there is no room.
    pub fn restore(&self, path: impl AsRef<Path>) -> Result<Vec<u32>, Error> {
        let path = path.as_ref();
        let saved = self.read(path).map_err(in_file(path))?;
        let (sender, receiver) = async_channel::bounded(1);
        let tokens = saved.tokens.clone();
        self.send(Command::Restore(saved, self.salt.clone(), sender))?;
        let restored = receiver.recv_blocking().map_err(|_| Error::WorkerGone)?;
        restored.map_err(|error| in_file(path)(error.into()))?;
        Ok(tokens)
    }

    /// [`Prefixes::restore`] for any async runtime; the file itself is read in one go.
    ///
    /// # Errors
    /// As for [`Prefixes::restore`].
    pub async fn restore_async(&self, path: impl AsRef<Path>) -> Result<Vec<u32>, Error> {
        let path = path.as_ref();
        let saved = self.read(path).map_err(in_file(path))?;
        let (sender, receiver) = async_channel::bounded(1);
        let tokens = saved.tokens.clone();
        let command = Command::Restore(saved, self.salt.clone(), sender);
        let sent = self.model.0.commands.send(command).await;
        sent.map_err(|_| Error::WorkerGone)?;
        let restored = receiver.recv().await.map_err(|_| Error::WorkerGone)?;
        restored.map_err(|error| in_file(path)(error.into()))?;
        Ok(tokens)
    }

    /// A request that leaves all of `tokens` in the cache.
    fn compute(&self, tokens: &[u32]) -> Request {
        let request = self.model.complete_tokens(tokens.to_vec());
        request.cache_salt(self.salt.clone()).max_tokens(1)
    }

    fn command(&self, tokens: &[u32], sender: async_channel::Sender<Saved>) -> Command {
        Command::Save(tokens.to_vec(), self.salt.clone(), sender)
    }

    fn send(&self, command: Command) -> Result<(), Error> {
        let sent = self.model.0.commands.send_blocking(command);
        sent.map_err(|_| Error::WorkerGone)
    }

    /// Writes a file that is whole or not there.
    fn write(&self, saved: &Saved, path: &Path) -> Result<usize, Error> {
        let new = beside(path);
        let written = self.write_to(saved, &new);
        let written = written.and_then(|()| fs::rename(&new, path));
        written.map_err(|error| {
            // It may not even be there.
            let _ = fs::remove_file(&new);
            in_file(path)(error.into())
        })?;
        Ok(saved.tokens.len())
    }

    fn write_to(&self, saved: &Saved, path: &Path) -> io::Result<()> {
        let tokens = saved.tokens.iter().flat_map(|token| token.to_le_bytes());
        let head = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &self.model.0.identity,
            &(saved.tokens.len() as u32).to_le_bytes(),
        ];
        let head: Vec<u8> = head.concat().into_iter().chain(tokens).collect();
        let mut hash = Sha256::new();
        let mut file = File::create_new(path)?;
        for part in [&head, &saved.bytes] {
            hash.update(part);
            file.write_all(part)?;
        }
        file.write_all(&hash.finalize())?;
        file.sync_all()
    }

    /// What a file holds, if it is whole and fits this model.
    fn read(&self, path: &Path) -> Result<Saved, PrefixError> {
        let mut file = File::open(path)?;
        let found = file.metadata()?.len();
        let mut head = [0; HEAD];
        file.read_exact(&mut head)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => PrefixError::Foreign,
                _ => error.into(),
            })?;
        let (is_ours, rest) = head.split_at(12);
        if is_ours != [&MAGIC[..], &VERSION.to_le_bytes()].concat() {
            return Err(PrefixError::Foreign);
        }
        let (identity, count) = rest.split_at(32);
        if identity != self.model.0.identity {
            return Err(PrefixError::OtherModel);
        }
        let count = count.try_into().expect("four bytes are left");
        let (num_tokens, ctx) = (u32::from_le_bytes(count) as usize, self.model.info().ctx);
        if num_tokens > ctx {
            return Err(PrefixError::TooLong { num_tokens, ctx });
        }
        // Known to be no more than a whole context takes: only now memory is asked for.
        let len = 4 * num_tokens + self.model.0.saved.bytes(num_tokens);
        let expected = (HEAD + len + TAIL) as u64;
        if found != expected {
            return Err(PrefixError::Length { expected, found });
        }
        let (mut bytes, mut checksum) = (vec![0; len], [0; TAIL]);
        file.read_exact(&mut bytes)?;
        file.read_exact(&mut checksum)?;
        let hash = Sha256::new().chain_update(head).chain_update(&bytes);
        if hash.finalize()[..] != checksum {
            return Err(PrefixError::Damaged);
        }
        let tokens = bytes[..4 * num_tokens].as_chunks::<4>().0.iter();
        let tokens = tokens.map(|bytes| u32::from_le_bytes(*bytes)).collect();
        bytes.drain(..4 * num_tokens);
        Ok(Saved { tokens, bytes })
    }
}

/// A name beside `path` that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{number}.new", std::process::id()));
    name.into()
}

fn in_file(path: &Path) -> impl Fn(PrefixError) -> Error {
    move |error| Error::Prefix {
        path: path.to_owned(),
        error,
    }
}
