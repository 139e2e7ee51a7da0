//! What must hold for every type and any numbers, where no reference gives the answer.

use tensor::DType::{self, *};
use tensor::{NoQuantizer, dequantize, quantize};

use crate::random::Random;

/// Types whose scales are found by the search of the module `fit`, with the weights that share a
/// scale, the least and greatest integer code, and whether there is a minimum.
const FITTED: [(DType, usize, [f32; 2], bool); 8] = [
    (Q2_K, 16, [0.0, 3.0], true),
    (Q3_K, 16, [-4.0, 3.0], false),
    (Q4_K, 32, [0.0, 15.0], true),
    (Q5_K, 32, [0.0, 31.0], true),
    (Q6_K, 16, [-32.0, 31.0], false),
    (Q2_0, 64, [-2.0, 1.0], false),
    (IQ4_NL, 32, [-8.0, 7.0], false),
    (IQ4_XS, 32, [-8.0, 7.0], false),
];

/// Error of normal weights after a round trip, relative to the weights: measured, and a tenth more.
const ERRORS: [(DType, f64); 23] = [
    (F32, 0.0),
    (F64, 0.0),
    (F16, 0.00025),
    (BF16, 0.0019),
    (Q1_0, 0.65),
    (Q2_0, 0.385),
    (Q4_0, 0.094),
    (Q4_1, 0.0845),
    (Q5_0, 0.046),
    (Q5_1, 0.041),
    (Q8_0, 0.0059),
    (Q8_1, 0.0059),
    (Q2_K, 0.3),
    (Q3_K, 0.159),
    (Q4_K, 0.078),
    (Q5_K, 0.039),
    (Q6_K, 0.0186),
    (Q8_K, 0.0075),
    (IQ4_NL, 0.082),
    (IQ4_XS, 0.0825),
    (MXFP4, 0.126),
    (NVFP4, 0.105),
    (TQ2_0, 0.88),
];

#[test]
fn fitted_scales_beat_plain_rounding() {
    for (kind, x) in weights() {
        for (dtype, group_len, ends, has_min) in FITTED {
            let fitted = relative_error(&round_trip(dtype, &x), &x);
            // Its scales are exact, so there is something to make up for.
            let plain = relative_error(&round_plainly(&x, group_len, ends, has_min), &x);
            assert!(
                fitted < 1.01 * plain,
                "{dtype}, {kind}: {fitted} against {plain}"
            );
        }
    }
}

#[test]
fn errors_are_those_of_the_format() {
    let (_, x) = &weights()[0];
    for (dtype, bound) in ERRORS {
        let error = relative_error(&round_trip(dtype, x), x);
        assert!(error <= bound, "{dtype}: {error} above {bound}");
    }
    assert_eq!(
        round_trip(TQ1_0, x),
        round_trip(TQ2_0, x),
        "two packings of the same codes"
    );
}

#[test]
fn a_second_round_trip_changes_little() {
    for (kind, x) in weights() {
        for dtype in writable().filter(|&dtype| dtype.is_quantized()) {
            let once = round_trip(dtype, &x);
            let twice = round_trip(dtype, &once);
            let drift = relative_error(&twice, &once);
            let error = relative_error(&once, &x);
            assert!(
                drift <= 0.1 * error,
                "{dtype}, {kind}: {drift} after {error}"
            );
        }
    }
}

#[test]
fn zeros_stay_zeros() {
    for dtype in writable().filter(|&dtype| dtype != Q1_0) {
        assert_eq!(round_trip(dtype, &[0.0; 256]), [0.0; 256], "{dtype}");
    }
    assert_eq!(round_trip(Q1_0, &[0.0; 128]), [0.0; 128], "±0");
}

