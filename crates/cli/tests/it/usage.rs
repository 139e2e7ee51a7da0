//! Wrong usage, missing things, and how they are reported.

use std::process::Stdio;

use crate::support::{folder, ingle, model, outcome, piped};

#[test]
fn wrong_usage_ends_with_2() {
    let home = folder("wrong_usage");
    let model = model();
    let cases: [&[&str]; 12] = [
        &[],
        &["tokenise", "x"],
        &["tokenize"],
        &["run", "--temp", "warm"],
        &["run", "--raw", &model, "--top-p", "2", "x"],
        &["run", "--raw", "--json", &model],
        &["run", "--raw", &model, "-l", "100000-1", "x"],
        &["run", "-m", &model, "one", "two"],
        &["run", "smolm2"],
        &["template", "--messages", "x.json"],
        &["bench", &model, "-p", "0", "-n", "0"],
        &["run", "--samplers", "top_q", "x"],
    ];
    for args in cases {
        let message = outcome(&mut ingle(&home, args)).failure(2);
        assert!(!message.contains("panicked"), "{args:?}: {message}");
    }
}

#[test]
fn a_prompt_without_quotes_gets_a_hint() {
    let home = folder("no_quotes");
    let words = ["run", "why", "is", "the", "sky", "blue"];
    let message = outcome(&mut ingle(&home, &words)).failure(2);
    assert!(
        message.contains("hint: a text of several words stands in quotes"),
        "{message}"
    );
}

#[test]
fn a_missing_model_ends_with_1_and_a_hint() {
    let home = folder("missing_model");
    for name in ["someone/something", "smollm2", "no-such-name"] {
        let message = outcome(&mut ingle(&home, &["show", name])).failure(1);
        assert!(message.contains("\nhint: "), "{name}: {message}");
    }
    let message = outcome(&mut ingle(&home, &["show", "./absent.gguf"])).failure(1);
    assert!(message.contains("./absent.gguf"), "{message}");
}

#[test]
fn a_file_that_is_no_model_is_named() {
    let home = folder("no_model");
    std::fs::write(home.join("x.gguf"), b"GGUF and then nothing of use").expect("writable");
    outcome(&mut ingle(&home, &["run", "./x.gguf", "hi"])).failure(1);
    let message = outcome(&mut ingle(&home, &["show", "./x.gguf"])).failure(1);
    assert!(message.contains("x.gguf"), "{message}");
}

#[test]
fn help_goes_to_stdout_and_names_the_commands() {
    let home = folder("help");
    let help = outcome(&mut ingle(&home, &["--help"])).text();
    for word in [
        "run",
        "pull",
        "list",
        "show",
        "rm",
        "tokenize",
        "template",
        "bench",
        "perplexity",
        "smollm2",
    ] {
        assert!(help.contains(word), "{word}");
    }
    let help = outcome(&mut ingle(&home, &["run", "--help"])).text();
    assert!(
        help.contains("--dry-multiplier") && help.contains("A single word is a model"),
        "{help}"
    );
    let version = outcome(&mut ingle(&home, &["--version"])).text();
    assert_eq!(version, format!("ingle {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let home = folder("colours");
    let plain = outcome(&mut ingle(&home, &["show", "./x.gguf"])).failure(1);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let forced = outcome(ingle(&home, &["show", "./x.gguf"]).env("CLICOLOR_FORCE", "1"));
    assert!(
        forced.stderr.contains("\x1b[1;31merror:\x1b[0m"),
        "{forced:?}"
    );
    let refused = ["CLICOLOR_FORCE", "NO_COLOR"].map(|name| (name, "1"));
    let refused = outcome(ingle(&home, &["show", "./x.gguf"]).envs(refused)).failure(1);
    assert!(!refused.contains('\x1b'), "{refused:?}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let home = folder("pipe");
    let mut command = ingle(&home, &["show", &model(), "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_empty_pipe_is_no_prompt() {
    let home = folder("empty_pipe");
    let message = piped(&mut ingle(&home, &["run", "--raw", &model()]), b"").failure(2);
    assert!(
        message.contains("no prompt") && message.contains("\nhint: "),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let home = folder("interrupt");
    // It waits for the end of its input.
    let mut command = ingle(&home, &["run", "--raw", &model()]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = Pid::from_raw(child.id().try_into().expect("process ids are positive"));
    kill(pid, Signal::SIGINT).expect("it is our child");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}
