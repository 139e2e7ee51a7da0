//! Weights of 8-bit floats (E4M3) and the scales that belong to them.
//!
//! `w = E4M3(byte) * scale`, with one scale for a matrix, for a row, or for a block of 128 × 128 weights (the
//! last in a row or column of blocks may be cut off):
//!
//! ```text
//! NAME [out, in] F8_E4M3    NAME_scale_inv [⌈out / 128⌉, ⌈in / 128⌉]      DeepSeek, Qwen3
//!                           NAME_scale     [], [1], [out] or [out, 1]     compressed-tensors
//! ```
//! Both are multiplied, whatever `inv` may suggest. Scales for activations (`input_scale` and the like) are left out:
//! we do not compute in 8-bit floats. The size of blocks is `quantization_config.weight_block_size` of
//! `config.json`. Source: `inference/kernel.py` of <https://github.com/deepseek-ai/DeepSeek-V3>.

use std::collections::HashMap;
use std::path::Path;

use half::bf16;
use serde_json::{Map, Value};
use tensor::fp8::E4M3;

use super::{FolderError, Weight};
use crate::Error;
use crate::safetensors::{SafeDType, SafeTensor};

/// Ends of the names of scales for weights.
const SCALES: [&str; 2] = ["_scale_inv", "_scale"];
/// Ends of the names of scales for what weights are multiplied with.
const ACTIVATIONS: [&str; 3] = [".input_scale", ".activation_scale", ".input_scale_inv"];

/// The scales of a matrix, or of several stacked ones.
#[derive(Debug, Clone)]
pub struct Scale {
    /// The tensor they lie in.
    pub tensor: SafeTensor,
    /// Rows and columns of weights that share one, if `config.json` says so.
    block: Option<[usize; 2]>,
}

/// Gives the scales of a folder to the tensors they belong to.
pub(super) fn join(
    tensors: Vec<SafeTensor>,
    config: &Map<String, Value>,
    path: &Path,
) -> Result<Vec<Weight>, Error> {
    let mut weights: Vec<Weight> = tensors
        .into_iter()
        .map(|tensor| Weight {
            tensor,
            scale: None,
            exponents: None,
        })
        .collect();
    if !weights.iter().any(|weight| is_fp8(&weight.tensor)) {
        return Ok(weights);
    }
    let block = block_size(config, path)?;
    let mut scales = HashMap::new();
    weights.retain(|Weight { tensor, .. }| {
        if ACTIVATIONS.iter().any(|end| tensor.name.ends_with(end)) {
            return false;
        }
        let is_scale = SCALES.iter().any(|end| tensor.name.ends_with(end));
        if is_scale {
            scales.insert(tensor.name.clone(), tensor.clone());
        }
        !is_scale
    });
    for weight in &mut weights {
        if is_fp8(&weight.tensor) {
            let name = &weight.tensor.name;
            let scale = SCALES
                .iter()
                .find_map(|end| scales.remove(&format!("{name}{end}")));
            weight.scale = scale.map(|tensor| Scale { tensor, block });
        }
    }
    // The others belong to nothing here; whoever asks for all tensors shall see them.
    let mut others: Vec<SafeTensor> = scales.into_values().collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    weights.extend(others.into_iter().map(|tensor| Weight {
        tensor,
        scale: None,
        exponents: None,
    }));
    Ok(weights)
}

/// The weights as BF16; `None` if they are no 8-bit floats.
pub(super) fn to_bf16(weight: &Weight) -> Option<Result<Vec<u8>, Error>> {
    let tensor = &weight.tensor;
    if !is_fp8(tensor) {
        return None;
    }
    let mut out = Vec::with_capacity(2 * tensor.len());
    let mut put = |byte: u8, scale: f32| {
        let w = E4M3[usize::from(byte)] * scale;
        out.extend_from_slice(&bf16::from_f32(w).to_le_bytes());
    };
    let Some(scale) = &weight.scale else {
        tensor.data.iter().for_each(|&byte| put(byte, 1.0));
        return Some(Ok(out));
    };
    let grid = match Grid::new(tensor, scale) {
        Ok(grid) => grid,
        Err(error) => return Some(Err(error)),
    };
    let [rows, cols] = grid.matrix;
    if cols > 0 {
        for (r, row) in tensor.data.chunks_exact(cols).enumerate() {
            let at = r / rows * grid.rows + r % rows / grid.block[0];
            let scales = &grid.scales[at * grid.cols..(at + 1) * grid.cols];
            for (part, &scale) in row.chunks(grid.block[1]).zip(scales) {
                part.iter().for_each(|&byte| put(byte, scale));
            }
        }
    }
    Some(Ok(out))
}

