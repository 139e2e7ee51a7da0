//! Replies as blocks: what goes on is sorted into thoughts, texts and calls, one after the other. Streams send the
//! steps; whole replies are their sum.

use ingle::dialogue::Delta;
use serde_json::{Value, json};

use crate::error::Outcome;
use crate::generate::Reply;

/// What happens to a block.
#[derive(Debug)]
pub(crate) enum Step {
    /// It begins, empty.
    Start(usize, Value),
    /// There is more of it.
    Delta(usize, Value),
    /// It is whole.
    Stop(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
}

/// Blocks in the making.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    open: Option<Kind>,
    num_started: usize,
    /// White space that is text only if text follows.
    blank: String,
    /// Thoughts are not shown.
    hides_thoughts: bool,
    pub(crate) has_calls: bool,
}

impl Blocks {
    /// None yet; thoughts are shown or not.
    pub(crate) fn new(hides_thoughts: bool) -> Self {
        Self {
            hides_thoughts,
            ..Self::default()
        }
    }

    /// What a piece of a reply adds.
    pub(crate) fn push(&mut self, delta: Delta) -> Vec<Step> {
        let mut steps = Vec::new();
        match delta {
            Delta::Content(text) => self.text(text, &mut steps),
            Delta::Reasoning(text) => {
                let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
                self.ensure(Kind::Thinking, block, &mut steps);
                if !self.hides_thoughts {
                    let delta = json!({ "type": "thinking_delta", "thinking": text });
                    steps.push(self.delta(delta));
                }
            }
            Delta::ToolCallStart { id, name, .. } => {
                self.close(&mut steps);
                self.has_calls = true;
                let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
                self.ensure(Kind::Call, block, &mut steps);
            }
            Delta::ToolCallArguments { json_fragment, .. } => {
                let delta = json!({ "type": "input_json_delta", "partial_json": json_fragment });
                steps.push(self.delta(delta));
            }
            Delta::ToolCallEnd { .. } => self.close(&mut steps),
        }
        steps
    }

    /// The end of the reply.
    pub(crate) fn finish(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.num_started == 0 && !self.blank.is_empty() {
            let blank = std::mem::take(&mut self.blank);
            self.show(blank, &mut steps);
        }
        self.close(&mut steps);
        steps
    }

    fn text(&mut self, text: String, steps: &mut Vec<Step>) {
        let is_blank = text.chars().all(char::is_whitespace);
        if self.open != Some(Kind::Text) && is_blank {
            self.blank += &text;
            return;
        }
        let text = std::mem::take(&mut self.blank) + &text;
        self.show(text, steps);
    }

    fn show(&mut self, text: String, steps: &mut Vec<Step>) {
        self.ensure(Kind::Text, json!({ "type": "text", "text": "" }), steps);
        steps.push(self.delta(json!({ "type": "text_delta", "text": text })));
    }

    fn ensure(&mut self, kind: Kind, block: Value, steps: &mut Vec<Step>) {
        if self.open == Some(kind) {
            return;
        }
        self.close(steps);
        self.open = Some(kind);
        self.blank.clear();
        steps.push(Step::Start(self.num_started, block));
        self.num_started += 1;
    }

    fn delta(&self, delta: Value) -> Step {
        Step::Delta(self.num_started - 1, delta)
    }

    fn close(&mut self, steps: &mut Vec<Step>) {
        let Some(kind) = self.open.take() else {
            return;
        };
        if kind == Kind::Thinking {
            // Clients keep it and send it back; nobody here checks who thought what.
            steps.push(self.delta(json!({ "type": "signature_delta", "signature": "" })));
        }
        steps.push(Step::Stop(self.num_started - 1));
    }
}

/// A whole reply's blocks, as a client that reads a stream would have them.
///
/// # Errors
/// If the reply fails under way.
pub(crate) async fn whole(reply: &mut Reply, blocks: &mut Blocks) -> Outcome<Vec<Value>> {
    let mut steps = Vec::new();
    while let Some(part) = reply.next().await {
        for delta in part?.deltas {
            steps.extend(blocks.push(delta));
        }
    }
    steps.extend(blocks.finish());
    Ok(sum(steps))
}

fn sum(steps: Vec<Step>) -> Vec<Value> {
    let mut whole: Vec<Value> = Vec::new();
    let mut arguments = String::new();
    for step in steps {
        match step {
            Step::Start(_, block) => whole.push(block),
            Step::Delta(at, delta) => {
                for name in ["text", "thinking"] {
                    let shown = whole[at].get_mut(name);
                    if let (Some(Value::String(text)), Some(more)) = (shown, delta[name].as_str()) {
                        text.push_str(more);
                    }
                }
                arguments += delta["partial_json"].as_str().unwrap_or_default();
            }
            Step::Stop(at) => {
                let text = std::mem::take(&mut arguments);
                if whole[at]["type"] == "tool_use" && !text.is_empty() {
                    // What broke off stands there as it is.
                    let input = serde_json::from_str(&text);
                    whole[at]["input"] = input.unwrap_or(Value::String(text));
                }
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(deltas: Vec<Delta>) -> Vec<Value> {
        let mut blocks = Blocks::default();
        let mut steps: Vec<Step> = deltas
            .into_iter()
            .flat_map(|delta| blocks.push(delta))
            .collect();
        steps.extend(blocks.finish());
        sum(steps)
    }

    #[test]
    fn thoughts_text_and_calls_are_blocks_in_their_order() {
        let call = |index, id: &str| Delta::ToolCallStart {
            index,
            id: id.into(),
            name: "look".into(),
        };
        let arguments = |index, text: &str| Delta::ToolCallArguments {
            index,
            json_fragment: text.into(),
        };
        let end = |index| Delta::ToolCallEnd { index };
        let text = |text: &str| Delta::Content(text.into());
        let found = blocks(vec![
            Delta::Reasoning("so".into()),
            Delta::Reasoning(" so".into()),
            text("\n\n"),
            text("Well"),
            text(" \n"),
            call(0, "a"),
            arguments(0, "{\"x\":"),
            arguments(0, "1}"),
            end(0),
            text("\n"),
            call(1, "b"),
            end(1),
            call(2, "c"),
            arguments(2, "{\"x\""),
            end(2),
        ]);
        let expected = json!([
            { "type": "thinking", "thinking": "so so", "signature": "" },
            { "type": "text", "text": "\n\nWell \n" },
            { "type": "tool_use", "id": "a", "name": "look", "input": { "x": 1 } },
            { "type": "tool_use", "id": "b", "name": "look", "input": {} },
            { "type": "tool_use", "id": "c", "name": "look", "input": "{\"x\"" },
        ]);
        assert_eq!(json!(found), expected);
        assert_eq!(
            json!(blocks(vec![text(" ")])),
            json!([{ "type": "text", "text": " " }])
        );
        assert!(blocks(vec![]).is_empty());
    }
}
