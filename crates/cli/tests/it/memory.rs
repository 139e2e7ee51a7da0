//! `--memory`: what `ingle show` says beforehand is what happens.

use crate::support::{folder, ingle, model, outcome};

#[test]
fn a_model_runs_in_less_memory_than_it_needs_and_says_the_same() {
    let home = folder("less_memory");
    let model = model();
    let show = |memory: &str| {
        let args = ["show", &model, "--json", "--ctx", "256", "--memory", memory];
        outcome(&mut ingle(&home, &args)).json()["memory"].take()
    };
    let run = |memory: &str| {
        let start = ["run", "--raw", "--temp", "0", "-n", "60", "--ctx", "256"];
        let end = ["--memory", memory, "--model", &model, "Once upon a time"];
        outcome(&mut ingle(&home, &[&start[..], &end].concat()))
    };
    let roomy = show("1GB");
    assert_eq!(
        (&roomy["fits"], &roomy["own"]),
        (&true.into(), &serde_json::Value::Null)
    );
    assert_eq!(roomy["longest_ctx"], 512);
    let number = |facts: &serde_json::Value, key: &str| facts[key].as_u64().expect("a number");
    let (needed, weights) = (number(&roomy, "needed"), number(&roomy, "weights"));
    let expected = run("1GB").text();

    let tight = (needed - weights / 2).to_string();
    let facts = show(&tight);
    assert_eq!(
        (&facts["fits"], &facts["budget_source"]),
        (&true.into(), &"given".into())
    );
    assert!(number(&facts, "needed") <= needed - weights / 2, "{facts}");
    assert!(number(&facts, "streamed_per_step") > weights / 3, "{facts}");
    assert_eq!(run(&tight).text(), expected);

    let short = (needed - weights).to_string();
    assert_eq!(show(&short)["fits"], false);
    let message = run(&short).failure(1);
    assert!(
        message.contains("bytes of memory at least") && message.contains("\nhint: "),
        "{message}"
    );
    let message = run("1MB").failure(1);
    assert!(
        message.contains("keys and values of 256 tokens and buffers need"),
        "{message}"
    );
    assert!(run("lots").failure(2).contains("as in 6GB"));
}

#[test]
fn measurements_keep_to_it_too() {
    let home = folder("memory_bench");
    let model = model();
    let args = ["show", &model, "--json", "--ctx", "4"];
    let facts = outcome(&mut ingle(&home, &args)).json()["memory"].take();
    let number = |key: &str| facts[key].as_u64().expect("a number");
    let tight = (number("needed") - number("weights") / 2).to_string();
    let bench = |memory: &str| {
        let args = [
            "bench", &model, "-p", "0", "-n", "4", "-r", "1", "--json", "--memory", memory,
        ];
        let line = outcome(&mut ingle(&home, &args)).json();
        assert!(line["avg_ts"].as_f64().is_some_and(|speed| speed > 0.0));
        line["streamed_per_step"].as_u64().expect("a number")
    };
    assert_eq!(bench("1GB"), 0);
    assert!(bench(&tight) > number("weights") / 3);
}

#[test]
fn people_see_what_fits() {
    let home = folder("what_fits");
    let text = |memory: &str| {
        let args = ["show", &model(), "--ctx", "256", "--memory", memory];
        outcome(&mut ingle(&home, &args)).text()
    };
    let roomy = text("1GB");
    for word in [
        "mapped from the file",
        "it fits",
        "1.0 GB (given)",
        "512 tokens",
        "in memory",
    ] {
        assert!(roomy.contains(word), "{word} in\n{roomy}");
    }
    let none = text("1MB");
    for word in ["it does not fit", "no context fits", "does not fit"] {
        assert!(none.contains(word), "{word} in\n{none}");
    }
}
