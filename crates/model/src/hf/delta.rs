//! Matrices of linear attention, whose heads of values stand in another order in folders than in GGUF.

use formats::Tensor;
use formats::gguf::Metadata;

use super::Place;
use super::rows::{architecture, f32s, floats, reordered, wrong_shape};
use crate::LoadError;
use crate::hparams::Hparams;
use crate::names::Role;

/// Heads of linear attention as metadata has them.
struct Shape {
    key_dim: usize,
    value_dim: usize,
    n_key_heads: usize,
    /// Heads of values for each key head.
    group: usize,
}

impl Shape {
    fn new(metadata: &Metadata) -> Result<Self, LoadError> {
        let architecture = architecture(metadata)?;
        let h = Hparams::new(metadata, &architecture);
        let (n_heads, d_value) = (h.size("ssm.time_step_rank")?, h.size("ssm.inner_size")?);
        let n_key_heads = h.size("ssm.group_count")?;
        let expected = format!("a divisor of {n_heads}, the number of heads");
        let whole = n_heads.is_multiple_of(n_key_heads);
        h.check("ssm.group_count", n_key_heads, &expected, whole)?;
        Ok(Self {
            key_dim: h.size("ssm.state_size")?,
            value_dim: d_value / n_heads,
            n_key_heads,
            group: n_heads / n_key_heads,
        })
    }

    fn d_key(&self) -> usize {
        self.n_key_heads * self.key_dim
    }

    fn d_value(&self) -> usize {
        self.n_key_heads * self.group * self.value_dim
    }

    /// `start` and then the numbers of `dim` elements of each head of values, neighbours apart.
    fn apart(&self, start: usize, dim: usize) -> Vec<usize> {
        let heads = (0..self.group)
            .flat_map(|j| (0..self.n_key_heads).map(move |key| key * self.group + j));
        let elements = heads.flat_map(|head| head * dim..(head + 1) * dim);
        let elements = elements.map(|element| start + element);
        (0..start).chain(elements).collect()
    }
}

/// Query, key, value and gate by key head, instead of one after the other and the gate by itself.
pub(super) fn by_head(
    tensor: &Tensor,
    place: &Place,
    metadata: &Metadata,
    tensors: &mut Vec<Tensor>,
) -> Result<(), LoadError> {
    let shape = Shape::new(metadata)?;
    let (keys, values) = (shape.key_dim, shape.group * shape.value_dim);
    let rows = shape.n_key_heads * 2 * (keys + values);
    check_len(tensor, 0, rows)?;
    let part = |start: usize, len: usize| {
        let heads = (0..shape.n_key_heads).map(move |head| head * 2 * (keys + values) + start);
        heads.flat_map(move |start| start..start + len)
    };
    let qkv = part(0, keys).chain(part(keys, keys));
    let qkv: Vec<usize> = qkv.chain(part(2 * keys, values)).collect();
    tensors.push(reordered(tensor, place.gguf(), &qkv));
    let gate: Vec<usize> = part(2 * keys + values, values).collect();
    let place = Place {
        role: Role::DeltaGate,
        ..*place
    };
    tensors.push(reordered(tensor, place.gguf(), &gate));
    Ok(())
}

/// Heads of values that share a key head apart from each other, instead of as neighbours.
pub(super) fn apart(
    tensor: &Tensor,
    place: &Place,
    metadata: &Metadata,
) -> Result<Tensor, LoadError> {
    let shape = Shape::new(metadata)?;
    let d_value = shape.d_value();
    let name = place.gguf();
    let (start, dim) = match place.role {
        Role::AttentionQkv | Role::ScanConv => (2 * shape.d_key(), shape.value_dim),
        Role::DeltaBeta | Role::DeltaAlpha | Role::ScanStep | Role::ScanDecay => (0, 1),
        Role::ScanOut => {
            check_len(tensor, 1, d_value)?;
            return Ok(columns(tensor, name, &shape.apart(0, shape.value_dim)));
        }
        _ => (0, shape.value_dim),
    };
    let order = shape.apart(start, dim);
    check_len(tensor, 0, order.len())?;
    let tensor = reordered(tensor, name, &order);
    if place.role != Role::ScanConv {
        return Ok(tensor);
    }
    Ok(f32s(
        tensor.name.clone(),
        tensor.shape.clone(),
        floats(&tensor)?,
    ))
}

fn check_len(tensor: &Tensor, axis: usize, len: usize) -> Result<(), LoadError> {
    if tensor.shape.get(axis) == Some(&len) && tensor.dtype.block_len() == 1 {
        return Ok(());
    }
    let mut expected = tensor.shape.clone();
    expected.resize(expected.len().max(axis + 1), 0);
    expected[axis] = len;
    Err(wrong_shape(tensor, expected))
}

/// Columns in another order; copies.
fn columns(tensor: &Tensor, name: String, order: &[usize]) -> Tensor {
    let size = tensor.dtype.block_bytes();
    let rows = tensor.data.chunks_exact(order.len() * size);
    let data: Vec<u8> = rows
        .flat_map(|row| {
            order
                .iter()
                .flat_map(|&column| &row[column * size..][..size])
        })
        .copied()
        .collect();
    Tensor {
        name,
        data: data.into(),
        ..tensor.clone()
    }
}
