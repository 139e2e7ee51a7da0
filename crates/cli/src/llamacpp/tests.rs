//! Words as people type them, and the table against the command and the documentation.

use std::collections::{BTreeMap, BTreeSet};

use clap::{ArgAction, CommandFactory};

use super::*;
use crate::args::Cli;

/// `serve` with these words and variables, as it reads them.
fn rewritten(words: &str, variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let env = |name: &str| variables.get(name).map(OsString::from);
    let words = ["ingle", "serve"]
        .into_iter()
        .chain(words.split_whitespace());
    let context = Context {
        env: &env,
        takes_value: &|name| name == "--kv-type",
    };
    match rewrite(words.map(OsString::from), &context) {
        Ok(words) => Ok(words[2..]
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect()),
        Err(Failure::Usage(message)) => Err(message),
        Err(other) => panic!("{other:?}"),
    }
}

fn is(words: &str, expected: &[&str]) {
    assert_eq!(
        rewritten(words, &[]).as_deref(),
        Ok(expected
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>())
        .as_deref(),
        "{words}"
    );
}

#[test]
fn names_become_ours_whatever_dashes_they_have() {
    is(
        "-m x.gguf -c 4096 -np 4",
        &["--model=x.gguf", "--ctx=4096", "--parallel=4"],
    );
    is("--ctx_size 1 --ctx-size=2", &["--ctx=1", "--ctx=2"]);
    is(
        "-hf u/r:Q8_0 --jinja --metrics --no-webui",
        &["--hf-repo=u/r:Q8_0", "--metrics", "--no-ui"],
    );
    is("-n -1 -s -1", &["--n-predict=-1", "--seed=-1"]);
    is("--port 0 model.gguf", &["--port=0", "model.gguf"]);
}

#[test]
fn values_are_not_taken_for_flags() {
    is("--kv-type -fa x", &["--kv-type", "-fa", "x"]);
    is("--api-key -np", &["--api-key=-np"]);
    is("-- -np", &["--", "-np"]);
}

#[test]
fn what_changes_nothing_goes() {
    is(
        "-b 2048 -ub 512 -cb -fa on --no-context-shift -ngl 0 --mmap -kvu",
        &[],
    );
    is("-fa x.gguf", &["x.gguf"]);
    is("-fa auto x.gguf", &["x.gguf"]);
}

