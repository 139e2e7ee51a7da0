//! Text to token ids and back, from plain tables: byte-level BPE, SentencePiece BPE, WordPiece and Unigram.
//!
//! ```text
//! text ─fragments► special tokens and the text between ─pretokenizer► pieces ─bpe│spm│wordpiece│unigram► ids
//! ```
//!
//! [`Tokenizer::new`] takes [`VocabTables`], checks them once, and everything after that cannot fail. This
//! crate reads no files. Left out: the `rwkv` and `plamo2` kinds, training, and text pairs.

mod bpe;
mod byte_level;
mod charsmap;
mod detokenizer;
mod error;
mod fragments;
mod index;
mod merge;
mod pretokenizer;
mod special_names;
mod spm;
mod tables;
pub mod template;
mod tokenizer;
mod trie;
mod unigram;
mod vocab;
mod wordpiece;

pub use detokenizer::Detokenizer;
pub use error::Error;
pub use pretokenizer::pre_tokenizer_names;
pub use tables::{SpecialIds, TokenType, VocabTables};
pub use template::{ChatTemplate, TemplateError, TemplateInput};
pub use tokenizer::Tokenizer;
pub use vocab::Kind;
