//! Conversations.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::dialogue::ToolCall;

/// What a turn's role may be.
pub(crate) const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The text.
    #[serde(default)]
    pub content: String,
    /// What the assistant thought before; templates show it or leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// Calls that the assistant made in this turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Which tool answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Message {
    /// A turn of any role. Whether the role is known is checked with the request.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            ..Self::default()
        }
    }

    /// What a person says.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }

    /// How the model shall behave.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }

    /// Calls that the model made.
    pub fn calls(content: impl Into<String>, calls: Vec<ToolCall>) -> Self {
        Self {
            tool_calls: calls,
            ..Self::new("assistant", content)
        }
    }

    /// What a tool answered to a call.
    pub fn tool(call: &ToolCall, content: impl Into<String>) -> Self {
        Self {
            tool_call_id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            ..Self::new("tool", content)
        }
    }
}

/// Checks the roles of all turns.
///
/// # Errors
/// [`Error::Role`] for the first that is unknown.
pub(crate) fn check_roles(messages: &[Message]) -> Result<(), Error> {
    for (index, message) in messages.iter().enumerate() {
        if !ROLES.contains(&message.role.as_str()) {
            return Err(Error::Role {
                index,
                found: message.role.clone(),
            });
        }
    }
    Ok(())
}

/// A conversation to answer: a string is one user turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chat(pub Vec<Message>);

impl From<&str> for Chat {
    fn from(text: &str) -> Self {
        Self(vec![Message::user(text)])
    }
}

impl From<String> for Chat {
    fn from(text: String) -> Self {
        Self(vec![Message::user(text)])
    }
}

impl From<Vec<Message>> for Chat {
    fn from(messages: Vec<Message>) -> Self {
        Self(messages)
    }
}

impl From<&[Message]> for Chat {
    fn from(messages: &[Message]) -> Self {
        Self(messages.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_roles_are_named() {
        let known = ROLES.map(|role| Message::new(role, "x"));
        assert!(check_roles(&known).is_ok());
        let messages = [Message::user("x"), Message::new("User", "x")];
        let error = check_roles(&messages)
            .expect_err("roles are lower case")
            .to_string();
        assert!(
            error.starts_with("`messages[1].role`") && error.ends_with("found `User`"),
            "{error}"
        );
    }
}
