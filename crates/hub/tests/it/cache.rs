//! What is on the disk already: models of other tools, local paths, listing and removing.

use std::fs;
use std::path::{Path, PathBuf};

use hub::{Config, Error, Hub};

use crate::server::{Fault, Server};
use crate::support::{TempDir, config, content, hub, parse, tree};

/// A hub that nobody may ask.
fn alone(cache: &Path) -> Hub {
    Hub::new(config(cache, "http://127.0.0.1:1"))
}

/// What `huggingface_hub` leaves: a blob, a link in a snapshot, and (if `main`) the branch.
fn put(cache: &Path, repo: &str, commit: &str, file: &str, bytes: &[u8], main: bool) -> PathBuf {
    let root = cache.join(format!("models--{}", repo.replace('/', "--")));
    let blob = root.join("blobs").join(format!("{:x}", bytes.len()));
    let pointer = root.join("snapshots").join(commit).join(file);
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::create_dir_all(pointer.parent().unwrap()).unwrap();
    fs::write(&blob, bytes).unwrap();
    let up = "../".repeat(2 + file.matches('/').count());
    let target = format!("{up}blobs/{:x}", bytes.len());
    std::os::unix::fs::symlink(target, &pointer).unwrap();
    if main {
        fs::create_dir_all(root.join("refs")).unwrap();
        fs::write(root.join("refs/main"), commit).unwrap();
    }
    pointer
}

#[test]
fn models_of_other_tools_are_found_without_network() {
    let cache = TempDir::new();
    let linked = put(&cache.0, "a/b", "c1", "x-Q8_0.gguf", &[1; 10], true);
    let hub = alone(&cache.0);
    assert_eq!(
        hub.resolve(&parse("a/b:q8_0"), &mut ()).unwrap().files,
        std::slice::from_ref(&linked)
    );
    // The only one that is here will do for a name without quantisation.
    assert_eq!(hub.resolve(&parse("a/b"), &mut ()).unwrap().files, [linked]);

    // A cache without links (Windows) has the file itself; a repository may lack `refs`.
    let copied = cache.0.join("models--c--d/snapshots/c2/y-Q4_K_M.gguf");
    fs::create_dir_all(copied.parent().unwrap()).unwrap();
    fs::write(&copied, [2; 20]).unwrap();
    assert_eq!(hub.resolve(&parse("c/d"), &mut ()).unwrap().total_bytes, 20);
}

#[test]
fn the_branch_comes_before_older_snapshots() {
    let cache = TempDir::new();
    put(&cache.0, "a/b", "new", "x-Q4_K_M.gguf", &[1; 10], true);
    put(&cache.0, "a/b", "old", "x-Q4_K_M.gguf", &[1; 11], false);
    let hub = alone(&cache.0);
    assert_eq!(hub.resolve_local(&parse("a/b")).unwrap().total_bytes, 10);
    assert_eq!(
        hub.resolve_local(&parse("a/b@old")).unwrap().total_bytes,
        11
    );
    assert!(hub.resolve_local(&parse("a/b@other")).is_err());
}

#[test]
fn incomplete_things_are_no_models() {
    let cache = TempDir::new();
    let hub = alone(&cache.0);
    put(
        &cache.0,
        "a/b",
        "c1",
        "x-Q4_K_M-00001-of-00002.gguf",
        &[1; 10],
        true,
    );
    assert!(matches!(
        hub.resolve_local(&parse("a/b")),
        Err(Error::NotCached { .. })
    ));
    // A link whose blob is gone, and a download of another tool.
    let dangling = put(&cache.0, "c/d", "c1", "x-Q4_K_M.gguf", &[1; 12], true);
    fs::remove_file(dangling.canonicalize().unwrap()).unwrap();
    fs::write(cache.0.join("models--c--d/blobs/abc.incomplete"), [0; 5]).unwrap();
    assert!(hub.resolve_local(&parse("c/d")).is_err());
    let listed = hub.list();
    assert!(listed.models.is_empty(), "{listed:?}");
    assert_eq!(
        (
            listed.incomplete[0].source.as_str(),
            listed.incomplete[0].bytes
        ),
        ("c/d", 5)
    );
}

