//! Stop strings: text ends before the first of them, and no part of one is ever given out.

/// Holds back text that may be the start of a stop string.
#[derive(Clone, Debug)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
}

impl StopStrings {
    /// Empty strings stop nothing and are left out.
    pub fn new(stops: &[String]) -> Self {
        let stops = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .cloned()
            .collect();
        Self {
            stops,
            held: String::new(),
        }
    }

    /// Adds text; gives what can be shown, and the stop string that has come, if one has: the first in the text,
    /// the longest of those that begin there.
    pub fn push(&mut self, text: &str) -> (String, Option<String>) {
        self.held.push_str(text);
        let found = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop)?, stop)))
            .min_by_key(|&(at, stop)| (at, std::cmp::Reverse(stop.len())));
        if let Some((at, stop)) = found {
            let stop = stop.clone();
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), Some(stop));
        }
        let keep = self
            .stops
            .iter()
            .map(|stop| partial(&self.held, stop))
            .max()
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        (std::mem::replace(&mut self.held, rest), None)
    }

    /// What was held back when no more text comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Length of the longest end of `text` that begins `stop`.
fn partial(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    let starts = |&len: &usize| text.as_bytes().ends_with(&stop.as_bytes()[..len]);
    (1..=longest)
        .rev()
        .filter(|&len| stop.is_char_boundary(len))
        .find(starts)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::StopStrings;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|&s| s.into()).collect();
        let mut stop = StopStrings::new(&stops);
        let mut text = String::new();
        for piece in pieces {
            let (shown, stopped) = stop.push(piece);
            text += &shown;
            if stopped.is_some() {
                return (text, true);
            }
        }
        (text + &stop.finish(), false)
    }

    #[test]
    fn text_ends_before_the_first_stop_string() {
        assert_eq!(
            run(&["END"], &["abc", "E", "N", "D", "x"]),
            ("abc".into(), true)
        );
        assert_eq!(run(&["b", "ab"], &["xab"]), ("x".into(), true));
        assert_eq!(run(&["END"], &["E", "N", "x"]), ("ENx".into(), false));
        assert_eq!(
            run(&["\n\n"], &["a\n", "b\n", "\nc"]),
            ("a\nb".into(), true)
        );
        assert_eq!(run(&["é!"], &["caf", "é", "?"]), ("café?".into(), false));
        assert_eq!(run(&[""], &["a"]), ("a".into(), false));
    }

    #[test]
    fn the_stop_string_that_came_is_told() {
        let mut stop = StopStrings::new(&["b".into(), "bc".into(), "abcd".into()]);
        assert_eq!(stop.push("xbc"), ("x".into(), Some("bc".into())));
    }

    #[test]
    fn parts_of_a_stop_string_are_held_back() {
        let mut stop = StopStrings::new(&["</s>".into()]);
        assert_eq!(stop.push("hi <"), ("hi ".into(), None));
        assert_eq!(stop.push("/"), (String::new(), None));
        assert_eq!(stop.push("b>"), ("</b>".into(), None));
    }
}
