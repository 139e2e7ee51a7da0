//! Accuracy over the labelled set.

use std::fmt;
use std::time::Instant;

use serde_json::{Value, json};

use crate::classifier::{Classifier, LABELS};

/// 420 statements: `label`, `kind` (sql, orm, http, english), `statement`, separated by tabs, below a heading.
const STATEMENTS: &str = include_str!("statements.tsv");

/// What came out.
pub(crate) struct Report {
    /// By true label, then by answer.
    confusion: [[usize; LABELS.len()]; LABELS.len()],
    /// Kinds with the number of right answers and of all.
    kinds: Vec<(String, usize, usize)>,
    wrong: Vec<(String, &'static str, f32, String)>,
    /// Milliseconds of each statement, sorted.
    times_ms: Vec<f64>,
}

/// The statements of a table like `statements.tsv`, or of that.
pub(crate) fn evaluate(
    classifier: &Classifier,
    table: Option<&str>,
) -> Result<Report, Box<dyn std::error::Error>> {
    // The first request computes the instructions; it is counted nowhere.
    classifier.classify("SELECT 1")?;
    let mut report = Report {
        confusion: [[0; LABELS.len()]; LABELS.len()],
        kinds: Vec::new(),
        wrong: Vec::new(),
        times_ms: Vec::new(),
    };
    for line in table.unwrap_or(STATEMENTS).lines().skip(1) {
        let mut fields = line.splitn(3, '\t');
        let (Some(label), Some(kind), Some(statement)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err(format!("expected three fields, found `{line}`").into());
        };
        let truth = LABELS.iter().position(|&known| known == label);
        let truth = truth.ok_or_else(|| format!("unknown label `{label}`"))?;
        let start = Instant::now();
        let answer = classifier.classify(statement)?;
        report.times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        report.confusion[truth][answer.best] += 1;
        let is_right = answer.best == truth;
        match report.kinds.iter_mut().find(|(name, ..)| name == kind) {
            Some((_, right, all)) => {
                *right += usize::from(is_right);
                *all += 1;
            }
            None => report
                .kinds
                .push((kind.to_owned(), usize::from(is_right), 1)),
        }
        if !is_right {
            let p = answer.probabilities[answer.best];
            report
                .wrong
                .push((label.to_owned(), answer.label(), p, statement.to_owned()));
        }
    }
    report.times_ms.sort_by(f64::total_cmp);
    Ok(report)
}

impl Report {
    fn right(&self) -> usize {
        (0..LABELS.len()).map(|i| self.confusion[i][i]).sum()
    }

    fn all(&self) -> usize {
        self.times_ms.len()
    }

    fn accuracy(&self) -> f64 {
        self.right() as f64 / self.all().max(1) as f64
    }

    fn median_ms(&self) -> f64 {
        self.times_ms
            .get(self.times_ms.len() / 2)
            .copied()
            .unwrap_or(0.0)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "statements": self.all(),
            "accuracy": self.accuracy(),
            "labels": LABELS,
            "confusion": self.confusion,
            "median_ms": self.median_ms(),
            "peak_bytes": peak_bytes(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, answer, p, statement) in &self.wrong {
            writeln!(f, "{label:6} taken for {answer:6} ({p:.2})  {statement}")?;
        }
        write!(f, "\n{:>8}", "")?;
        for label in LABELS {
            write!(f, "{label:>8}")?;
        }
        writeln!(f, "   <- answered")?;
        for (label, row) in LABELS.iter().zip(&self.confusion) {
            write!(f, "{label:>8}")?;
            for count in row {
                write!(f, "{count:>8}")?;
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        for (kind, right, all) in &self.kinds {
            writeln!(f, "{kind:>8}: {right} of {all}")?;
        }
        let (right, all, accuracy) = (self.right(), self.all(), 100.0 * self.accuracy());
        writeln!(f, "accuracy: {accuracy:.1} % ({right} of {all})")?;
        let p95 = self.times_ms.get(all * 95 / 100).copied().unwrap_or(0.0);
        writeln!(
            f,
            "median {:.0} ms a statement, 95 % within {p95:.0} ms",
            self.median_ms()
        )?;
        if let Some(bytes) = peak_bytes() {
            writeln!(f, "largest resident memory: {} MiB", bytes >> 20)?;
        }
        Ok(())
    }
}

/// The most memory that was resident, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
