//! What scheduling, sampling and bookkeeping cost without a model: steps a second over the simulation's backend.
//!
//! `cargo bench -p engine`

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use engine::sampler::SamplerParams;
use engine::{Engine, EngineOptions, Request};

#[path = "../tests/it/fake.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod fake;

fn main() {
    for (parallel, speculate) in [(1, false), (4, false), (4, true), (16, false)] {
        let clock = fake::Clock::default();
        let mut backend = fake::Fake::new(40 * parallel, 512, parallel + 16, clock.clone());
        backend.habit = 4.0;
        let options = EngineOptions {
            max_seq_len: 2048,
            max_running: parallel,
            max_waiting: usize::MAX,
            speculate,
        };
        let mut engine = Engine::with_clock(backend, fake::tokenizer(), options, clock.read());
        for seed in 0..4 * parallel as u64 {
            let request = Request {
                prompt: vec![1 + (seed % 20) as u32; 40],
                sampler: SamplerParams {
                    seed,
                    ..SamplerParams::default()
                },
                max_tokens: Some(1900),
                ignore_eos: true,
                ..Request::default()
            };
            let inbox = fake::Inbox::default();
            let id = engine.submit(&request, None, Box::new(inbox));
            id.expect("it can be carried out");
        }
        let start = Instant::now();
        while engine.step() {}
        let seconds = start.elapsed().as_secs_f64();
        let stats = engine.stats();
        let (steps, tokens) = (stats.num_steps as f64, stats.generated_tokens as f64);
        let guesses = if speculate { ", with guesses" } else { "" };
        println!(
            "{parallel} side by side{guesses}: {:.0} steps a second, {:.0} tokens a second",
            steps / seconds,
            tokens / seconds
        );
    }
}
