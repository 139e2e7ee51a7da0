//! Weights as they lie in the file, found by role and checked against the shape they must have.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

use formats::disk::Extent;
use formats::{Bytes, Gguf, ReadError};
use kernels::{Level, MatmulKernel, Weight};
use tensor::DType;

use crate::LoadError;
use crate::names::Role;

/// A weight matrix `[n, k]` with the kernel that multiplies with it, and a bias if the file has one.
pub struct Linear {
    /// Tensor name, for reports.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// What multiplies with it.
    pub kernel: MatmulKernel,
    /// Outputs.
    pub n: usize,
    /// Inputs.
    pub k: usize,
    /// `[n]`.
    pub bias: Option<Vec<f32>>,
    place: Place,
}

/// Where a matrix's elements are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In memory, mapped or our own.
    Memory(Bytes),
    /// In the window of its layer, which is read in every step.
    Window(Range<usize>),
    /// On disk, where rows are read as they are wanted.
    Disk(Extent),
}

impl Linear {
    /// What kernels take; `window` is what of its layer has been read for this step.
    pub(crate) fn weight<'a>(&'a self, window: &'a [u8]) -> Weight<'a> {
        let data = match &self.place {
            Place::Memory(bytes) => bytes,
            Place::Window(range) => &window[range.clone()],
            Place::Disk(_) => {
                unreachable!("only an embedding stays on disk, and that multiplies nothing")
            }
        };
        Weight {
            kernel: self.kernel,
            n: self.n,
            k: self.k,
            data,
        }
    }

    /// Writes row `row` as f32, for an embedding: `[k]`.
    ///
    /// # Errors
    /// If the matrix is on disk and cannot be read.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize, out: &mut [f32]) -> Result<(), ReadError> {
        let (row_bytes, block_bytes) = (self.row_bytes(), self.dtype.block_bytes());
        let start = row * row_bytes;
        match &self.place {
            Place::Memory(bytes) => {
                tensor::dequantize(self.dtype, &bytes[start..][..row_bytes], out);
            }
            Place::Disk(extent) => {
                let mut piece = [0; 4096];
                let num_blocks = piece.len() / block_bytes;
                let pieces = out.chunks_mut(num_blocks * self.dtype.block_len());
                for (i, out) in pieces.enumerate() {
                    let piece = &mut piece[..out.len() / self.dtype.block_len() * block_bytes];
                    extent.read_at(start + i * num_blocks * block_bytes, piece)?;
                    tensor::dequantize(self.dtype, piece, out);
                }
            }
            Place::Window(_) => unreachable!("an embedding is no part of a layer"),
        }
        Ok(())
    }

    /// Bytes in the file.
    pub fn size_bytes(&self) -> usize {
        self.n * self.row_bytes()
    }

    fn row_bytes(&self) -> usize {
        self.k / self.dtype.block_len() * self.dtype.block_bytes()
    }

    /// Where on disk it is; none if it is in memory of our own.
    pub(crate) fn extent(&self) -> Option<Extent> {
        match &self.place {
            Place::Memory(bytes) => bytes.extent(),
            Place::Window(_) => None,
            Place::Disk(extent) => Some(extent.clone()),
        }
    }

    /// Says where its elements are from now on.
    pub(crate) fn put(&mut self, place: Place) {
        self.place = place;
    }

    /// The same matrix again, for an output tied to the embedding; shares the bytes.
    pub fn tied(&self) -> Self {
        Self {
            name: self.name.clone(),
            place: self.place.clone(),
            bias: self.bias.clone(),
            ..*self
        }
    }
}

/// Finds tensors by role, and remembers which were taken.
pub struct Loader<'a> {
    gguf: &'a Gguf,
    level: Level,
    taken: RefCell<HashSet<String>>,
}

impl<'a> Loader<'a> {
    /// Tensors of `gguf`, with kernels of `level`.
    pub fn new(gguf: &'a Gguf, level: Level) -> Self {
        Self {
            gguf,
            level,
            taken: RefCell::default(),
        }
    }

    /// Whether the file has a weight for the role.
    pub fn has(&self, role: Role, layer: usize) -> bool {
        self.gguf
            .tensor(&format!("{}.weight", role.gguf(layer)))
            .is_some()
    }

    /// Rows of the embedding: what the file says the vocabulary's size is.
    pub fn vocab_size(&self) -> Result<usize, LoadError> {
        let name = format!("{}.weight", Role::TokenEmbedding.gguf(0));
        let Some(tensor) = self.gguf.tensor(&name) else {
            return Err(LoadError::MissingTensor {
                name,
                vocab_only: self.gguf.tensors().is_empty(),
            });
        };
        // A shape that is no matrix is refused with the expected one when the embedding is taken.
        Ok(tensor.shape.first().copied().unwrap_or(0).max(1))
    }

    /// The matrix of a role, with its bias if there is one.
    pub fn linear(
        &self,
        role: Role,
        layer: usize,
        n: usize,
        k: usize,
    ) -> Result<Linear, LoadError> {
        let base = role.gguf(layer);
        let tensor = self.tensor(&format!("{base}.weight"), &[n, k])?;
        let (name, dtype) = (tensor.name.clone(), tensor.dtype);
        let Some(kernel) = MatmulKernel::new(dtype, self.level) else {
            return Err(LoadError::WeightType { name, dtype });
        };
        let bias_name = format!("{base}.bias");
        let bias = match self.gguf.tensor(&bias_name) {
            Some(_) => Some(self.floats(&bias_name, n)?),
            None => None,
        };
        Ok(Linear {
            name,
            dtype,
            kernel,
            n,
            k,
            bias,
            place: Place::Memory(tensor.data.clone()),
        })
    }

    /// The vector of a role as f32, `[len]`.
    pub fn vector(&self, role: Role, layer: usize, len: usize) -> Result<Vec<f32>, LoadError> {
        self.floats(&format!("{}.weight", role.gguf(layer)), len)
    }

    /// Fails if the file has a tensor that nobody took.
    pub fn finish(self) -> Result<(), LoadError> {
        let taken = self.taken.into_inner();
        match self
            .gguf
            .tensors()
            .iter()
            .find(|tensor| !taken.contains(&tensor.name))
        {
            Some(tensor) => Err(LoadError::UnknownTensor {
                name: tensor.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Marks a tensor as known but not needed.
    pub fn ignore(&self, name: &str) {
        self.taken.borrow_mut().insert(name.to_owned());
    }

    fn floats(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError> {
        let tensor = self.tensor(name, &[len])?;
        if !matches!(tensor.dtype, DType::F32 | DType::F16 | DType::BF16) {
            return Err(LoadError::WeightType {
                name: name.to_owned(),
                dtype: tensor.dtype,
            });
        }
        let mut out = vec![0.0; len];
        tensor::dequantize(tensor.dtype, &tensor.data, &mut out);
        Ok(out)
    }

    fn tensor(&self, name: &str, expected: &[usize]) -> Result<&'a formats::Tensor, LoadError> {
        let Some(tensor) = self.gguf.tensor(name) else {
            let vocab_only = self.gguf.tensors().is_empty();
            return Err(LoadError::MissingTensor {
                name: name.to_owned(),
                vocab_only,
            });
        };
        if tensor.shape != expected {
            let (expected, found) = (expected.to_vec(), tensor.shape.clone());
            return Err(LoadError::Shape {
                name: name.to_owned(),
                expected,
                found,
            });
        }
        self.ignore(name);
        Ok(tensor)
    }
}
