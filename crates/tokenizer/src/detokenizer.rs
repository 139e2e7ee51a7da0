//! Ids back to text, one at a time.
//!
//! A token may hold any bytes: a character's two halves may be two tokens. So bytes wait until they are
//! whole characters. Bytes that can no longer become one turn into U+FFFD, as in the WHATWG decoder.

use crate::Tokenizer;

/// Turns a stream of ids into text that is valid at every step.
///
/// Holds no reference to the tokenizer, so that it can live in a sequence's state.
#[derive(Debug, Clone, Default)]
pub struct Detokenizer {
    skip_special: bool,
    /// Nothing was emitted yet, so a space that SentencePiece put before the text must go.
    at_start: bool,
    /// The start of a character.
    pending: Vec<u8>,
}

impl Detokenizer {
    /// For a whole text. `skip_special` leaves control tokens out, otherwise their names are text.
    pub fn new(skip_special: bool) -> Self {
        Self {
            skip_special,
            at_start: true,
            pending: Vec::new(),
        }
    }

    /// For text that goes on after a prompt: its first space is real.
    pub fn continuing(skip_special: bool) -> Self {
        Self {
            at_start: false,
            ..Self::new(skip_special)
        }
    }

    /// The characters that `id` completes; often one piece of a word, sometimes nothing.
    ///
    /// An id outside the vocabulary stands for nothing.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        if self.skip_special && tokenizer.is_control(id) {
            return String::new();
        }
        let bytes = tokenizer.token_bytes(id);
        let mut bytes = bytes.as_slice();
        if self.at_start && !bytes.is_empty() {
            // A control token shown at the start is not yet the text that the space was put before; a
            // `tokenizer.json` means the very start.
            self.at_start = tokenizer.is_control(id) && !tokenizer.has_rules();
            if tokenizer.strips_first_space() && !self.at_start {
                bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
        self.take_characters()
    }

    /// What is left at the end of the stream: U+FFFD if a character never came to its end.
    pub fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        rest
    }

    /// Removes all of `pending` but the beginning of a character.
    fn take_characters(&mut self) -> String {
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(valid).expect("checked up to here"));
                    rest = after;
                    let Some(len) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[len..];
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }
}

impl Tokenizer {
    /// The text of `ids`. `skip_special` leaves control tokens out, otherwise their names are text.
    ///
    /// Spaces come out as the tokens have them: there is no clean-up of spaces before punctuation, so
    /// byte-level BPE returns exactly the text that was encoded.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let mut detokenizer = Detokenizer::new(skip_special);
        let mut text: String = ids.iter().map(|&id| detokenizer.push(self, id)).collect();
        text.push_str(&detokenizer.finish());
        text
    }
}
