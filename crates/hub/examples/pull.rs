//! Fetches models by name and prints where they are: `cargo run -p hub --example pull -- smollm2`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to its user"
)]

use hub::{Hub, ModelRef, Progress, Report};

struct Lines(u64);

impl Progress for Lines {
    fn update(&mut self, report: &Report<'_>) {
        let step = report.done / 20_000_000;
        if step != self.0 || !matches!(report.phase, hub::Phase::Downloading(_)) {
            self.0 = step;
            eprintln!(
                "{:?} {} {} of {:?}",
                report.phase, report.file, report.done, report.total
            );
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::from_env()?;
    for name in std::env::args().skip(1) {
        match hub.resolve(&ModelRef::parse(&name)?, &mut Lines(0)) {
            Ok(model) => println!("{} {} {:?}", model.name, model.total_bytes, model.files),
            Err(error) => eprintln!("{error}"),
        }
    }
    println!("{:#?}", hub.list());
    Ok(())
}
