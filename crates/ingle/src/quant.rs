//! Quantises a model while it is loaded: tensor by tensor, rows shared out to all cores.
//!
//! Which tensors become what is llama.cpp's choice for a file of one type (`llama-quant.cpp` of
//! <https://github.com/ggml-org/llama.cpp>, `--pure` but for the output): every matrix whose name ends in `.weight`,
//! but not norms, routers, positions and convolutions; the output, or the embedding where it is the output too, as
//! Q6_K, unless the type is Q8_0. A row that is no whole number of blocks takes a type with smaller blocks, or F16.
//!
//! Memory: the result, and for each thread a row. The source, where it is mapped, takes none.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use formats::{Bytes, Gguf, Tensor};
use hub::{Phase, Progress, Report};
use tensor::DType;

use crate::Error;

/// The types that a model can be quantised to while it is loaded.
pub const TYPES: [DType; 8] = [
    DType::Q8_0,
    DType::Q6_K,
    DType::Q5_K,
    DType::Q4_K,
    DType::Q4_0,
    DType::Q3_K,
    DType::Q2_K,
    DType::MXFP4,
];
/// The output, and the embedding where it is the output.
const OUTPUT: &str = "output.weight";
const EMBEDDING: &str = "token_embd.weight";
/// Parts of the names of matrices that stay: they are small, and errors in them are large.
const KEPT: [&str; 10] = [
    "_norm.weight",
    "ffn_gate_inp",
    "position_embd",
    "token_types",
    "ssm_conv1d",
    "shortconv.conv",
    "time_mix_",
    "ssm_x",
    "ssm_dt",
    "attn_rel_b",
];
/// Bytes of a quantised piece that a thread takes at once, about.
const PIECE_BYTES: usize = 256 << 10;

/// The model with its matrices as `dtype`.
///
/// # Errors
/// [`Error::QuantType`] for a type that is not in [`TYPES`], and if `progress` says that it is cancelled.
pub fn quantize(
    gguf: Gguf,
    dtype: DType,
    num_threads: usize,
    progress: &mut dyn Progress,
) -> Result<Gguf, Error> {
    if !TYPES.contains(&dtype) {
        return Err(Error::QuantType { found: dtype });
    }
    let num_threads = match num_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let tied = gguf.tensor(OUTPUT).is_none();
    let (metadata, mut tensors) = gguf.into_parts();
    let bytes = |tensor: &Tensor| tensor.data.len() as u64;
    let (total, parts) = (tensors.iter().map(bytes).sum(), tensors.len());
    let mut done = 0;
    for (i, tensor) in tensors.iter_mut().enumerate() {
        if progress.cancelled() {
            return Err(Error::Hub(hub::Error::Cancelled));
        }
        let name = tensor.name.clone();
        progress.update(&Report {
            phase: Phase::Quantizing(dtype.name()),
            file: &name,
            part: (i + 1, parts),
            done,
            total: Some(total),
            resumed_from: 0,
        });
        done += bytes(tensor);
        if let Some(to) = target(tensor, dtype, tied) {
            tensor.data = convert(tensor, to, num_threads)?;
            tensor.dtype = to;
        }
    }
    Ok(Gguf::from_parts(metadata, tensors)?)
}

/// The type that the tensor becomes; `None` if it stays.
fn target(tensor: &Tensor, wanted: DType, tied: bool) -> Option<DType> {
    let is_number = matches!(
        tensor.dtype,
        DType::F32 | DType::F16 | DType::BF16 | DType::F64
    );
    let name = tensor.name.as_str();
    let is_matrix = tensor.shape.len() >= 2 && name.ends_with(".weight");
    if !is_number || !is_matrix || KEPT.iter().any(|part| name.contains(part)) {
        return None;
    }
    let is_output = name == OUTPUT || (tied && name == EMBEDDING);
    let wanted = match wanted {
        DType::Q8_0 => DType::Q8_0,
        _ if is_output => DType::Q6_K,
        other => other,
    };
    let row = *tensor.shape.last()?;
    let fits = |dtype: DType| row.is_multiple_of(dtype.block_len());
    let smaller = match wanted {
        DType::Q2_K | DType::Q3_K => DType::IQ4_NL,
        DType::Q4_K => DType::Q5_0,
        DType::Q5_K => DType::Q5_1,
        DType::Q6_K => DType::Q8_0,
        _ => DType::F16,
    };
    Some(
        [wanted, smaller]
            .into_iter()
            .find(|&dtype| fits(dtype))
            .unwrap_or(DType::F16),
    )
}

