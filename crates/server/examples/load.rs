//! Speed of any server that speaks OpenAI's dialect, as its clients see it.
//!
//! ```text
//! cargo run --release -p server --example load -- HOST:PORT [--streams N] [--tokens N] [--rounds N] [--prompt-tokens N]
//! ```
//!
//! `--streams` clients ask at the same time for `--tokens` tokens each. Printed are, as medians over the rounds: tokens
//! of all per second, the time to the first token, and the gap between two tokens (median and 95th percentile).
//! With `--prompt-tokens`, one more client sends a prompt of about so many words when the others are under way: the gaps
//! then tell what that costs them.

#![allow(clippy::print_stdout, reason = "a program that reports to its user")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What a client saw.
struct Seen {
    tokens: usize,
    first: Duration,
    gaps: Vec<Duration>,
}

struct Options {
    address: String,
    streams: usize,
    tokens: usize,
    rounds: usize,
    prompt_tokens: usize,
}

fn options() -> Option<Options> {
    let mut args = std::env::args().skip(1);
    let address = args.next()?;
    let (mut streams, mut tokens, mut rounds, mut prompt_tokens) = (8, 128, 5, 0);
    while let Some(flag) = args.next() {
        let value = args.next()?.parse().ok()?;
        match flag.as_str() {
            "--streams" => streams = value,
            "--tokens" => tokens = value,
            "--rounds" => rounds = value,
            "--prompt-tokens" => prompt_tokens = value,
            _ => return None,
        }
    }
    Some(Options {
        address,
        streams,
        tokens,
        rounds,
        prompt_tokens,
    })
}

fn main() {
    let Some(options) = options() else {
        println!("load HOST:PORT [--streams N] [--tokens N] [--rounds N] [--prompt-tokens N]");
        std::process::exit(2);
    };
    // Everything is read once before anything counts.
    round(&options, usize::MAX);
    let (mut speeds, mut firsts, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..options.rounds {
        let begun = Instant::now();
        let seen = round(&options, index);
        let tokens: usize = seen.iter().map(|seen| seen.tokens).sum();
        speeds.push(tokens as f64 / begun.elapsed().as_secs_f64());
        for seen in seen {
            firsts.push(seen.first);
            gaps.extend(seen.gaps);
        }
    }
    speeds.sort_by(f64::total_cmp);
    firsts.sort();
    gaps.sort();
    let at = |list: &[Duration], share: f64| {
        let index = (list.len() as f64 * share) as usize;
        list.get(index.min(list.len().saturating_sub(1)))
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{} streams of {} tokens: {:.1} tokens/s (least {:.1}, most {:.1}), first token {:.1} ms, \
         gap {:.2} ms, 95 % {:.2} ms, most {:.2} ms",
        options.streams,
        options.tokens,
        speeds[speeds.len() / 2],
        speeds[0],
        speeds[speeds.len() - 1],
        at(&firsts, 0.5),
        at(&gaps, 0.5),
        at(&gaps, 0.95),
        at(&gaps, 1.0),
    );
}

/// All clients at once.
fn round(options: &Options, index: usize) -> Vec<Seen> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..options.streams)
            .map(|client| {
                // Prompts differ from the first word on, so that no server has seen one before.
                let prompt =
                    format!("{index} {client}: tell me a story about the number {client}.");
                scope.spawn(move || ask(&options.address, &prompt, options.tokens, index as u64))
            })
            .collect();
        let long = (options.prompt_tokens > 0).then(|| {
            std::thread::sleep(Duration::from_millis(300));
            let words =
                (0..options.prompt_tokens).map(|word| format!("{} ", (word + index % 97) % 10));
            let prompt = format!("{index} {}", words.collect::<String>());
            scope.spawn(move || ask(&options.address, &prompt, 1, 0))
        });
        let seen = clients
            .into_iter()
            .map(|client| client.join().expect("a client"));
        let seen = seen.collect();
        if let Some(long) = long {
            let _ = long.join();
        }
        seen
    })
}

fn ask(address: &str, prompt: &str, tokens: usize, seed: u64) -> Seen {
    let body = json!({
        "messages": [{ "role": "user", "content": prompt }],
        "max_tokens": tokens, "ignore_eos": true, "seed": seed % 1000, "temperature": 0.8,
        "stream": true, "stream_options": { "include_usage": true },
    })
    .to_string();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).expect("the server is there");
    stream.set_nodelay(true).expect("a socket");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all((head + &body).as_bytes())
        .expect("it reads");
    let mut seen = Seen {
        tokens: 0,
        first: Duration::ZERO,
        gaps: Vec::new(),
    };
    let mut last: Option<Instant> = None;
    for line in BufReader::new(stream).lines() {
        let line = line.expect("text");
        let Some(data) = line
            .strip_prefix("data: ")
            .filter(|data| data.starts_with('{'))
        else {
            continue;
        };
        let now = Instant::now();
        let chunk: Value = serde_json::from_str(data).expect("JSON");
        if let Some(tokens) = chunk["usage"]["completion_tokens"].as_u64() {
            seen.tokens = tokens as usize;
        }
        let text = chunk["choices"][0]["delta"]["content"].as_str();
        if text.is_some_and(|text| !text.is_empty()) {
            match last.replace(now) {
                None => seen.first = now - begun,
                Some(last) => seen.gaps.push(now - last),
            }
        }
    }
    assert!(seen.tokens > 0, "no usage in the stream");
    seen
}
