//! Which weights stay in memory, and which are read from disk in every step.
//!
//! As long as all of them fit they are used as they lie in the mapped file. If not, the output matrix and the
//! first matrices of each layer are read once, into memory of our own, which no other reader's files can
//! push out; the last matrices of a layer (those of the feed-forward network, at first only `down`) come from disk
//! while earlier layers compute. What is streamed is spread over as many layers as possible: then little has to be
//! read ahead at a time, buffers are small, and what they save stays in memory. An embedding of its own
//! is on disk only: a token takes one row of it.

use crate::LoadError;

/// Buffers: one in use, one being filled. Reading waits only if computing takes longer, and then there is
/// nothing to be gained.
const NUM_BUFFERS: usize = 2;

/// Sizes of a model's matrices, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightBytes {
    /// For each layer its matrices, in the order of use.
    pub layers: Vec<Vec<u64>>,
    /// The output matrix.
    pub output: u64,
    /// The embedding, unless it is the output matrix.
    pub embedding: Option<u64>,
}

/// Where a model's weights are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the mapped file.
    Mapped,
    /// In memory of our own, as far as they fit there.
    Own(OwnMemory),
}

/// How weights share memory that is too small for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMemory {
    /// For each layer, how many of its matrices stay in memory; the others are streamed.
    pub num_held: Vec<usize>,
    /// Buffers that streamed matrices come through.
    pub num_buffers: usize,
    /// Size of each.
    pub buffer_bytes: u64,
    /// Weights in memory for good.
    pub held_bytes: u64,
    /// Weights that every step reads from disk.
    pub streamed_bytes: u64,
}

impl WeightBytes {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.layers.iter().flatten().sum::<u64>() + self.output + self.embedding.unwrap_or(0)
    }
}

impl Placement {
    /// The places of weights that may take `budget` bytes.
    ///
    /// # Errors
    /// [`LoadError::Memory`] if they cannot do with so little.
    pub fn plan(weights: &WeightBytes, budget: u64) -> Result<Self, LoadError> {
        if weights.total() <= budget {
            return Ok(Self::Mapped);
        }
        // From the last matrix of each layer to the first; and of equal ones as few as will do.
        let n_layers = weights.layers.len();
        let most = weights.layers.iter().map(Vec::len).max().unwrap_or(0);
        let steps = (0..most).flat_map(|rank| (1..=n_layers).map(move |count| (rank, count)));
        let plans = [(0, 0)].into_iter().chain(steps);
        let plans =
            plans.map(|(rank, count)| OwnMemory::streaming(weights, rank, count, NUM_BUFFERS));
        // One buffer is slow, and a last resort.
        let last = OwnMemory::streaming(weights, most.saturating_sub(1), n_layers, 1);
        let needed = last.total();
        match plans.chain([last]).find(|plan| plan.total() <= budget) {
            Some(plan) => Ok(Self::Own(plan)),
            None => Err(LoadError::Memory { needed, budget }),
        }
    }
}

impl OwnMemory {
    /// Bytes in memory.
    pub fn total(&self) -> u64 {
        self.held_bytes + self.num_buffers as u64 * self.buffer_bytes
    }

