//! Shows a download: a bar where stderr is a terminal, plain lines where it is not.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ingle::hub::{Phase, Progress, Report};

use crate::interrupt::Interrupt;
use crate::text;

/// Progress of one model's download, on stderr. Shows nothing until there is something to show.
pub(crate) struct Download {
    interrupt: Interrupt,
    view: View,
}

enum View {
    Bar(Option<ProgressBar>),
    Lines(Lines),
}

impl Download {
    /// Ctrl-C stops the download where it is; the same command resumes it.
    pub(crate) fn new(interrupt: &Interrupt) -> Self {
        let view = match io::stderr().is_terminal() {
            true => View::Bar(None),
            false => View::Lines(Lines::default()),
        };
        let interrupt = interrupt.clone();
        Self { interrupt, view }
    }
}

impl Progress for Download {
    fn update(&mut self, report: &Report<'_>) {
        match &mut self.view {
            View::Bar(bar) => draw(bar.get_or_insert_with(new_bar), report),
            View::Lines(lines) => lines.update(report),
        }
    }

    fn cancelled(&self) -> bool {
        self.interrupt.caught()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let View::Bar(Some(bar)) = &self.view {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// With a known size: name, bar, bytes, speed, time left. Without: a spinner.
fn draw(bar: &ProgressBar, report: &Report<'_>) {
    const SPINNER: &str = "{spinner} {msg}";
    const BAR: &str =
        "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
    let style = |template: &str| {
        let style = ProgressStyle::with_template(template).expect("the templates are constants");
        style.progress_chars("━╸ ")
    };
    let counts = matches!(
        report.phase,
        Phase::Downloading(_) | Phase::Verifying | Phase::Quantizing(_)
    );
    match report.total.filter(|_| counts) {
        Some(total) => {
            if bar.length() != Some(total) {
                bar.set_length(total);
                bar.set_style(style(BAR));
                // The speed is that of this run, not of bytes that lay there before.
                bar.set_position(report.resumed_from);
                bar.reset_eta();
            }
            bar.set_position(report.done);
        }
        None => {
            bar.unset_length();
            bar.set_style(style(SPINNER));
        }
    }
    bar.set_message(words(report));
}

/// What is going on, in a few words.
fn words(report: &Report<'_>) -> String {
    let file = match report.part {
        (part, parts) if parts > 1 => format!("{} ({part}/{parts})", report.file),
        _ => report.file.to_owned(),
    };
    match report.phase {
        Phase::Listing => "asking the hub".to_owned(),
        Phase::Waiting => format!("waiting for another process that downloads {file}"),
        Phase::Downloading(_) => file,
        Phase::Retrying {
            attempt,
            wait,
            reason,
        } => {
            format!("attempt {attempt} in {} s: {reason}", wait.as_secs().max(1))
        }
        Phase::Verifying => format!("verifying {file}"),
        Phase::Package(package) => format!("the hub cannot be reached, using package {package}"),
        Phase::Quantizing(dtype) => format!("quantising to {dtype}"),
        Phase::Done => format!("{file} is complete"),
    }
}

/// For logs: a line per change of phase, and one for every tenth or every 30 seconds.
#[derive(Default)]
struct Lines {
    last: Option<String>,
    tenth: u64,
    shown: Option<Instant>,
}

impl Lines {
    fn update(&mut self, report: &Report<'_>) {
        let words = match report.phase {
            Phase::Downloading(from) => format!("downloading {} from {from}", words(report)),
            _ => words(report),
        };
        let is_new = self.last.as_ref() != Some(&words);
        let tenth = match report.total {
            Some(total) if total > 0 => report.done.saturating_mul(10) / total,
            _ => 0,
        };
        let is_due = self
            .shown
            .is_none_or(|shown| shown.elapsed() > Duration::from_secs(30));
        if !is_new && tenth == self.tenth && !is_due {
            return;
        }
        let amount = match (report.phase, report.total) {
            (Phase::Downloading(_) | Phase::Package(_) | Phase::Quantizing(_), Some(total)) => {
                format!(" ({} of {})", text::bytes(report.done), text::bytes(total))
            }
            (Phase::Downloading(_), None) if report.done > 0 => {
                format!(" ({})", text::bytes(report.done))
            }
            _ => String::new(),
        };
        // A log that cannot be written must not stop the download.
        let _ = writeln!(io::stderr(), "{words}{amount}");
        (self.last, self.tenth, self.shown) = (Some(words), tenth, Some(Instant::now()));
    }
}