#[test]
fn numbers_out_of_range_do_no_harm() {
    let odd = [
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        -f32::from_bits(1),
        1e-40,
        -0.0,
        65504.0,
        -1e30,
    ];
    let mut random = Random(3);
    for dtype in writable() {
        for &a in &odd {
            round_trip(dtype, &[a; 256]);
            for &b in &odd {
                let mut x = [0.0f32; 256];
                x.fill_with(|| [a, b, 0.0, random.normal()][random.bits() as usize >> 7 & 3]);
                round_trip(dtype, &x);
            }
        }
    }
}

#[test]
fn any_bytes_can_be_read() {
    let mut random = Random(4);
    for &dtype in DType::ALL {
        let blocks: Vec<u8> = (0..64 * dtype.block_bytes())
            .map(|_| random.bits() as u8)
            .collect();
        let mut out = vec![0.0; 64 * dtype.block_len()];
        dequantize(dtype, &blocks, &mut out);

        let mut one = vec![0.0; dtype.block_len()];
        let singles = blocks
            .chunks(dtype.block_bytes())
            .zip(out.chunks(dtype.block_len()));
        for (block, expected) in singles {
            dequantize(dtype, block, &mut one);
            let equal = one
                .iter()
                .zip(expected)
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(
                equal,
                "{dtype}: a block read alone differs from the same in a row"
            );
        }
    }
}

#[test]
fn types_of_codebooks_have_no_writer() {
    let mut block = [0; 50];
    let refusal = quantize(IQ1_S, &[0.0; 256], &mut block);
    assert_eq!(refusal, Err(NoQuantizer(IQ1_S)));
    assert_eq!(refusal.unwrap_err().to_string(), "no quantiser for `IQ1_S`");
    assert_eq!(writable().count(), DType::ALL.len() - 7);
}

/// Types that can be written.
fn writable() -> impl Iterator<Item = DType> {
    DType::ALL.iter().copied().filter(|&dtype| {
        let mut block = vec![0; dtype.block_bytes()];
        quantize(dtype, &vec![0.0; dtype.block_len()], &mut block).is_ok()
    })
}

/// Weights of three distributions. The size is such that no type's scales leave their range.
fn weights() -> [(&'static str, Vec<f32>); 3] {
    let mut random = Random(1);
    let mut draw = |f: fn(&mut Random) -> f32| (0..64 * 256).map(|_| f(&mut random)).collect();
    [
        ("normal", draw(Random::normal)),
        ("heavy", draw(Random::heavy)),
        ("uniform", draw(Random::uniform)),
    ]
}

fn round_trip(dtype: DType, x: &[f32]) -> Vec<f32> {
    let mut blocks = vec![0xaa; dtype.row_bytes(x.len()).unwrap()];
    quantize(dtype, x, &mut blocks).unwrap();
    let mut out = vec![f32::NAN; x.len()];
    dequantize(dtype, &blocks, &mut out);
    out
}

/// Root of the squared error over that of the squared weights.
fn relative_error(found: &[f32], x: &[f32]) -> f64 {
    let square = |v: f32| f64::from(v) * f64::from(v);
    let error: f64 = found.iter().zip(x).map(|(f, x)| square(f - x)).sum();
    (error / x.iter().map(|&x| square(x)).sum::<f64>()).sqrt()
}

/// Rounds each group to evenly spaced values: from its least to its greatest weight, or such that
/// the extreme one gets the code `lo`.
fn round_plainly(x: &[f32], group_len: usize, [lo, hi]: [f32; 2], has_min: bool) -> Vec<f32> {
    let mut out = x.to_vec();
    for group in out.chunks_mut(group_len) {
        let min = group.iter().fold(0.0f32, |a, &b| a.min(b));
        let max = group.iter().fold(0.0f32, |a, &b| a.max(b));
        let extreme = if -min > max { min } else { max };
        let (d, shift) = if has_min {
            ((max - min) / hi, min)
        } else {
            (extreme / lo, 0.0)
        };
        for w in group {
            *w = ((*w - shift) / d).round().clamp(lo, hi) * d + shift;
        }
    }
    out
}
