//! Metadata values: thirteen types, arrays packed by element type.

use std::fmt;

use super::text::{Strings, Text};

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

/// A `match` on a [`Value`] or [`Array`] that treats all number types alike.
macro_rules! match_numbers {
    ($enum:ident, $value:expr, $x:ident => $number:expr, $($rest:tt)*) => {
        match $value {
            $enum::U8($x) => $number,
            $enum::I8($x) => $number,
            $enum::U16($x) => $number,
            $enum::I16($x) => $number,
            $enum::U32($x) => $number,
            $enum::I32($x) => $number,
            $enum::U64($x) => $number,
            $enum::I64($x) => $number,
            $enum::F32($x) => $number,
            $enum::F64($x) => $number,
            $($rest)*
        }
    };
}
pub(super) use match_numbers;

impl Value {
    /// The type as the file has it.
    pub fn value_type(&self) -> ValueType {
        match_numbers!(Self, self, x => number_type(std::slice::from_ref(x)),
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
        )
    }

    /// The number or truth value; `None` for strings and arrays.
    pub fn scalar(&self) -> Option<Scalar> {
        match_numbers!(Self, self, x => Some(x.scalar()),
            Self::Bool(x) => Some(Scalar::Bool(*x)),
            Self::String(_) | Self::Array(_) => None,
        )
    }
}

impl Array {
    /// Type of the elements.
    pub fn elem_type(&self) -> ValueType {
        match_numbers!(Self, self, x => number_type(x),
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
        )
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match_numbers!(Self, self, x => x.len(),
            Self::Bool(x) => x.len(),
            Self::String(x) => x.len(),
        )
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as numbers or truth values; `None` for strings.
    pub fn scalars(&self) -> Option<Box<dyn Iterator<Item = Scalar> + '_>> {
        Some(
            match_numbers!(Self, self, x => Box::new(x.iter().map(|x| x.scalar())),
                Self::Bool(x) => Box::new(x.iter().map(|&x| Scalar::Bool(x))),
                Self::String(_) => return None,
            ),
        )
    }
}

fn number_type<T: Number>(_: &[T]) -> ValueType {
    T::TYPE
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

/// A number type of the format, stored little-endian.
pub(super) trait Number: Copy {
    /// Its number and name in the format.
    const TYPE: ValueType;
    /// From exactly as many bytes as the type has.
    fn from_le(bytes: &[u8]) -> Self;
    /// Appends the bytes.
    fn put_le(self, out: &mut Vec<u8>);
    fn scalar(self) -> Scalar;
}

macro_rules! numbers {
    ($($type:ty => $variant:ident $scalar:ident;)*) => {$(
        impl Number for $type {
            const TYPE: ValueType = ValueType::$variant;

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
    u8 => U8 Int;
    i8 => I8 Int;
    u16 => U16 Int;
    i16 => I16 Int;
    u32 => U32 Int;
    i32 => I32 Int;
    u64 => U64 Int;
    i64 => I64 Int;
    f32 => F32 Float;
    f64 => F64 Float;
}
