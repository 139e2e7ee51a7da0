//! `ingle serve` as people type llama-server: its names, its single dashes, its variables.
//!
//! The words of the command line are rewritten before they are read: names of llama-server become ours, what changes
//! nothing goes, what there is not is refused by name. [`table`] says which is which, for variables too; a flag
//! counts more than a variable.

mod table;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

pub(crate) use self::table::{FLAGS, Flag, Side, To};
use crate::failure::Failure;

/// Flags of ours that name the model: given one of them, no variable names another.
const MODEL: [&str; 4] = ["model", "hf-repo", "hf-file", "model-url"];

/// The command whose words these are.
const COMMAND: &str = "serve";

/// Where words come from beside the command line.
pub(crate) struct Context<'a> {
    /// A variable.
    pub(crate) env: &'a dyn Fn(&str) -> Option<OsString>,
    /// Whether a flag that is not llama-server's takes a value.
    pub(crate) takes_value: &'a dyn Fn(&str) -> bool,
}

/// The same words under our names, the program's name first.
///
/// # Errors
/// A flag or variable that asks for what there is not.
pub(crate) fn rewrite(
    words: impl IntoIterator<Item = OsString>,
    context: &Context<'_>,
) -> Result<Vec<OsString>, Failure> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    if words.get(1).is_none_or(|word| word != COMMAND) {
        return Ok(words);
    }
    let rest = words.split_off(2);
    let mut given = Vec::new();
    let rest = flags(rest, context, &mut given)?;
    // Of a flag given twice the last counts, and what is in `given` has no variable.
    variables(context, &given, &mut words)?;
    words.extend(rest);
    Ok(words)
}

fn flags(
    words: Vec<OsString>,
    context: &Context<'_>,
    given: &mut Vec<&'static str>,
) -> Result<Vec<OsString>, Failure> {
    let mut out = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if text == "--" {
            out.push(word);
            out.extend(words);
            break;
        }
        if !text.starts_with('-') || text == "-" {
            given.push("model");
            out.push(word);
            continue;
        }
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (text, None),
        };
        let Some((flag, says_yes)) = Flag::find(&spelled(name)) else {
            let takes_value = attached.is_none() && (context.takes_value)(name);
            out.push(word);
            if takes_value {
                out.extend(words.next());
            }
            continue;
        };
        let name = name.to_owned();
        given.push(flag.names[0]);
        if let Some(ours) = flag.ours() {
            given.push(ours);
        }
        let value = match (&flag.to, attached) {
            (To::Switch(..), None) => None,
            (To::Switch(..), Some(_)) => {
                return Err(Failure::Usage(format!("`{name}` takes no value")));
            }
            (To::Lacks(why), _) => return Err(lacks(&name, why)),
            (_, Some(value)) => Some(value),
            (To::OneOf(values, true, _), None) => {
                words.next_if(|next| values.iter().any(|value| next == value))
            }
            (_, None) => match words.next() {
                Some(value) => Some(value),
                None => return Err(Failure::Usage(format!("`{name}` needs a value"))),
            },
        };
        out.extend(flag.words(&name, says_yes, value.as_deref())?);
    }
    Ok(out)
}

/// Adds what variables say of flags that were not given.
fn variables(
    context: &Context<'_>,
    given: &[&'static str],
    out: &mut Vec<OsString>,
) -> Result<(), Failure> {
    let names_model = given.iter().any(|name| MODEL.contains(name));
    for flag in FLAGS.iter().filter(|flag| !flag.env.is_empty()) {
        let is_given = match flag.ours() {
            Some(ours) if MODEL.contains(&ours) => names_model,
            Some(ours) => given.contains(&ours),
            None => given.contains(&flag.names[0]),
        };
        if is_given {
            continue;
        }
        // `LLAMA_ARG_NO_X`, whatever it holds, says no.
        let no = flag.env.replacen("LLAMA_ARG_", "LLAMA_ARG_NO_", 1);
        if !flag.no.is_empty() && (context.env)(&no).is_some() {
            out.extend(flag.words(&no, false, None)?);
            continue;
        }
        let Some(value) = (context.env)(flag.env).filter(|value| !value.is_empty()) else {
            continue;
        };
        match &flag.to {
            To::Switch(..) => out.extend(flag.words(flag.env, is_yes(flag.env, &value)?, None)?),
            To::Lacks(why) => return Err(lacks(flag.env, why)),
            _ => out.extend(flag.words(flag.env, true, Some(&value))?),
        }
    }
    Ok(())
}

impl Flag {
    /// The flag of ours that it is.
    fn ours(&self) -> Option<&'static str> {
        match self.to {
            To::Value(ours) | To::Switch(Side::Ours(ours), _) => Some(ours),
            _ => None,
        }
    }

    /// What stands in its place; `name` is how the user called it.
    fn words(
        &self,
        name: &str,
        says_yes: bool,
        value: Option<&OsStr>,
    ) -> Result<Vec<OsString>, Failure> {
        let side = match &self.to {
            To::Value(ours) => {
                let mut word = OsString::from(format!("--{ours}="));
                word.push(value.unwrap_or_default());
                return Ok(vec![word]);
            }
            To::Any(_) => return Ok(Vec::new()),
            To::OneOf(values, ..)
                if value.is_none_or(|found| values.iter().any(|value| found == *value)) =>
            {
                return Ok(Vec::new());
            }
            To::OneOf(values, _, why) => {
                let found = value.unwrap_or_default().to_string_lossy();
                let values = values.join("`, `");
                return Err(Failure::Usage(format!(
                    "`{name}`: expected `{values}`, found `{found}`: {why}"
                )));
            }
            To::Lacks(why) => return Err(lacks(name, why)),
            To::Switch(yes, no) => {
                if says_yes {
                    yes
                } else {
                    no
                }
            }
        };
        match side {
            Side::Ours(ours) => Ok(vec![format!("--{ours}").into()]),
            Side::Same(_) => Ok(Vec::new()),
            Side::Lacks(why) => Err(lacks(name, why)),
        }
    }
}

