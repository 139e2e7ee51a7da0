//! The element types of safetensors files.

use std::fmt;

use tensor::DType;

macro_rules! dtypes {
    ($($variant:ident = $name:literal, $bits:literal bits $(is $dtype:ident)?;)*) => {
        /// Element type of a tensor, by the name that the header has for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types, missing_docs, reason = "the format's spelling")]
        pub enum SafeDType { $($variant,)* }

        impl SafeDType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Name in the header: `BF16`, `F8_E4M3`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Bits of an element.
            pub const fn bits(self) -> u64 {
                match self { $(Self::$variant => $bits,)* }
            }

            /// The type of GGUF whose elements are the same bits.
            pub const fn dtype(self) -> Option<DType> {
                match self { $($(Self::$variant => Some(DType::$dtype),)?)* _ => None }
            }
        }
    };
}

dtypes! {
    BOOL = "BOOL", 8 bits;
    F4 = "F4", 4 bits;
    F6_E2M3 = "F6_E2M3", 6 bits;
    F6_E3M2 = "F6_E3M2", 6 bits;
    U8 = "U8", 8 bits;
    I8 = "I8", 8 bits is I8;
    F8_E5M2 = "F8_E5M2", 8 bits;
    F8_E4M3 = "F8_E4M3", 8 bits;
    F8_E8M0 = "F8_E8M0", 8 bits;
    F8_E4M3FNUZ = "F8_E4M3FNUZ", 8 bits;
    F8_E5M2FNUZ = "F8_E5M2FNUZ", 8 bits;
    I16 = "I16", 16 bits is I16;
    U16 = "U16", 16 bits;
    F16 = "F16", 16 bits is F16;
    BF16 = "BF16", 16 bits is BF16;
    I32 = "I32", 32 bits is I32;
    U32 = "U32", 32 bits;
    F32 = "F32", 32 bits is F32;
    C64 = "C64", 64 bits;
    F64 = "F64", 64 bits is F64;
    I64 = "I64", 64 bits is I64;
    U64 = "U64", 64 bits;
}

impl SafeDType {
    /// The type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dtype| dtype.name() == name)
    }
}

impl fmt::Display for SafeDType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
