//! Texts that are filled in the middle: the tokens that mark their parts.
//!
//! The prompt is that of the paper "Efficient Training of Language Models to Fill in the Middle" (Bavarian et al., 2022),
//! prefix first.

use ingle::{Model, Tokenizer};

use crate::error::{ApiError, Outcome};

/// Tokens that mark the parts.
pub(crate) struct Marks {
    prefix: u32,
    suffix: u32,
    middle: u32,
    /// Before the project, and before each file.
    pub(crate) files: Option<(u32, u32)>,
}

impl Marks {
    /// A vocabulary's, if it has them.
    pub(crate) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let special = tokenizer.special();
        Some(Self {
            prefix: special.fim_pre?,
            suffix: special.fim_suf?,
            middle: special.fim_mid?,
            files: special.fim_rep.zip(special.fim_sep),
        })
    }

    /// The place between two texts, each in parts; what the model writes next belongs there.
    pub(crate) fn place(&self, tokenizer: &Tokenizer, before: &[&str], after: &str) -> Vec<u32> {
        let mut tokens = vec![self.prefix];
        for text in before {
            tokens.extend(tokenizer.encode(text, false, false));
        }
        tokens.push(self.suffix);
        tokens.extend(tokenizer.encode(after, false, false));
        tokens.push(self.middle);
        tokens
    }
}

/// The token that texts begin with, where the tokenizer adds one.
pub(crate) fn start(tokenizer: &Tokenizer) -> Option<u32> {
    tokenizer.bos().filter(|_| tokenizer.add_bos())
}

/// The prompt whose continuation goes between two texts.
///
/// # Errors
/// If the vocabulary has no marks for it.
pub(crate) fn between(model: &Model, prefix: &str, suffix: &str) -> Outcome<Vec<u32>> {
    let tokenizer = model.tokenizer();
    let marks = Marks::of(tokenizer).ok_or_else(|| {
        let message = "`suffix`: this model has no tokens to fill in the middle with";
        ApiError::field("suffix", message)
    })?;
    let place = marks.place(tokenizer, &[prefix], suffix);
    Ok(start(tokenizer).into_iter().chain(place).collect())
}
