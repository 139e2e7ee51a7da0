//! Numbers and tables for people.

use std::fmt::Write as _;
use std::time::Duration;

/// `97.5 MB`: decimal units, as downloads are measured everywhere.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

/// Reads a size: `6GB`, `4.5GiB`, `500 MB`, or a number of bytes.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units: [(&str, u64); 9] = [
        ("", 1),
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
    ];
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = units
        .iter()
        .find(|(name, _)| *name == &text[digits.len()..]);
    let number = digits.trim_end().parse::<f64>().ok();
    match (number, unit) {
        (Some(number), Some((_, unit))) if number.is_finite() && number > 0.0 => {
            // A float beyond the largest integer becomes the largest.
            Ok((number * *unit as f64) as u64)
        }
        _ => Err("expected a size, as in 6GB, 4.5GiB or 500MB".to_owned()),
    }
}

/// `1.25 s`, `13 ms`.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// Tokens per second; none if nothing was measured.
pub(crate) fn rate(tokens: usize, time: Duration) -> Option<f64> {
    let seconds = time.as_secs_f64();
    (tokens > 0 && seconds > 0.0).then(|| tokens as f64 / seconds)
}

/// To three decimals: more would be noise of the clock.
pub(crate) fn round(x: f64) -> f64 {
    (x * 1e3).round() / 1e3
}

/// The first `max` characters on one line, control characters escaped, and how much there is in all.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let mut short: String = text.chars().take(max).flat_map(visible).collect();
    if text.chars().nth(max).is_some() {
        let _ = write!(short, "… ({} bytes)", text.len());
    }
    short
}

/// A character that cannot disturb a terminal. A file's strings are somebody else's.
fn visible(c: char) -> Vec<char> {
    match c.is_control() {
        true => c.escape_default().collect(),
        false => vec![c],
    }
}

/// Which side a column's text is on.
#[derive(Clone, Copy)]
pub(crate) enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// Rows of columns, two spaces between them, no spaces at line ends.
pub(crate) fn table(align: &[Align], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, align), width) in row.iter().zip(align).zip(&widths) {
            let _ = match align {
                Align::Left => write!(line, "{cell:<width$}  "),
                Align::Right => write!(line, "{cell:>width$}  "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(97_500_000), "97.5 MB");
        assert_eq!(duration(Duration::from_micros(1500)), "1.5 ms");
        assert_eq!(duration(Duration::from_millis(130)), "130 ms");
        assert_eq!(duration(Duration::from_millis(2500)), "2.50 s");
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_bytes("6GB"), Ok(6_000_000_000));
        assert_eq!(parse_bytes(" 4.5 gib "), Ok(4_831_838_208));
        assert_eq!(parse_bytes("500MB"), Ok(500_000_000));
        assert_eq!(parse_bytes("123"), Ok(123));
        for wrong in ["", "GB", "6 G B", "-1GB", "0", "6XB", "inf", "nan", "6GBß"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shortened_text_stays_on_its_line() {
        assert_eq!(shorten("a\nb", 9), "a\\nb");
        assert_eq!(shorten("äöü", 2), "äö… (6 bytes)");
        assert_eq!(shorten("\x1b[31m", 9), "\\u{1b}[31m");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a", "10"], ["bcd", "5"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&[Align::Left, Align::Right], &rows),
            "a    10\nbcd   5\n"
        );
    }
}
