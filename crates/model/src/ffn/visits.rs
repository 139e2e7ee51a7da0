//! Which token goes to which expert, by expert.

/// One token at one expert.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    expert: usize,
    pub(super) token: usize,
    pub(super) weight: f32,
}

/// A step's visits in order of expert, then of token; and the lists that a job takes, with room from load.
pub(crate) struct Visits {
    all: Vec<Visit>,
    num_taken: usize,
    experts: Vec<usize>,
    ends: Vec<usize>,
}

/// Visits of one job.
pub(super) struct Group<'a> {
    pub(super) of: &'a [Visit],
    /// Experts that are visited, ascending.
    pub(super) experts: &'a [usize],
    /// Where each one's visits end.
    pub(super) ends: &'a [usize],
}

impl Visits {
    /// Room for so many.
    pub(crate) fn new(num_visits: usize, n_experts: usize) -> Self {
        Self {
            all: Vec::with_capacity(num_visits),
            num_taken: 0,
            experts: Vec::with_capacity(n_experts),
            ends: Vec::with_capacity(n_experts),
        }
    }

    /// Bytes that [`Visits::new`] takes.
    pub(crate) fn size_bytes(num_visits: usize, n_experts: usize) -> usize {
        num_visits * size_of::<Visit>() + 2 * n_experts * size_of::<usize>()
    }

    /// Takes what each token chose, `n_used` experts with their weights.
    pub(super) fn sort(&mut self, chosen: &[(usize, f32)], n_used: usize) {
        self.num_taken = 0;
        self.all.clear();
        let visits = chosen.iter().enumerate();
        self.all.extend(visits.map(|(i, &(expert, weight))| Visit {
            expert,
            token: i / n_used,
            weight,
        }));
        // In place: a stable sort would take memory.
        self.all
            .sort_unstable_by_key(|visit| (visit.expert, visit.token));
    }

    /// The next experts' visits, at most `most` unless one expert has more; `None` after the last.
    pub(super) fn next(&mut self, most: usize) -> Option<Group<'_>> {
        let rest = &self.all[self.num_taken..];
        self.experts.clear();
        self.ends.clear();
        let mut len = 0;
        for of_one in rest.chunk_by(|a, b| a.expert == b.expert) {
            if len > 0 && len + of_one.len() > most {
                break;
            }
            len += of_one.len();
            self.experts.push(of_one[0].expert);
            self.ends.push(len);
        }
        self.num_taken += len;
        (len > 0).then_some(Group {
            of: &rest[..len],
            experts: &self.experts,
            ends: &self.ends,
        })
    }
}
