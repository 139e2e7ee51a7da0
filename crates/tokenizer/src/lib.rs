//! Text to token ids and back, from plain tables: byte-level BPE, SentencePiece BPE, WordPiece and Unigram.
//!
//! ```text
//! text ─fragments► special tokens and the text between ─pretokenizer► pieces ─bpe│spm│wordpiece│unigram► ids
//! ```
//!
//! [`Tokenizer::new`] takes [`VocabTables`], checks them once, and everything after that cannot fail. This
//! crate reads no files, but takes tables out of the bytes of two: [`VocabTables::from_tokenizer_json`],
//! [`VocabTables::from_sentencepiece`]. Left out: the `rwkv` and `plamo2` kinds, training, and text pairs.
//!
//! ```
//! use tokenizer::{Tokenizer, VocabTables};
//!
//! let tables = VocabTables {
//!     kind: "llama".into(),
//!     tokens: ["<unk>", "<s>", "</s>", "▁", "h", "i", "hi", "▁hi"].map(String::from).to_vec(),
//!     scores: vec![0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -2.0, -1.0],
//!     token_types: vec![2, 3, 3, 1, 1, 1, 1, 1],
//!     ..VocabTables::default()
//! };
//! let tokenizer = Tokenizer::new(tables)?;
//! let ids = tokenizer.encode("hi hi", true, false);
//! assert_eq!(ids, [1, 7, 7]);
//! assert_eq!(tokenizer.decode(&ids, true), "hi hi");
//! # Ok::<(), tokenizer::Error>(())
//! ```

#![forbid(unsafe_code)]

mod bpe;
mod byte_level;
mod charsmap;
mod detokenizer;
mod error;
mod fragments;
mod index;
mod json;
mod merge;
mod normalizer;
mod pretokenizer;
pub mod rules;
mod sentencepiece;
mod special_names;
mod spm;
mod tables;
mod tekken;
pub mod template;
mod tokenizer;
mod trie;
mod unigram;
mod vocab;
mod wordpiece;
mod world;

pub use detokenizer::Detokenizer;
pub use error::Error;
pub use pretokenizer::pre_tokenizer_names;
pub use rules::Rules;
pub use tables::{SpecialIds, TokenType, VocabTables};
pub use template::{ChatTemplate, TemplateError, TemplateInput};
pub use tokenizer::Tokenizer;
pub use vocab::Kind;
pub use world::WORLD_FILE;