/// The tensor's elements as `to`: threads take pieces of whole rows until none is left.
fn convert(tensor: &Tensor, to: DType, num_threads: usize) -> Result<Bytes, Error> {
    let cols = tensor.shape.last().copied().unwrap_or(0);
    let row_bytes = |dtype: DType| dtype.row_bytes(cols).expect("whole blocks were looked for");
    let (from_row, to_row) = (row_bytes(tensor.dtype), row_bytes(to));
    let rows = tensor.data.len().checked_div(from_row).unwrap_or(0);
    let fill = |out: &mut [u8]| {
        convert_rows(tensor, to, (cols, from_row, to_row), out, num_threads);
    };
    match Bytes::filled(rows * to_row, fill) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let mut out = vec![0; rows * to_row];
            fill(&mut out);
            Ok(out.into())
        }
        bytes => bytes.map_err(|error| Error::System {
            what: "taking memory",
            error,
        }),
    }
}

/// [`convert`] into `out`; rows have `cols` elements, and so many bytes before and after.
fn convert_rows(
    tensor: &Tensor,
    to: DType,
    (cols, from_row, to_row): (usize, usize, usize),
    out: &mut [u8],
    num_threads: usize,
) {
    if out.is_empty() {
        return;
    }
    let rows_in_piece = (PIECE_BYTES / to_row).max(1);
    let pieces: Vec<Mutex<&mut [u8]>> = out
        .chunks_mut(rows_in_piece * to_row)
        .map(Mutex::new)
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut row = vec![0.0; cols];
        loop {
            let taken = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(taken) else {
                break;
            };
            let at = taken * rows_in_piece;
            let mut piece = piece.lock().expect("nobody panics with a piece");
            for (i, target) in piece.chunks_exact_mut(to_row).enumerate() {
                let start = (at + i) * from_row;
                tensor::dequantize(
                    tensor.dtype,
                    &tensor.data[start..start + from_row],
                    &mut row,
                );
                tensor::quantize(to, &row, target).expect("every type in the list has a writer");
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..num_threads.min(pieces.len()) {
            scope.spawn(work);
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use formats::Metadata;

    use super::*;

    fn tensor(name: &str, dtype: DType, shape: &[usize]) -> Tensor {
        let len: usize = shape.iter().product();
        let x: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin()).collect();
        let row = *shape.last().expect("a row");
        let mut data = vec![0; dtype.row_bytes(row).expect("whole blocks") * (len / row)];
        tensor::quantize(dtype, &x, &mut data).expect("has a writer");
        Tensor {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
            data: data.into(),
        }
    }

    fn types(dtype: DType, tensors: Vec<Tensor>) -> Vec<DType> {
        let gguf = Gguf::from_parts(Metadata::new(), tensors).expect("sound");
        let gguf = quantize(gguf, dtype, 2, &mut ()).expect("a type of the list");
        gguf.tensors().iter().map(|tensor| tensor.dtype).collect()
    }

    #[test]
    fn matrices_change_and_small_things_stay() {
        use DType::{BF16, F16, F32, IQ1_S, Q2_K, Q4_K, Q5_0, Q6_K, Q8_0};
        let tensors = || {
            vec![
                tensor("token_embd.weight", BF16, &[5, 256]),
                tensor("blk.0.attn_norm.weight", F32, &[256]),
                tensor("blk.0.attn_q.weight", F16, &[3, 256]),
                tensor("blk.0.attn_q.bias", F32, &[256]),
                tensor("blk.0.ffn_gate_inp.weight", F32, &[4, 256]),
                tensor("blk.0.ffn_down_exps.weight", BF16, &[2, 3, 64]),
                tensor("blk.0.ffn_up.weight", BF16, &[2, 40]),
                tensor("output.weight", BF16, &[5, 256]),
            ]
        };
        let expected = [Q4_K, F32, Q4_K, F32, F32, Q5_0, F16, Q6_K];
        assert_eq!(types(Q4_K, tensors()), expected);
        let expected = [Q8_0, F32, Q8_0, F32, F32, Q8_0, F16, Q8_0];
        assert_eq!(types(Q8_0, tensors()), expected);
        // Without an output of its own the embedding is one.
        let mut tied = tensors();
        tied.pop();
        assert_eq!(types(Q2_K, tied)[0], Q6_K);
        let gguf = Gguf::from_parts(Metadata::new(), tensors()).expect("sound");
        let error = quantize(gguf, IQ1_S, 1, &mut ())
            .expect_err("not in the list")
            .to_string();
        assert!(error.contains("IQ1_S") && error.contains("Q4_K"), "{error}");
    }

    #[test]
    fn threads_change_nothing() {
        let source = tensor("blk.0.ffn_up.weight", DType::F32, &[3000, 256]);
        for dtype in TYPES {
            let mut row = vec![0.0; source.len()];
            tensor::dequantize(DType::F32, &source.data, &mut row);
            let mut whole = vec![0; dtype.row_bytes(256).expect("whole blocks") * 3000];
            tensor::quantize(dtype, &row, &mut whole).expect("has a writer");
            for num_threads in [1, 3] {
                let found = convert(&source, dtype, num_threads).expect("memory");
                assert!(*found == whole, "{dtype}");
            }
        }
    }
}
