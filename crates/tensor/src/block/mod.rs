//! One module per element type: the byte layout of its block and what the bytes mean.
//!
//! Every module of a quantised type has the same face, so a reader who knows one knows all:
//!
//! - `BLOCK_LEN` weights in `BLOCK_BYTES` bytes;
//! - the place of each field, under ggml's name of it (`D` an offset, `QS` a byte range);
//! - `dequantize(block, out)`, the definition of the format, in the order in which ggml's own
//!   reference does its float operations;
//! - `quantize(x, block)`, where the format has a writer here;
//! - small decoders of packed fields, public because fast kernels decode the same fields.
//!
//! All numbers are little-endian. `d` is always an f16 scale unless a module says otherwise.
//!
//! Source: <https://github.com/ggml-org/ggml>, layouts in `ggml-common.h`, meaning in
//! `ggml-quants.c`.

pub mod field;
mod fit;

pub mod q1_0;
pub mod q2_0;
pub mod q4_0;
pub mod q4_1;
pub mod q5_0;
pub mod q5_1;
pub mod q8_0;
pub mod q8_1;

pub mod q2_k;
pub mod q3_k;
pub mod q4_k;
pub mod q5_k;
pub mod q6_k;
pub mod q8_k;

pub mod iq1_m;
pub mod iq1_s;
pub mod iq2_s;
pub mod iq2_xs;
pub mod iq2_xxs;
pub mod iq3_s;
pub mod iq3_xxs;
pub mod iq4_nl;
pub mod iq4_xs;

pub mod mxfp4;
pub mod nvfp4;
pub mod tq1_0;
pub mod tq2_0;
