//! `ingle list`, `pull` and `rm` on a cache that another tool has filled.

use std::path::Path;

use crate::support::{folder, golden, ingle, outcome};

/// A repository in the hub's cache layout.
fn fill(home: &Path) {
    let repo = home.join("hf/hub/models--someone--stories");
    let snapshot = repo.join("snapshots/0123456789abcdef0123456789abcdef01234567");
    for path in [&snapshot, &repo.join("refs"), &repo.join("blobs")] {
        std::fs::create_dir_all(path).expect("writable");
    }
    let commit = "0123456789abcdef0123456789abcdef01234567";
    std::fs::write(repo.join("refs/main"), commit).expect("writable");
    let file = golden("models/stories260K-f32.gguf");
    std::fs::copy(file, snapshot.join("stories-F32.gguf")).expect("writable");
}

#[test]
fn an_empty_cache_says_how_to_fill_it() {
    let home = folder("list_empty");
    let found = outcome(&mut ingle(&home, &["list"]));
    assert_eq!((found.code, found.stdout.as_str()), (Some(0), ""));
    assert!(found.stderr.contains("hint: "), "{}", found.stderr);
    let json = outcome(&mut ingle(&home, &["list", "--json"])).json();
    assert_eq!(
        (&json["models"], &json["incomplete"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
}

#[test]
fn models_are_listed_run_and_removed_by_name() {
    let home = folder("list_full");
    fill(&home);
    let json = outcome(&mut ingle(&home, &["list", "--json"])).json();
    let model = &json["models"][0];
    assert_eq!(
        (model["name"].as_str(), model["quant"].as_str()),
        (Some("someone/stories:F32"), Some("F32"))
    );
    assert!(
        model["size"]
            .as_u64()
            .is_some_and(|bytes| bytes > 1_000_000)
    );
    let text = outcome(&mut ingle(&home, &["list"])).text();
    assert!(
        text.starts_with("NAME") && text.contains("someone/stories:F32") && !text.contains('\x1b'),
        "{text}"
    );

    let name = "someone/stories:f32";
    let args = ["run", "--raw", "--temp", "0", "-n", "3", name, "Once"];
    assert!(!outcome(&mut ingle(&home, &args)).text().is_empty());
    let path = outcome(&mut ingle(&home, &["pull", name])).text();
    assert!(path.trim_end().ends_with("stories-F32.gguf"), "{path}");

    let removed = outcome(&mut ingle(&home, &["rm", name]));
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!(
        outcome(&mut ingle(&home, &["list", "--json"])).json()["models"],
        serde_json::json!([])
    );
    outcome(&mut ingle(&home, &["rm", name])).failure(1);
}
