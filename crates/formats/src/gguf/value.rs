//! Metadata values: thirteen types, arrays packed by element type.

use std::borrow::Cow;
use std::fmt;

macro_rules! value_types {
    ($($variant:ident = $id:literal, $name:literal;)*) => {
        /// The type of a metadata value, with GGUF's numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum ValueType { $($variant = $id,)* }

        impl ValueType {
            /// The type that GGUF gives this number.
            pub fn from_id(id: u32) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }

            /// GGUF's number of this type.
            pub fn id(self) -> u32 {
                self as u32
            }

            /// Name for people: `u32`, `string`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

value_types! {
    U8 = 0, "u8";
    I8 = 1, "i8";
    U16 = 2, "u16";
    I16 = 3, "i16";
    U32 = 4, "u32";
    I32 = 5, "i32";
    F32 = 6, "f32";
    Bool = 7, "bool";
    String = 8, "string";
    Array = 9, "array";
    U64 = 10, "u64";
    I64 = 11, "i64";
    F64 = 12, "f64";
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A metadata value, as typed in the file.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the types'")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(Text),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array in metadata, packed: no per-element overhead, however many tokens a vocabulary has.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the types'")]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Strings),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

/// A number or truth value of whatever type the file chose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Any of the integer types.
    Int(i128),
    /// `f32` or `f64`.
    Float(f64),
    /// `bool`.
    Bool(bool),
}

impl Value {
    /// The type as the file has it.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// The number or truth value; `None` for strings and arrays.
    pub fn scalar(&self) -> Option<Scalar> {
        Some(match *self {
            Self::U8(x) => x.scalar(),
            Self::I8(x) => x.scalar(),
            Self::U16(x) => x.scalar(),
            Self::I16(x) => x.scalar(),
            Self::U32(x) => x.scalar(),
            Self::I32(x) => x.scalar(),
            Self::F32(x) => x.scalar(),
            Self::Bool(x) => Scalar::Bool(x),
            Self::U64(x) => x.scalar(),
            Self::I64(x) => x.scalar(),
            Self::F64(x) => x.scalar(),
            Self::String(_) | Self::Array(_) => return None,
        })
    }
}

impl Array {
    /// Type of the elements.
    pub fn elem_type(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(x) => x.len(),
            Self::I8(x) => x.len(),
            Self::U16(x) => x.len(),
            Self::I16(x) => x.len(),
            Self::U32(x) => x.len(),
            Self::I32(x) => x.len(),
            Self::F32(x) => x.len(),
            Self::Bool(x) => x.len(),
            Self::String(x) => x.len(),
            Self::U64(x) => x.len(),
            Self::I64(x) => x.len(),
            Self::F64(x) => x.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as numbers or truth values; `None` for strings.
    pub fn scalars(&self) -> Option<Box<dyn Iterator<Item = Scalar> + '_>> {
        Some(match self {
            Self::U8(x) => scalars(x),
            Self::I8(x) => scalars(x),
            Self::U16(x) => scalars(x),
            Self::I16(x) => scalars(x),
            Self::U32(x) => scalars(x),
            Self::I32(x) => scalars(x),
            Self::F32(x) => scalars(x),
            Self::Bool(x) => Box::new(x.iter().map(|&x| Scalar::Bool(x))),
            Self::U64(x) => scalars(x),
            Self::I64(x) => scalars(x),
            Self::F64(x) => scalars(x),
            Self::String(_) => return None,
        })
    }
}

fn scalars<T: Number>(numbers: &[T]) -> Box<dyn Iterator<Item = Scalar> + '_> {
    Box::new(numbers.iter().map(|x| x.scalar()))
}

/// What a value is, in a few words: `i64 -5`, `string "llama"`, `array of 32000 string`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.scalar()) {
            (Self::Array(array), _) => write!(f, "array of {} {}", array.len(), array.elem_type()),
            (Self::String(text), _) => write!(f, "string {text:?}"),
            (_, Some(Scalar::Int(x))) => write!(f, "{} {x}", self.value_type()),
            (_, Some(Scalar::Float(x))) => write!(f, "{} {x}", self.value_type()),
            (_, Some(Scalar::Bool(x))) => write!(f, "bool {x}"),
            (_, None) => f.write_str(self.value_type().name()),
        }
    }
}

/// A string as the file has it: meant to be UTF-8, but any bytes (token strings sometimes are).
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Box<[u8]>);

impl Text {
    /// The bytes as they stand in the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text, with U+FFFD where it is not UTF-8.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str_lossy())
    }
}

/// Quoted, and cut after 60 characters: a chat template can have pages.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        // Four bytes per character at most: a longer head would be cut anyway.
        let head = String::from_utf8_lossy(&self.0[..self.0.len().min(4 * SHOWN + 4)]);
        let shown: String = head.chars().take(SHOWN).collect();
        let rest = if shown.len() < self.0.len() && head.len() > shown.len() {
            "…"
        } else {
            ""
        };
        write!(f, "{shown:?}{rest}")
    }
}

/// An array of strings: all bytes in one piece, and where each string ends.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    /// Room for `count` strings of `bytes` bytes together.
    pub(super) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(count),
        }
    }

    /// Adds a string at the end.
    pub fn push(&mut self, string: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(string.as_ref());
        self.ends.push(self.bytes.len());
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no strings.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of string `i`, as they stand in the file.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        let end = *self.ends.get(i)?;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        Some(&self.bytes[start..end])
    }

    /// The bytes of every string, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i).expect("i is below len"))
    }

    /// Every string as text, with U+FFFD where it is not UTF-8.
    pub fn iter_lossy(&self) -> impl ExactSizeIterator<Item = Cow<'_, str>> {
        self.iter().map(String::from_utf8_lossy)
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut all = Self::default();
        strings.into_iter().for_each(|string| all.push(string));
        all
    }
}

/// The first few, as text.
impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} strings ", self.len())?;
        f.debug_list().entries(self.iter_lossy().take(8)).finish()
    }
}

/// A number type of the format, stored little-endian.
pub(super) trait Number: Copy {
    /// From exactly as many bytes as the type has.
    fn from_le(bytes: &[u8]) -> Self;
    /// Appends the bytes.
    fn put_le(self, out: &mut Vec<u8>);
    fn scalar(self) -> Scalar;
}

macro_rules! numbers {
    ($($type:ty => $scalar:ident;)*) => {$(
        impl Number for $type {
            fn from_le(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("the caller takes as many bytes as the type has"))
            }

            fn put_le(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn scalar(self) -> Scalar {
                Scalar::$scalar(self.into())
            }
        }
    )*};
}

numbers! {
    u8 => Int; i8 => Int; u16 => Int; i16 => Int; u32 => Int; i32 => Int; u64 => Int; i64 => Int;
    f32 => Float; f64 => Float;
}