#[test]
fn what_there_is_not_is_refused_by_name() {
    for (words, name) in [
        ("-ngl 99", "-ngl"),
        ("--n-gpu-layers all", "--n-gpu-layers"),
        ("--mmproj x", "--mmproj"),
        ("--lora x", "--lora"),
        ("--mlock", "--mlock"),
        ("--no-jinja", "--no-jinja"),
        ("--ssl-key-file k", "--ssl-key-file"),
        ("--rope-scaling yarn", "--rope-scaling"),
        ("--rpc h:1", "--rpc"),
    ] {
        let message = rewritten(words, &[]).expect_err(words);
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
    assert!(rewritten("-np", &[]).is_err(), "no value");
    assert!(rewritten("--metrics=1", &[]).is_err(), "a switch");
}

#[test]
fn variables_count_less_than_flags() {
    let variables = [("LLAMA_ARG_CTX_SIZE", "512"), ("LLAMA_ARG_PORT", "1")];
    let words = rewritten("-c 64", &variables).expect("right");
    assert_eq!(words, ["--port=1", "--ctx=64"]);
    let model = [("LLAMA_ARG_MODEL", "a.gguf")];
    assert_eq!(rewritten("", &model), Ok(vec!["--model=a.gguf".to_owned()]));
    for words in ["b.gguf", "-hf u/r", "-m c"] {
        assert_eq!(rewritten(words, &model).expect("right").len(), 1, "{words}");
    }
    let switches = [
        ("LLAMA_ARG_ENDPOINT_METRICS", "1"),
        ("LLAMA_ARG_ENDPOINT_SLOTS", "0"),
        ("LLAMA_ARG_NO_UI", ""),
    ];
    let words = rewritten("", &switches).expect("right");
    assert_eq!(words, ["--metrics", "--no-slots", "--no-ui"]);
    let message = rewritten("", &[("LLAMA_ARG_N_GPU_LAYERS", "99")]).expect_err("no GPU");
    assert!(message.contains("LLAMA_ARG_N_GPU_LAYERS"), "{message}");
    assert!(rewritten("", &[("LLAMA_ARG_ENDPOINT_METRICS", "maybe")]).is_err());
}

#[test]
fn other_commands_are_left_alone() {
    let words = ["ingle", "bench", "-fa", "-np"].map(OsString::from);
    let context = Context {
        env: &|_| Some("1".into()),
        takes_value: &|_| false,
    };
    assert_eq!(rewrite(words.clone(), &context).ok(), Some(words.to_vec()));
}

#[test]
fn unknown_variables_are_found() {
    let names = [
        "LLAMA_ARG_PORT",
        "LLAMA_ARG_NO_SLOTS",
        "LLAMA_ARG_NONSENSE",
        "PATH",
    ];
    let unknown = unknown_variables(names.into_iter().map(str::to_owned));
    assert_eq!(unknown, ["LLAMA_ARG_NO_SLOTS", "LLAMA_ARG_NONSENSE"]);
}

/// Every name stands for one flag, and every flag of ours is there and takes what it is given.
#[test]
fn the_table_fits_the_command() {
    let cli = Cli::command();
    let serve = cli.find_subcommand(COMMAND).expect("there is `serve`");
    let ours = |name: &str| {
        let mut args = serve.get_arguments();
        let arg = args.find(|arg| arg.get_long() == Some(name));
        matches!(
            arg.unwrap_or_else(|| panic!("no --{name}")).get_action(),
            ArgAction::Set | ArgAction::Append
        )
    };
    let mut names = BTreeSet::new();
    for flag in FLAGS {
        for name in flag.names.iter().chain(flag.no) {
            assert!(names.insert(*name), "{name} stands there twice");
        }
        match flag.to {
            To::Value(name) => assert!(ours(name), "--{name} takes no value"),
            To::Switch(yes, no) => {
                for side in [yes, no] {
                    assert!(!matches!(side, Side::Ours(name) if ours(name)));
                }
            }
            To::OneOf(..) | To::Any(_) | To::Lacks(_) => {}
        }
    }
}

/// The table in `docs/serving.md`; with `INGLE_BLESS` in the environment it is written.
#[test]
fn the_table_in_the_documentation_is_this_one() {
    const MARKS: [&str; 2] = ["<!-- flags -->\n", "<!-- end of flags -->"];
    let mut table = "| llama-server | variable | here |\n|---|---|---|\n".to_owned();
    for (flag, names, fate) in fates() {
        let names = names.join("` `");
        let variable = match flag.env {
            "" => String::new(),
            name => format!("`{name}`"),
        };
        let here = match fate {
            Fate::Ours(ours) => format!("`--{ours}`"),
            Fate::Same(why, []) => format!("changes nothing: {why}"),
            Fate::Same(why, values) => format!("`{}` only: {why}", values.join("` `")),
            Fate::Refused(why) => format!("refused: {why}"),
        };
        table += &format!("| `{names}` | {variable} | {here} |\n");
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/serving.md");
    let text = std::fs::read_to_string(&path).expect("the page is there");
    let start = text.find(MARKS[0]).expect("a mark") + MARKS[0].len();
    let end = text.find(MARKS[1]).expect("a mark");
    if std::env::var_os("INGLE_BLESS").is_some() {
        let text = format!("{}{table}{}", &text[..start], &text[end..]);
        std::fs::write(path, text).expect("writable");
    } else {
        assert!(
            text[start..end] == table,
            "run this test with INGLE_BLESS=1 and look at the difference"
        );
    }
}
