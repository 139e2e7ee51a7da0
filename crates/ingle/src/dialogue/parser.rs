//! A reply taken apart while it is written.
//!
//! What has come is kept until it is sure what it is: text until no mark can begin in it, the front of a call
//! until its tool is known. Arguments in JSON are given on byte by byte. How the text is cut into pieces makes no
//! difference to what comes out, only to when.
//!
//! A call that turns out to be none is text again, mark and all. If it breaks off after its tool has been named,
//! the call ends there and the rest is text.

use super::calls::{self, Arguments, Head, Next, Tagged};
use super::harmony::Harmony;
use super::ids::Ids;
use super::json::{JsonScan, Scan};
use super::look::{Look, Stop, scan_on, sure};
use super::out::Out;
use super::{CallFormat, Delta, Format, Tool};

/// Takes the text of one reply apart. Control tokens must be in the text.
#[derive(Clone, Debug)]
pub struct ReplyParser {
    format: Format,
    tools: Vec<Tool>,
    /// What has come and is not given on.
    text: String,
    state: State,
    /// Blanks at the front of what follows are dropped.
    trim: bool,
    harmony: Option<Harmony>,
    /// Whether a call may follow another.
    parallel: bool,
    out: Out,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing but blanks has come: thoughts, a call without a mark, or text.
    Start,
    Reasoning,
    Text,
    /// A call, after this many bytes of blanks. If it is the first of its list, its mark has this many bytes.
    Head {
        blanks: usize,
        mark: Option<usize>,
    },
    Json {
        scan: JsonScan,
        inside: bool,
    },
    Tagged {
        tool: Option<usize>,
        num: usize,
    },
    Tail {
        inside: bool,
    },
}

impl ReplyParser {
    /// `prompt_tail` is the end of the prompt, which may have begun the thoughts. Without `tools` nothing is a
    /// call. Ids of calls come from `seed`.
    pub fn new(format: &Format, prompt_tail: &str, tools: &[Tool], seed: u64) -> Self {
        let opened = format
            .reasoning
            .is_some_and(|tags| prompt_tail.trim_end().ends_with(tags.open));
        let is_harmony = format.calls == Some(CallFormat::Harmony);
        Self {
            format: format.clone(),
            tools: tools.to_vec(),
            text: String::new(),
            state: if opened {
                State::Reasoning
            } else {
                State::Start
            },
            trim: opened,
            harmony: is_harmony.then(Harmony::default),
            parallel: true,
            out: Out::new(Ids::new(format.id_style(), seed)),
        }
    }

    /// Whether a call may follow another without a mark of its own; else what follows the first is text.
    pub fn parallel(mut self, parallel: bool) -> Self {
        self.parallel = parallel;
        self
    }

    /// More of the reply; what is sure now.
    pub fn push(&mut self, piece: &str) -> Vec<Delta> {
        self.text.push_str(piece);
        self.run(false)
    }

    /// The end of the reply; what was not sure until now.
    pub fn finish(&mut self) -> Vec<Delta> {
        self.run(true)
    }

    fn run(&mut self, ended: bool) -> Vec<Delta> {
        if let Some(harmony) = &mut self.harmony {
            harmony.run(&mut self.text, ended, &mut self.out);
        } else {
            while self.step(ended) {}
        }
        self.out.take()
    }

    /// Goes one step on; false if more text is needed.
    fn step(&mut self, ended: bool) -> bool {
        match &self.state {
            State::Start => self.start(ended),
            State::Reasoning => self.reasoning(ended),
            State::Text => self.plain(ended),
            State::Head { .. } => self.head(ended),
            State::Json { .. } => self.json(ended),
            State::Tagged { .. } => self.tagged(ended),
            State::Tail { .. } => self.tail(ended),
        }
    }

    /// Drops blanks at the front where they are no text.
    fn trimmed(&mut self) {
        if self.trim {
            let blanks = self.text.len() - self.text.trim_start().len();
            self.text.drain(..blanks);
            self.trim = self.text.is_empty();
        }
    }

    fn start(&mut self, ended: bool) -> bool {
        self.trimmed();
        let mut look = Look::new(&self.text, ended);
        look.blanks();
        let blanks = look.at;
        if let Some(tags) = self.format.reasoning {
            match look.take(tags.open) {
                Err(_) => return false,
                Ok(true) => {
                    self.text.drain(..look.at);
                    self.trim = true;
                    self.state = State::Reasoning;
                    return true;
                }
                Ok(false) => {}
            }
        }
        match look.peek() {
            Err(Stop::More) => return false,
            Ok(first @ ('{' | '`')) if self.may_call_with(first) => {
                self.state = State::Head {
                    blanks,
                    mark: Some(0),
                };
            }
            _ => self.state = State::Text,
        }
        true
    }

    /// Whether a reply that begins so may be a call without a mark.
    fn may_call_with(&self, first: char) -> bool {
        let calls = match self.format.calls {
            Some(CallFormat::BareJson) => first == '{',
            Some(CallFormat::TaggedJson) => true,
            _ => false,
        };
        calls && !self.tools.is_empty()
    }

