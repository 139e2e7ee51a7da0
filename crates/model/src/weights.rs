//! Weights as they lie in the file, found by role and checked against the shape they must have.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use formats::disk::Extent;
use formats::{Bytes, Gguf, ReadError};
use kernels::{Level, MatmulKernel, RowPart, Weight};
use tensor::DType;

use crate::LoadError;
use crate::names::Role;
use crate::repack::{ToRepack, in_place};

/// A weight matrix `[n, k]` with the kernel that multiplies with it, and a scale and a bias if the file has them.
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
    /// `[n]`: what outputs are multiplied with.
    pub scale: Option<Vec<f32>>,
    /// `[n]`: what is added then.
    pub bias: Option<Vec<f32>>,
    place: Place,
    /// The same elements as [`MatmulKernel::repack`] arranges them, once that is done; ties share it.
    repacked: Arc<OnceLock<Bytes>>,
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
    /// Repacked, and nowhere else.
    Repacked,
}

impl Linear {
    /// What it takes to repack it; none if its type, shape or place does not allow.
    pub(crate) fn to_repack(&self) -> Option<ToRepack> {
        let Place::Memory(rows) = &self.place else {
            return None;
        };
        // What lies in memory of our own would have to stay there, too.
        let can = rows.is_mapped()
            && self.repacked.get().is_none()
            && self.kernel.repacked(self.n).is_some();
        can.then(|| ToRepack {
            kernel: self.kernel,
            shape: (self.n, self.k),
            rows: rows.clone(),
            repacked: self.repacked.clone(),
        })
    }

    /// Repacks it where it lies, if that is memory of our own that nobody else has a part of; returns the bytes.
    pub(crate) fn repack_own(&mut self, num_threads: usize) -> u64 {
        let (kernel, shape) = (self.kernel, (self.n, self.k));
        let Place::Memory(bytes) = &mut self.place else {
            return 0;
        };
        if self.repacked.get().is_some()
            || kernel.repacked(self.n).is_none()
            || !bytes.rewrite(|bytes| in_place(kernel, shape, bytes, num_threads))
        {
            return 0;
        }
        let repacked = std::mem::take(bytes);
        self.place = Place::Repacked;
        self.repacked = Arc::new(OnceLock::from(repacked));
        self.size_bytes() as u64
    }

