//! What was said so far, and its file.
//!
//! ```json
//! {"model": "smollm2", "messages": [{"role": "system", "content": "…"}, {"role": "user", "content": "…"}]}
//! ```
//!
//! `ingle template --messages` reads the same file.

use std::path::Path;

use ingle::Message;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::load::read_text;

/// A system message, if there is one, and turns: user, assistant, user, …
#[derive(Debug)]
pub(super) struct Conversation {
    model: String,
    system: Option<String>,
    turns: Vec<Message>,
}

impl Conversation {
    pub(super) fn new(model: String, system: Option<String>) -> Self {
        let turns = Vec::new();
        Self {
            model,
            system,
            turns,
        }
    }

    /// Everything, the system message first.
    pub(super) fn messages(&self) -> Vec<Message> {
        let system = self.system.as_deref().map(Message::system);
        system
            .into_iter()
            .chain(self.turns.iter().cloned())
            .collect()
    }

    pub(super) fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    pub(super) fn set_system(&mut self, system: Option<String>) {
        self.system = system;
    }

    pub(super) fn clear(&mut self) {
        self.turns.clear();
    }

    pub(super) fn push_question(&mut self, text: &str) {
        self.turns.push(Message::user(text));
    }

    pub(super) fn push_answer(&mut self, text: &str) {
        self.turns.push(Message::assistant(text));
    }

    /// What was said between a question and its answer: calls of tools, and what came of them.
    pub(super) fn extend(&mut self, turns: impl Iterator<Item = Message>) {
        self.turns.extend(turns);
    }

    /// The last question.
    pub(super) fn question(&self) -> Option<&str> {
        let turn = self.turns.iter().rev().find(|turn| turn.role == "user")?;
        Some(&turn.content)
    }

    /// Takes back a question that has no answer.
    pub(super) fn drop_question(&mut self) {
        self.turns.pop_if(|turn| turn.role == "user");
    }

    /// Takes back the last answer, and calls of tools before it; whether a question is now waiting for one.
    pub(super) fn drop_answer(&mut self) -> bool {
        while self.turns.pop_if(|turn| turn.role != "user").is_some() {}
        self.turns.last().is_some_and(|turn| turn.role == "user")
    }

    /// Writes the file.
    pub(super) fn save(&self, path: &Path) -> Result<(), Failure> {
        let messages = self.messages();
        let text = format!("{:#}\n", json!({"model": self.model, "messages": messages}));
        std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
    }

    /// Replaces everything by what the file holds; the file's model is not looked at.
    pub(super) fn load(&mut self, path: &Path) -> Result<(), Failure> {
        let wrong = |what: String| Failure::new(format_args!("`{}`: {what}", path.display()));
        let json: Value =
            serde_json::from_str(&read_text(path)?).map_err(|error| wrong(error.to_string()))?;
        let list = json.get("messages").unwrap_or(&json);
        let list = list
            .as_array()
            .ok_or_else(|| wrong("expected a list `messages`".to_owned()))?;
        let mut system = None;
        let mut turns = Vec::new();
        for (i, message) in list.iter().enumerate() {
            let text = |key: &str| message.get(key).and_then(Value::as_str);
            let (Some(role), Some(content)) = (text("role"), text("content")) else {
                return Err(wrong(format!(
                    "message {i}: expected strings `role` and `content`"
                )));
            };
            if i == 0 && role == "system" {
                system = Some(content.to_owned());
                continue;
            }
            let turn = serde_json::from_value(message.clone());
            turns.push(turn.map_err(|error| wrong(format!("message {i}: {error}")))?);
        }
        (self.system, self.turns) = (system, turns);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_conversation_comes_back() {
        let path =
            std::env::temp_dir().join(format!("ingle-conversation-{}.json", std::process::id()));
        let mut talk = Conversation::new("m".to_owned(), Some("Be brief.".to_owned()));
        talk.push_question("Hi \"you\"\n");
        talk.push_answer("Hello");
        talk.save(&path).expect("writable");
        let mut again = Conversation::new("m".to_owned(), None);
        again.load(&path).expect("readable");
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(again.messages(), talk.messages());
        assert_eq!(again.system(), Some("Be brief."));
    }

    #[test]
    fn answers_and_questions_are_taken_back() {
        let mut talk = Conversation::new("m".to_owned(), None);
        assert!(!talk.drop_answer());
        talk.push_question("a");
        talk.push_answer("b");
        assert!(talk.drop_answer());
        assert_eq!(talk.question(), Some("a"));
        talk.drop_question();
        assert!(talk.messages().is_empty());
    }
}
