//! Recurrent operations against f64, and the same bits at all levels, in any steps, batches and threads.

use kernels::{
    BatchView, ChannelScan, Columns, Context, ConvWeights, GatedDelta, HeadScan, Heads, Level,
    Sizes, StateLayer, Wkv, WkvRule, causal_conv, channel_scan, gated_delta, head_scan, wkv,
};

use crate::levels::{references, same_as};
use crate::random::Random;

fn context(level: Level, num_threads: usize) -> Context {
    let sizes = Sizes {
        max_k: 256,
        max_head_dim: 16,
    };
    Context::new(level, num_threads, sizes).expect("threads")
}

/// Several sequences, each with the slot of its state.
const LENS: [usize; 3] = [11, 1, 30];
const SLOTS: [u32; 3] = [2, 0, 3];

/// An operation over rows of a batch, `(rows, batch, state, out)`: `rows` are the batch's among those of all sequences.
type Run<'a> = &'a dyn Fn(&Context, &[usize], BatchView<'_>, &mut StateLayer, &mut [f32]);

/// The outputs of all sequences, one after the other, fed `step` tokens of each at a time.
fn fed(
    context: &Context,
    step: usize,
    (state_len, out_len): (usize, usize),
    run: Run<'_>,
) -> Vec<f32> {
    let mut state = StateLayer::new(state_len, 4);
    // What a slot held before is of no interest.
    for slot in 0..4 {
        state.slot_mut(slot).fill(f32::NAN);
    }
    let starts: Vec<usize> = (0..LENS.len()).map(|i| LENS[..i].iter().sum()).collect();
    let mut out = vec![0.0; LENS.iter().sum::<usize>() * out_len];
    for done in (0..30).step_by(step) {
        let (mut rows, mut positions, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        for (sequence, &len) in LENS.iter().enumerate() {
            for position in done.min(len)..len.min(done + step) {
                rows.push(starts[sequence] + position);
                positions.push(position as u32);
                sequences.push(sequence as u32);
            }
        }
        let batch = BatchView {
            positions: &positions,
            sequences: &sequences,
            block_tables: &[],
            states: &SLOTS,
        };
        let mut of_batch = vec![0.0; rows.len() * out_len];
        run(context, &rows, batch, &mut state, &mut of_batch);
        for (&row, values) in rows.iter().zip(of_batch.chunks_exact(out_len)) {
            out[row * out_len..][..out_len].copy_from_slice(values);
        }
        // A snapshot taken and put back changes nothing.
        state.copy(2, 1);
        state.slot_mut(2).fill(f32::NAN);
        state.copy(1, 2);
    }
    out
}

/// `found` within `bound` of `expected`, which is of about 1.
fn assert_near(found: &[f32], expected: &[f64], bound: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error <= bound * expected.abs().max(1.0),
            "{i}: {found} for {expected}"
        );
    }
}

/// The rows of all sequences at the numbers of `rows`.
fn pick(all: &[f32], rows: &[usize], len: usize) -> Vec<f32> {
    let rows = rows.iter().flat_map(|&row| &all[row * len..][..len]);
    rows.copied().collect()
}

/// Every way to compute gives the bits of the first, which is returned.
fn same_bits(reference: Level, lens: (usize, usize), run: Run<'_>) -> Vec<f32> {
    let expected = fed(&context(reference, 1), 30, lens, run);
    for level in same_as(reference) {
        for (num_threads, step) in [(1, 30), (3, 30), (1, 1), (2, 7)] {
            let found = fed(&context(level, num_threads), step, lens, run);
            let same = found
                .iter()
                .map(|x| x.to_bits())
                .eq(expected.iter().map(|x| x.to_bits()));
            assert!(same, "{} threads={num_threads} step={step}", level.name());
        }
    }
    expected
}