#[test]
fn several_here_and_no_default_asks_the_hub_or_takes_the_first() {
    let cache = TempDir::new();
    put(&cache.0, "a/b", "c1", "x-Q8_0.gguf", &[1; 10], true);
    put(&cache.0, "a/b", "c1", "x-Q2_K.gguf", &[1; 11], true);
    let model = alone(&cache.0).resolve(&parse("a/b"), &mut ()).unwrap();
    assert_eq!(model.name, "a/b:Q2_K");
    let error = alone(&cache.0).remove(&parse("a/b")).unwrap_err();
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    let error = alone(&cache.0)
        .resolve_local(&parse("a/b:Q6_K"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("x-Q8_0.gguf"), "{error}");
}

#[test]
fn local_paths() {
    let folder = TempDir::new();
    let path = |name: &str| folder.0.join(name);
    let hub = alone(&path("cache"));
    let resolve = |path: PathBuf| hub.resolve(&parse(path.to_str().unwrap()), &mut ());
    fs::write(path("m-Q4_0.gguf"), [0; 3]).unwrap();
    fs::write(path("mmproj-m.gguf"), [0; 3]).unwrap();
    assert_eq!(resolve(path("m-Q4_0.gguf")).unwrap().total_bytes, 3);
    assert_eq!(
        resolve(folder.0.clone()).unwrap().files,
        [path("m-Q4_0.gguf")]
    );
    let url = format!("file://{}", path("m-Q4_0.gguf").display());
    assert_eq!(hub.resolve(&parse(&url), &mut ()).unwrap().total_bytes, 3);

    fs::write(path("s-00001-of-00002.gguf"), [0; 4]).unwrap();
    let error = resolve(path("s-00001-of-00002.gguf")).unwrap_err();
    assert!(matches!(&error, Error::MissingPart { missing, .. } if missing.contains("00002")));
    fs::write(path("s-00002-of-00002.gguf"), [0; 5]).unwrap();
    assert_eq!(
        resolve(path("s-00002-of-00002.gguf")).unwrap().total_bytes,
        9
    );
    let error = resolve(folder.0.clone()).unwrap_err().to_string();
    assert!(
        error.contains("m-Q4_0.gguf") && error.contains("s-00001-of-00002.gguf"),
        "{error}"
    );

    let error = resolve(path("none.gguf")).unwrap_err();
    assert!(matches!(error, Error::NoSuchPath { .. }), "{error}");
    let error = hub
        .resolve(&parse("org/repo/x.gguf"), &mut ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("`org/repo:x.gguf`"), "{error}");
    assert!(matches!(
        hub.remove(&parse("./x.gguf")),
        Err(Error::NotPossible { .. })
    ));
}

#[test]
fn listing_names_what_resolves() {
    let cache = TempDir::new();
    put(&cache.0, "a/b", "c1", "x-Q8_0.gguf", &[1; 10], true);
    put(&cache.0, "a/b", "c1", "deep/y.gguf", &[1; 11], true);
    put(&cache.0, "c/d", "c1", "p-Q4_K_M.gguf", &[1; 12], true);
    put(&cache.0, "c/d", "c1", "q-Q4_K_M.gguf", &[1; 13], true);
    put(&cache.0, "c/d", "c1", "config.json", &[1; 14], true);
    fs::create_dir_all(cache.0.join("datasets--e--f")).unwrap();
    let hub = alone(&cache.0);
    let listed = hub.list().models;
    let names: Vec<_> = listed.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "a/b:Q8_0",
            "a/b:deep/y.gguf",
            "c/d:p-Q4_K_M.gguf",
            "c/d:q-Q4_K_M.gguf"
        ]
    );
    for model in &listed {
        assert_eq!(
            hub.resolve_local(&parse(&model.name)).unwrap().files,
            model.files
        );
        assert!(model.bytes > 9 && model.modified.is_some());
    }
}

