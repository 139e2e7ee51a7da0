//! The machine's limits, measured, and what share of them a speed is.

use std::io;

use formats::Bytes;
use model::limits::{int8_ops_per_s, read_bytes_per_s};
use model::{KvCache, Level, Pool};

use crate::bench::Case;
use crate::{Model, memory};

/// Memory that is read for the bandwidth: many times any cache.
const READ_BYTES: usize = 1 << 30;

/// What the machine can do at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Operations of int8 products per second; a multiplication and its addition are two.
    pub int8_ops: f64,
    /// Bytes per second that one thread reads.
    pub read_one: f64,
    /// Bytes per second that all threads read together.
    pub read_all: f64,
}

impl Limits {
    /// The higher of two measurements.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            int8_ops: self.int8_ops.max(other.int8_ops),
            read_one: self.read_one.max(other.read_one),
            read_all: self.read_all.max(other.read_all),
        }
    }

    /// What a test costs at best, as a share of the limit that binds it: `1.0` is the limit itself.
    ///
    /// A prompt is bound by the products of its weights (the output matrix counts once, as it is used
    /// once), anything else by reading weights, keys and values.
    pub fn share(&self, model: &Model, case: Case, depth: usize, tokens_per_s: f64) -> f64 {
        let (kv_type, model) = (model.info().kv_type, model.model());
        match case {
            Case::Prompt(n) => {
                let macs = |linear: &model::Linear| (linear.n * linear.k) as f64;
                let all: f64 = model.linears().skip(1).map(macs).sum();
                let output = model.linears().last().map_or(0.0, macs);
                let macs = (all - output) * n as f64 + output;
                2.0 * macs / n as f64 * tokens_per_s / self.int8_ops
            }
            Case::Generate(n) => {
                let middle = depth + n / 2;
                let kv = KvCache::read_bytes(model.config(), kv_type, middle);
                (weight_bytes(model) + kv as u64) as f64 * tokens_per_s / self.read_all
            }
            Case::Step(k) => {
                let kv = KvCache::read_bytes(model.config(), kv_type, depth + k);
                (weight_bytes(model) + kv as u64) as f64 * tokens_per_s / k as f64 / self.read_all
            }
        }
    }
}

/// Bytes of the matrices that every step reads; of the embedding, which comes first, it reads a row.
pub fn weight_bytes(model: &model::Model) -> u64 {
    let matrices = model.linears().skip(1);
    matrices.map(|linear| linear.size_bytes() as u64).sum()
}

/// What measuring takes: threads, and memory to read.
pub struct Test {
    level: Level,
    one: Pool,
    all: Pool,
    memory: Bytes,
}

impl Test {
    /// For `num_threads` threads.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(level: Level, num_threads: usize) -> io::Result<Self> {
        let budget = memory::budget(None, memory::available().as_ref());
        let spare = budget.map_or(u64::MAX, |budget| budget.bytes / 4);
        let size_bytes = READ_BYTES.min(usize::try_from(spare).unwrap_or(usize::MAX));
        Ok(Self {
            level,
            one: Pool::new(1)?,
            all: Pool::new(num_threads)?,
            memory: Bytes::filled(size_bytes, |bytes| bytes.fill(1))
                .unwrap_or_else(|_| vec![1; size_bytes].into()),
        })
    }

    /// Measures, in about a second.
    pub fn measure(&self) -> Limits {
        Limits {
            int8_ops: int8_ops_per_s(self.level, &self.all),
            read_one: read_bytes_per_s(&self.memory, Level::best(), &self.one),
            read_all: read_bytes_per_s(&self.memory, Level::best(), &self.all),
        }
    }
}