#[test]
fn convolutions_are_near_f64_and_the_same_bits_in_any_steps() {
    for reference in references() {
        let mut random = Random(7);
        // The last is wide enough for threads to share.
        for (channels, width, biased) in
            [(5, 4, true), (64, 3, false), (100, 2, true), (600, 4, true)]
        {
            let num_tokens: usize = LENS.iter().sum();
            let x = random.floats(num_tokens * channels);
            let weights = random.floats(width * channels);
            let bias = random.floats(if biased { channels } else { 0 });
            let conv = ConvWeights {
                channels,
                width,
                weights: &weights,
                bias: &bias,
            };
            let run: Run<'_> = &|context, rows, batch, state, out| {
                causal_conv(context, batch, conv, &pick(&x, rows, channels), state, out);
            };
            let found = same_bits(reference, (conv.state_len(), channels), run);
            let mut expected = Vec::new();
            let mut start = 0;
            for len in LENS {
                for (position, c) in (0..len).flat_map(|p| (0..channels).map(move |c| (p, c))) {
                    let mut sum = bias.get(c).map_or(0.0, |&x| f64::from(x));
                    for j in 0..width {
                        if let Some(past) = (position + j + 1).checked_sub(width) {
                            let x = f64::from(x[(start + past) * channels + c]);
                            sum += f64::from(weights[j * channels + c]) * x;
                        }
                    }
                    expected.push(sum);
                }
                start += len;
            }
            assert_near(&found, &expected, 1e-6);
        }
    }
}

/// Positions of all sequences, each with the row it has in the lists of all: what an oracle goes through.
fn in_order() -> impl Iterator<Item = (usize, usize)> {
    let starts = (0..LENS.len()).map(|i| LENS[..i].iter().sum::<usize>());
    let rows = starts.zip(LENS);
    rows.flat_map(|(start, len)| (0..len).map(move |position| (position, start + position)))
}

const NUM_ROWS: usize = LENS[0] + LENS[1] + LENS[2];

/// Numbers in `low..high`.
fn between(random: &mut Random, len: usize, low: f32, high: f32) -> Vec<f32> {
    let numbers = random.floats(len).into_iter();
    numbers
        .map(|x| low + (x + 1.0) / 2.0 * (high - low))
        .collect()
}

fn f64s(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn channel_scans_are_near_f64_and_the_same_bits_in_any_steps() {
    for reference in references() {
        let mut random = Random(8);
        for (channels, n) in [(5, 3), (70, 16), (200, 16)] {
            let x = random.floats(NUM_ROWS * channels);
            let dt = between(&mut random, NUM_ROWS * channels, 0.01, 1.0);
            let a = between(&mut random, n * channels, -2.0, -0.1);
            // What reads and writes the state are columns of one matrix.
            let bc = random.floats(NUM_ROWS * (2 * n + 1));
            let d = random.floats(channels);
            let run: Run<'_> = &|context, rows, batch, state, out| {
                let bc = pick(&bc, rows, 2 * n + 1);
                let scan = ChannelScan {
                    channels,
                    n_state: n,
                    x: &pick(&x, rows, channels),
                    dt: &pick(&dt, rows, channels),
                    a: &a,
                    b: Columns::new(&bc, 2 * n + 1, 1..n + 1),
                    c: Columns::new(&bc, 2 * n + 1, n + 1..2 * n + 1),
                    d: &d,
                };
                channel_scan(context, batch, scan, state, out);
            };
            let len = ChannelScan::state_len(channels, n);
            let found = same_bits(reference, (len, channels), run);
            let (x, dt, a, bc, d) = (f64s(&x), f64s(&dt), f64s(&a), f64s(&bc), f64s(&d));
            let mut expected = Vec::new();
            let mut state = vec![0.0; channels * n];
            for (position, row) in in_order() {
                if position == 0 {
                    state.fill(0.0);
                }
                for channel in 0..channels {
                    let (x, dt) = (x[row * channels + channel], dt[row * channels + channel]);
                    let mut sum = d[channel] * x;
                    for j in 0..n {
                        let s = &mut state[channel * n + j];
                        let of_row = row * (2 * n + 1) + 1 + j;
                        *s = *s * (dt * a[j * channels + channel]).exp() + dt * bc[of_row] * x;
                        sum += bc[of_row + n] * *s;
                    }
                    expected.push(sum);
                }
            }
            assert_near(&found, &expected, 3e-6);
        }
    }
}

/// Heads, groups of heads or key heads.
const SHAPES: [(Heads, usize); 3] = [
    (heads(2, 3, 5), 1),
    (heads(4, 16, 20), 2),
    (heads(8, 32, 64), 8),
];

