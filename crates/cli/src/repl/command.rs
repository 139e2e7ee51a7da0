//! What begins with a slash.

/// What `/help` says.
pub(super) const HELP: &str = r#"  /clear               forget the conversation, keep the system message
  /system [TEXT]       show or set the system message; `none` removes it
  /set [NAME VALUE]    show all settings, or change one: /set temp 0.2
  /regen               another answer to the last question
  /save FILE           write the conversation as JSON
  /load FILE           read one back
  /exit                leave, as Ctrl-D does
  """                  begin and end a text of several lines
  Ctrl-C               stop the answer, or clear the line"#;

/// A command of the chat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Clear,
    /// Show, or set.
    System(Option<String>),
    /// Show all, or set one.
    Set(Option<(String, String)>),
    Regen,
    Save(String),
    Load(String),
    Exit,
}

impl Command {
    /// Reads an input; none if it is no command but a prompt. An unknown word after a slash is an error and
    /// not a prompt, except for a path such as `/etc/hosts`.
    pub(super) fn parse(input: &str) -> Option<Result<Self, String>> {
        let text = input.trim();
        let word = text.strip_prefix('/')?;
        let (name, rest) = word.split_once(char::is_whitespace).unwrap_or((word, ""));
        let rest = rest.trim();
        if name.contains('/') {
            return None;
        }
        let nothing = |command: Self| match rest {
            "" => Ok(command),
            _ => Err(format!("`/{name}` takes nothing, found `{rest}`")),
        };
        let file = |command: fn(String) -> Self| match rest {
            "" => Err(format!(
                "`/{name}`: expected a file name\nhint: /{name} chat.json"
            )),
            _ => Ok(command(rest.to_owned())),
        };
        Some(match name {
            "help" | "?" | "" => nothing(Self::Help),
            "clear" | "new" => nothing(Self::Clear),
            "regen" => nothing(Self::Regen),
            "exit" | "quit" | "bye" => nothing(Self::Exit),
            "system" => Ok(Self::System((!rest.is_empty()).then(|| rest.to_owned()))),
            "set" if rest.is_empty() => Ok(Self::Set(None)),
            "set" => match rest.split_once(char::is_whitespace) {
                Some((name, value)) => {
                    Ok(Self::Set(Some((name.to_owned(), value.trim().to_owned()))))
                }
                None => Err(format!(
                    "`/set {rest}`: expected a value\nhint: /set temp 0.2"
                )),
            },
            "save" => file(Self::Save),
            "load" => file(Self::Load),
            _ => Err(format!(
                "no command `/{name}`\nhint: /help lists the commands"
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let ok = |text| {
            Command::parse(text)
                .expect("a command")
                .expect("a right one")
        };
        assert_eq!(ok("/exit"), Command::Exit);
        assert_eq!(
            ok("  /set  temp   0.2 "),
            Command::Set(Some(("temp".into(), "0.2".into())))
        );
        assert_eq!(ok("/set"), Command::Set(None));
        assert_eq!(
            ok("/system Be brief."),
            Command::System(Some("Be brief.".into()))
        );
        assert_eq!(ok("/save a b.json"), Command::Save("a b.json".into()));
    }

    #[test]
    fn prompts_are_left_alone() {
        assert_eq!(Command::parse("hello"), None);
        assert_eq!(Command::parse("what is / for?"), None);
        assert_eq!(Command::parse("/etc/hosts is a file"), None);
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in ["/what", "/save", "/set temp", "/clear now"] {
            assert!(
                Command::parse(wrong).is_some_and(|read| read.is_err()),
                "{wrong}"
            );
        }
    }
}
