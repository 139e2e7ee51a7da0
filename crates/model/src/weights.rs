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

    /// Some rows as a matrix of their own; shares the bytes.
    ///
    /// # Panics
    /// If there are no such rows, or the elements are not in memory (they are while loading).
    pub(crate) fn rows(&self, rows: Range<usize>) -> Self {
        let (start, end) = (rows.start * self.row_bytes(), rows.end * self.row_bytes());
        let Place::Memory(bytes) = &self.place else {
            unreachable!("weights are placed after loading")
        };
        let bytes = bytes.slice(start..end).expect("rows of the matrix");
        Self {
            name: self.name.clone(),
            n: rows.len(),
            bias: self.bias.as_ref().map(|bias| bias[rows].to_vec()),
            place: Place::Memory(bytes),
            ..*self
        }
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

    /// Whether the file has a weight for the role (of the first expert, if it is one of experts).
    pub fn has(&self, role: Role, layer: usize) -> bool {
        let name = format!("{}.weight", role.gguf_of_expert(layer, 0));
        self.gguf.tensor(&name).is_some()
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
        self.linear_named(&role.gguf(layer), &[n, k])
    }

    /// A matrix `[n, k]`, or a stack of them `[stack, n, k]` as one of `stack * n` rows.
    fn linear_named(&self, base: &str, shape: &[usize]) -> Result<Linear, LoadError> {
        let tensor = self.tensor(&format!("{base}.weight"), shape)?;
        let (name, dtype) = (tensor.name.clone(), tensor.dtype);
        let Some(kernel) = MatmulKernel::new(dtype, self.level) else {
            return Err(LoadError::WeightType { name, dtype });
        };
        let (k, outputs) = shape.split_last().expect("a matrix has two dimensions");
        let bias_name = format!("{base}.bias");
        let bias = match self.gguf.tensor(&bias_name) {
            Some(_) => Some(self.floats(&bias_name, outputs)?),
            None => None,
        };
        Ok(Linear {
            name,
            dtype,
            kernel,
            n: outputs.iter().product(),
            k: *k,
            bias,
            place: Place::Memory(tensor.data.clone()),
        })
    }

    /// The vector of a role as f32, `[len]`.
    pub fn vector(&self, role: Role, layer: usize, len: usize) -> Result<Vec<f32>, LoadError> {
        self.floats(&format!("{}.weight", role.gguf(layer)), &[len])
    }

    /// The vector of a role, `[len]`, or `[1, len]`: files have both for what is a matrix of one row.
    pub fn row(&self, role: Role, layer: usize, len: usize) -> Result<Vec<f32>, LoadError> {
        let name = format!("{}.weight", role.gguf(layer));
        match self.gguf.tensor(&name) {
            Some(tensor) if tensor.shape == [1, len] => self.floats(&name, &[1, len]),
            _ => self.floats(&name, &[len]),
        }
    }

    /// The vector of a role's bias, `[len]`, if the file has one.
    pub fn bias(
        &self,
        role: Role,
        layer: usize,
        len: usize,
    ) -> Result<Option<Vec<f32>>, LoadError> {
        let name = format!("{}.bias", role.gguf(layer));
        match self.gguf.tensor(&name) {
            None => Ok(None),
            Some(tensor) if tensor.shape == [1, len] => self.floats(&name, &[1, len]).map(Some),
            Some(_) => self.floats(&name, &[len]).map(Some),
        }
    }

    /// The small matrix of a role as f32, `[n, k]`.
    pub fn table(
        &self,
        role: Role,
        layer: usize,
        n: usize,
        k: usize,
    ) -> Result<Vec<f32>, LoadError> {
        self.floats(&format!("{}.weight", role.gguf(layer)), &[n, k])
    }

    /// A stack of matrices `[len, n, k]` as one of `len * n` rows.
    pub fn stack(
        &self,
        role: Role,
        layer: usize,
        (len, n, k): (usize, usize, usize),
    ) -> Result<Linear, LoadError> {
        self.linear_named(&role.gguf(layer), &[len, n, k])
    }

    /// The matrices `[n, k]` of all experts: one tensor `[n_experts, n, k]`, or one for each.
    pub fn experts(
        &self,
        (all, one): (Role, Role),
        layer: usize,
        (n_experts, n, k): (usize, usize, usize),
    ) -> Result<Vec<Linear>, LoadError> {
        if !self.has(all, layer) && self.has(one, layer) {
            let expert = |expert| self.linear_named(&one.gguf_of_expert(layer, expert), &[n, k]);
            return (0..n_experts).map(expert).collect();
        }
        let stack = self.stack(all, layer, (n_experts, n, k))?;
        let expert = |expert: usize| stack.rows(expert * n..(expert + 1) * n);
        Ok((0..n_experts).map(expert).collect())
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

    /// Marks the tensors of layers from `first` on as known but not needed.
    pub fn ignore_layers_from(&self, first: usize) {
        for tensor in self.gguf.tensors() {
            let layer = tensor.name.strip_prefix("blk.");
            let layer = layer.and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
            if layer.is_some_and(|layer| layer >= first) {
                self.ignore(&tensor.name);
            }
        }
    }

    /// Marks a tensor as known but not needed.
    pub fn ignore(&self, name: &str) {
        self.taken.borrow_mut().insert(name.to_owned());
    }

    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let tensor = self.tensor(name, shape)?;
        if !matches!(tensor.dtype, DType::F32 | DType::F16 | DType::BF16) {
            return Err(LoadError::WeightType {
                name: name.to_owned(),
                dtype: tensor.dtype,
            });
        }
        let mut out = vec![0.0; tensor.len()];
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