const fn heads(n_heads: usize, key_dim: usize, value_dim: usize) -> Heads {
    Heads {
        n_heads,
        key_dim,
        value_dim,
    }
}

#[test]
fn head_scans_are_near_f64_and_the_same_bits_in_any_steps() {
    for reference in references() {
        let mut random = Random(9);
        for (heads, n_groups) in SHAPES {
            let (h, n, p) = (heads.n_heads, heads.key_dim, heads.value_dim);
            // All of it in one matrix.
            let (at_b, at_c) = (h * p, h * p + n_groups * n);
            let width = at_c + n_groups * n;
            let xbc = random.floats(NUM_ROWS * width);
            let dt = between(&mut random, NUM_ROWS * h, 0.01, 1.0);
            let a = between(&mut random, h, -2.0, -0.1);
            let d = random.floats(h);
            let run: Run<'_> = &|context, rows, batch, state, out| {
                let xbc = pick(&xbc, rows, width);
                let scan = HeadScan {
                    heads,
                    n_groups,
                    x: Columns::new(&xbc, width, 0..at_b),
                    dt: &pick(&dt, rows, h),
                    a: &a,
                    b: Columns::new(&xbc, width, at_b..at_c),
                    c: Columns::new(&xbc, width, at_c..width),
                    d: &d,
                };
                head_scan(context, batch, scan, state, out);
            };
            let found = same_bits(reference, (heads.state_len(), h * p), run);
            let (xbc, dt, a, d) = (f64s(&xbc), f64s(&dt), f64s(&a), f64s(&d));
            let mut expected = Vec::new();
            let mut state = vec![0.0; h * n * p];
            for (position, row) in in_order() {
                if position == 0 {
                    state.fill(0.0);
                }
                for (head, i) in (0..h).flat_map(|head| (0..p).map(move |i| (head, i))) {
                    let (x, dt) = (xbc[row * width + head * p + i], dt[row * h + head]);
                    let decay = (dt * a[head]).exp();
                    let group = head * n_groups / h;
                    let mut sum = d[head] * x;
                    for j in 0..n {
                        let s = &mut state[(head * p + i) * n + j];
                        let of_row = row * width + group * n + j;
                        *s = *s * decay + dt * xbc[at_b + of_row] * x;
                        sum += xbc[at_c + of_row] * *s;
                    }
                    expected.push(sum);
                }
            }
            assert_near(&found, &expected, 3e-6);
        }
    }
}

/// Rows of `dim` of length 1.
fn units(random: &mut Random, num: usize, dim: usize) -> Vec<f32> {
    let mut all = random.floats(num * dim);
    for row in all.chunks_exact_mut(dim) {
        let len = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= len);
    }
    all
}

#[test]
fn gated_delta_rules_are_near_f64_and_the_same_bits_in_any_steps() {
    for reference in references() {
        let mut random = Random(10);
        let both = SHAPES
            .into_iter()
            .flat_map(|shape| [(shape, false), (shape, true)]);
        for ((heads, n_key_heads), grouped) in both {
            let (h, n, p) = (heads.n_heads, heads.key_dim, heads.value_dim);
            let keys = n_key_heads * n;
            let q = units(&mut random, NUM_ROWS * n_key_heads, n);
            let k = units(&mut random, NUM_ROWS * n_key_heads, n);
            let v = random.floats(NUM_ROWS * h * p);
            let g = between(&mut random, NUM_ROWS * h, -1.0, 0.0);
            let beta = between(&mut random, NUM_ROWS * h, 0.0, 1.0);
            let run: Run<'_> = &|context, rows, batch, state, out| {
                let (q, k) = (pick(&q, rows, keys), pick(&k, rows, keys));
                let v = pick(&v, rows, h * p);
                let rule = GatedDelta {
                    heads,
                    n_key_heads,
                    grouped,
                    q: Columns::new(&q, keys, 0..keys),
                    k: Columns::new(&k, keys, 0..keys),
                    v: Columns::new(&v, h * p, 0..h * p),
                    g: &pick(&g, rows, h),
                    beta: &pick(&beta, rows, h),
                };
                gated_delta(context, batch, rule, state, out);
            };
            let found = same_bits(reference, (heads.state_len(), h * p), run);
            let (q, k, v) = (f64s(&q), f64s(&k), f64s(&v));
            let mut expected = Vec::new();
            let mut state = vec![0.0; h * n * p];
            for (position, row) in in_order() {
                if position == 0 {
                    state.fill(0.0);
                }
                for (head, i) in (0..h).flat_map(|head| (0..p).map(move |i| (head, i))) {
                    let key_head = match grouped {
                        true => head * n_key_heads / h,
                        false => head % n_key_heads,
                    };
                    let at_key = row * keys + key_head * n;
                    let (q, k) = (&q[at_key..][..n], &k[at_key..][..n]);
                    let s = &mut state[(head * p + i) * n..][..n];
                    let decay = f64::from(g[row * h + head]).exp();
                    s.iter_mut().for_each(|s| *s *= decay);
                    let held: f64 = s.iter().zip(k).map(|(s, k)| s * k).sum();
                    let beta = f64::from(beta[row * h + head]);
                    let delta = beta * (v[(row * h + head) * p + i] - held);
                    s.iter_mut().zip(k).for_each(|(s, k)| *s += k * delta);
                    expected.push(s.iter().zip(q).map(|(s, q)| s * q).sum());
                }
            }
            assert_near(&found, &expected, 3e-6);
        }
    }
}

