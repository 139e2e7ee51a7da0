//! Metadata values as Rust types: integers of any width where they fit, strings, arrays.

use std::borrow::Cow;

use super::text::{Strings, Text};
use super::value::{Array, Scalar, Value};

/// A type that a metadata value can be read as.
///
/// Implemented for integers and floats (see [`FromScalar`]), `bool`, `String` (lossy), `&str` (must be
/// UTF-8), `Cow<str>` (lossy), [`&Text`](Text) (exact bytes), [`&Strings`](Strings), `Vec<String>` (lossy),
/// [`&Array`](Array), [`&Value`](Value) and `Vec<T>` of numbers or truth values.
pub trait FromValue<'a>: Sized {
    /// What the value should be, for the error message.
    fn expected() -> String;
    /// The value as this type; `None` if it is of another kind or out of range.
    fn from_value(value: &'a Value) -> Option<Self>;
}

/// A number type or `bool`: what a [`Scalar`] can become.
///
/// An integer becomes any integer type that it fits, and a float type that holds it exactly. A float becomes a
/// float (`f64` to `f32` is rounded), never an integer. A `bool` is only ever a `bool`.
pub trait FromScalar: Sized {
    /// The type's name, for the error message.
    const NAME: &'static str;
    /// The scalar as this type, if it fits.
    fn from_scalar(scalar: Scalar) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl FromScalar for $type {
            const NAME: &'static str = stringify!($type);

            fn from_scalar(scalar: Scalar) -> Option<Self> {
                match scalar {
                    Scalar::Int(x) => x.try_into().ok(),
                    Scalar::Float(_) | Scalar::Bool(_) => None,
                }
            }
        }
    )*};
}

integers! { u8 i8 u16 i16 u32 i32 u64 i64 usize }

impl FromScalar for f32 {
    const NAME: &'static str = "f32";

    fn from_scalar(scalar: Scalar) -> Option<Self> {
        match scalar {
            Scalar::Float(x) => Some(x as Self),
            Scalar::Int(x) => exact(x, Self::MANTISSA_DIGITS).map(|x| x as Self),
            Scalar::Bool(_) => None,
        }
    }
}

impl FromScalar for f64 {
    const NAME: &'static str = "f64";

    fn from_scalar(scalar: Scalar) -> Option<Self> {
        match scalar {
            Scalar::Float(x) => Some(x),
            Scalar::Int(x) => exact(x, Self::MANTISSA_DIGITS),
            Scalar::Bool(_) => None,
        }
    }
}

/// `x` as a float, if a mantissa of `bits` holds every integer up to it.
fn exact(x: i128, bits: u32) -> Option<f64> {
    (x.unsigned_abs() <= 1 << bits).then_some(x as f64)
}

impl FromScalar for bool {
    const NAME: &'static str = "bool";

    fn from_scalar(scalar: Scalar) -> Option<Self> {
        match scalar {
            Scalar::Bool(x) => Some(x),
            Scalar::Int(_) | Scalar::Float(_) => None,
        }
    }
}

impl<T: FromScalar> FromValue<'_> for T {
    fn expected() -> String {
        format!("a value that fits `{}`", T::NAME)
    }

    fn from_value(value: &Value) -> Option<Self> {
        T::from_scalar(value.scalar()?)
    }
}

impl<T: FromScalar> FromValue<'_> for Vec<T> {
    fn expected() -> String {
        format!("an array of values that fit `{}`", T::NAME)
    }

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Array(array) = value else {
            return None;
        };
        array.scalars()?.map(T::from_scalar).collect()
    }
}

/// One `FromValue` for a borrowed or lossy view: type, words for it, and how to get it.
macro_rules! views {
    ($($type:ty, $expected:literal, $pattern:pat => $result:expr;)*) => {$(
        impl<'a> FromValue<'a> for $type {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn from_value(value: &'a Value) -> Option<Self> {
                match value {
                    $pattern => $result,
                    _ => None,
                }
            }
        }
    )*};
}

views! {
    &'a str, "a string of valid UTF-8", Value::String(text) => text.as_str();
    &'a Text, "a string", Value::String(text) => Some(text);
    Cow<'a, str>, "a string", Value::String(text) => Some(text.to_str_lossy());
    String, "a string", Value::String(text) => Some(text.to_str_lossy().into_owned());
    &'a Array, "an array", Value::Array(array) => Some(array);
    &'a Strings, "an array of strings", Value::Array(Array::String(strings)) => Some(strings);
    Vec<String>, "an array of strings", Value::Array(Array::String(strings)) =>
        Some(strings.iter_lossy().map(Cow::into_owned).collect());
}

impl<'a> FromValue<'a> for &'a Value {
    fn expected() -> String {
        "a value".to_owned()
    }

    fn from_value(value: &'a Value) -> Option<Self> {
        Some(value)
    }
}
