//! Speed of products for every weight type: `cargo bench -p kernels [-- TYPE] [LEVEL]`.
//!
//! One thread, weights that fit a large cache. One token's figure is GB/s of weights, which is to be well above
//! what memory gives a core; many tokens' is billions of multiply-adds a second. Time is that of the thread on
//! its core (where Linux tells it), so other work on the machine disturbs little; the best of a few runs is shown.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::LazyLock;
use std::time::Instant;

use kernels::{Activations, Context, Level, MatmulKernel, Sizes, Weight, matmul};
use tensor::DType;

const N: usize = 512;
const K: usize = 4096;
const TOKENS: [usize; 5] = [1, 2, 4, 8, 256];
const RUNS: usize = 3;
const RUN_SECONDS: f64 = 0.08;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let level = Level::available().find(|level| arguments.iter().any(|a| a == level.name()));
    let level = level.unwrap_or_else(Level::best);
    let sizes = Sizes {
        max_k: K,
        max_head_dim: 16,
    };
    let context = Context::new(level, 1, sizes).expect("threads");
    println!(
        "{}, one thread, [{N}, {K}]; tokens: {TOKENS:?}",
        level.name()
    );
    let named = |dtype: DType| {
        arguments
            .iter()
            .any(|a| a.eq_ignore_ascii_case(dtype.name()))
    };
    let any_named = DType::ALL.iter().any(|&dtype| named(dtype));
    for &dtype in DType::ALL
        .iter()
        .filter(|&&dtype| !any_named || named(dtype))
    {
        let Some(kernel) = MatmulKernel::new(dtype, level) else {
            continue;
        };
        let row_bytes = dtype.row_bytes(K).expect("whole blocks");
        // Bytes near 0x3c make every kind of scale a sane number: no denormals, which cost extra.
        let data: Vec<u8> = (0..N * row_bytes)
            .map(|i| 0x38 | (i.wrapping_mul(31) >> 3) as u8 & 7)
            .collect();
        measure(&context, &kernel.name(), kernel, &data);
        if let Some(repacked) = kernel.repacked(N) {
            let mut strips = vec![0; data.len()];
            kernel.repack((N, K), &data, &mut strips);
            measure(&context, "  repacked", repacked, &strips);
        }
    }
}

fn measure(context: &Context, name: &str, kernel: MatmulKernel, data: &[u8]) {
    let mut line = format!("{name:24}");
    for m in TOKENS {
        let x: Vec<f32> = (0..m * K)
            .map(|i| ((i * 7919) % 255) as f32 - 127.0)
            .collect();
        let mut y = vec![0.0; m * N];
        let mut activations = Activations::new(m, K);
        activations.quantize(context, &x, K, [kernel.x_kind()].into_iter());
        let weight = Weight {
            kernel,
            n: N,
            k: K,
            data,
        };
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            // The clock ticks every few milliseconds: as many turns as fill many ticks.
            let (start, began, mut turns) = (clock(), Instant::now(), 0);
            while began.elapsed().as_secs_f64() < RUN_SECONDS {
                matmul(context, &mut [(weight, &mut y)], &x, &activations);
                turns += 1;
            }
            best = best.min((clock() - start) / f64::from(turns));
        }
        let figure = match m {
            1 => format!("{:8.1} GB/s", data.len() as f64 / best / 1e9),
            _ => format!("{:8.1} GMAC/s", m as f64 * (N * K) as f64 / best / 1e9),
        };
        line += &figure;
    }
    println!("{line}");
}

/// Seconds: of this thread on a core if the system tells (Linux), else of the wall clock.
fn clock() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_core = stat.and_then(|stat| stat.split(' ').next()?.parse::<f64>().ok());
    on_core.map_or_else(|| START.elapsed().as_secs_f64(), |ns| ns * 1e-9)
}
