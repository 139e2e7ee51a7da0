//! What a `tokenizer.json` says of a tokenizer beyond its tables, as data.
//!
//! GGUF has a name for all of this (`tokenizer.ggml.pre`); Hugging Face spells it out. The stages are those of
//! the `tokenizers` library (<https://github.com/huggingface/tokenizers>):
//!
//! ```text
//! text ─added tokens► parts ─normalizers► text ─added tokens► parts ─steps► pieces ─model► ids
//! ```
//! Added tokens are looked for twice: most in the text as it is, those marked `normalized` after normalising.

/// How text becomes pieces, and what goes around the ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Changes of the text, in order.
    pub normalizers: Vec<Normalize>,
    /// How it becomes pieces, each step within the pieces of the one before.
    pub steps: Vec<Step>,
    /// Tokens are written as text, not in the byte alphabet.
    pub plain_text: bool,
    /// A piece that is a token is taken whole, whatever the merge rules would make of it.
    pub ignore_merges: bool,
    /// Plain text: a character without a token becomes tokens of its bytes, `<0x0A>`.
    pub byte_fallback: bool,
    /// Plain text: neighbouring characters without tokens become one unknown token.
    pub fuse_unk: bool,
    /// WordPiece: what its file writes before a token that does not start a word.
    pub continuing_prefix: String,
    /// WordPiece: longer words are unknown, in characters.
    pub max_word: Option<usize>,
    /// Tokens that are looked for in the text before anything else.
    pub added: Vec<Added>,
    /// Ids before the text when special tokens are asked for.
    pub before: Vec<u32>,
    /// Ids after it.
    pub after: Vec<u32>,
    /// Decoding takes one space away from the start.
    pub strip_first_space: bool,
}

/// One change of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the four forms have Unicode's names")]
pub enum Normalize {
    /// SentencePiece's table of replacements, as its files have it.
    CharsMap(Vec<u8>),
    /// A space on both sides of each match.
    Space(Pattern),
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    /// Every character to lower case.
    Lowercase,
    /// White space off the ends.
    Strip {
        /// Off the start.
        left: bool,
        /// Off the end.
        right: bool,
    },
    /// Text before a part that is not empty.
    Prepend {
        /// The text.
        text: String,
        /// Not where the part starts with it already.
        once: bool,
        /// Only at the very start.
        first: bool,
    },
    /// Another text for each match.
    Replace {
        /// What is replaced.
        pattern: Pattern,
        /// By what.
        with: String,
    },
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This text.
    Text(String),
    /// This regular expression, in the syntax of Oniguruma.
    Regex(String),
}

/// One step from normalised text to pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Pieces become more.
    Cut(Cut),
    /// Each piece is written in another way.
    Write(Normalize),
}

/// One rule to cut text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What to look for.
    pub pattern: Pattern,
    /// What becomes of what was found.
    pub behavior: Behavior,
    /// What was found and what lies between change places.
    pub invert: bool,
}

/// What becomes of matches when text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    /// Each is a piece.
    Isolated,
    /// Left out.
    Removed,
    /// Ends the piece before it.
    MergedWithPrevious,
    /// Starts the piece after it.
    MergedWithNext,
    /// Neighbours are one piece.
    Contiguous,
}

/// How a token is looked for in the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// The token.
    pub id: u32,
    /// It takes the white space before it.
    pub lstrip: bool,
    /// It takes the white space after it.
    pub rstrip: bool,
    /// It is looked for after normalising, in its normalised form.
    pub normalized: bool,
    /// Not inside of a word.
    pub single_word: bool,
}