fn lacks(name: &str, why: &str) -> Failure {
    Failure::Usage(format!("`{name}` of llama-server is not to be had: {why}"))
}

/// A long name with dashes where underscores stood, as llama-server takes it.
fn spelled(name: &str) -> String {
    match name.strip_prefix("--") {
        Some(long) => format!("--{}", long.replace('_', "-")),
        None => name.to_owned(),
    }
}

/// What a variable of a switch says.
fn is_yes(name: &str, value: &OsStr) -> Result<bool, Failure> {
    match value.to_str() {
        Some("1" | "on" | "true" | "enabled") => Ok(true),
        Some("0" | "off" | "false" | "disabled") => Ok(false),
        _ => Err(Failure::Usage(format!(
            "`{name}`: expected 1 or 0, found `{}`",
            value.to_string_lossy()
        ))),
    }
}

/// Variables that look like llama-server's and are none of them.
pub(crate) fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let known = |name: &str| {
        FLAGS.iter().any(|flag| {
            flag.env == name
                || !flag.no.is_empty()
                    && flag.env.replacen("LLAMA_ARG_", "LLAMA_ARG_NO_", 1) == name
        })
    };
    names
        .filter(|name| name.starts_with("LLAMA_ARG_") && !known(name))
        .collect()
}

/// What becomes of a name, for people.
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "which flag of ours it is, only the documentation tells"
    )
)]
pub(crate) enum Fate {
    /// It is a flag of ours.
    Ours(&'static str),
    /// It changes nothing: why, and with which values.
    Same(&'static str, &'static [&'static str]),
    /// It is refused: why.
    Refused(&'static str),
}

/// Every flag, yes and no apart, and what becomes of it.
pub(crate) fn fates() -> impl Iterator<Item = (&'static Flag, &'static [&'static str], Fate)> {
    FLAGS.iter().flat_map(|flag| {
        let of_side = |side: &Side| match *side {
            Side::Ours(ours) => Fate::Ours(ours),
            Side::Same(why) => Fate::Same(why, &[]),
            Side::Lacks(why) => Fate::Refused(why),
        };
        let yes = match flag.to {
            To::Value(ours) => Fate::Ours(ours),
            To::OneOf(values, _, why) => Fate::Same(why, values),
            To::Any(why) => Fate::Same(why, &[]),
            To::Lacks(why) => Fate::Refused(why),
            To::Switch(ref yes, _) => of_side(yes),
        };
        let no = match &flag.to {
            To::Switch(_, no) if !flag.no.is_empty() => Some((flag, flag.no, of_side(no))),
            _ => None,
        };
        [Some((flag, flag.names, yes)), no].into_iter().flatten()
    })
}

/// What the help says of names that are accepted and change nothing, and of those that are refused.
pub(crate) fn help() -> String {
    let (mut same, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for (_, names, fate) in fates() {
        match fate {
            Fate::Ours(_) => {}
            Fate::Same(why, values) => {
                let name = match values {
                    [] => names[0].to_owned(),
                    values => format!("{} {}", names[0], values.join("|")),
                };
                same.entry(why).or_insert_with(Vec::new).push(name);
            }
            Fate::Refused(why) => {
                refused
                    .entry(why)
                    .or_insert_with(Vec::new)
                    .push(names[0].to_owned());
            }
        }
    }
    let lines = |groups: BTreeMap<&str, Vec<String>>| {
        let line = |(why, names): (&str, Vec<String>)| format!("\n  {}: {why}", names.join(" "));
        groups.into_iter().map(line).collect::<String>()
    };
    format!(
        "llama-server's names and variables (LLAMA_ARG_*) are understood, `-np 4` and `-hf REPO` too.\n\n\
         Of those, these change nothing:{}\n\nAnd these are refused:{}",
        lines(same),
        lines(refused)
    )
}

#[cfg(test)]
mod tests;
