//! A model in six lines: `cargo run --release -p ingle --example chat "Why is the sky blue?"`.

#![allow(clippy::print_stdout, reason = "a program")]

use ingle::Model;

fn main() -> Result<(), ingle::Error> {
    let question = std::env::args()
        .nth(1)
        .unwrap_or("Why is the sky blue?".into());
    let model = Model::load("smollm2")?;
    for piece in model.chat(question).stream()? {
        print!("{}", piece?);
    }
    println!();
    Ok(())
}
