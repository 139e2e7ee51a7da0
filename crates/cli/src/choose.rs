//! Which of `ingle run`'s words is the model and which the prompt.

use std::path::Path;

use ingle::hub::{DEFAULT_MODEL, Error, ModelRef};

use crate::failure::Failure;

/// What `ingle run` shall run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Name of the model.
    pub(crate) model: String,
    /// Whether the user named it.
    pub(crate) is_named: bool,
    /// The prompt on the command line, if there is one.
    pub(crate) prompt: Option<String>,
}

/// Reads the words: two are model and prompt; a single one is a model if it can be one, else a prompt
/// for the default model. With an `explicit` model there is only a prompt.
///
/// # Errors
/// Wrong usage: two words with an explicit model, or one word that is nearly the name of a model.
pub(crate) fn choose(
    explicit: Option<String>,
    first: Option<String>,
    second: Option<String>,
) -> Result<Choice, Failure> {
    match (explicit, first, second) {
        (Some(_), Some(_), Some(second)) => Err(Failure::Usage(format!(
            "unexpected argument `{second}`: with `--model` there is only a prompt\nhint: put the prompt in quotes"
        ))),
        (Some(model), prompt, None) | (None, Some(model), prompt @ Some(_)) => Ok(Choice {
            model,
            is_named: true,
            prompt,
        }),
        (None, Some(word), None) => one_word(word),
        (_, None, second) => {
            // clap fills the first place first.
            debug_assert!(second.is_none());
            Ok(Choice {
                model: DEFAULT_MODEL.to_owned(),
                is_named: false,
                prompt: None,
            })
        }
    }
}

fn one_word(word: String) -> Result<Choice, Failure> {
    let as_model = |model: String| Choice {
        model,
        is_named: true,
        prompt: None,
    };
    let as_prompt = |word: String| Choice {
        model: DEFAULT_MODEL.to_owned(),
        is_named: false,
        prompt: Some(word),
    };
    if Path::new(&word).is_file() {
        // A plain word would be taken for a short name further on.
        let is_plain = ModelRef::parse(&word).is_err();
        return Ok(as_model(if is_plain { format!("./{word}") } else { word }));
    }
    if word.contains(char::is_whitespace) {
        return Ok(as_prompt(word));
    }
    match ModelRef::parse(&word) {
        Ok(_) => Ok(as_model(word)),
        Err(Error::UnknownName { similar, .. }) if !similar.is_empty() => {
            Err(Failure::Usage(format!(
                "no model is called `{word}`, did you mean `{}`?\nhint: if it is a prompt: `ingle run --model {DEFAULT_MODEL} {word}`",
                similar.join("`, `")
            )))
        }
        Err(_) => Ok(as_prompt(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> (String, Option<String>) {
        let word = |i: usize| words.get(i).map(|word| (*word).to_owned());
        let choice = choose(None, word(0), word(1)).expect("right usage");
        (choice.model, choice.prompt)
    }

    #[test]
    fn one_word_is_a_model_if_it_can_be_one() {
        for model in [
            "smollm2",
            "./x.gguf",
            "x.gguf",
            "user/repo",
            "user/repo:Q4_K_M",
        ] {
            assert_eq!(chosen(&[model]), (model.to_owned(), None));
        }
        let url = "https://example.com/x.gguf";
        assert_eq!(chosen(&[url]), (url.to_owned(), None));
    }

    #[test]
    fn everything_else_is_a_prompt() {
        for prompt in [
            "Why is the sky blue?",
            "hi",
            "Hello!",
            "",
            "is x.gguf a file",
            "a/b or c/d",
        ] {
            let expected = (DEFAULT_MODEL.to_owned(), Some(prompt.to_owned()));
            assert_eq!(chosen(&[prompt]), expected, "{prompt:?}");
        }
        assert_eq!(chosen(&[]), (DEFAULT_MODEL.to_owned(), None));
        assert_eq!(
            chosen(&["smollm2", "hi"]),
            ("smollm2".to_owned(), Some("hi".to_owned()))
        );
    }

    #[test]
    fn an_explicit_model_leaves_only_a_prompt() {
        let text = |text: &str| Some(text.to_owned());
        let choice = choose(text("a/b"), text("smollm2"), None).expect("right usage");
        assert_eq!(
            (choice.model.as_str(), choice.prompt),
            ("a/b", text("smollm2"))
        );
        assert!(choose(text("a/b"), text("x"), text("y")).is_err());
    }

    #[test]
    fn a_typo_is_not_sent_to_the_default_model() {
        let error = choose(None, Some("smolm2".to_owned()), None).expect_err("a typo");
        assert!(matches!(error, Failure::Usage(text) if text.contains("`smollm2`")));
    }
}
