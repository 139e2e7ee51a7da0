//! What the engine is worth on this machine: many requests together, a common start, guesses.
//!
//! `cargo run --release -p ingle --example throughput -- MODEL [SEQUENCES [DRAFT]]`
//!
//! Prints tokens a second of one request and of several together (128 tokens each), the time to the first token of the
//! first and the second user of a long system prompt, and tokens a second with and without guesses where the reply
//! repeats the prompt and where it does not, also with a draft model. Each figure is the median of three, or of six
//! where two ways are compared, in turn.

#![allow(clippy::print_stdout, reason = "it prints its figures")]

use std::time::Instant;

use ingle::{Error, Model, SamplerParams};

const TOKENS: usize = 128;
const ROUNDS: usize = 3;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "smollm2".into());
    let count = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(8);
    let model = |speculate: bool| {
        let builder = Model::builder(&name).ctx(4096).kv_tokens(16_384);
        builder.parallel(count).speculate(speculate).load()
    };
    let draft = arguments.next();
    let plain = model(false)?;
    let pair = |round| {
        let one = together(&plain, 1, round)?;
        Ok((one, together(&plain, count, round)?))
    };
    println!("{}", in_turn(["1 sequence", &count.to_string()], pair)?);

    let first = median(|round| first_token(&plain, round, 0))?;
    let second = median(|round| {
        first_token(&plain, round, 1)?;
        first_token(&plain, round, 2)
    })?;
    println!(
        "2,000 tokens before the question: first token after {:.0} ms, for the next user {:.0} ms, {:.1} x",
        first * 1e3,
        second * 1e3,
        first / second
    );

    let guessing = model(true)?;
    let drafting = draft.map(|name_of_draft| {
        let builder = Model::builder(&name).ctx(4096).kv_tokens(16_384);
        builder.parallel(count).draft(name_of_draft).load()
    });
    let drafting = drafting.transpose()?;
    for (what, prompt) in [
        ("repeats the prompt", edit()),
        ("does not", "Tell me a story.".into()),
    ] {
        for (with, model) in [
            ("guesses", Some(&guessing)),
            ("a draft model", drafting.as_ref()),
        ] {
            let Some(model) = model else { continue };
            let pair = |round| {
                let without = alone(&plain, &prompt, round)?;
                Ok((without, alone(model, &prompt, round)?))
            };
            println!(
                "a reply that {what}: {}; {} so far",
                in_turn(["without", with], pair)?,
                guesses(model)?
            );
        }
    }
    Ok(())
}

/// How many guesses were made, and how many were right.
fn guesses(model: &Model) -> Result<String, Error> {
    let stats = model.stats()?;
    Ok(format!(
        "{} of {} guesses right",
        stats.accepted_tokens, stats.drafted_tokens
    ))
}

fn median(mut figure: impl FnMut(usize) -> Result<f64, Error>) -> Result<f64, Error> {
    let figures = (0..ROUNDS).map(&mut figure);
    Ok(middle(figures.collect::<Result<Vec<_>, _>>()?))
}

/// Tokens a second of two ways, and the second's by the first's: medians. In turn, as a machine that changes its speed is
/// to change that of both.
fn in_turn(
    names: [&str; 2],
    pair: impl FnMut(usize) -> Result<(f64, f64), Error>,
) -> Result<String, Error> {
    let pairs = (0..2 * ROUNDS)
        .map(pair)
        .collect::<Result<Vec<_>, Error>>()?;
    let [a, b] = names;
    Ok(format!(
        "{a}: {:.1} tokens/s; {b}: {:.1}; of each pair {:.2} x",
        middle(pairs.iter().map(|pair| pair.0)),
        middle(pairs.iter().map(|pair| pair.1)),
        middle(pairs.iter().map(|(a, b)| b / a))
    ))
}

/// The median; of two in the middle the lower.
fn middle(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() - 1) / 2]
}

fn seeded(seed: usize) -> SamplerParams {
    SamplerParams {
        seed: seed as u64,
        ..SamplerParams::default()
    }
}

/// Tokens a second of `count` requests at once.
fn together(model: &Model, count: usize, round: usize) -> Result<f64, Error> {
    let start = Instant::now();
    let streams = (0..count).map(|i| {
        let request = model.complete(format!("Story {round} of {i}: once"));
        let request = request.sampler(seeded(i)).ignore_eos(true);
        request.max_tokens(TOKENS).stream()
    });
    for stream in streams.collect::<Result<Vec<_>, _>>()? {
        for piece in stream {
            piece?;
        }
    }
    Ok((count * TOKENS) as f64 / start.elapsed().as_secs_f64())
}

/// Seconds to the first token of a question after a long text, which differs from round to round.
fn first_token(model: &Model, round: usize, user: usize) -> Result<f64, Error> {
    if user == 0 {
        model.clear_cache()?;
    }
    let words = (0..2000).map(|i| ["red", "blue", "old", "new", "far"][(i * i + round) % 5]);
    let text = words.collect::<Vec<_>>().join(" ");
    let start = Instant::now();
    let request = model.complete(format!("{text}\nQuestion of user {user}:"));
    let mut stream = request.max_tokens(2).ignore_eos(true).stream()?;
    stream.next_piece().transpose()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Tokens a second of one reply, its prompt not counted.
fn alone(model: &Model, prompt: &str, round: usize) -> Result<f64, Error> {
    let greedy = SamplerParams {
        temp: 0.0,
        ..seeded(round)
    };
    let request = model.chat(prompt).sampler(greedy);
    let reply = request.max_tokens(2 * TOKENS).run()?;
    let seconds = reply.usage.generation_time.as_secs_f64();
    Ok(reply.usage.generated_tokens as f64 / seconds)
}

/// An edit of code: most of the reply stands in the prompt.
fn edit() -> String {
    let functions = (0..8).map(|i| {
        format!(
            "def area_{i}(width, height):\n    \"\"\"Area of shape {i}.\"\"\"\n    if width < 0 or height < 0:\n        \
             raise ValueError(\"negative size\")\n    return width * height + {i}\n"
        )
    });
    let code = functions.collect::<Vec<_>>().join("\n");
    format!(
        "```python\n{code}```\nRename `height` to `depth` in `area_0`. Answer with the whole program."
    )
}
