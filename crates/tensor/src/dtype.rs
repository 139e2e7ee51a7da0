//! The element types that a tensor's data can have, as the GGUF format numbers them.

macro_rules! dtypes {
    ($(
        $variant:ident = $id:literal, $name:literal, $len:literal weights in $bytes:literal bytes;
    )*) => {
        /// Element type of a tensor: plain numbers, or one of ggml's quantised block layouts.
        ///
        /// Names and numbers are ggml's (`enum ggml_type`), because files carry them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, missing_docs, reason = "ggml's spelling; see the table")]
        pub enum DType { $($variant,)* }

        impl DType {
            /// Every type, in the order of ggml's numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type that ggml gives this number, if it is still in use.
            pub const fn from_ggml_id(id: u32) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }

            /// ggml's number of this type, as written in GGUF files.
            pub const fn ggml_id(self) -> u32 {
                match self { $(Self::$variant => $id,)* }
            }

            /// ggml's name of this type, for people: `Q4_K`, `BF16`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Weights in one quant block (1 for plain numbers).
            pub const fn block_len(self) -> usize {
                match self { $(Self::$variant => $len,)* }
            }

            /// Bytes of one quant block.
            pub const fn block_bytes(self) -> usize {
                match self { $(Self::$variant => $bytes,)* }
            }
        }
    };
}

dtypes! {
    F32 = 0, "F32", 1 weights in 4 bytes;
    F16 = 1, "F16", 1 weights in 2 bytes;
    Q4_0 = 2, "Q4_0", 32 weights in 18 bytes;
    Q4_1 = 3, "Q4_1", 32 weights in 20 bytes;
    Q5_0 = 6, "Q5_0", 32 weights in 22 bytes;
    Q5_1 = 7, "Q5_1", 32 weights in 24 bytes;
    Q8_0 = 8, "Q8_0", 32 weights in 34 bytes;
    Q8_1 = 9, "Q8_1", 32 weights in 36 bytes;
    Q2_K = 10, "Q2_K", 256 weights in 84 bytes;
    Q3_K = 11, "Q3_K", 256 weights in 110 bytes;
    Q4_K = 12, "Q4_K", 256 weights in 144 bytes;
    Q5_K = 13, "Q5_K", 256 weights in 176 bytes;
    Q6_K = 14, "Q6_K", 256 weights in 210 bytes;
    Q8_K = 15, "Q8_K", 256 weights in 292 bytes;
    IQ2_XXS = 16, "IQ2_XXS", 256 weights in 66 bytes;
    IQ2_XS = 17, "IQ2_XS", 256 weights in 74 bytes;
    IQ3_XXS = 18, "IQ3_XXS", 256 weights in 98 bytes;
    IQ1_S = 19, "IQ1_S", 256 weights in 50 bytes;
    IQ4_NL = 20, "IQ4_NL", 32 weights in 18 bytes;
    IQ3_S = 21, "IQ3_S", 256 weights in 110 bytes;
    IQ2_S = 22, "IQ2_S", 256 weights in 82 bytes;
    IQ4_XS = 23, "IQ4_XS", 256 weights in 136 bytes;
    I8 = 24, "I8", 1 weights in 1 bytes;
    I16 = 25, "I16", 1 weights in 2 bytes;
    I32 = 26, "I32", 1 weights in 4 bytes;
    I64 = 27, "I64", 1 weights in 8 bytes;
    F64 = 28, "F64", 1 weights in 8 bytes;
    IQ1_M = 29, "IQ1_M", 256 weights in 56 bytes;
    BF16 = 30, "BF16", 1 weights in 2 bytes;
    TQ1_0 = 34, "TQ1_0", 256 weights in 54 bytes;
    TQ2_0 = 35, "TQ2_0", 256 weights in 66 bytes;
    MXFP4 = 39, "MXFP4", 32 weights in 17 bytes;
    NVFP4 = 40, "NVFP4", 64 weights in 36 bytes;
    Q1_0 = 41, "Q1_0", 128 weights in 18 bytes;
    Q2_0 = 42, "Q2_0", 64 weights in 18 bytes;
}

impl DType {
    /// Bytes of a row of `len` weights; `None` if `len` is no whole number of blocks or too large.
    pub const fn row_bytes(self, len: usize) -> Option<usize> {
        if !len.is_multiple_of(self.block_len()) {
            return None;
        }
        (len / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Whether weights come in blocks that share scales.
    pub const fn is_quantized(self) -> bool {
        self.block_len() > 1
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::DType;

    #[test]
    fn ids_round_trip_and_are_ascending() {
        for pair in DType::ALL.windows(2) {
            assert!(pair[0].ggml_id() < pair[1].ggml_id());
        }
        for &dtype in DType::ALL {
            assert_eq!(DType::from_ggml_id(dtype.ggml_id()), Some(dtype));
        }
        assert_eq!(
            DType::from_ggml_id(4),
            None,
            "Q4_2 was removed from the format"
        );
    }

    #[test]
    fn row_bytes_counts_whole_blocks() {
        assert_eq!(DType::Q4_K.row_bytes(512), Some(288));
        assert_eq!(DType::Q4_K.row_bytes(100), None);
        assert_eq!(DType::F64.row_bytes(usize::MAX), None);
    }
}
