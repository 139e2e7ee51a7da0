//! What the machine can do at best, measured on the spot: int8 products, and reading memory.
//!
//! Nothing else is faster than these two: a prompt needs two operations for each weight and token, a
//! generated token needs each weight once from memory (the roofline of Williams, Waterman and
//! Patterson 2009, doi:10.1145/1498765.1498785). Speeds are worth reading as shares of them.
//!
//! Left out: several streams per thread, which lost a third on a Zen 4. Huge pages, which weights lie in, gained nothing
//! there and a sixth on a Granite Rapids.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::Pool;
use crate::isa::{Isa, Level, Op, dispatch};

/// Passes of which the best counts: neighbours on the machine can only make one slower.
const PASSES: usize = 5;

/// Operations (two for a multiplication and its addition) of int8 products per second, all threads of
/// `pool` together.
///
/// The inner loop of a product of many tokens and nothing else: codes and activations lie in the
/// first-level cache, and the sums are independent. Codes are of four bits, which levels without VNNI
/// multiply fastest.
///
/// # Panics
/// If the CPU lacks the level.
pub fn int8_ops_per_s(level: Level, pool: &Pool) -> f64 {
    let operands = Operands::new();
    let mut repeats = 1;
    let mut best = 0.0_f64;
    let mut passes = 0;
    while passes < PASSES {
        let start = Instant::now();
        let macs = AtomicUsize::new(0);
        pool.run(&|_| {
            let operands = &operands;
            let done = dispatch(level, Products { operands, repeats });
            macs.fetch_add(done, Ordering::Relaxed);
        });
        let seconds = start.elapsed().as_secs_f64();
        // Levels differ by a factor of a hundred: a pass that is too short to time does not count.
        if seconds < 0.01 {
            repeats *= 2;
            continue;
        }
        passes += 1;
        best = best.max(2.0 * macs.into_inner() as f64 / seconds);
    }
    best
}

/// Bytes per second that the threads of `pool` read together of `memory`, which is to be far larger than caches and
/// written to (pages that never were are all the same one).
///
/// The best of three ways: lines are only summed; the line some way on is asked for; it is asked for while something is
/// computed, as products do.
///
/// # Panics
/// If the CPU lacks the level.
pub fn read_bytes_per_s(memory: &[u8], level: Level, pool: &Pool) -> f64 {
    let lines = memory.as_chunks::<64>().0;
    let mut best = 0.0_f64;
    for _ in 0..PASSES {
        best = best
            .max(pass::<0, 0>(lines, level, pool))
            .max(pass::<4096, 0>(lines, level, pool))
            .max(pass::<16384, 8>(lines, level, pool));
    }
    best
}

/// Pieces are claimed, as those of a product are.
fn pass<const AHEAD: usize, const WORK: usize>(
    lines: &[[u8; 64]],
    level: Level,
    pool: &Pool,
) -> f64 {
    const PIECE: usize = (4 << 20) / 64;
    let start = Instant::now();
    pool.each(lines.chunks(PIECE), |lines, _| {
        black_box(dispatch(level, Sum::<AHEAD, WORK> { lines }));
    });
    size_of_val(lines) as f64 / start.elapsed().as_secs_f64()
}

/// Bytes of a cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Line([u8; 64]);

/// Steps of 16 codes x 16 rows, and what they meet: 14 KiB.
const STEPS: usize = 32;
const TOKENS: usize = 12;

struct Operands {
    codes: [[Line; 4]; STEPS],
    x: [[[i32; 4]; TOKENS]; STEPS],
}

impl Operands {
    fn new() -> Self {
        let line = |step: usize, i: usize| Line([(7 * step + i) as u8 & 15; 64]);
        Self {
            codes: std::array::from_fn(|step| std::array::from_fn(|i| line(step, i))),
            x: std::array::from_fn(|step| [[i32::from_ne_bytes([step as u8; 4]); 4]; TOKENS]),
        }
    }
}

/// Products of codes with `TOKENS` tokens, `repeats` times over.
struct Products<'a> {
    operands: &'a Operands,
    repeats: usize,
}

impl Op for Products<'_> {
    /// Multiplications.
    type Output = usize;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> usize {
        // As many sums as the level's registers hold; more of them would be measured as loads and stores.
        if I::TOKENS >= 8 {
            self.run::<I, TOKENS>(isa)
        } else {
            self.run::<I, 4>(isa)
        }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn run<I: Isa, const SUMS: usize>(self, isa: I) -> usize {
        let operands = black_box(self.operands);
        let mut acc = [isa.zero(); SUMS];
        for _ in 0..self.repeats {
            // Counted, not iterated: iterators are functions without the level's features unless inlined,
            // and then the sums leave the registers.
            for step in 0..STEPS {
                let w = load(isa, &operands.codes[step]);
                for t in 0..SUMS {
                    acc[t] = isa.dot::<15>(acc[t], w, &operands.x[step][t]);
                }
            }
        }
        for t in 0..SUMS {
            black_box(isa.sum(isa.to_f32(acc[t])));
        }
        self.repeats * STEPS * SUMS * 4 * 64
    }
}

#[inline(always)]
fn load<I: Isa>(isa: I, lines: &[Line; 4]) -> [I::B64; 4] {
    [
        isa.load_codes(&lines[0].0),
        isa.load_codes(&lines[1].0),
        isa.load_codes(&lines[2].0),
        isa.load_codes(&lines[3].0),
    ]
}

/// The sum of memory, as words, with the line `AHEAD` bytes on asked for, if not 0, and `WORK` operations more a line.
struct Sum<'a, const AHEAD: usize, const WORK: usize> {
    lines: &'a [[u8; 64]],
}

impl<const AHEAD: usize, const WORK: usize> Op for Sum<'_, AHEAD, WORK> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
        let (mut acc, mut more) = ([isa.zero(); 8], [isa.zero(); 4]);
        for group in self.lines.as_chunks::<8>().0 {
            for i in 0..8 {
                let line = isa.as_words(isa.load_codes(&group[i]));
                acc[i] = isa.add_i32(acc[i], line);
                for j in 0..WORK {
                    more[j % 4] = isa.xor_i32(isa.add_i32(more[j % 4], line), line);
                }
                if AHEAD > 0 {
                    isa.prefetch(&group[i], AHEAD);
                }
            }
        }
        let mut total = isa.zero();
        for i in 0..8 {
            total = isa.add_i32(total, acc[i]);
        }
        for i in 0..4 {
            total = isa.xor_i32(total, more[i]);
        }
        isa.sum(isa.to_f32(total))
    }
}
