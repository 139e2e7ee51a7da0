//! Replies as blocks: what goes on is sorted into thoughts, texts and calls, one after the other. Streams send the
//! steps; whole replies are their sum.

use ingle::dialogue::Delta;
use serde_json::{Value, json};

use super::steps::{Block, More, Step};
use crate::error::Outcome;
use crate::generate::Reply;

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
                self.ensure(Kind::Thinking, empty_thoughts, &mut steps);
                if !self.hides_thoughts {
                    steps.push(self.delta(More::Thinking { thinking: text }));
                }
            }
            Delta::ToolCallStart { id, name, .. } => {
                self.close(&mut steps);
                self.has_calls = true;
                let input = json!({});
                self.ensure(
                    Kind::Call,
                    || Block::ToolUse { id, name, input },
                    &mut steps,
                );
            }
            Delta::ToolCallArguments { json_fragment, .. } => {
                let partial_json = json_fragment;
                steps.push(self.delta(More::Input { partial_json }));
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
        self.ensure(Kind::Text, empty_text, steps);
        steps.push(self.delta(More::Text { text }));
    }

    fn ensure(&mut self, kind: Kind, block: impl FnOnce() -> Block, steps: &mut Vec<Step>) {
        if self.open == Some(kind) {
            return;
        }
        self.close(steps);
        self.open = Some(kind);
        self.blank.clear();
        steps.push(Step::Start {
            index: self.num_started,
            content_block: block(),
        });
        self.num_started += 1;
    }

    fn delta(&self, delta: More) -> Step {
        let index = self.num_started - 1;
        Step::Delta { index, delta }
    }

    fn close(&mut self, steps: &mut Vec<Step>) {
        let Some(kind) = self.open.take() else {
            return;
        };
        if kind == Kind::Thinking {
            steps.push(self.delta(More::Signature { signature: "" }));
        }
        let index = self.num_started - 1;
        steps.push(Step::Stop { index });
    }
}

fn empty_text() -> Block {
    let text = String::new();
    Block::Text { text }
}

fn empty_thoughts() -> Block {
    let (thinking, signature) = (String::new(), "");
    Block::Thinking {
        thinking,
        signature,
    }
}

/// A whole reply's blocks, as a client that reads a stream would have them.
///
/// # Errors
/// If the reply fails under way.
pub(crate) async fn whole(reply: &mut Reply, blocks: &mut Blocks) -> Outcome<Vec<Block>> {
    let mut steps = Vec::new();
    while let Some(part) = reply.next().await {
        for delta in part?.deltas {
            steps.extend(blocks.push(delta));
        }
    }
    steps.extend(blocks.finish());
    Ok(sum(steps))
}

fn sum(steps: Vec<Step>) -> Vec<Block> {
    let mut whole: Vec<Block> = Vec::new();
    let mut arguments = String::new();
    for step in steps {
        match step {
            Step::Start { content_block, .. } => whole.push(content_block),
            Step::Delta { index, delta } => match (&mut whole[index], delta) {
                (Block::Text { text }, More::Text { text: more }) => *text += &more,
                (Block::Thinking { thinking, .. }, More::Thinking { thinking: more }) => {
                    *thinking += &more;
                }
                (Block::ToolUse { .. }, More::Input { partial_json }) => {
                    arguments += &partial_json;
                }
                _ => {}
            },
            Step::Stop { index } => {
                let text = std::mem::take(&mut arguments);
                if let Block::ToolUse { input, .. } = &mut whole[index]
                    && !text.is_empty()
                {
                    // What broke off stands there as it is.
                    *input = serde_json::from_str(&text).unwrap_or(Value::String(text));
                }
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(deltas: Vec<Delta>) -> Vec<Block> {
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
