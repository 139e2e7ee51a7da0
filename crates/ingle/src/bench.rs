//! Speed as llama-bench measures it: prompt processing (`pp`) and token generation (`tg`).

use std::time::Instant;

use engine::{Runner, Sequence};

use crate::{Error, Model};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// A prompt of so many tokens, fed in steps.
    Prompt(usize),
    /// So many tokens, one at a time, from an empty context.
    Generate(usize),
}

impl Case {
    /// Tokens of a run.
    pub fn num_tokens(self) -> usize {
        let (Self::Prompt(n) | Self::Generate(n)) = self;
        n
    }

    /// llama-bench's name: `pp512`, `tg128`.
    pub fn name(self) -> String {
        match self {
            Self::Prompt(n) => format!("pp{n}"),
            Self::Generate(n) => format!("tg{n}"),
        }
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

/// Measures a case `repetitions` times after one run that is not counted.
///
/// # Errors
/// If weights that are not in memory cannot be read.
pub fn run(model: &Model, case: Case, repetitions: usize) -> Result<Speed, Error> {
    let n = case.num_tokens();
    let mut runner = Runner::new(model.model().clone(), n.max(1), 1);
    let vocab_size = model.model().config().vocab_size;
    // Any tokens do; a fixed scatter over the vocabulary reads other embedding rows each time.
    let tokens: Vec<u32> = (0..n)
        .map(|i| (i.wrapping_mul(7919) % vocab_size) as u32)
        .collect();
    let mut sample = || -> Result<f64, Error> {
        let start = Instant::now();
        let mut sequence = Sequence::default();
        match case {
            Case::Prompt(_) => {
                tokens.iter().for_each(|&token| sequence.push(token));
                while n > 0 && runner.step(&mut sequence)?.is_none() {}
            }
            Case::Generate(_) => {
                for &token in &tokens {
                    sequence.push(token);
                    runner.step(&mut sequence)?;
                }
            }
        }
        Ok(n as f64 / start.elapsed().as_secs_f64())
    };
    sample()?;
    let samples = (0..repetitions)
        .map(|_| sample())
        .collect::<Result<_, _>>()?;
    Ok(Speed { samples })
}