#[test]
fn removing_takes_what_belongs_to_the_model_and_no_more() {
    let cache = TempDir::new();
    put(&cache.0, "a/b", "c1", "x-Q8_0.gguf", &[1; 10], true);
    put(&cache.0, "a/b", "c1", "x-Q2_K.gguf", &[1; 11], true);
    // The same blob under another name, as when a repository renames a file.
    put(&cache.0, "a/b", "c2", "renamed.gguf", &[1; 11], false);
    put(&cache.0, "other/one", "c1", "z-Q8_0.gguf", &[1; 12], true);
    let hub = alone(&cache.0);
    assert_eq!(
        hub.remove(&parse("a/b:Q2_K")).unwrap(),
        0,
        "its blob is shared"
    );
    assert!(hub.resolve_local(&parse("a/b:renamed.gguf")).is_ok());
    assert_eq!(hub.remove(&parse("a/b:renamed.gguf")).unwrap(), 11);
    assert_eq!(hub.remove(&parse("a/b:Q8_0")).unwrap(), 10);
    assert!(matches!(
        hub.remove(&parse("a/b:Q8_0")),
        Err(Error::NotCached { .. })
    ));
    let left = tree(&cache.0);
    assert!(
        left.iter()
            .all(|path| path.starts_with("models--other--one")),
        "{left:?}"
    );
    assert_eq!(left.len(), 3);
}

#[test]
fn a_stray_link_out_of_the_cache_is_removed_and_its_target_kept() {
    let (cache, outside) = (TempDir::new(), TempDir::new());
    let mine = outside.0.join("mine.gguf");
    fs::write(&mine, [1; 30]).unwrap();
    let pointer = put(&cache.0, "a/b", "c1", "x-Q8_0.gguf", &[1; 10], true);
    fs::remove_file(&pointer).unwrap();
    std::os::unix::fs::symlink(&mine, &pointer).unwrap();
    assert_eq!(alone(&cache.0).remove(&parse("a/b")).unwrap(), 0);
    assert!(mine.exists() && !pointer.exists());
}

#[test]
fn removing_without_a_model_takes_the_unfinished_download() {
    let server = Server::with("org/repo", &[("m-Q4_K_M.gguf", content(1, 100_000))]);
    let cache = TempDir::new();
    server.data_faults(&vec![Fault::CutAfter(900); 4]);
    let hub = hub(&cache, &server);
    hub.resolve(&parse("org/repo"), &mut ()).unwrap_err();
    assert_eq!(hub.remove(&parse("org/repo")).unwrap(), 3600);
    assert!(hub.list().incomplete.is_empty());
    assert!(!cache.0.join("models--org--repo").exists());
}

#[test]
fn a_model_being_downloaded_is_not_removed() {
    let cache = TempDir::new();
    put(&cache.0, "a/b", "c1", "x-Q8_0.gguf", &[1; 10], true);
    fs::write(cache.0.join("models--a--b/blobs/abc.incomplete"), [0; 5]).unwrap();
    let lock = cache.0.join(".locks/models--a--b/abc.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = fs::File::create(lock).unwrap();
    held.lock().unwrap();
    let hub = alone(&cache.0);
    assert!(matches!(hub.remove(&parse("a/b")), Err(Error::Busy { .. })));
    drop(held);
    assert_eq!(hub.remove(&parse("a/b")).unwrap(), 15);
}

#[test]
fn an_empty_or_absent_cache_is_no_error() {
    let cache = TempDir::new();
    assert!(
        Hub::new(Config::at(cache.0.join("none")))
            .list()
            .models
            .is_empty()
    );
}

#[test]
fn models_of_ollama_are_used_where_they_lie() {
    let (cache, store) = (TempDir::new(), TempDir::new());
    let hash = "ab".repeat(32);
    let blob = store.0.join(format!("blobs/sha256-{hash}"));
    let manifest = store
        .0
        .join("manifests/registry.ollama.ai/library/tiny/latest");
    for path in [&blob, &manifest] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    let media = "application/vnd.ollama.image.model";
    let json = format!(r#"{{"layers":[{{"mediaType":"{media}","digest":"sha256:{hash}"}}]}}"#);
    fs::write(&manifest, json).unwrap();
    let ollama_dir = Some(store.0.clone());
    let hub = Hub::new(Config {
        ollama_dir,
        ..config(&cache.0, "http://127.0.0.1:1")
    });
    let error = hub.resolve(&parse("ollama:tiny"), &mut ()).unwrap_err();
    assert!(
        error.to_string().contains("ollama pull tiny:latest"),
        "{error}"
    );
    fs::write(&blob, [0; 77]).unwrap();
    let found = hub.resolve(&parse("ollama:tiny"), &mut ()).unwrap();
    assert_eq!((found.files, found.total_bytes), (vec![blob], 77));
    assert!(matches!(
        hub.remove(&parse("ollama:tiny")),
        Err(Error::NotPossible { .. })
    ));
}