    /// What kernels take; `window` is what of its layer has been read for this step.
    pub(crate) fn weight<'a>(&'a self, window: &'a [u8]) -> Weight<'a> {
        if let Some(data) = self.repacked.get()
            && let Some(kernel) = self.kernel.repacked(self.n)
        {
            let (n, k) = (self.n, self.k);
            return Weight { kernel, n, k, data };
        }
        let data = match &self.place {
            Place::Memory(bytes) => bytes,
            Place::Window(range) => &window[range.clone()],
            Place::Disk(_) => unreachable!("only an embedding does, and it multiplies nothing"),
            Place::Repacked => unreachable!("what it was repacked to is there"),
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
        if let Place::Memory(bytes) = &self.place {
            tensor::dequantize(self.dtype, &bytes[start..][..row_bytes], out);
            return Ok(());
        }
        // A piece at a time, which needs no memory.
        let mut piece = [0; 4096];
        let num_blocks = piece.len() / block_bytes;
        let pieces = out.chunks_mut(num_blocks * self.dtype.block_len());
        for (i, out) in pieces.enumerate() {
            let piece = &mut piece[..out.len() / self.dtype.block_len() * block_bytes];
            let at = i * num_blocks * block_bytes;
            match (&self.place, self.repacked.get()) {
                (Place::Disk(extent), _) => extent.read_at(start + at, piece)?,
                (Place::Repacked, Some(data)) => {
                    let part = RowPart { row, row_bytes, at };
                    self.kernel.repacked_row(data, part, piece);
                }
                _ => unreachable!("an embedding is no part of a layer"),
            }
            tensor::dequantize(self.dtype, piece, out);
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
            Place::Window(_) | Place::Repacked => None,
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
            scale: self
                .scale
                .as_ref()
                .map(|scale| scale[rows.clone()].to_vec()),
            bias: self.bias.as_ref().map(|bias| bias[rows].to_vec()),
            place: Place::Memory(bytes),
            repacked: Arc::default(),
            ..*self
        }
    }

    /// Rows in an order of their own; copies them.
    ///
    /// # Panics
    /// As for [`Linear::rows`].
    pub(crate) fn picked(&self, rows: &[usize]) -> Self {
        let (len, Place::Memory(bytes)) = (self.row_bytes(), &self.place) else {
            unreachable!("weights are placed after loading")
        };
        let data = rows.iter().flat_map(|&row| &bytes[row * len..][..len]);
        let data: Vec<u8> = data.copied().collect();
        let pick = |values: &Vec<f32>| rows.iter().map(|&row| values[row]).collect();
        Self {
            name: self.name.clone(),
            n: rows.len(),
            scale: self.scale.as_ref().map(pick),
            bias: self.bias.as_ref().map(pick),
            place: Place::Memory(data.into()),
            repacked: Arc::default(),
            ..*self
        }
    }

    /// The same matrix again, for an output tied to the embedding; shares the bytes.
    pub fn tied(&self) -> Self {
        Self {
            name: self.name.clone(),
            place: self.place.clone(),
            repacked: self.repacked.clone(),
            scale: self.scale.clone(),
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
    /// By role and part, tensors that may be missing: one that is there, one that is not.
    optional: RefCell<BTreeMap<(&'static str, &'static str), Seen>>,
}

/// A tensor that is there, and one that is not.
type Seen = (Option<String>, Option<String>);

impl<'a> Loader<'a> {
    /// Tensors of `gguf`, with kernels of `level`.
    pub fn new(gguf: &'a Gguf, level: Level) -> Self {
        Self {
            gguf,
            level,
            taken: RefCell::default(),
            optional: RefCell::default(),
        }
    }

    /// Whether the file has a weight for the role (of the first expert, if it is one of experts).
    ///
    /// Layers that are asked must agree: what one has and another has not is damage, and [`finish`](Self::finish)
    /// says so.
    pub fn has(&self, role: Role, layer: usize) -> bool {
        self.has_part(role, WEIGHT, role.gguf_of_expert(layer, 0))
    }

    /// Whether this layer has a weight for the role, where layers may differ.
    pub fn layer_has(&self, role: Role, layer: usize) -> bool {
        let name = format!("{}{WEIGHT}", role.gguf(layer));
        self.gguf.tensor(&name).is_some()
    }

    /// Whether the file has a bias for the role, in layers that may have one and need not.
    pub fn has_bias(&self, role: Role, layer: usize) -> bool {
        let name = format!("{}{BIAS}", role.gguf(layer));
        self.gguf.tensor(&name).is_some()
    }

    fn has_part(&self, role: Role, part: &'static str, base: String) -> bool {
        let name = base + part;
        let found = self.gguf.tensor(&name).is_some();
        let mut optional = self.optional.borrow_mut();
        let (there, missing) = optional.entry((role.pattern(), part)).or_default();
        (if found { there } else { missing }).get_or_insert(name);
        found
    }

    /// Rows of a role's matrix, if the file has it.
    pub fn num_rows(&self, role: Role) -> Option<usize> {
        let tensor = self.gguf.tensor(&format!("{}{WEIGHT}", role.gguf(0)))?;
        tensor.shape.first().copied()
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
        self.linear_named(role, &role.gguf(layer), &[n, k])
    }

    /// A matrix `[n, k]`, or a stack of them `[stack, n, k]` as one of `stack * n` rows.
    fn linear_named(&self, role: Role, base: &str, shape: &[usize]) -> Result<Linear, LoadError> {
        let tensor = self.tensor(&format!("{base}.weight"), shape)?;
        let (name, dtype) = (tensor.name.clone(), tensor.dtype);
        let Some(kernel) = MatmulKernel::new(dtype, self.level) else {
            return Err(LoadError::WeightType { name, dtype });
        };
        let (k, outputs) = shape.split_last().expect("a matrix has two dimensions");
        let has_bias = self.has_part(role, BIAS, base.to_owned());
        let bias = has_bias.then(|| self.floats(&format!("{base}{BIAS}"), outputs));
        let bias = bias.transpose()?;
        let n = outputs.iter().product();
        Ok(Linear {
            name,
            dtype,
            kernel,
            n,
            k: *k,
            scale: self.scale(role, base, n)?,
            bias,
            place: Place::Memory(tensor.data.clone()),
            repacked: Arc::default(),
        })
    }

    /// What the outputs of a matrix are multiplied with, `[n]`; files have one number, or one for each.
    fn scale(&self, role: Role, base: &str, n: usize) -> Result<Option<Vec<f32>>, LoadError> {
        // An embedding gives rows and multiplies nothing.
        if role == Role::TokenEmbedding || !self.has_part(role, SCALE, base.to_owned()) {
            return Ok(None);
        }
        let name = format!("{base}{SCALE}");
        let is_one = self
            .gguf
            .tensor(&name)
            .is_some_and(|scale| scale.shape == [1]);
        if is_one {
            let one = self.floats(&name, &[1])?;
            return Ok(Some(one.repeat(n)));
        }
        self.floats(&name, &[n]).map(Some)
    }

    /// The vector of a role as f32, `[len]`.
    pub fn vector(&self, role: Role, layer: usize, len: usize) -> Result<Vec<f32>, LoadError> {
        let (base, name) = (role.gguf(layer), format!("{}.weight", role.gguf(layer)));
        // Some converters forget the suffix of a norm.
        match self.gguf.tensor(&name).is_none() && self.gguf.tensor(&base).is_some() {
            true => self.floats(&base, &[len]),
            false => self.floats(&name, &[len]),
        }
    }

    /// A bias where there is no matrix, `[len]`.
    pub fn bias_only(&self, role: Role, layer: usize, len: usize) -> Result<Vec<f32>, LoadError> {
        self.floats(&format!("{}.bias", role.gguf(layer)), &[len])
    }

    /// A role whose tensor's name has no suffix; files may add a last dimension of 1.
    pub fn bare(&self, role: Role, layer: usize, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let name = role.gguf(layer);
        match self.gguf.tensor(&name) {
            Some(tensor) if tensor.shape.split_last() == Some((&1, shape)) => {
                self.floats(&name, &tensor.shape)
            }
            _ => self.floats(&name, shape),
        }
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
        let name = format!("{}{BIAS}", role.gguf(layer));
        self.has_part(role, BIAS, role.gguf(layer));
        match self.gguf.tensor(&name) {
            None => Ok(None),
            Some(tensor) if tensor.shape == [1, len] => self.floats(&name, &[1, len]).map(Some),
            Some(_) => self.floats(&name, &[len]).map(Some),
        }
    }

    /// The vector of a role, `[len]` or `[1, 1, len]`: files have both where it is one for each channel.
    pub fn lerp(&self, role: Role, layer: usize, len: usize) -> Result<Vec<f32>, LoadError> {
        let name = format!("{}.weight", role.gguf(layer));
        match self.gguf.tensor(&name) {
            Some(tensor) if tensor.shape == [1, 1, len] => self.floats(&name, &[1, 1, len]),
            _ => self.floats(&name, &[len]),
        }
    }

    /// The small matrix of a role, `[n, k]` or `[n * k]`.
    pub fn flat(
        &self,
        role: Role,
        layer: usize,
        (n, k): (usize, usize),
    ) -> Result<Vec<f32>, LoadError> {
        let name = format!("{}.weight", role.gguf(layer));
        match self.gguf.tensor(&name) {
            Some(tensor) if tensor.shape == [n, k] => self.floats(&name, &[n, k]),
            _ => self.floats(&name, &[n * k]),
        }
    }

    /// Vectors of RWKV's roles, of which files have one tensor `[n, 1, 1, len]` or one for each.
    pub fn lerps<const N: usize>(
        &self,
        roles: [Role; N],
        layer: usize,
        len: usize,
    ) -> Result<[Vec<f32>; N], LoadError> {
        if !self.has(Role::WkvLerps, layer) && self.has(roles[0], layer) {
            let rows = roles.into_iter().map(|role| self.lerp(role, layer, len));
            let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
            return Ok(rows.try_into().expect("one for each role"));
        }
        let name = format!("{}.weight", Role::WkvLerps.gguf(layer));
        let all = match self.gguf.tensor(&name) {
            Some(tensor) if tensor.shape == [N, len] => self.floats(&name, &[N, len])?,
            _ => self.floats(&name, &[N, 1, 1, len])?,
        };
        Ok(std::array::from_fn(|i| all[i * len..][..len].to_vec()))
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

    /// Weights of a convolution over tokens as f32, `[channels, width]` (`[channels, 1, width]` in folders).
    pub fn conv(
        &self,
        role: Role,
        layer: usize,
        channels: usize,
        width: usize,
    ) -> Result<Vec<f32>, LoadError> {
        let name = format!("{}.weight", role.gguf(layer));
        match self.gguf.tensor(&name) {
            Some(tensor) if tensor.shape == [channels, 1, width] => {
                self.floats(&name, &[channels, 1, width])
            }
            _ => self.floats(&name, &[channels, width]),
        }
    }

    /// A stack of matrices `[len, n, k]` as one of `len * n` rows.
    pub fn stack(
        &self,
        role: Role,
        layer: usize,
        (len, n, k): (usize, usize, usize),
    ) -> Result<Linear, LoadError> {
        self.linear_named(role, &role.gguf(layer), &[len, n, k])
    }

    /// The matrices `[n, k]` of all experts: one tensor `[n_experts, n, k]`, or one for each.
    pub fn experts(
        &self,
        (all, one): (Role, Role),
        layer: usize,
        (n_experts, n, k): (usize, usize, usize),
    ) -> Result<Vec<Linear>, LoadError> {
        if !self.has(all, layer) && self.has(one, layer) {
            let name = |expert| one.gguf_of_expert(layer, expert);
            let expert = |expert| self.linear_named(one, &name(expert), &[n, k]);
            return (0..n_experts).map(expert).collect();
        }
        let stack = self.stack(all, layer, (n_experts, n, k))?;
        let expert = |expert: usize| stack.rows(expert * n..(expert + 1) * n);
        Ok((0..n_experts).map(expert).collect())
    }

    /// Fails if the file has a tensor that nobody took, or lacks one that other layers have.
    pub fn finish(self) -> Result<(), LoadError> {
        let (taken, optional) = (self.taken.into_inner(), self.optional.into_inner());
        let damage = |name: &String, other: &String| LoadError::OtherLayersHave {
            name: name.clone(),
            other: other.clone(),
        };
        for seen in optional.values() {
            if let (Some(other), Some(name)) = seen {
                return Err(damage(name, other));
            }
        }
        let tensors = self.gguf.tensors().iter();
        let mut others = tensors
            .filter(|tensor| !taken.contains(&tensor.name))
            .peekable();
        let Some(first) = others.peek().map(|tensor| tensor.name.clone()) else {
            return Ok(());
        };
        // A family that looked at one layer for all: it lacks what others have.
        let missing = |name: &String| {
            let (pattern, _, part) = split_name(name);
            let mut same = optional
                .iter()
                .filter(|((role, its), _)| *role == pattern && *its == part);
            same.find_map(|(_, (_, missing))| missing.clone())
        };
        let found = others.find_map(|tensor| Some(damage(&missing(&tensor.name)?, &tensor.name)));
        Err(found.unwrap_or(LoadError::UnknownTensor { name: first }))
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

const WEIGHT: &str = ".weight";
const BIAS: &str = ".bias";
const SCALE: &str = ".scale";

/// A name without its numbers, as [`Role::pattern`] has it; the numbers; the last part.
pub(crate) fn split_name(name: &str) -> (String, Vec<&str>, &str) {
    let (base, part) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    let (mut words, mut numbers) = (Vec::new(), Vec::new());
    for word in base.split('.') {
        let place = ["{i}", "{e}"].get(numbers.len());
        match place.filter(|_| word.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(place) => {
                numbers.push(word);
                words.push(*place);
            }
            None => words.push(word),
        }
    }
    (words.join("."), numbers, part)
}
