//! Products: near an f64 oracle within what int8 activations cost, and the same bits however computed.

use kernels::{
    Activations, Context, Level, MatmulKernel, RowPart, Sizes, Weight, XKind, matmul, matmul_parts,
};
use tensor::DType;

use crate::levels::{best_as, references, same_as};
use crate::random::Random;

fn weight_types() -> impl Iterator<Item = DType> {
    DType::ALL
        .iter()
        .copied()
        .filter(|&dtype| MatmulKernel::new(dtype, Level::Scalar).is_some())
}

/// `y[m, n]` at a level, with `num_threads`, feeding `step` tokens at a time.
fn product(
    level: Level,
    num_threads: usize,
    dtype: DType,
    (data, n, k): (&[u8], usize, usize),
    x: &[f32],
    step: usize,
) -> Vec<f32> {
    let context = Context::new(
        level,
        num_threads,
        Sizes {
            max_k: k,
            max_head_dim: 16,
        },
    )
    .expect("threads");
    let kernel = MatmulKernel::new(dtype, level).expect("a weight type");
    multiply(&context, Weight { kernel, n, k, data }, x, step)
}

fn multiply(context: &Context, weight: Weight<'_>, x: &[f32], step: usize) -> Vec<f32> {
    let Weight { kernel, n, k, .. } = weight;
    let mut y = vec![f32::NAN; x.len() / k * n];
    let mut activations = Activations::new(step, k);
    for (x, y) in x.chunks(step * k).zip(y.chunks_mut(step * n)) {
        activations.quantize(context, x, k, [kernel.x_kind()].into_iter());
        matmul(context, &mut [(weight, y)], x, &activations);
    }
    y
}

#[test]
fn every_type_of_the_issue_has_a_kernel() {
    assert_eq!(
        weight_types().count(),
        29,
        "26 quant formats and three float types"
    );
}

