//! Safetensors: named tensors in a file, described by a JSON header.
//!
//! ```text
//! length of the header u64
//! header   {"NAME": {"dtype": "BF16", "shape": [out, in], "data_offsets": [from, to]}, …,
//!           "__metadata__": {text: text}}
//! data     each tensor at its offsets from here, one after the other, without gaps
//! ```
//! Numbers are little-endian, rows contiguous. Source:
//! <https://github.com/huggingface/safetensors#format>.
//!
//! Refused, as by the reference: gaps and overlaps, bytes after the last tensor, a key that appears twice, a
//! header of more than 100 MB.

mod dtype;
mod read;

use tensor::DType;

use crate::{Bytes, Error, Tensor};

pub use self::dtype::SafeDType;
pub use self::read::parse;

/// A tensor as a safetensors file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeTensor {
    /// Name, unique in the file: `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Element type.
    pub dtype: SafeDType,
    /// Dimensions, outermost first; none for a single number.
    pub shape: Vec<usize>,
    /// The elements as they lie in the file; exactly as long as `dtype` and `shape` say.
    pub data: Bytes,
}

impl SafeTensor {
    /// Number of elements, the product of the shape.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements (some dimension is 0).
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The same tensor with a type that GGUF has too; the data is shared.
    ///
    /// Errors: [`Error::NoDType`] if GGUF has no such type.
    pub fn to_tensor(&self) -> Result<Tensor, Error> {
        let dtype = self.dtype.dtype().ok_or_else(|| {
            let error = Error::NoDType { found: self.dtype };
            crate::error::in_tensor(&self.name, error)
        })?;
        Ok(Tensor {
            name: self.name.clone(),
            dtype,
            shape: self.shape.clone(),
            data: self.data.clone(),
        })
    }

    /// All elements as f32; `None` if they are no plain numbers of a GGUF type.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        let dtype: DType = self.dtype.dtype()?;
        let mut out = vec![0.0; self.len()];
        tensor::dequantize(dtype, &self.data, &mut out);
        Some(out)
    }
}