    fn reasoning(&mut self, ended: bool) -> bool {
        let close = self.format.reasoning.map_or("", |tags| tags.close);
        self.trimmed();
        if let Some(end) = self.text.find(close) {
            self.out.reasoning(self.text[..end].trim_end());
            self.text.drain(..end + close.len());
            self.trim = true;
            // The answer: a call, or text.
            self.format.reasoning = None;
            self.state = State::Start;
            return true;
        }
        let end = if ended {
            self.text.len()
        } else {
            sure(&self.text, &[close])
        };
        self.out.reasoning(&self.text[..end]);
        self.text.drain(..end);
        false
    }

    fn plain(&mut self, ended: bool) -> bool {
        self.trimmed();
        let calls: &[&str] = if self.tools.is_empty() {
            &[]
        } else {
            self.format.markers()
        };
        let noise = self.format.noise();
        let marks: Vec<&str> = calls.iter().chain(noise).copied().collect();
        let found = marks
            .iter()
            .enumerate()
            .filter_map(|(i, mark)| Some((self.text.find(mark)?, i)));
        let Some((at, which)) = found.min() else {
            let end = if ended || marks.is_empty() {
                self.text.len()
            } else {
                sure(&self.text, &marks)
            };
            self.out.content(&self.text[..end]);
            self.text.drain(..end);
            return false;
        };
        let end = self.text[..at].trim_end().len();
        self.out.content(&self.text[..end]);
        if which < calls.len() {
            self.text.drain(..end);
            self.state = State::Head {
                blanks: at - end,
                mark: Some(marks[which].len()),
            };
        } else {
            self.text.drain(..at + marks[which].len());
            self.trim = true;
        }
        true
    }

    fn head(&mut self, ended: bool) -> bool {
        let (State::Head { blanks, mark }, Some(format)) = (&self.state, self.format.calls) else {
            return false;
        };
        let (blanks, mark) = (*blanks, *mark);
        let mut look = Look::new(&self.text[blanks..], ended);
        match calls::head(format, &mut look, mark.is_some(), &self.tools) {
            Ok(head) => {
                let used = blanks + look.at;
                self.text.drain(..used);
                self.begin(head);
            }
            Err(Stop::More) => return false,
            Err(Stop::Bad) => {
                // The mark is text, and so is what follows, but a call may begin in it.
                let end = blanks + mark.unwrap_or(0);
                self.out.content(&self.text[..end]);
                self.text.drain(..end);
                self.state = State::Text;
                self.trim = false;
            }
        }
        true
    }

    fn begin(&mut self, head: Head) {
        // Command R's way to say that it calls nothing.
        let is_none = self.format.calls == Some(CallFormat::ActionList)
            && matches!(head.name.as_str(), "directly-answer" | "directly_answer");
        let tool = self.tools.iter().position(|tool| tool.name == head.name);
        self.out.start(&head.name, head.id, is_none);
        self.state = match head.arguments {
            Arguments::Json { inside } => State::Json {
                scan: JsonScan::default(),
                inside,
            },
            Arguments::Tagged => State::Tagged { tool, num: 0 },
            Arguments::Whole(json) => {
                self.out.arguments(&json);
                self.out.end();
                State::Tail { inside: false }
            }
        };
    }

    fn json(&mut self, ended: bool) -> bool {
        let State::Json { scan, inside } = &mut self.state else {
            return false;
        };
        let (used, result) = scan_on(scan, &self.text);
        let inside = *inside;
        self.out.arguments(&self.text[..used]);
        self.text.drain(..used);
        match result {
            Scan::More if !ended => return false,
            Scan::Done => self.state = State::Tail { inside },
            Scan::More | Scan::Bad => self.state = State::Text,
        }
        self.out.end();
        true
    }

    fn tagged(&mut self, ended: bool) -> bool {
        let (State::Tagged { tool, num }, Some(format)) = (&mut self.state, self.format.calls)
        else {
            return false;
        };
        let mut look = Look::new(&self.text, ended);
        let tool = tool.and_then(|tool| self.tools.get(tool));
        let result = calls::tagged(format, &mut look, tool);
        let used = look.at;
        match result {
            Ok(Tagged::One(name, value)) => {
                let lead = if *num == 0 { "{" } else { ", " };
                *num += 1;
                self.out.arguments(&format!("{lead}{name}: {value}"));
            }
            Ok(Tagged::End) => {
                self.out.arguments(if *num == 0 { "{}" } else { "}" });
                self.out.end();
                self.state = State::Tail { inside: false };
            }
            Err(Stop::More) => return false,
            Err(Stop::Bad) => {
                self.out.end();
                self.state = State::Text;
                return true;
            }
        }
        self.text.drain(..used);
        true
    }

    fn tail(&mut self, ended: bool) -> bool {
        let (State::Tail { inside }, Some(format)) = (&self.state, self.format.calls) else {
            return false;
        };
        let mut look = Look::new(&self.text, ended);
        let result = calls::tail(format, &mut look, *inside);
        let used = look.at;
        let goes_on = result == Ok(Next::Call) && self.parallel;
        self.state = match result {
            Err(Stop::More) => return false,
            // Only when that is a call has this one's end been followed by another.
            Ok(Next::Call) if goes_on => State::Head {
                blanks: used,
                mark: None,
            },
            Ok(_) | Err(Stop::Bad) => State::Text,
        };
        if result.is_ok() && !goes_on {
            self.text.drain(..used);
            self.trim = true;
        }
        true
    }
}
