//! A second, smaller model that guesses what the first will say.

use std::sync::Arc;

use engine::{Backend, MAX_STEP_TOKENS, ModelBackend};
use hub::Progress;
use model::{KvType, LoadOptions};
use tokenizer::Tokenizer;

use crate::memory::{Estimate, Room};
use crate::{Error, open};

/// Why a model cannot guess for another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// One has more tokens than the other.
    #[error("its vocabulary has {found} tokens, the model's has {expected}")]
    VocabularySize {
        /// Tokens of the draft model.
        found: usize,
        /// Tokens of the model.
        expected: usize,
    },
    /// A token is not the same.
    #[error("its token {id} is `{found}`, the model's is `{expected}`")]
    Token {
        /// Which.
        id: u32,
        /// What it is to the draft model.
        found: String,
        /// And to the model.
        expected: String,
    },
    /// Guesses are taken back, and a state cannot be.
    #[error("{which} keeps a state, so guesses cannot be taken back")]
    State {
        /// Which of the two.
        which: &'static str,
    },
    /// It shall guess, and nobody shall.
    #[error("guesses are switched off")]
    Off,
}

/// A draft model before it is known how much it has to hold.
pub(crate) struct Draft {
    name: String,
    model: model::Model,
    pub(crate) weights: u64,
}

impl Draft {
    /// Finds a model and sees that it can guess for one with this tokenizer.
    pub(crate) fn open(
        name: &str,
        tokenizer: &Tokenizer,
        options: &LoadOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        let files = open(name, progress)?;
        let gguf = files.gguf()?;
        let model = model::Model::load(&gguf, options);
        let model = model.map_err(|error| files.in_file(error))?;
        let weights: usize = gguf.tensors().iter().map(|tensor| tensor.data.len()).sum();
        let own = files.tokenizer(Some(model.config().vocab_size))?;
        let draft = Self {
            name: name.to_owned(),
            model,
            weights: weights as u64,
        };
        match same_tokens(&own, tokenizer) {
            Ok(()) if draft.model.config().has_state() => {
                let which = "the draft model";
                Err(draft.error(DraftError::State { which }))
            }
            Ok(()) => Ok(draft),
            Err(error) => Err(draft.error(error)),
        }
    }

    /// An error that says which model it is about.
    pub(crate) fn error(&self, error: DraftError) -> Error {
        let name = self.name.clone();
        Error::Draft { name, error }
    }

    /// As [`model::Model::repacking`].
    pub(crate) fn repacking(&self) -> model::Repacking {
        self.model.repacking()
    }

    /// What computes guesses for `parallel` texts of up to `ctx` tokens, keys and values having room for `kv_tokens`, and
    /// the memory that it takes.
    pub(crate) fn backend(
        self,
        kv_type: KvType,
        (ctx, parallel, kv_tokens): (usize, usize, usize),
    ) -> (Box<dyn Backend + Send>, Estimate) {
        let mut model = self.model;
        // What is longer than it was trained for gets no guesses of it.
        let own_ctx = ctx.min(model.config().max_seq_len);
        model.set_ctx(own_ctx);
        let room = Room {
            kv_tokens: if own_ctx < ctx { own_ctx } else { kv_tokens },
            states: 0,
            windows: Room::of_requests(own_ctx, parallel, kv_tokens).windows,
            step_tokens: MAX_STEP_TOKENS.min(own_ctx).max(parallel),
            max_outputs: parallel,
        };
        let estimate = Estimate::new(model.config(), kv_type, self.weights, room);
        let sizes = (room.num_blocks(model.config()), 0);
        let (step, outputs) = (room.step_tokens, room.max_outputs);
        let backend = ModelBackend::new(Arc::new(model), kv_type, sizes, step, outputs);
        (Box::new(backend), estimate)
    }
}

/// Ids must mean the same; how a text is cut into them is the large model's business.
fn same_tokens(own: &Tokenizer, model: &Tokenizer) -> Result<(), DraftError> {
    let (found, expected) = (own.vocab_size(), model.vocab_size());
    if found != expected {
        return Err(DraftError::VocabularySize { found, expected });
    }
    for id in 0..expected as u32 {
        let (found, expected) = (own.token_bytes(id), model.token_bytes(id));
        if found != expected {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (found, expected) = (text(&found), text(&expected));
            return Err(DraftError::Token {
                id,
                found,
                expected,
            });
        }
    }
    Ok(())
}
