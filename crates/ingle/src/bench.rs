//! Speed as llama-bench measures it: prompt processing (`pp`) and token generation (`tg`); and the
//! steps of a few tokens that batches and speculation are made of.

use std::time::Instant;

use engine::{Runner, Text};

use crate::{Error, Model};

/// Steps of [`Case::Step`] that make one sample.
const STEPS_PER_SAMPLE: usize = 16;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// A prompt of so many tokens, fed in steps.
    Prompt(usize),
    /// So many tokens, one at a time.
    Generate(usize),
    /// One step of so many tokens, with logits for each.
    Step(usize),
}

impl Case {
    /// llama-bench's name: `pp512`, `tg128`, `tg128 @ d4096` with so many tokens before; ours is `step4`.
    pub fn name(self, depth: usize) -> String {
        let name = match self {
            Self::Prompt(n) => format!("pp{n}"),
            Self::Generate(n) => format!("tg{n}"),
            Self::Step(n) => format!("step{n}"),
        };
        match depth {
            0 => name,
            _ => format!("{name} @ d{depth}"),
        }
    }

    /// Tokens of a run.
    pub fn num_tokens(self) -> usize {
        let (Self::Prompt(n) | Self::Generate(n) | Self::Step(n)) = self;
        n
    }
}

/// Speeds of one case, in tokens per second.
#[derive(Clone, Debug, PartialEq)]
pub struct Speed {
    /// One per repetition.
    pub samples: Vec<f64>,
}

impl Speed {
    /// The mean.
    pub fn mean(&self) -> f64 {
        self.samples.iter().sum::<f64>() / self.samples.len() as f64
    }

    /// The sample standard deviation; 0 for one sample.
    pub fn stddev(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.samples.iter().map(|x| (x - mean) * (x - mean)).sum();
        (squares / (self.samples.len().max(2) - 1) as f64).sqrt()
    }
}

/// A model with a cache that holds some tokens already.
pub struct Bench {
    runner: Runner,
    vocab_size: usize,
    base: Text,
}

impl Bench {
    /// Computes `depth` tokens, which every run begins after, and has room for any of `cases`.
    ///
    /// # Errors
    /// If weights that are not in memory cannot be read; so for [`Bench::run`].
    pub fn new(model: &Model, depth: usize, cases: &[Case]) -> Result<Self, Error> {
        let longest = cases.iter().map(|case| case.num_tokens()).max();
        let steps = cases.iter().filter_map(|case| match case {
            Case::Step(n) => Some(*n),
            _ => None,
        });
        let max_outputs = steps.max().unwrap_or(0).max(1);
        let room = depth + longest.unwrap_or(0).max(1);
        let mut bench = Self {
            runner: Runner::new(
                model.model().clone(),
                model.info().kv_type,
                room,
                max_outputs,
            ),
            vocab_size: model.model().config().vocab_size,
            base: Text::default(),
        };
        let mut base = Text::default();
        bench.prompt(&mut base, depth)?;
        bench.base = base;
        Ok(bench)
    }

    /// Measures a case `repetitions` times after a run that is not counted (of one token, if one at a
    /// time).
    ///
    /// # Errors
    /// As for [`Bench::new`].
    pub fn run(&mut self, case: Case, repetitions: usize) -> Result<Speed, Error> {
        match case {
            Case::Generate(_) => self.sample(Case::Generate(1))?,
            _ => self.sample(case)?,
        };
        let samples = (0..repetitions).map(|_| self.sample(case));
        Ok(Speed {
            samples: samples.collect::<Result<_, _>>()?,
        })
    }

    /// Tokens per second of one run.
    fn sample(&mut self, case: Case) -> Result<f64, Error> {
        let runs = match case {
            Case::Step(_) => STEPS_PER_SAMPLE,
            _ => 1,
        };
        let start = Instant::now();
        for _ in 0..runs {
            let mut sequence = self.base.clone();
            match case {
                Case::Prompt(n) => self.prompt(&mut sequence, n)?,
                Case::Generate(n) => {
                    for _ in 0..n {
                        self.prompt(&mut sequence, 1)?;
                    }
                }
                Case::Step(n) => {
                    self.push(&mut sequence, n);
                    self.runner.step_with_all_logits(&mut sequence)?;
                }
            }
        }
        Ok((runs * case.num_tokens()) as f64 / start.elapsed().as_secs_f64())
    }

    /// Computes `n` tokens more.
    fn prompt(&mut self, sequence: &mut Text, n: usize) -> Result<(), Error> {
        self.push(sequence, n);
        while n > 0 && self.runner.step(sequence)?.is_none() {}
        Ok(())
    }

    /// Any tokens do; a fixed scatter over the vocabulary reads other embedding rows each time.
    fn push(&self, sequence: &mut Text, n: usize) {
        let start = sequence.tokens().len();
        for i in start..start + n {
            sequence.push((i.wrapping_mul(7919) % self.vocab_size) as u32);
        }
    }
}