#[test]
fn both_wkv_rules_are_near_f64_and_the_same_bits_in_any_steps() {
    for reference in references() {
        let mut random = Random(11);
        for (n_heads, dim) in [(2, 5), (3, 16), (4, 64)] {
            let heads = heads(n_heads, dim, dim);
            let width = n_heads * dim;
            let [r, v] = [(); 2].map(|()| random.floats(NUM_ROWS * width));
            let k = units(&mut random, NUM_ROWS * n_heads, dim);
            let w = between(&mut random, NUM_ROWS * width, 0.5, 1.0);
            let u = random.floats(width);
            // As RWKV 7 makes them: a part of what stands at a key is replaced.
            let a: Vec<f32> = k.iter().map(|x| -x).collect();
            let b = between(&mut random, NUM_ROWS * width, 0.0, 1.0);
            let b: Vec<f32> = b.iter().zip(&k).map(|(b, k)| b * k).collect();
            for replaces in [false, true] {
                let run: Run<'_> = &|context, rows, batch, state, out| {
                    let (a, b) = (pick(&a, rows, width), pick(&b, rows, width));
                    let rule = match replaces {
                        true => WkvRule::Replace(&a, &b),
                        false => WkvRule::Bonus(&u),
                    };
                    let all = Wkv {
                        heads,
                        r: &pick(&r, rows, width),
                        w: &pick(&w, rows, width),
                        k: &pick(&k, rows, width),
                        v: &pick(&v, rows, width),
                        rule,
                    };
                    wkv(context, batch, all, state, out);
                };
                let found = same_bits(reference, (heads.state_len(), width), run);
                let mut expected = Vec::new();
                let mut state = vec![0.0; width * dim];
                for (position, row) in in_order() {
                    if position == 0 {
                        state.fill(0.0);
                    }
                    for (head, i) in (0..n_heads).flat_map(|head| (0..dim).map(move |i| (head, i)))
                    {
                        let at = row * width + head * dim;
                        let get = |x: &[f32], j: usize| f64::from(x[at + j]);
                        let s = &mut state[(head * dim + i) * dim..][..dim];
                        let v = get(&v, i);
                        let held: f64 = (0..dim).map(|j| get(&a, j) * s[j]).sum();
                        let mut sum = 0.0;
                        for (j, s) in s.iter_mut().enumerate() {
                            let kv = get(&k, j) * v;
                            if replaces {
                                *s = *s * get(&w, j) + get(&b, j) * held + kv;
                                sum += get(&r, j) * *s;
                            } else {
                                sum += get(&r, j) * (*s + f64::from(u[head * dim + j]) * kv);
                                *s = *s * get(&w, j) + kv;
                            }
                        }
                        expected.push(sum);
                    }
                }
                assert_near(&found, &expected, 1e-5);
            }
        }
    }
}
