//! Tables out of a SentencePiece model, `tokenizer.model`: for folders without a `tokenizer.json`.
//!
//! The file is a protocol buffer (`ModelProto` in `sentencepiece_model.proto` of
//! <https://github.com/google/sentencepiece>). A field is a tag, `number << 3 | wire`, and a value: a varint (wire
//! 0), 8 bytes (1), a length and so many bytes (2), or 4 bytes (5). Read are
//!
//! ```text
//! 1  pieces  { 1 piece, 2 score f32, 3 type }, repeated; types are numbered as in GGUF
//! 2  trainer { 3 model_type (1 Unigram, 2 BPE), 40 unk_id, 41 bos_id, 42 eos_id, 43 pad_id }
//! 3  normalizer { 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces }
//! ```
//! Of a BPE model's normalisation only the dummy prefix is done, as with GGUF files.

use crate::{Error, Kind, SpecialIds, VocabTables};

/// Wire types.
const VARINT: u64 = 0;
const LEN: u64 = 2;

impl VocabTables {
    /// Tables out of the contents of a `tokenizer.model`.
    ///
    /// # Errors
    /// If it is none, or of a kind other than Unigram and BPE.
    pub fn from_sentencepiece(model: &[u8]) -> Result<Self, Error> {
        let mut tables = Self {
            add_space_prefix: Some(true),
            remove_extra_whitespaces: Some(true),
            ..Self::default()
        };
        let mut trainer: &[u8] = &[];
        for field in Fields::new(model, "model") {
            match field? {
                (1, Field::Bytes(piece)) => push_piece(&mut tables, piece)?,
                (2, Field::Bytes(bytes)) => trainer = bytes,
                (3, Field::Bytes(normalizer)) => read_normalizer(&mut tables, normalizer)?,
                _ => {}
            }
        }
        read_trainer(&mut tables, trainer)?;
        if tables.tokens.is_empty() {
            return Err(Error::SentencePiece {
                what: "model",
                at: 0,
                expected: "pieces",
                found: "none".to_owned(),
            });
        }
        Ok(tables)
    }
}

fn push_piece(tables: &mut VocabTables, bytes: &[u8]) -> Result<(), Error> {
    let (mut text, mut score, mut token_type) = (String::new(), 0.0, 1);
    for field in Fields::new(bytes, "piece") {
        match field? {
            (1, Field::Bytes(piece)) => text = String::from_utf8_lossy(piece).into_owned(),
            (2, Field::Fixed(bits)) => score = f32::from_bits(bits),
            (3, Field::Number(number)) => token_type = i32::try_from(number).unwrap_or(i32::MAX),
            _ => {}
        }
    }
    tables.tokens.push(text);
    tables.scores.push(f64::from(score));
    tables.token_types.push(token_type);
    Ok(())
}

fn read_trainer(tables: &mut VocabTables, bytes: &[u8]) -> Result<(), Error> {
    // The defaults of the format.
    let mut kind = 1;
    let (mut unk, mut bos, mut eos, mut pad) = (0, 1, 2, -1);
    for field in Fields::new(bytes, "trainer") {
        let (number, Field::Number(value)) = field? else {
            continue;
        };
        // Ids are i32: -1, "none", is written as the 64 bits of -1.
        let id = value as i32;
        match number {
            3 => kind = value,
            40 => unk = id,
            41 => bos = id,
            42 => eos = id,
            43 => pad = id,
            _ => {}
        }
    }
    tables.kind = match kind {
        1 => Kind::Unigram.name().to_owned(),
        2 => Kind::SentencePiece.name().to_owned(),
        other => {
            return Err(Error::SentencePiece {
                what: "trainer",
                at: 0,
                expected: "model type 1 (Unigram) or 2 (BPE)",
                found: other.to_string(),
            });
        }
    };
    let id = |id: i32| u32::try_from(id).ok();
    tables.special = SpecialIds {
        unk: id(unk),
        bos: id(bos),
        eos: id(eos),
        pad: id(pad),
        ..SpecialIds::default()
    };
    Ok(())
}

fn read_normalizer(tables: &mut VocabTables, bytes: &[u8]) -> Result<(), Error> {
    for field in Fields::new(bytes, "normalizer") {
        match field? {
            (2, Field::Bytes(charsmap)) => tables.precompiled_charsmap = charsmap.to_vec(),
            (3, Field::Number(flag)) => tables.add_space_prefix = Some(flag != 0),
            (4, Field::Number(flag)) => tables.remove_extra_whitespaces = Some(flag != 0),
            _ => {}
        }
    }
    Ok(())
}

/// The value of a field.
enum Field<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    /// Eight bytes, which nothing we read has.
    Long,
}

/// The fields of a message, in order.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, at: 0, what }
    }

    fn wrong(&self, expected: &'static str, found: impl ToString) -> Error {
        Error::SentencePiece {
            what: self.what,
            at: self.at,
            expected,
            found: found.to_string(),
        }
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(len).ok().filter(|&len| len <= rest.len()) {
            Some(len) => {
                self.at += len;
                Ok(&rest[..len])
            }
            None => {
                let found = format!("{len} bytes of which {} are left", rest.len());
                Err(self.wrong("no more bytes than there are", found))
            }
        }
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number of at most ten bytes", "more"))
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), Error> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            VARINT => Field::Number(self.varint()?),
            LEN => {
                let len = self.varint()?;
                Field::Bytes(self.take(len)?)
            }
            1 => {
                self.take(8)?;
                Field::Long
            }
            5 => {
                let bytes = self.take(4)?.try_into().expect("took 4 bytes");
                Field::Fixed(u32::from_le_bytes(bytes))
            }
            wire => return Err(self.wrong("a field of wire type 0, 1, 2 or 5", wire)),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            // What follows an error means nothing.
            self.at = self.bytes.len();
        }
        Some(field)
    }
}
