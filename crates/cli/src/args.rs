//! The command line as a whole; each command's arguments stand in its own file.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::cmd;
use crate::failure::Failure;
use crate::llamacpp;

/// Run language models on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "ingle",
    version,
    propagate_version = true,
    max_term_width = 100
)]
// Of a flag given twice the last counts, so that a shell alias can be overruled.
#[command(after_help = models_help(), args_override_self = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<cmd::run::Args>),
    Batch(Box<cmd::batch::Args>),
    Serve(Box<cmd::serve::Args>),
    Mcp(cmd::mcp::Args),
    Ps(cmd::ps::Args),
    Stop(cmd::stop::Args),
    Pull(cmd::pull::Args),
    #[command(visible_alias = "ls")]
    List(cmd::list::Args),
    #[command(visible_alias = "inspect")]
    Show(cmd::show::Args),
    Rm(cmd::rm::Args),
    Tokenize(cmd::tokenize::Args),
    Template(cmd::template::Args),
    Bench(cmd::bench::Args),
    Perplexity(cmd::perplexity::Args),
}

impl Cli {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    /// [`Failure::Usage`]; [`Failure::Help`] if help or the version was asked for.
    pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let context = llamacpp::Context {
            env: &|name| std::env::var_os(name),
            takes_value: &takes_value,
        };
        let args = llamacpp::rewrite(args, &context)?;
        Self::try_parse_from(args).map_err(|error| {
            let text = error.render().to_string();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Failure::Help(text),
                // No command at all: the help is the best answer, and it is still wrong usage.
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    Failure::Usage(format!("no command\nhint: here is what there is\n\n{text}"))
                }
                ErrorKind::UnknownArgument if !text.contains("argument '-") => {
                    let hint = "\nhint: a text of several words stands in quotes";
                    Failure::Usage(house_style(&text) + hint)
                }
                _ => Failure::Usage(house_style(&text)),
            }
        })
    }
}

/// Whether a flag of `serve` takes a value.
fn takes_value(name: &str) -> bool {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").expect("there is `serve`");
    let mut arguments = serve.get_arguments();
    arguments.any(|argument| {
        let is_long = name.strip_prefix("--").is_some_and(|long| {
            argument.get_long() == Some(long)
                || argument
                    .get_all_aliases()
                    .is_some_and(|all| all.contains(&long))
        });
        let is_short = argument
            .get_short()
            .is_some_and(|short| name == format!("-{short}"));
        (is_long || is_short) && argument.get_action().takes_values()
    })
}

/// clap's message in the words of this project: `hint:` lines, and where the help is.
fn house_style(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(|line| match line.trim_start() {
        tip if tip.starts_with("tip: ") => tip.replacen("tip: ", "hint: ", 1),
        "For more information, try '--help'." => "hint: `--help` explains all arguments".to_owned(),
        _ => line.to_owned(),
    });
    let kept: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    kept.join("\n")
}

/// The forms of model names, and the short ones there are.
pub(crate) fn models_help() -> String {
    let mut help = "\
Models:
  user/repo[:QUANT]   of the Hugging Face hub; Q4_K_M unless a quantisation is named
  PATH                a .gguf file, or a folder with one or with config.json and safetensors (./name if it
                      looks like a word)
  https://…/x.gguf    that file
  ollama:NAME[:TAG]   what Ollama has downloaded
  short names:"
        .to_owned();
    for entry in ingle::hub::CATALOGUE {
        let default = match entry.name == ingle::hub::DEFAULT_MODEL {
            true => " (the default)",
            false => "",
        };
        help += &format!("\n    {:<20} {}{default}", entry.name, entry.about);
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_typo_gets_a_hint() {
        let args = ["ingle", "tokenise", "x"].map(OsString::from);
        let Err(Failure::Usage(text)) = Cli::read(args) else {
            panic!("`tokenise` is no command");
        };
        assert!(
            text.contains("\nhint: a similar subcommand exists"),
            "{text}"
        );
        assert!(
            !text.contains("tip:") && !text.starts_with("error"),
            "{text}"
        );
    }
}
