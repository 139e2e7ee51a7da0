//! RWKV's "world" tokenizer: from the left, always the longest token, byte by byte.
//!
//! Tokens are any bytes. GGUF writes them as Python writes bytes, `\n` and `\xff` and `\\` among plain characters; so
//! do the tables here. The file of folders, `rwkv_vocab_v20230424.txt`, has a line `ID LITERAL LENGTH` for each, the
//! literal being text or bytes. Reference: `rwkv_tokenizer.py` of the package `rwkv`.

use crate::trie::Trie;
use crate::vocab::Vocab;
use crate::{Error, Kind, SpecialIds, VocabTables};

/// What folders call the file.
pub const WORLD_FILE: &str = "rwkv_vocab_v20230424.txt";
/// The token of a text's ends, which the file leaves out.
const END: &str = "<s>";
/// Ids must stay below this.
const MAX_ID: usize = 1 << 22;
/// Types of tokens, as GGUF numbers them.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

/// All tokens, by their bytes.
#[derive(Debug, Clone)]
pub(crate) struct World {
    tokens: Trie,
    unk: Option<u32>,
}

impl World {
    pub(crate) fn new(vocab: &Vocab) -> Self {
        let ids = (0..vocab.len() as u32).filter(|&id| vocab.is_text(id));
        let keys: Vec<(Vec<u8>, u32)> = ids
            .map(|id| (unescaped(&vocab.texts[id as usize]), id))
            .collect();
        Self {
            tokens: Trie::new(keys.iter().map(|(key, id)| (key.as_slice(), *id))),
            unk: vocab.special.unk,
        }
    }

    /// Appends the tokens of `text`. A byte that no token starts with becomes the unknown token, if there is one.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let found = self.tokens.longest(rest);
            out.extend(found.map(|(_, id)| id).or(self.unk));
            rest = &rest[found.map_or(1, |(len, _)| len)..];
        }
    }
}

/// The bytes that `text` stands for.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let (b'\\', Some((&escape, after))) = (byte, after.split_first()) else {
            bytes.push(byte);
            continue;
        };
        rest = after;
        let hex = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (escape, hex) {
            (b'x', Some(hex)) => {
                bytes.push(hex);
                rest = &after[2..];
            }
            (b't', _) => bytes.push(b'\t'),
            (b'n', _) => bytes.push(b'\n'),
            (b'r', _) => bytes.push(b'\r'),
            (other, _) => bytes.push(other),
        }
    }
    bytes
}

fn escaped(bytes: &[u8]) -> String {
    let escape = |&byte: &u8| match byte {
        b'\t' => "\\t".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\\' => "\\\\".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(escape).collect()
}

impl VocabTables {
    /// Tables out of the contents of a `rwkv_vocab_v20230424.txt`.
    ///
    /// # Errors
    /// If a line is not what it should be, with its number.
    pub fn from_world(file: &[u8]) -> Result<Self, Error> {
        let mut tables = Self {
            kind: Kind::World.name().to_owned(),
            tokens: vec![END.to_owned()],
            token_types: vec![CONTROL],
            special: SpecialIds {
                bos: Some(0),
                eos: Some(0),
                ..SpecialIds::default()
            },
            ..Self::default()
        };
        let text = String::from_utf8_lossy(file);
        for (i, line) in text.lines().enumerate() {
            let (id, bytes) = entry(line).ok_or_else(|| Error::Line {
                number: i + 1,
                found: line.chars().take(80).collect(),
            })?;
            if tables.tokens.len() <= id {
                tables.tokens.resize(id + 1, String::new());
                tables.token_types.resize(id + 1, UNUSED);
            }
            tables.tokens[id] = escaped(&bytes);
            tables.token_types[id] = NORMAL;
        }
        Ok(tables)
    }
}

/// The token of a line `ID LITERAL LENGTH`.
fn entry(line: &str) -> Option<(usize, Vec<u8>)> {
    let (id, rest) = line.split_once(' ')?;
    let (literal, len) = rest.rsplit_once(' ')?;
    let id = id.parse().ok().filter(|&id| 0 < id && id < MAX_ID)?;
    let bytes = match literal.strip_prefix('b') {
        Some(literal) => unescaped(quoted(literal)?),
        None => text(quoted(literal)?)?,
    };
    (len.parse() == Ok(bytes.len()) && !bytes.is_empty()).then_some((id, bytes))
}

/// The bytes of a literal of text: there an escape by number is a character, whose bytes are those of UTF-8.
fn text(mut rest: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(at) = rest.find('\\') {
        bytes.extend(&rest.as_bytes()[..at]);
        let escape = rest[at + 1..].chars().next()?;
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let end = at + 1 + escape.len_utf8() + digits;
        let escaped = rest.get(at..end)?;
        if digits == 0 {
            bytes.extend(unescaped(escaped));
        } else {
            let c = char::from_u32(u32::from_str_radix(&escaped[2..], 16).ok()?)?;
            bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = &rest[end..];
    }
    bytes.extend(rest.as_bytes());
    Some(bytes)
}

fn quoted(literal: &str) -> Option<&str> {
    let inside = |quote| literal.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokenizer;

    const FILE: &str = "1 '\\n' 1\n2 'a' 1\n3 \"'\" 1\n4 b'\\xe4' 1\n5 'ab' 2\n6 'é' 2\n7 '\\\\' 1\n9 '\\xa0' 2\n10 '\\u2002' 3\n";

    #[test]
    fn the_longest_token_from_the_left() {
        let tables = VocabTables::from_world(FILE.as_bytes()).expect("sound");
        let tokenizer = Tokenizer::new(tables).expect("sound");
        let ids = tokenizer.encode("aab\n'é\\\u{a0}\u{2002}", true, true);
        assert_eq!(ids, [2, 5, 1, 3, 6, 7, 9, 10]);
        assert_eq!(tokenizer.decode(&ids, true), "aab\n'é\\\u{a0}\u{2002}");
        assert_eq!(tokenizer.token_bytes(4), [0xe4]);
        // What nothing stands for is left out: the real file has all bytes.
        assert_eq!(tokenizer.encode("xa", true, true), [2]);
        assert_eq!(tokenizer.encode("<s>", false, true), [0]);
    }

    #[test]
    fn broken_lines_are_named() {
        for line in [
            "x 'a' 1",
            "1 'a' 2",
            "1 a 1",
            "0 'a' 1",
            "1 '' 0",
            "9999999999 'a' 1",
            "1 '\\x' 1",
            "1",
        ] {
            let file = format!("{FILE}{line}\n");
            let error = VocabTables::from_world(file.as_bytes()).expect_err(line);
            assert!(error.to_string().contains("line 10"), "{line}: {error}");
        }
    }
}