fn is_fp8(tensor: &SafeTensor) -> bool {
    tensor.dtype == SafeDType::F8_E4M3
}

/// How scales lie over matrices.
struct Grid {
    scales: Vec<f32>,
    /// Rows and columns of one of the stacked matrices.
    matrix: [usize; 2],
    /// Rows and columns that share a scale.
    block: [usize; 2],
    /// Rows of scales for a matrix.
    rows: usize,
    /// Scales in a row of them.
    cols: usize,
}

impl Grid {
    fn new(tensor: &SafeTensor, scale: &Scale) -> Result<Self, Error> {
        let scales = numbers(&scale.tensor);
        let wrong = |found: String| {
            Error::Folder(FolderError::Scale {
                tensor: scale.tensor.name.clone(),
                weights: tensor.shape.clone(),
                found,
            })
        };
        let scales = scales.ok_or_else(|| wrong(format!("type {}", scale.tensor.dtype)))?;
        let shape = &scale.tensor.shape;
        let (stack, matrix) = ends(&tensor.shape);
        let (scale_stack, [rows, cols]) = match scales.len() {
            // One for everything, in whatever shape.
            1 => (stack, [1, 1]),
            n if shape.len() == 1 && n == matrix[0] => (stack, [n, 1]),
            _ => ends(shape),
        };
        let one_for_all = scales.len() == 1 && stack.iter().product::<usize>() != 1;
        if one_for_all {
            let whole = [stack.iter().product::<usize>() * matrix[0], matrix[1]];
            return Ok(Self::fit(scales, whole, [1, 1], None).expect("one scale fits everything"));
        }
        let grid = (scale_stack == stack)
            .then(|| Self::fit(scales, matrix, [rows, cols], scale.block))
            .flatten();
        grid.ok_or_else(|| wrong(format!("shape {shape:?}")))
    }

    /// `None` if no size of blocks makes so many of the matrix.
    fn fit(
        scales: Vec<f32>,
        matrix: [usize; 2],
        num: [usize; 2],
        block: Option<[usize; 2]>,
    ) -> Option<Self> {
        let given = block.filter(|block| (0..2).all(|i| matrix[i].div_ceil(block[i]) == num[i]));
        let even = || {
            let divides = |i: usize| num[i] > 0 && matrix[i].is_multiple_of(num[i]);
            (divides(0) && divides(1)).then(|| [0, 1].map(|i| (matrix[i] / num[i]).max(1)))
        };
        Some(Self {
            scales,
            matrix,
            block: given.or_else(even)?,
            rows: num[0],
            cols: num[1],
        })
    }
}

/// A shape as that of a stack and of the matrices in it; a row is a matrix too.
fn ends(shape: &[usize]) -> (&[usize], [usize; 2]) {
    match shape {
        [] => (&[], [1, 1]),
        [cols] => (&[], [1, *cols]),
        [stack @ .., rows, cols] => (stack, [*rows, *cols]),
    }
}

fn numbers(tensor: &SafeTensor) -> Option<Vec<f32>> {
    match tensor.dtype {
        // Powers of two, as OCP has them for MXFP4.
        SafeDType::F8_E8M0 => Some(
            tensor
                .data
                .iter()
                .map(|&e| 2_f64.powi(i32::from(e) - 127) as f32)
                .collect(),
        ),
        SafeDType::F32 | SafeDType::F16 | SafeDType::BF16 => tensor.to_f32(),
        _ => None,
    }
}

/// `quantization_config.weight_block_size`: rows and columns.
fn block_size(config: &Map<String, Value>, path: &Path) -> Result<Option<[usize; 2]>, Error> {
    let Some(value) = config
        .get("quantization_config")
        .and_then(|quantization| quantization.get("weight_block_size"))
        .filter(|value| !value.is_null())
    else {
        return Ok(None);
    };
    let sizes = value.as_array().map(|sizes| {
        let number = |size: &Value| usize::try_from(size.as_u64()?).ok().filter(|&n| n > 0);
        sizes.iter().map(number).collect::<Option<Vec<_>>>()
    });
    match sizes.flatten().as_deref() {
        Some(&[rows, cols]) => Ok(Some([rows, cols])),
        _ => Err(Error::Folder(FolderError::Config {
            path: path.to_owned(),
            key: "quantization_config.weight_block_size".into(),
            expected: "two whole numbers above 0".into(),
            found: value.to_string(),
        })),
    }
}