    /// Streams the last `rank` matrices of every layer, and one more of `count` layers.
    fn streaming(weights: &WeightBytes, rank: usize, count: usize, num_buffers: usize) -> Self {
        let n_layers = weights.layers.len();
        // Evenly: this many are chosen up to a layer, so one is chosen where the number goes up.
        let chosen = |layer: usize| (layer + 1) * count / n_layers > layer * count / n_layers;
        let held = |(layer, sizes): (usize, &Vec<u64>)| {
            sizes
                .len()
                .saturating_sub(rank + usize::from(chosen(layer)))
        };
        let num_held: Vec<usize> = weights.layers.iter().enumerate().map(held).collect();
        let streamed = || {
            let split = weights.layers.iter().zip(&num_held);
            split.map(|(sizes, &held)| sizes[held..].iter().sum::<u64>())
        };
        let buffer_bytes = streamed().max().unwrap_or(0);
        let streamed_bytes = streamed().sum();
        let held_bytes = weights.total() - weights.embedding.unwrap_or(0) - streamed_bytes;
        Self {
            num_buffers: if streamed_bytes == 0 { 0 } else { num_buffers },
            num_held,
            buffer_bytes,
            held_bytes,
            streamed_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OwnMemory, Placement, WeightBytes};
    use crate::LoadError;

    /// Ten layers of matrices of 10, 20 and 40 or (every other) 50 bytes; 750 in all.
    fn weights(embedding: Option<u64>) -> WeightBytes {
        let layer = |i| vec![10, 20, if i % 2 == 0 { 40 } else { 50 }];
        WeightBytes {
            layers: (0..10).map(layer).collect(),
            output: 100,
            embedding,
        }
    }

    fn own(weights: &WeightBytes, budget: u64) -> OwnMemory {
        match Placement::plan(weights, budget) {
            Ok(Placement::Own(plan)) => plan,
            other => panic!("{budget}: {other:?}"),
        }
    }

    #[test]
    fn what_fits_stays_mapped() {
        assert_eq!(weights(None).total(), 850);
        let mapped = |embedding, budget| {
            let plan = Placement::plan(&weights(embedding), budget);
            matches!(plan, Ok(Placement::Mapped))
        };
        assert!(mapped(None, 850) && !mapped(None, 849));
        assert!(mapped(Some(60), 910) && !mapped(Some(60), 909));
    }

    #[test]
    fn an_embedding_of_its_own_goes_first() {
        let plan = own(&weights(Some(60)), 909);
        assert_eq!((plan.held_bytes, plan.streamed_bytes), (850, 0));
        assert_eq!((plan.num_held, plan.num_buffers), (vec![3; 10], 0));
    }

    #[test]
    fn as_little_as_possible_is_streamed_and_evenly() {
        // Missing: 1, and two buffers of 50; 2 of 40 and 1 of 50 would save 30.
        let plan = own(&weights(None), 849);
        assert_eq!((plan.num_buffers, plan.buffer_bytes), (2, 50));
        assert_eq!(plan.streamed_bytes, 140, "50 + 40 + 50 less 100");
        assert_eq!(plan.num_held, [3, 3, 3, 2, 3, 3, 2, 3, 3, 2]);
        // All last matrices, and the one before of some.
        let plan = own(&weights(None), 499);
        assert_eq!(plan.buffer_bytes, 70);
        assert_eq!(plan.num_held, [2, 2, 2, 1, 2, 2, 1, 2, 2, 1]);
        assert_eq!(plan.streamed_bytes, 450 + 60);
        assert_eq!(plan.total(), 850 - 510 + 140);
    }

    #[test]
    fn every_budget_is_kept_until_nothing_helps() {
        for embedding in [None, Some(60)] {
            let weights = weights(embedding);
            let mut streamed = u64::MAX;
            for budget in 180..850 {
                let plan = own(&weights, budget);
                assert!(plan.total() <= budget, "{budget}: {plan:?}");
                assert_eq!(plan.held_bytes + plan.streamed_bytes, 850);
                let longest = plan.num_held.iter().zip(&weights.layers);
                let longest = longest.map(|(&held, sizes)| sizes[held..].iter().sum::<u64>());
                assert_eq!(longest.max(), Some(plan.buffer_bytes));
                assert!(plan.streamed_bytes <= streamed, "more memory, less to read");
                streamed = plan.streamed_bytes;
            }
            let error = Placement::plan(&weights, 179).expect_err("output and one layer");
            assert!(
                matches!(
                    error,
                    LoadError::Memory {
                        needed: 180,
                        budget: 179
                    }
                ),
                "{error}"
            );
        }
    }
}
