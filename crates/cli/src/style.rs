//! Colours: few, and only where somebody sees them.
//!
//! A stream is coloured if it is a terminal that can, unless `NO_COLOR` is set (no-color.org) or
//! `CLICOLOR=0`; `CLICOLOR_FORCE` colours even a pipe (bixense.com/clicolors).

use std::io::IsTerminal;

/// Which streams are coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    out: bool,
    err: bool,
}

impl Style {
    /// From the environment and what stdout and stderr are.
    pub(crate) fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).ok();
        Self {
            out: wanted(var, std::io::stdout().is_terminal()),
            err: wanted(var, std::io::stderr().is_terminal()),
        }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        let (out, err) = (false, false);
        Self { out, err }
    }

    /// `error:` on stderr.
    pub(crate) fn err_error(&self, text: &str) -> String {
        paint(self.err, "1;31", text)
    }

    /// `hint:` on stderr.
    pub(crate) fn err_hint(&self, text: &str) -> String {
        paint(self.err, "1;36", text)
    }

    /// Side remarks on stderr: timings, what the chat says about itself.
    pub(crate) fn err_dim(&self, text: &str) -> String {
        paint(self.err, "2", text)
    }

    /// Headings on stdout.
    pub(crate) fn heading(&self, text: &str) -> String {
        paint(self.out, "1", text)
    }

    /// Side remarks on stdout.
    pub(crate) fn dim(&self, text: &str) -> String {
        paint(self.out, "2", text)
    }
}

fn wanted(var: impl Fn(&str) -> Option<String>, is_terminal: bool) -> bool {
    let set = |name: &str| var(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let refused = set("CLICOLOR").as_deref() == Some("0") || set("TERM").as_deref() == Some("dumb");
    is_terminal && !refused
}

fn paint(on: bool, code: &str, text: &str) -> String {
    match on {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;

    fn with(vars: &[(&str, &str)], is_terminal: bool) -> bool {
        let var = |name: &str| {
            let found = vars.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        wanted(var, is_terminal)
    }

    #[test]
    fn the_conventions_hold() {
        assert!(with(&[], true));
        assert!(!with(&[], false));
        assert!(!with(&[("NO_COLOR", "1")], true));
        assert!(with(&[("NO_COLOR", "")], true), "empty is unset");
        assert!(!with(&[("CLICOLOR", "0")], true));
        assert!(with(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true));
        assert!(!with(&[("TERM", "dumb")], true));
    }
}