#[test]
fn products_are_near_an_f64_oracle() {
    for reference in references() {
        for dtype in weight_types() {
            let (m, n, k) = (3, 19, 512);
            let mut random = Random(7);
            let data = random.blocks(dtype, n * k);
            let x = random.floats(m * k);
            let mut w = vec![0.0; n * k];
            tensor::dequantize(dtype, &data, &mut w);
            let y = product(reference, 1, dtype, (&data, n, k), &x, m);
            let kernel = MatmulKernel::new(dtype, reference).expect("a weight type");
            for (i, &y) in y.iter().enumerate() {
                let (w, x) = (&w[i % n * k..][..k], &x[i / n * k..][..k]);
                let terms = || w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                let (exact, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                // An int8 activation is off by at most half a step, 1/254 of its block's largest (here 1).
                let steps: f64 = w.iter().map(|&w| f64::from(w).abs() / 254.0).sum();
                let bound = match kernel.x_kind() {
                    XKind::F32 => size * 1e-6,
                    XKind::Bf16 => size / 512.0,
                    // Errors of 512 steps are independent: their sum stays far below the worst case.
                    _ => steps / 3.0 + size * 1e-6,
                };
                assert!(
                    (f64::from(y) - exact).abs() <= bound,
                    "{dtype} [{i}]: {y} for {exact}, bound {bound}"
                );
            }
        }
    }
}

#[test]
fn products_with_exact_activations_are_exact_to_rounding() {
    for reference in references() {
        // Activations that int8 holds without error: then only float rounding is left, and a wrong
        // scale, bias or minimum shows at once.
        for dtype in weight_types() {
            let (m, n, k) = (5, 33, 768);
            let mut random = Random(11);
            let data = random.blocks(dtype, n * k);
            let mut x: Vec<f32> = (0..m * k)
                .map(|_| (random.next() % 255) as f32 - 127.0)
                .collect();
            x.iter_mut().step_by(32).for_each(|x| *x = 127.0);
            let mut w = vec![0.0; n * k];
            tensor::dequantize(dtype, &data, &mut w);
            for step in [1, m] {
                let y = product(reference, 1, dtype, (&data, n, k), &x, step);
                for (i, &y) in y.iter().enumerate() {
                    let (w, x) = (&w[i % n * k..][..k], &x[i / n * k..][..k]);
                    let terms = || w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                    let (exact, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                    assert!(
                        (f64::from(y) - exact).abs() <= size * 2e-6,
                        "{dtype} [{i}]: {y} for {exact}"
                    );
                }
            }
        }
    }
}

#[test]
fn all_levels_batches_and_threads_give_the_same_bits() {
    for reference in references() {
        for dtype in weight_types() {
            // Ragged on purpose: rows no multiple of 16 or 4, and rows of an odd number of blocks of 32.
            let block = dtype.block_len();
            let odd = if block <= 32 { 32 * 9 } else { block * 3 };
            for (n, k) in [(1, odd), (16, odd), (37, 1024), (130, odd)] {
                let m = 21;
                let mut random = Random(n as u64 + 1);
                let data = random.blocks(dtype, n * k);
                let x = random.floats(m * k);
                let expected = product(reference, 1, dtype, (&data, n, k), &x, 1);
                assert!(expected.iter().all(|y| y.is_finite()), "{dtype}");
                for level in same_as(reference) {
                    for (threads, step) in [(1, 1), (2, m), (2, 7), (3, 2), (1, 4)] {
                        let y = product(level, threads, dtype, (&data, n, k), &x, step);
                        let differs = y
                            .iter()
                            .zip(&expected)
                            .position(|(a, b)| a.to_bits() != b.to_bits());
                        assert_eq!(
                            differs,
                            None,
                            "{dtype} {} n={n} k={k} threads={threads} step={step}",
                            level.name()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn repacked_weights_give_the_same_bits() {
    for reference in references() {
        repacked_as(reference);
    }
}

fn repacked_as(reference: Level) {
    for dtype in weight_types().filter(|dtype| dtype.block_len() > 1) {
        let block = dtype.block_len();
        let odd = if block <= 32 { 32 * 9 } else { block * 3 };
        for (n, k) in [(16, odd), (80, 1024), (144, odd)] {
            // Few tokens meet codes in registers, many in panels.
            let m = 40;
            let mut random = Random(n as u64 + 2);
            let data = random.blocks(dtype, n * k);
            let x = random.floats(m * k);
            let expected = product(best_as(reference), 1, dtype, (&data, n, k), &x, m);
            for level in same_as(reference) {
                let kernel = MatmulKernel::new(dtype, level).expect("a weight type");
                assert!(kernel.repacked(n + 8).is_none() && kernel.repacked(0).is_none());
                let repacked = kernel.repacked(n).expect("a quant type");
                let mut strips = vec![0; data.len()];
                // In two pieces, as threads do it.
                let (first, rest) = (data.len() / n * 16, data.len() / n * (n - 16));
                kernel.repack((16, k), &data[..first], &mut strips[..first]);
                kernel.repack(
                    (n - 16, k),
                    &data[data.len() - rest..],
                    &mut strips[first..],
                );
                for (row, expected) in data.chunks_exact(data.len() / n).enumerate() {
                    let mut found = vec![0; expected.len()];
                    let (first, rest) = found.split_at_mut(dtype.block_bytes());
                    let part = |at: usize| RowPart {
                        row,
                        row_bytes: expected.len(),
                        at,
                    };
                    repacked.repacked_row(&strips, part(0), first);
                    repacked.repacked_row(&strips, part(first.len()), rest);
                    assert!(found == expected, "{dtype} n={n} k={k} row={row}");
                }
                let sizes = Sizes {
                    max_k: k,
                    max_head_dim: 16,
                };
                let context = Context::new(level, 2, sizes).expect("threads");
                let (kernel, data) = (repacked, &strips[..]);
                for step in [1, 2, 5, 21, m] {
                    let y = multiply(&context, Weight { kernel, n, k, data }, &x, step);
                    let same = y.iter().zip(&expected);
                    let differs = same.clone().position(|(a, b)| a.to_bits() != b.to_bits());
                    let level = level.name();
                    assert_eq!(differs, None, "{dtype} {level} n={n} k={k} step={step}");
                }
            }
        }
    }
}

#[test]
fn every_scale_of_eight_bits_is_read_as_it_is() {
    for dtype in [DType::MXFP4, DType::NVFP4] {
        let (n, k) = (256, dtype.block_len());
        let num_scales = dtype.block_bytes() - k / 2;
        let mut data = Random(13).blocks(dtype, n * k);
        for (row, block) in data.chunks_exact_mut(dtype.block_bytes()).enumerate() {
            block[..num_scales].fill(row as u8);
        }
        let mut w = vec![0.0; n * k];
        tensor::dequantize(dtype, &data, &mut w);
        // One weight at a time, times what int8 holds exactly.
        let mut x = vec![0.0; k * k];
        (0..k).for_each(|at| x[at * k + at] = 127.0);
        let expected = |i: usize| 127.0 * w[i % n * k + i / n];
        for level in Level::available() {
            let y = product(level, 1, dtype, (&data, n, k), &x, k);
            let differs = (0..k * n).position(|i| y[i] != expected(i));
            let level = level.name();
            assert_eq!(differs, None, "{dtype} {level}, token * 256 + scale");
        }
    }
}

#[test]
fn whole_scales_are_summed_exactly_and_rounded_once() {
    // Sums up to 30 million, where an f32 holds only even numbers.
    let (n, k, m) = (48, 256, 40);
    let mut random = Random(17);
    let mut data = Vec::new();
    let mut rows = Vec::new();
    for _ in 0..n {
        let sc: Vec<u8> = (0..8).map(|_| 62 + random.next() as u8 % 2).collect();
        let codes: Vec<u8> = (0..k).map(|_| 14 + random.next() as u8 % 2).collect();
        // d = 1, dmin = 0, then 6-bit scales, all minimums being 0.
        data.extend([0x00, 0x3c, 0, 0]);
        data.extend((0..4).map(|j| sc[j] | (sc[j + 4] >> 4) << 6));
        data.extend([0; 4]);
        data.extend((4..8).map(|j| sc[j] & 15));
        let pairs = codes
            .chunks(64)
            .flat_map(|c| (0..32).map(|i| (c[i], c[i + 32])));
        data.extend(pairs.map(|(low, high)| low | high << 4));
        rows.push((sc, codes));
    }
    let x: Vec<f32> = (0..m * k)
        .map(|i| {
            if i % k == 0 {
                127.0
            } else {
                126.0 + (random.next() % 2) as f32
            }
        })
        .collect();
    let total = |i: usize| -> i64 {
        let ((sc, codes), x) = (&rows[i % n], &x[i / n * k..][..k]);
        let terms = codes.iter().zip(x).enumerate();
        terms
            .map(|(j, (&code, &x))| i64::from(sc[j / 32]) * i64::from(code) * x as i64)
            .sum()
    };
    assert!((0..m * n).any(|i| total(i) as f32 as i64 != total(i)));
    for level in Level::available() {
        for step in [1, 2, 8, m] {
            let y = product(level, 1, DType::Q4_K, (&data, n, k), &x, step);
            let differs = (0..m * n).position(|i| y[i] != total(i) as f32);
            assert_eq!(differs, None, "{} step={step}", level.name());
        }
    }
}

#[test]
fn several_products_of_one_input_run_as_one_job() {
    let context = Context::new(
        Level::best(),
        2,
        Sizes {
            max_k: 256,
            max_head_dim: 16,
        },
    )
    .expect("threads");
    let mut random = Random(3);
    let x = random.floats(2 * 256);
    let mut activations = Activations::new(2, 256);
    let types = [DType::Q4_K, DType::Q8_0, DType::F16];
    let data = types.map(|dtype| random.blocks(dtype, 48 * 256));
    let kernel = |i: usize| MatmulKernel::new(types[i], Level::best()).expect("a weight type");
    activations.quantize(&context, &x, 256, (0..3).map(|i| kernel(i).x_kind()));
    let mut joint = [vec![0.0; 2 * 48], vec![0.0; 2 * 48], vec![0.0; 2 * 48]];
    let weight = |i: usize| Weight {
        kernel: kernel(i),
        n: 48,
        k: 256,
        data: &data[i],
    };
    let [a, b, c] = &mut joint;
    matmul(
        &context,
        &mut [(weight(0), a), (weight(1), b), (weight(2), c)],
        &x,
        &activations,
    );
    for i in 0..3 {
        let mut single = vec![0.0; 2 * 48];
        matmul(&context, &mut [(weight(i), &mut single)], &x, &activations);
        assert_eq!(single, joint[i]);
    }
}

#[test]
fn parts_with_weights_of_their_own_are_as_if_each_were_alone() {
    let (n, k) = (40, 512);
    let sizes = Sizes {
        max_k: k,
        max_head_dim: 16,
    };
    let context = Context::new(Level::best(), 2, sizes).expect("threads");
    let mut random = Random(5);
    // Parts of one row, of a few, of more than registers hold, and of many; then one row for all.
    for (ends, one_row) in [
        (&[1, 4, 5, 14, 64][..], false),
        (&[2], false),
        (&[1, 2, 3], true),
    ] {
        let m = ends[ends.len() - 1];
        let types = [
            DType::Q4_K,
            DType::Q6_K,
            DType::IQ2_XXS,
            DType::TQ1_0,
            DType::F16,
            DType::BF16,
        ];
        let kernels =
            types.map(|dtype| MatmulKernel::new(dtype, Level::best()).expect("a weight type"));
        let data: Vec<_> = types.map(|dtype| random.blocks(dtype, n * k)).into();
        let x = random.floats(if one_row { k } else { m * k });
        let weight = |i: usize, part: usize| Weight {
            kernel: kernels[(part + i) % types.len()],
            n,
            k,
            data: &data[(part + i) % types.len()],
        };
        let mut activations = Activations::new(m, k);
        activations.quantize(&context, &x, k, kernels.iter().map(MatmulKernel::x_kind));
        let (mut a, mut b) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
        matmul_parts(
            &context,
            ends,
            &mut [&mut a, &mut b],
            weight,
            &x,
            &activations,
        );
        let mut start = 0;
        for (part, &end) in ends.iter().enumerate() {
            let rows = if one_row { 0..1 } else { start..end };
            let x = &x[rows.start * k..rows.end * k];
            for (i, joint) in [&a, &b].into_iter().enumerate() {
                let weight = weight(i, part);
                let mut alone = vec![f32::NAN; (end - start) * n];
                activations.quantize(&context, x, k, [weight.kernel.x_kind()].into_iter());
                matmul(&context, &mut [(weight, &mut alone)], x, &activations);
                assert_eq!(alone, joint[start * n..end * n], "part {part} of {ends:?}");
            }
            start = end;
        }
    }
}

#[test]
fn activations_in_bf16_are_rounded_to_the_nearest() {
    // Weights that pick an activation each, of a row with a tail.
    let k = 19;
    let mut weights = vec![0; k * k * 2];
    for i in 0..k {
        weights[2 * (i * k + i)..][..2].copy_from_slice(&half::bf16::ONE.to_le_bytes());
    }
    let mut random = Random(3);
    let mut x = random.floats(k);
    // Ties, to either side, and what carries into the exponent.
    x[0] = f32::from_bits(0x3f80_8000);
    x[1] = f32::from_bits(0x3f81_8000);
    x[2] = f32::from_bits(0xbfff_ffff);
    x[3] = 3.0e38;
    for level in Level::available() {
        let y = product(level, 1, DType::BF16, (&weights, k, k), &x, 1);
        for (x, y) in x.iter().zip(y) {
            assert_eq!(y, half::bf16::from_f32(*x).to_f32(), "{x} at {level:?}");
        }
        for odd in [f32::NAN, f32::INFINITY] {
            let mut x = x.clone();
            x[5] = odd;
            let y = product(level, 1, DType::BF16, (&weights, k, k), &x, 1);
            assert!(y.iter().all(|y| !y.is_finite()), "{odd} is no number");
        }
    }
}
