//! What has been found in a reply, on its way out.

use std::mem;

use super::Delta;
use super::ids::Ids;

/// What has been found, and the numbers and ids of calls.
#[derive(Clone, Debug)]
pub(super) struct Out {
    deltas: Vec<Delta>,
    ids: Ids,
    num_calls: usize,
    /// The call that is going on is none.
    is_silent: bool,
}

impl Out {
    pub(super) fn new(ids: Ids) -> Self {
        Self {
            deltas: Vec::new(),
            ids,
            num_calls: 0,
            is_silent: false,
        }
    }

    /// What has been found since the last time.
    pub(super) fn take(&mut self) -> Vec<Delta> {
        mem::take(&mut self.deltas)
    }

    pub(super) fn content(&mut self, text: &str) {
        if !text.is_empty() {
            self.deltas.push(Delta::Content(text.to_owned()));
        }
    }

    pub(super) fn reasoning(&mut self, text: &str) {
        if !text.is_empty() {
            self.deltas.push(Delta::Reasoning(text.to_owned()));
        }
    }

    pub(super) fn start(&mut self, name: &str, id: Option<String>, is_silent: bool) {
        self.is_silent = is_silent;
        if !is_silent {
            let index = self.num_calls;
            let id = id.unwrap_or_else(|| self.ids.next(name, index));
            let name = name.to_owned();
            self.deltas.push(Delta::ToolCallStart { index, id, name });
        }
    }

    pub(super) fn arguments(&mut self, json: &str) {
        if !json.is_empty() && !self.is_silent {
            self.deltas.push(Delta::ToolCallArguments {
                index: self.num_calls,
                json_fragment: json.to_owned(),
            });
        }
    }

    pub(super) fn end(&mut self) {
        if !self.is_silent {
            self.deltas.push(Delta::ToolCallEnd {
                index: self.num_calls,
            });
            self.num_calls += 1;
        }
        self.is_silent = false;
    }
}
