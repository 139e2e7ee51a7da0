//! A name to files, files to parts: without loading weights.

use engine::vocab::tokenizer_from_gguf;
use formats::Gguf;
use hub::{Hub, LocalModel, ModelRef, Progress};
use tokenizer::Tokenizer;

use crate::Error;

/// The files of a model, downloaded if they are not there.
///
/// # Errors
/// If the name means nothing, or a download fails.
pub fn resolve(name: &str, progress: &mut dyn Progress) -> Result<LocalModel, Error> {
    Ok(Hub::from_env()?.resolve(&ModelRef::parse(name)?, progress)?)
}

/// The files of a model and what is in them.
///
/// # Errors
/// As for [`resolve`], and if the first file is no GGUF file.
pub fn open(name: &str, progress: &mut dyn Progress) -> Result<(LocalModel, Gguf), Error> {
    let local = resolve(name, progress)?;
    let gguf = Gguf::open(&local.files[0])?;
    Ok((local, gguf))
}

/// The tokenizer in a file.
///
/// # Errors
/// If there is none, or its tables are broken.
pub fn tokenizer(gguf: &Gguf) -> Result<Tokenizer, Error> {
    Ok(tokenizer_from_gguf(gguf.metadata())?)
}

/// The source of the chat template in a file, if there is one.
///
/// # Errors
/// If the key is there and no string.
pub fn chat_template_source(gguf: &Gguf) -> Result<Option<String>, Error> {
    Ok(gguf.metadata().opt("tokenizer.chat_template")?)
}
