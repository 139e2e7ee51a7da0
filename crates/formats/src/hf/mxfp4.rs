//! Weights of 4-bit floats in blocks of 32 with a scale, as gpt-oss's folders have them.
//!
//! ```text
//! NAME_blocks [.., n, 16]    bytes of two codes, those of weights 2 i and 2 i + 1 of a block
//! NAME_scales [.., n]        the block's exponent, biased by 127 (E8M0)
//! ```
//! Both become one tensor `NAME` `[.., 32 n]` of GGUF's MXFP4: a scale, then 16 bytes of codes of weights `i` and
//! `i + 16`. Source: OCP Microscaling Formats (MX) 1.0, and `convert_moe_packed_tensors` of transformers.

use std::collections::{HashMap, HashSet};

use tensor::DType;

use super::{FolderError, Weight};
use crate::safetensors::{SafeDType, SafeTensor};
use crate::{Error, Tensor};

const BLOCKS: &str = "_blocks";
const SCALES: &str = "_scales";
/// Bytes of codes in a block.
const BYTES: usize = 16;

/// Gives scales to the blocks that they belong to; what has no partner stays as it is.
pub(super) fn join(weights: Vec<Weight>) -> Vec<Weight> {
    let is_half = |weight: &Weight, end| {
        weight.tensor.dtype == SafeDType::U8 && weight.tensor.name.ends_with(end)
    };
    let (blocks, mut others): (Vec<_>, Vec<_>) = weights
        .into_iter()
        .partition(|weight| is_half(weight, BLOCKS));
    if blocks.is_empty() {
        return others;
    }
    let names: HashSet<String> = others
        .iter()
        .map(|weight| weight.tensor.name.clone())
        .collect();
    let mut scales = HashMap::new();
    for weight in others.extract_if(.., |weight| is_half(weight, SCALES)) {
        scales.insert(weight.tensor.name.clone(), weight);
    }
    for mut weight in blocks {
        let name = weight
            .tensor
            .name
            .strip_suffix(BLOCKS)
            .unwrap_or_default()
            .to_owned();
        // A tensor of that name may be there already; then whoever asks for all shall see these.
        let scale = scales.remove(&format!("{name}{SCALES}"));
        if let Some(scale) = scale.filter(|_| !names.contains(&name)) {
            weight.tensor.name = name;
            weight.exponents = Some(scale.tensor);
        }
        others.push(weight);
    }
    let mut alone: Vec<Weight> = scales.into_values().collect();
    alone.sort_by(|a, b| a.tensor.name.cmp(&b.tensor.name));
    others.extend(alone);
    others
}

/// The weights as GGUF has them, in new memory.
pub(super) fn to_tensor(blocks: &SafeTensor, scales: &SafeTensor) -> Result<Tensor, Error> {
    let wrong = |found: String| {
        Error::Folder(FolderError::Scale {
            tensor: scales.name.clone(),
            weights: blocks.shape.clone(),
            found,
        })
    };
    let Some((&BYTES, shape)) = blocks.shape.split_last() else {
        return Err(wrong(format!("blocks of another length than {BYTES}")));
    };
    let Some((num_blocks, rows)) = shape.split_last().filter(|_| shape == scales.shape) else {
        return Err(wrong(format!("shape {:?}", scales.shape)));
    };
    let mut data = Vec::with_capacity(blocks.data.len() + scales.data.len());
    for (codes, &scale) in blocks.data.chunks_exact(BYTES).zip(&*scales.data) {
        data.push(scale);
        let code = |i: usize| codes[i / 2] >> (4 * (i % 2)) & 15;
        data.extend((0..BYTES).map(|i| code(i) | code(i + BYTES) << 4));
    }
    Ok(Tensor {
        name: blocks.name.clone(),
        dtype: DType::MXFP4,
        shape: rows.iter().copied().chain([num_blocks * 32]).collect(),
        data: data.into(),
    })
}
