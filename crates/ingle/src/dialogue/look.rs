//! Reading from the front of a text that may not be all there yet.

use super::json::{JsonScan, Scan};

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// More text could change the answer.
    More,
    /// No text that follows makes it right.
    Bad,
}

/// A place in a text.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// No more text comes.
    ended: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(text: &'a str, ended: bool) -> Self {
        Self { text, at: 0, ended }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wait<T>(&self) -> Result<T, Stop> {
        Err(if self.ended { Stop::Bad } else { Stop::More })
    }

    pub(super) fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes `mark` if it is next.
    pub(super) fn take(&mut self, mark: &str) -> Result<bool, Stop> {
        let rest = self.rest();
        if rest.starts_with(mark) {
            self.at += mark.len();
            return Ok(true);
        }
        if !self.ended && mark.starts_with(rest) {
            return Err(Stop::More);
        }
        Ok(false)
    }

    /// Takes `mark`, which must be next.
    pub(super) fn expect(&mut self, mark: &str) -> Result<(), Stop> {
        if self.take(mark)? {
            Ok(())
        } else {
            Err(Stop::Bad)
        }
    }

    /// Takes blanks and then `mark`, if it comes, or nothing.
    pub(super) fn take_after_blanks(&mut self, mark: &str) -> Result<bool, Stop> {
        let mut ahead = *self;
        ahead.blanks();
        let taken = ahead.take(mark)?;
        if taken {
            *self = ahead;
        }
        Ok(taken)
    }

    /// The next character, not taken.
    pub(super) fn peek(&self) -> Result<char, Stop> {
        self.rest().chars().next().map_or_else(|| self.wait(), Ok)
    }

    /// Text up to the first of `marks`, which is not taken, and which of them it was.
    pub(super) fn until(&mut self, marks: &[&str]) -> Result<(&'a str, usize), Stop> {
        let rest = self.rest();
        let found = marks
            .iter()
            .enumerate()
            .filter_map(|(i, mark)| Some((rest.find(mark)?, i)));
        let Some((end, which)) = found.min() else {
            return self.wait();
        };
        // A mark may have begun before it without being whole yet, if one begins with another.
        self.at += end;
        Ok((&rest[..end], which))
    }

    /// A string of JSON, without its quotes and escapes.
    pub(super) fn string(&mut self) -> Result<String, Stop> {
        if self.peek()? != '"' {
            return Err(Stop::Bad);
        }
        serde_json::from_str(self.value()?).map_err(|_| Stop::Bad)
    }

    /// A whole value of JSON. Not a number, whose end nothing shows; but one inside of brackets.
    pub(super) fn value(&mut self) -> Result<&'a str, Stop> {
        let start = self.at;
        let mut scan = JsonScan::default();
        for (i, byte) in self.rest().bytes().enumerate() {
            match scan.push(byte) {
                Scan::More => {}
                Scan::Done => {
                    self.at += i + 1;
                    return Ok(&self.text[start..self.at]);
                }
                Scan::Bad => return Err(Stop::Bad),
            }
        }
        self.wait()
    }
}

/// Bytes of `text` that belong to the value of `scan`, and how that ended.
pub(super) fn scan_on(scan: &mut JsonScan, text: &str) -> (usize, Scan) {
    for (i, byte) in text.bytes().enumerate() {
        match scan.push(byte) {
            Scan::More => {}
            Scan::Done => return (i + 1, Scan::Done),
            Scan::Bad => return (i, Scan::Bad),
        }
    }
    (text.len(), Scan::More)
}

/// Bytes of `text` in which none of `marks` has begun, nor the blanks before one.
pub(super) fn sure(text: &str, marks: &[&str]) -> usize {
    let begun = |mark: &&str| {
        let longest = (mark.len() - 1).min(text.len());
        (1..=longest)
            .rev()
            .find(|&n| text.as_bytes().ends_with(&mark.as_bytes()[..n]))
    };
    let held = marks.iter().filter_map(begun).max().unwrap_or(0);
    text[..text.len() - held].trim_end().len()
}
