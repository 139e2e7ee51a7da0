//! How tensors of a folder become those of a GGUF: renamed, rarely rearranged.

use formats::Tensor;
use formats::gguf::Metadata;
use tensor::DType;

use super::{Place, delta, named};
use crate::LoadError;
use crate::arch::HuggingFace;
use crate::hparams::Hparams;
use crate::names::Role;

/// In which other order or place the rows of a matrix (or of its bias) stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// `[in, out]` instead of `[out, in]`; of several, each.
    Transposed,
    /// Query, key and value by KV head, `[n_kv_heads, group + 2, head_dim]`, instead of one after the other.
    ByHead,
    /// Pairs that turn together as neighbours in each head, instead of in its two halves (of the part that turns).
    Halved,
    /// Latent attention's `[n_heads, nope_dim + value_dim, kv_rank]`, instead of the first part transposed and the
    /// second.
    LatentB,
    /// Logarithms of what GGUF has negated.
    NegatedExp,
    /// Linear attention's query, key, value and gate by key head, instead of one after the other and the gate by itself.
    DeltaByHead,
    /// Linear attention's heads of values that share a key head as neighbours, instead of apart.
    DeltaApart,
    /// Both this and [`Rows::NegatedExp`].
    DeltaApartDecay,
    /// As they are, but to be taken as rows of length 1 if metadata of our own has the key.
    UnitsIf(&'static str),
    /// A vector as this many rows, which metadata has under the key.
    InRows(&'static str),
    /// `[n_experts, in, out]`, or `[n_experts, out, in]` where weights are in blocks; outputs belong to several roles in
    /// turn.
    ExpertsTransposed(&'static [Role]),
}

/// Rows count as at least so long where they are made units, as `torch.nn.functional.normalize` has it.
const SHORTEST: f64 = 1e-12;

/// Adds what `tensor` becomes to `tensors`.
pub(super) fn convert(
    tensor: &Tensor,
    place: &Place,
    form: &HuggingFace,
    metadata: &Metadata,
    tensors: &mut Vec<Tensor>,
) -> Result<(), LoadError> {
    let rule = form.rows.iter().find(|(role, _)| *role == place.role);
    match rule.map(|&(_, rule)| rule) {
        None if place.suffix != ".bias" && (form.gain_plus_one)(place.role) => {
            let values = floats(tensor)?.into_iter().map(|x| x + 1.0);
            tensors.push(f32s(place.gguf(), tensor.shape.clone(), values));
        }
        None if place.role.is_small() => {
            tensors.push(f32s(place.gguf(), tensor.shape.clone(), floats(tensor)?));
        }
        None => tensors.push(named(tensor, place.gguf())),
        Some(Rows::Transposed) if place.suffix == ".bias" => {
            tensors.push(named(tensor, place.gguf()));
        }
        Some(Rows::Transposed) => tensors.push(transposed(tensor, place.gguf())?),
        Some(Rows::ByHead) => {
            let order = by_head(tensor, metadata)?;
            tensors.push(reordered(tensor, place.gguf(), &order));
        }
        Some(Rows::Halved) => {
            let order = halved(tensor, metadata)?;
            tensors.push(reordered(tensor, place.gguf(), &order));
        }
        Some(Rows::NegatedExp) => tensors.push(negated_exp(tensor, place.gguf())?),
        Some(Rows::DeltaByHead) => delta::by_head(tensor, place, metadata, tensors)?,
        Some(Rows::DeltaApart) => tensors.push(delta::apart(tensor, place, metadata)?),
        Some(Rows::UnitsIf(key)) => {
            if metadata.get(&format!("ingle.{key}")).is_some() {
                tensors.push(unit_scale(tensor, place)?);
            }
            tensors.push(named(tensor, place.gguf()));
        }
        Some(Rows::DeltaApartDecay) => {
            let apart = delta::apart(tensor, place, metadata)?;
            tensors.push(negated_exp(&apart, place.gguf())?);
        }
        Some(Rows::InRows(key)) => {
            let (values, architecture) = (floats(tensor)?, architecture(metadata)?);
            let rows = Hparams::new(metadata, &architecture).size_or(key, 1)?;
            if !values.len().is_multiple_of(rows) {
                return Err(wrong_shape(
                    tensor,
                    vec![values.len().next_multiple_of(rows)],
                ));
            }
            let shape = vec![rows, values.len() / rows];
            tensors.push(f32s(place.gguf(), shape, values));
        }
        Some(Rows::LatentB) => tensors.extend(latent_b(tensor, place, metadata)?),
        Some(Rows::ExpertsTransposed(roles)) => in_turn(tensor, place, roles, tensors)?,
    }
    Ok(())
}

/// `-e^x`, as near as f32 comes: others take the exponential in f32.
fn negated_exp(tensor: &Tensor, name: String) -> Result<Tensor, LoadError> {
    let values = floats(tensor)?;
    let values = values.into_iter().map(|x| -f64::from(x).exp() as f32);
    Ok(f32s(name, tensor.shape.clone(), values))
}

/// What each row is to be multiplied with so that its length is 1.
fn unit_scale(tensor: &Tensor, place: &Place) -> Result<Tensor, LoadError> {
    let &[rows, cols] = &tensor.shape[..] else {
        return Err(wrong_shape(tensor, vec![tensor.len(), 1]));
    };
    check_floats(tensor)?;
    let mut row = vec![0.0; cols];
    let row_bytes = (cols * tensor.dtype.block_bytes()).max(1);
    let scales = tensor.data.chunks_exact(row_bytes).map(|bytes| {
        tensor::dequantize(tensor.dtype, bytes, &mut row);
        let squares: f64 = row.iter().map(|&x| f64::from(x).powi(2)).sum();
        (1.0 / squares.sqrt().max(SHORTEST)) as f32
    });
    let place = Place {
        suffix: ".scale",
        ..*place
    };
    Ok(f32s(place.gguf(), vec![rows], scales))
}

pub(super) fn architecture(metadata: &Metadata) -> Result<String, LoadError> {
    Ok(metadata.require("general.architecture")?)
}

/// The order in which rows by head come one after the other: query, key, value.
fn by_head(tensor: &Tensor, metadata: &Metadata) -> Result<Vec<usize>, LoadError> {
    let architecture = architecture(metadata)?;
    let h = Hparams::new(metadata, &architecture);
    let n_heads = h.size("attention.head_count")?;
    let n_kv_heads = h.size_or("attention.head_count_kv", n_heads)?;
    let head_dim = h.head_dim(h.size("embedding_length")?, n_heads)?;
    h.check_heads(n_heads, n_kv_heads, head_dim)?;
    let group = n_heads / n_kv_heads;
    let rows = (n_heads + 2 * n_kv_heads) * head_dim;
    if tensor.shape.first() != Some(&rows) {
        let mut expected = tensor.shape.clone();
        expected[0] = rows;
        return Err(wrong_shape(tensor, expected));
    }
    let row = |kv: usize, part: usize| {
        let start = (kv * (group + 2) + part) * head_dim;
        start..start + head_dim
    };
    let parts = [0..group, group..group + 1, group + 1..group + 2];
    let heads = parts
        .into_iter()
        .flat_map(|parts| (0..n_kv_heads).flat_map(move |kv| parts.clone().map(move |p| (kv, p))));
    Ok(heads.flat_map(|(kv, part)| row(kv, part)).collect())
}

/// The order in which first of all pairs come first, then their second, then what does not turn; in each head.
fn halved(tensor: &Tensor, metadata: &Metadata) -> Result<Vec<usize>, LoadError> {
    let architecture = architecture(metadata)?;
    let h = Hparams::new(metadata, &architecture);
    let head_dim = h.head_dim(h.size("embedding_length")?, h.size("attention.head_count")?)?;
    let turned = h.size_or("rope.dimension_count", head_dim)?.min(head_dim);
    let rows = tensor.shape.first().copied().unwrap_or(0);
    if !rows.is_multiple_of(head_dim) || !turned.is_multiple_of(2) {
        let mut expected = tensor.shape.clone();
        expected[0] = rows.next_multiple_of(head_dim);
        return Err(wrong_shape(tensor, expected));
    }
    let pairs = (0..turned).step_by(2).chain((1..turned).step_by(2));
    let in_head: Vec<usize> = pairs.chain(turned..head_dim).collect();
    let heads = (0..rows).step_by(head_dim);
    Ok(heads
        .flat_map(|start| in_head.iter().map(move |row| start + row))
        .collect())
}

/// `k_b` `[n_heads, kv_rank, nope_dim]` and `v_b` `[n_heads, value_dim, kv_rank]`; copies.
fn latent_b(tensor: &Tensor, place: &Place, metadata: &Metadata) -> Result<[Tensor; 2], LoadError> {
    let architecture = architecture(metadata)?;
    let h = Hparams::new(metadata, &architecture);
    let (heads, rank) = (
        h.size("attention.head_count")?,
        h.size("attention.kv_lora_rank")?,
    );
    let value_dim = h.size("attention.value_length_mla")?;
    let head_dim = h.size("attention.key_length_mla")?;
    let nope_dim = head_dim.saturating_sub(h.size("rope.dimension_count")?);
    let rows = heads.saturating_mul(nope_dim + value_dim);
    if tensor.shape != [rows, rank] || nope_dim == 0 || tensor.dtype.block_len() != 1 {
        return Err(wrong_shape(tensor, vec![rows, rank]));
    }
    let size = tensor.dtype.block_bytes();
    let (mut k, mut v) = (Vec::new(), Vec::new());
    for head in tensor
        .data
        .chunks_exact((nope_dim + value_dim) * rank * size)
    {
        let (head_k, head_v) = head.split_at(nope_dim * rank * size);
        for column in 0..rank {
            for row in 0..nope_dim {
                k.extend_from_slice(&head_k[(row * rank + column) * size..][..size]);
            }
        }
        v.extend_from_slice(head_v);
    }
    let part = |role, shape: [usize; 3], data: Vec<u8>| Tensor {
        name: Place { role, ..*place }.gguf(),
        dtype: tensor.dtype,
        shape: shape.to_vec(),
        data: data.into(),
    };
    Ok([
        part(Role::LatentKB, [heads, rank, nope_dim], k),
        part(Role::LatentVB, [heads, value_dim, rank], v),
    ])
}

/// Some rows in another order; copies.
pub(super) fn reordered(tensor: &Tensor, name: String, order: &[usize]) -> Tensor {
    let row_bytes = tensor.data.len() / tensor.shape[0].max(1);
    let rows = order
        .iter()
        .flat_map(|&row| &tensor.data[row * row_bytes..][..row_bytes]);
    let data: Vec<u8> = rows.copied().collect();
    let mut shape = tensor.shape.clone();
    shape[0] = order.len();
    Tensor {
        name,
        shape,
        data: data.into(),
        ..*tensor
    }
}

fn transposed(tensor: &Tensor, name: String) -> Result<Tensor, LoadError> {
    let [stack @ .., rows, cols] = &tensor.shape[..] else {
        // Any matrix would do: what there is, as one.
        let cols = tensor.shape.last().copied().unwrap_or(1);
        return Err(wrong_shape(tensor, vec![tensor.len() / cols.max(1), cols]));
    };
    let (rows, cols) = (*rows, *cols);
    let size = tensor.dtype.block_bytes();
    let mut data = Vec::with_capacity(tensor.data.len());
    for matrix in tensor.data.chunks_exact((rows * cols * size).max(1)) {
        for col in 0..cols {
            for row in 0..rows {
                data.extend_from_slice(&matrix[(row * cols + col) * size..][..size]);
            }
        }
    }
    Ok(Tensor {
        name,
        dtype: tensor.dtype,
        shape: [stack, &[cols, rows]].concat(),
        data: data.into(),
    })
}

/// Rows of experts that belong to `roles` in turn, `[n_experts, out / n_roles, in]` each; copies.
fn in_turn(
    tensor: &Tensor,
    place: &Place,
    roles: &[Role],
    tensors: &mut Vec<Tensor>,
) -> Result<(), LoadError> {
    let (experts, out, cols) = match tensor.shape[..] {
        [experts, out] => (experts, out, None),
        [experts, out, cols] if tensor.dtype.block_len() > 1 => (experts, out, Some(cols)),
        [experts, cols, out] => (experts, out, Some(cols)),
        _ => return Err(wrong_shape(tensor, vec![tensor.len(), 1, 1])),
    };
    if out == 0 || !out.is_multiple_of(roles.len()) {
        let whole = out.next_multiple_of(roles.len()).max(roles.len());
        let shape = [experts, whole].into_iter().chain(cols).collect();
        return Err(wrong_shape(tensor, shape));
    }
    let row_bytes = tensor.data.len() / (experts * out).max(1);
    let size = tensor.dtype.block_bytes();
    let as_rows = cols.is_none() || tensor.dtype.block_len() > 1;
    for (i, &role) in roles.iter().enumerate() {
        let mut data = Vec::with_capacity(tensor.data.len() / roles.len());
        for expert in tensor.data.chunks_exact((out * row_bytes).max(1)) {
            for row in (i..out).step_by(roles.len()) {
                if as_rows {
                    data.extend_from_slice(&expert[row * row_bytes..][..row_bytes]);
                } else {
                    let column = expert.chunks_exact(out * size);
                    column.for_each(|x| data.extend_from_slice(&x[row * size..][..size]));
                }
            }
        }
        let shape = [experts, out / roles.len()].into_iter().chain(cols);
        let place = Place { role, ..*place };
        tensors.push(Tensor {
            name: place.gguf(),
            dtype: tensor.dtype,
            shape: shape.collect(),
            data: data.into(),
        });
    }
    Ok(())
}

/// The elements as f32.
pub(super) fn floats(tensor: &Tensor) -> Result<Vec<f32>, LoadError> {
    check_floats(tensor)?;
    let mut out = vec![0.0; tensor.len()];
    tensor::dequantize(tensor.dtype, &tensor.data, &mut out);
    Ok(out)
}

fn check_floats(tensor: &Tensor) -> Result<(), LoadError> {
    if matches!(tensor.dtype, DType::F32 | DType::F16 | DType::BF16) {
        return Ok(());
    }
    let (name, dtype) = (tensor.name.clone(), tensor.dtype);
    Err(LoadError::WeightType { name, dtype })
}

/// A tensor of f32.
pub(super) fn f32s(
    name: String,
    shape: Vec<usize>,
    values: impl IntoIterator<Item = f32>,
) -> Tensor {
    let data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Tensor {
        name,
        dtype: DType::F32,
        shape,
        data: data.into(),
    }
}

pub(super) fn wrong_shape(tensor: &Tensor, expected: Vec<usize>) -> LoadError {
    LoadError::Shape {
        name: tensor.name.clone(),
        expected,
        found: tensor.shape.clone(),
    }
}
