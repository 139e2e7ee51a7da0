//! Our quantisers against llama.cpp's and the `gguf` package's: the error may not be greater.
//!
//! `golden/quant/errors.py` made the figures of the others; the table is in `docs/quantising.md`, and this test
//! prints ours (`--nocapture`).

#![allow(
    clippy::print_stdout,
    reason = "figures, for who asks with --nocapture"
)]

use ingle::DType;
use ingle::quant::TYPES;
use testkit::golden;

/// xorshift32, as fractions above 0.
fn uniforms(seed: u32, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        f64::from(state) / 4_294_967_296.0
    };
    (0..n).map(|_| next()).collect()
}

fn weights() -> [(&'static str, Vec<f32>); 3] {
    let n = 256 * 256;
    let normal = uniforms(1, 12 * n);
    let normal = normal.as_chunks::<12>().0.iter();
    let laplace = uniforms(2, 2 * n);
    let laplace = laplace.as_chunks::<2>().0.iter().map(|[side, u]| {
        let sign = if *side < 0.5 { 1.0 } else { -1.0 };
        (sign * -u.ln()) as f32
    });
    // Weights that were trained, at the end of the file.
    let file = golden::bytes("models/stories260K-f32.gguf");
    let rows = &file[file.len() - 1000 * 1024..];
    let mut stories = vec![0.0; rows.len() / 4];
    tensor::dequantize(DType::F32, rows, &mut stories);
    [
        (
            "normal",
            normal
                .map(|u| (u.iter().sum::<f64>() - 6.0) as f32)
                .collect(),
        ),
        ("laplace", laplace.collect()),
        ("stories", stories),
    ]
}

/// Root of the mean square error, relative to the weights.
fn error(dtype: DType, x: &[f32]) -> f64 {
    let mut blocks = vec![0; dtype.row_bytes(x.len()).expect("rows of 256")];
    tensor::quantize(dtype, x, &mut blocks).expect("has a writer");
    let mut back = vec![0.0; x.len()];
    tensor::dequantize(dtype, &blocks, &mut back);
    let square = |x: f32| f64::from(x) * f64::from(x);
    let wrong: f64 = x.iter().zip(&back).map(|(x, y)| square(x - y)).sum();
    (wrong / x.iter().copied().map(square).sum::<f64>()).sqrt()
}

#[test]
fn no_worse_than_the_others() {
    let others = golden::json("quant/errors.json");
    let mut worse = Vec::new();
    for dtype in TYPES {
        for (kind, x) in &weights() {
            let ours = error(dtype, x);
            let row = &others[dtype.name()][kind];
            println!("{dtype} {kind}: ours {ours:.6}, others {row}");
            // A hair of room: roundings of scales fall where they fall.
            let best = ["llama.cpp", "gguf"]
                .iter()
                .filter_map(|name| row[name].as_f64());
            let bound = best.fold(f64::INFINITY, f64::min) * 1.001;
            if ours > bound {
                worse.push(format!("{dtype} {kind}: {ours} above {bound}"));
            }
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}
