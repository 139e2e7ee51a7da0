//! gpt-oss's format, Harmony: a reply is messages on channels.
//!
//! ```text
//! <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>
//! <|channel|>commentary to=functions.N <|constrain|>json<|message|>{…}<|call|>
//! ```
//!
//! The prompt ends with `<|start|>assistant`, so a reply begins inside of a header. The recipient may stand before
//! or after the channel. (OpenAI's `harmony` documentation.)

use super::json::{JsonScan, Scan};
use super::look::{scan_on, sure};
use super::out::Out;

const MESSAGE: &str = "<|message|>";
const ENDS: [&str; 4] = ["<|end|>", "<|call|>", "<|return|>", "<|start|>"];
/// What a header can begin with.
const FRONTS: [&str; 4] = ["<|channel|>", "<|start|>", " to=", "<|constrain|>"];

#[derive(Clone, Debug, Default)]
pub(super) struct Harmony {
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Header,
    Body(Body),
    /// A call's arguments; whether any of them came.
    Call {
        scan: JsonScan,
        begun: bool,
    },
    /// Between the end of a call's arguments and that of its message.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    Reasoning,
    Content,
}

impl Harmony {
    /// Takes from `text` what is sure.
    pub(super) fn run(&mut self, text: &mut String, ended: bool, out: &mut Out) {
        while self.step(text, ended, out) {}
    }

    fn step(&mut self, text: &mut String, ended: bool, out: &mut Out) -> bool {
        match &mut self.state {
            State::Header => self.header(text, ended, out),
            State::Body(body) => {
                let body = *body;
                self.body(body, text, ended, out)
            }
            State::Call { scan, begun } => {
                let (used, result) = scan_on(scan, text);
                out.arguments(&text[..used]);
                *begun |= !text[..used].trim().is_empty();
                let begun = *begun;
                let mark = text[used..].starts_with('<');
                text.drain(..used);
                match result {
                    Scan::More if !ended => return false,
                    Scan::Done => self.state = State::Over,
                    // Nothing at all before the end: a call without arguments.
                    _ if !begun && (mark || ended) => {
                        out.arguments("{}");
                        self.state = State::Over;
                    }
                    Scan::More | Scan::Bad => self.state = State::Body(Body::Content),
                }
                out.end();
                true
            }
            State::Over => {
                let blanks = text.len() - text.trim_start().len();
                text.drain(..blanks);
                if text.is_empty() {
                    return false;
                }
                self.state = State::Body(Body::Content);
                true
            }
        }
    }

    fn header(&mut self, text: &mut String, ended: bool, out: &mut Out) -> bool {
        if let Some(at) = text.find(MESSAGE) {
            let header = &text[..at];
            let name = header.split_once("to=").map(|(_, to)| to);
            let name = name
                .and_then(|to| to.split(['<', ' ']).next())
                .filter(|name| !name.is_empty());
            let is_known = FRONTS.iter().any(|front| header.starts_with(front));
            self.state = match name {
                _ if !is_known => {
                    self.state = State::Body(Body::Content);
                    return true;
                }
                Some(name) => {
                    out.start(name.strip_prefix("functions.").unwrap_or(name), None, false);
                    State::Call {
                        scan: JsonScan::default(),
                        begun: false,
                    }
                }
                None if header.contains("<|channel|>analysis") => State::Body(Body::Reasoning),
                None => State::Body(Body::Content),
            };
            text.drain(..at + MESSAGE.len());
            return true;
        }
        let could_be = FRONTS
            .iter()
            .any(|front| text.starts_with(front) || front.starts_with(text.as_str()));
        if could_be && !ended {
            return false;
        }
        if ended && text.starts_with("<|") {
            // A header without a message says nothing.
            text.clear();
            return false;
        }
        self.state = State::Body(Body::Content);
        !text.is_empty()
    }

    fn body(&mut self, body: Body, text: &mut String, ended: bool, out: &mut Out) -> bool {
        let mut give = |text: &str| match body {
            Body::Reasoning => out.reasoning(text),
            Body::Content => out.content(text),
        };
        let found = ENDS
            .iter()
            .filter_map(|mark| Some((text.find(mark)?, *mark)))
            .min();
        if let Some((at, mark)) = found {
            give(&text[..at]);
            // The next header begins with its start, if it has one.
            let used = if mark == "<|start|>" {
                at
            } else {
                at + mark.len()
            };
            text.drain(..used);
            self.state = State::Header;
            return true;
        }
        let end = if ended {
            text.len()
        } else {
            let held = sure(text, &ENDS);
            // Blanks are text here.
            held + text[held..].len() - text[held..].trim_start().len()
        };
        give(&text[..end]);
        text.drain(..end);
        false
    }
}
