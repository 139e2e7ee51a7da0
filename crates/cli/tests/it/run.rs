//! `ingle run` with a prompt.

use crate::support::{folder, golden, ingle, model, outcome, piped};

/// The text that llama2.c publishes for this model, greedy from an empty prompt.
fn published() -> String {
    std::fs::read_to_string(golden("models/stories260K.txt"))
        .expect("the file is in the repository")
}

#[test]
fn greedy_text_is_the_published_one() {
    let home = folder("greedy");
    let args = ["run", "--raw", "--temp", "0", "-n", "200", &model(), ""];
    let text = outcome(&mut ingle(&home, &args)).text();
    assert_eq!(text.strip_suffix('\n'), Some(published().as_str()));
}

#[test]
fn what_is_piped_in_goes_on_from_the_prompt() {
    let home = folder("piped_prompt");
    let start = ["run", "--raw", "--temp", "0", "-n", "30", "--model"];
    let model = model();
    let args = [&start[..], &[&model]].concat();
    let whole = outcome(ingle(&home, &args).arg("Once upon a time, there")).text();
    let split = piped(ingle(&home, &args).arg("Once upon a"), b" time, there").text();
    assert_eq!(whole, split);
    assert_eq!(
        piped(&mut ingle(&home, &args), b"Once upon a time, there").text(),
        whole
    );
}

#[test]
fn json_holds_text_reason_usage_and_timings() {
    let home = folder("run_json");
    let args = [
        "run",
        "--raw",
        "--json",
        "--seed",
        "7",
        "-n",
        "12",
        &model(),
        "Once",
    ];
    let first = outcome(&mut ingle(&home, &args)).json();
    assert_eq!(first["finish_reason"], "length");
    assert_eq!(first["usage"]["completion_tokens"], 12);
    assert_eq!(first["seed"], 7);
    assert!(
        first["usage"]["prompt_tokens"]
            .as_u64()
            .is_some_and(|n| n >= 2)
    );
    assert!(first["timings"]["load_ms"].is_number() && first["timings"]["prompt_ms"].is_number());
    assert!(first["model"].is_string());
    let second = outcome(&mut ingle(&home, &args)).json();
    assert_eq!(first["text"], second["text"], "same seed, same text");
}

#[test]
fn flags_change_the_text() {
    let home = folder("flags");
    let model = model();
    let run = |flags: &[&str]| {
        let args = [
            &[
                "run",
                "--raw",
                "--temp",
                "0",
                "-n",
                "20",
                &model,
                "Once upon",
            ],
            flags,
        ]
        .concat();
        outcome(&mut ingle(&home, &args)).text()
    };
    let plain = run(&[]);
    assert_eq!(plain, run(&["--threads", "1"]));
    assert_eq!(plain, run(&["--ctx", "64"]));
    assert!(plain.contains("time"));
    assert!(!run(&["--stop", "time"]).contains("time"));
    let penalised = run(&["--repeat-penalty", "1.8", "-n", "60"]);
    assert_ne!(penalised, run(&["-n", "60"]));
    // Without its best token the text must go another way.
    let tokens = outcome(&mut ingle(
        &home,
        &["tokenize", &model, " a", "--json", "--no-add-special"],
    ));
    let id = tokens.json()[0].to_string();
    assert_ne!(plain, run(&["--logit-bias", &format!("{id}-inf")]));
}

#[test]
fn verbose_reports_on_stderr_only() {
    let home = folder("verbose");
    let args = ["run", "--raw", "--temp", "0", "-n", "5", &model(), "Once"];
    let quiet = outcome(&mut ingle(&home, &args));
    assert_eq!(quiet.stderr, "");
    let loud = outcome(ingle(&home, &args).arg("--verbose"));
    assert_eq!(loud.stdout, quiet.stdout);
    for word in ["load", "prompt", "generation", "tokens/s"] {
        assert!(loud.stderr.contains(word), "{word}: {}", loud.stderr);
    }
}

#[test]
fn a_chat_template_is_used_if_there_is_one() {
    let home = folder("run_template");
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
    std::fs::write(home.join("t.jinja"), template).expect("writable");
    let model = model();
    let args = [
        "run",
        "--json",
        "--chat-template-file",
        "t.jinja",
        "-n",
        "3",
        &model,
        "Hi",
    ];
    let plain = outcome(&mut ingle(&home, &args)).json();
    let with_system = outcome(ingle(&home, &args).args(["--system", "Be brief."])).json();
    let tokens = |json: &serde_json::Value| json["usage"]["prompt_tokens"].as_u64();
    assert!(tokens(&with_system) > tokens(&plain));
    let message = outcome(&mut ingle(&home, &["run", &model, "Hi"])).failure(1);
    assert!(
        message.contains("no chat template") && message.contains("--raw"),
        "{message}"
    );
}

#[test]
fn a_prompt_that_does_not_fit_is_refused() {
    let home = folder("too_long");
    let args = [
        "run",
        "--raw",
        "--ctx",
        "8",
        &model(),
        "one two three four five six seven",
    ];
    let message = outcome(&mut ingle(&home, &args)).failure(1);
    assert!(message.contains("--ctx"), "{message}");
}

#[test]
fn a_draft_model_changes_no_text() {
    let home = folder("run_draft");
    let model = model();
    let args = [
        "run", "--raw", "--seed", "3", "-n", "60", "-c", "128", &model, "Once",
    ];
    let plain = outcome(&mut ingle(&home, &args)).text();
    for flag in ["--draft", "--model-draft"] {
        let drafted = [&args[..], &[flag, &model]].concat();
        assert_eq!(outcome(&mut ingle(&home, &drafted)).text(), plain);
    }
    let both = [&args[..], &["--draft", &model, "--no-speculation"]].concat();
    assert!(
        outcome(&mut ingle(&home, &both))
            .stderr
            .contains("--no-speculation")
    );
}
