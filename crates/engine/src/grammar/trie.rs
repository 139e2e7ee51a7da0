//! The vocabulary as `llguidance` wants it: the bytes of each token, and how text becomes tokens.
//!
//! Control tokens, and all tokens that end a reply, are kept apart from text by a first byte that no text
//! has (`\xFF`), so a grammar's text never allows them.

use std::sync::Arc;

use llguidance::toktrie::{TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use tokenizer::{TokenType, Tokenizer};

use super::GrammarError;

/// Longer tokens can be written in shorter ones; the trie has no room for them.
const MAX_TOKEN_BYTES: usize = 1_000;
/// The trie's ids have 24 bits.
const MAX_VOCAB: usize = 1 << 23;
/// Starts a text whose encoding must not depend on where it stands; any character of its own token does.
const GUARD: &str = "\u{2}";

/// A tokenizer with the trie of its tokens.
pub(super) struct Vocabulary {
    tokenizer: Arc<Tokenizer>,
    trie: TokTrie,
    guard: Vec<u32>,
}

impl Vocabulary {
    /// `vocab_size` is the number of logits, which may exceed the number of tokens; the rest is never allowed.
    pub(super) fn new(tokenizer: Arc<Tokenizer>, vocab_size: usize) -> Result<Self, GrammarError> {
        let num_tokens = tokenizer.vocab_size();
        if vocab_size > MAX_VOCAB {
            return Err(GrammarError::Vocabulary(format!(
                "expected at most {MAX_VOCAB} tokens, found {vocab_size}"
            )));
        }
        let eog: Vec<u32> = tokenizer.eog_ids().to_vec();
        let eog: Vec<u32> = eog
            .into_iter()
            .filter(|&id| (id as usize) < vocab_size)
            .collect();
        let &first = eog.first().ok_or(GrammarError::NoEnd)?;
        let eos = tokenizer
            .eos()
            .filter(|id| eog.contains(id))
            .unwrap_or(first);

        let words: Vec<Vec<u8>> = (0..vocab_size)
            .map(|id| {
                if id < num_tokens {
                    word(&tokenizer, id as u32)
                } else {
                    Vec::new()
                }
            })
            .collect();
        let info = TokRxInfo::new(vocab_size as u32, eos);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(&eog);
        let guard = tokenizer.encode(GUARD, false, false);
        Ok(Self {
            tokenizer,
            trie,
            guard,
        })
    }
}

/// What the trie shall read for a token: nothing if a grammar can never take it.
fn word(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    let bytes = tokenizer.token_bytes(id);
    let is_text = !tokenizer.is_eog(id)
        && !matches!(
            tokenizer.token_type(id),
            None | Some(TokenType::Control | TokenType::Unknown)
        );
    if bytes.len() > MAX_TOKEN_BYTES || bytes.is_empty() {
        Vec::new()
    } else if is_text {
        bytes
    } else {
        let mut word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        word.extend(bytes);
        word
    }
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    /// The tokens of text that goes on after other text: without the space that some tokenizers put first.
    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            let ids = self
                .tokenizer
                .encode(&format!("{GUARD}{text}"), false, false);
            match ids.strip_prefix(self.guard.as_slice()) {
                Some(ids) => ids.to_vec(),
                None => self.trie.greedy_tokenize(text.as_bytes()),
            }
        })
    }
}
