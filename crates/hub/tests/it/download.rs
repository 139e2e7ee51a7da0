//! Downloads from the hub under every fault: they end in the right bytes or a clear error.

use std::time::{Duration, Instant};

use hub::{Error, Hub, Tag};

use crate::server::{Fault, Server, hex};
use crate::support::{Recorder, TempDir, config, content, hub, parse, tree};
use sha2::{Digest, Sha256};

const SIZE: usize = 300_000;

fn one_file() -> (Server, Vec<u8>) {
    let bytes = content(1, SIZE);
    (
        Server::with("org/repo", &[("m-Q4_K_M.gguf", bytes.clone())]),
        bytes,
    )
}

/// Downloads with these faults; the bytes must be right. Returns the ranges that were asked for.
fn survives(faults: &[Fault]) -> Vec<Option<String>> {
    let (server, bytes) = one_file();
    let cache = TempDir::new();
    server.data_faults(faults);
    let found = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == bytes);
    server
        .seen("GET", "/resolve/")
        .into_iter()
        .map(|seen| seen.range)
        .collect()
}

/// Downloads with these faults, which are too many. Returns the error.
fn fails(faults: &[Fault]) -> Error {
    let (server, _) = one_file();
    let cache = TempDir::new();
    server.data_faults(faults);
    let hub = hub(&cache, &server);
    let error = hub.resolve(&parse("org/repo"), &mut ()).unwrap_err();
    assert!(hub.resolve_local(&parse("org/repo")).is_err());
    assert!(hub.list().models.is_empty());
    error
}

#[test]
fn lands_in_the_cache_layout() {
    let (server, bytes) = one_file();
    let cache = TempDir::new();
    let mut seen = Recorder::default();
    let found = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut seen)
        .unwrap();
    let (commit, hash) = (server.state().commit.clone(), hex(&Sha256::digest(&bytes)));
    assert_eq!(found.name, "org/repo:Q4_K_M");
    assert_eq!(found.total_bytes, SIZE as u64);
    assert_eq!(
        tree(&cache.0),
        [
            format!(".locks/models--org--repo/{hash}.lock"),
            "CACHEDIR.TAG".to_owned(),
            format!("models--org--repo/blobs/{hash}"),
            "models--org--repo/refs/main".to_owned(),
            format!("models--org--repo/snapshots/{commit}/m-Q4_K_M.gguf"),
        ]
    );
    let link = std::fs::read_link(&found.files[0]).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("../../blobs/{hash}"));
    let main = std::fs::read_to_string(cache.0.join("models--org--repo/refs/main")).unwrap();
    assert_eq!(main, commit);
    assert_eq!(seen.phases, ["listing", "downloading", "done"]);
    assert_eq!(
        (seen.last_done, seen.total),
        (SIZE as u64, Some(SIZE as u64))
    );
}

#[test]
fn the_second_time_touches_no_network() {
    let (server, _) = one_file();
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let first = hub.resolve(&parse("org/repo:q4_k_m"), &mut ()).unwrap();
    let requests = server.state().seen.len();
    assert_eq!(
        hub.resolve(&parse("hf.co/org/repo:Q4_K_M"), &mut ())
            .unwrap()
            .files,
        first.files
    );
    assert_eq!(server.state().seen.len(), requests);
}

#[test]
fn resumes_where_the_connection_was_cut() {
    let ranges = survives(&[Fault::CutAfter(100_000), Fault::CutAfter(50_000)]);
    let expected = [
        None,
        Some("bytes=100000-".to_owned()),
        Some("bytes=150000-".to_owned()),
    ];
    assert_eq!(ranges, expected);
}

#[test]
fn resumes_in_the_next_run_and_says_so() {
    let (server, bytes) = one_file();
    let cache = TempDir::new();
    server.data_faults(&[Fault::CutAfter(111_000)]);
    server.data_faults(&vec![Fault::CutAfter(0); 3]);
    let hub = hub(&cache, &server);
    let error = hub.resolve(&parse("org/repo"), &mut ()).unwrap_err();
    assert!(
        matches!(error, Error::Interrupted { done: 111_000, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("resume at 37%"), "{error}");
    let left = hub.list().incomplete;
    assert_eq!((left.len(), left[0].bytes), (1, 111_000));

    let mut seen = Recorder::default();
    let found = hub.resolve(&parse("org/repo"), &mut seen).unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == bytes);
    assert_eq!(seen.resumed_from, 111_000);
    let last = server.seen("GET", "/resolve/").pop().unwrap();
    assert_eq!(last.range.as_deref(), Some("bytes=111000-"));
    assert!(
        last.if_range.is_some(),
        "the same server's etag guards the range"
    );
    assert!(hub.list().incomplete.is_empty());
}

#[test]
fn passing_failures_are_retried() {
    survives(&[
        Fault::Status(503, vec![]),
        Fault::Status(500, vec![]),
        Fault::CutAfter(0),
    ]);
    let (server, _) = one_file();
    server.question_faults(&[
        Fault::Status(502, vec![]),
        Fault::None,
        Fault::Status(503, vec![]),
    ]);
    hub(&TempDir::new(), &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
}

#[test]
fn a_rate_limit_is_waited_for_within_bounds() {
    let start = Instant::now();
    survives(&[Fault::Status(429, vec![("Retry-After", "1".into())])]);
    assert!(start.elapsed() >= Duration::from_secs(1));

    let start = Instant::now();
    let error = fails(&[Fault::Status(429, vec![("Retry-After", "86400".into())])]);
    assert!(matches!(error, Error::RateLimited { .. }), "{error}");
    assert!(error.to_string().contains("86400 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_server_that_only_fails_gives_a_typed_error() {
    let error = fails(&vec![Fault::Status(500, vec![]); 9]);
    assert!(
        matches!(error, Error::Status { status: 500, .. }),
        "{error}"
    );
    let error = fails(&vec![Fault::CutAfter(10); 9]);
    assert!(
        matches!(error, Error::Interrupted { attempts: 4, .. }),
        "{error}"
    );
}

#[test]
fn wrong_ranges_and_ignored_ranges_start_again() {
    let cut = Fault::CutAfter(100_000);
    let ranges = survives(&[cut.clone(), Fault::WrongRange]);
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned()), None]);
    let ranges = survives(&[cut.clone(), Fault::WrongTotal]);
    assert_eq!(ranges.last().unwrap(), &None);
    survives(&[cut.clone(), Fault::IgnoreRange]);
    survives(&[cut, Fault::Status(416, vec![])]);
    let unasked = Fault::Status(206, vec![("Content-Range", "bytes 5-9/10".into())]);
    let error = fails(&[unasked]);
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn a_lying_content_length_does_not_matter() {
    survives(&[Fault::LengthTooLong(5_000)]);
    survives(&[Fault::LengthTooShort(5_000)]);
    survives(&[Fault::LengthTooShort(200_000), Fault::LengthTooShort(1)]);
}

#[test]
fn damaged_data_is_never_taken() {
    let error = fails(&[Fault::Corrupt]);
    assert!(matches!(error, Error::Checksum { .. }), "{error}");
    // Damage from an earlier run costs a second download, not an error.
    let (server, bytes) = one_file();
    let cache = TempDir::new();
    let blobs = cache.0.join("models--org--repo/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let hash = hex(&Sha256::digest(&bytes));
    std::fs::write(blobs.join(format!("{hash}.incomplete")), vec![0; 1000]).unwrap();
    let found = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == bytes);
}

#[test]
fn a_file_that_changes_between_runs_starts_anew() {
    let (server, _) = one_file();
    let cache = TempDir::new();
    server.data_faults(&[Fault::CutAfter(100_000)]);
    server.data_faults(&vec![Fault::CutAfter(0); 3]);
    let hub = hub(&cache, &server);
    hub.resolve(&parse("org/repo"), &mut ()).unwrap_err();
    let newer = content(2, SIZE + 5);
    server.state().files[0].2 = newer.clone();
    let found = hub.resolve(&parse("org/repo"), &mut ()).unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == newer);
    assert_eq!(server.seen("GET", "/resolve/").last().unwrap().range, None);
}

#[test]
fn pull_follows_the_branch_and_keeps_what_is_current() {
    let (server, _) = one_file();
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    hub.pull(&parse("org/repo"), &mut ()).unwrap();
    hub.pull(&parse("org/repo"), &mut ()).unwrap();
    assert_eq!(server.seen("GET", "/resolve/").len(), 1);
    let newer = content(3, 1000);
    server.state().files[0].2 = newer.clone();
    server.state().commit = "d".repeat(40);
    let found = hub.pull(&parse("org/repo"), &mut ()).unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == newer);
    assert_eq!(hub.resolve(&parse("org/repo"), &mut ()).unwrap(), found);
}

#[test]
fn split_models_come_with_all_parts() {
    let parts: Vec<_> = (1..=3)
        .map(|n| format!("q/big-Q8_0-0000{n}-of-00003.gguf"))
        .collect();
    let files: Vec<_> = parts
        .iter()
        .map(|part| (part.as_str(), content(7, 50_000)))
        .collect();
    let server = Server::with("org/repo", &files);
    for (number, file) in server.state().files.iter_mut().enumerate() {
        file.2 = content(number as u32, 50_000 + number);
    }
    let cache = TempDir::new();
    server.data_faults(&[Fault::None, Fault::CutAfter(20_000)]);
    let mut seen = Recorder::default();
    let found = hub(&cache, &server)
        .resolve(&parse("org/repo:q8_0"), &mut seen)
        .unwrap();
    assert_eq!(found.files.len(), 3);
    for (number, file) in found.files.iter().enumerate() {
        assert!(std::fs::read(file).unwrap() == content(number as u32, 50_000 + number));
        assert!(file.ends_with(&parts[number]));
    }
    assert_eq!((seen.last_done, seen.total), (150_003, Some(150_003)));
}

#[test]
fn older_listings_in_pages_do_as_well() {
    let names = ["a.txt", "b.txt", "c.txt", "d.txt", "m-Q4_K_M.gguf"];
    let files: Vec<_> = names.iter().map(|name| (*name, content(5, 1000))).collect();
    let server = Server::with("org/repo", &files);
    server.state().tree_only = true;
    hub(&TempDir::new(), &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    assert_eq!(server.seen("GET", "/tree/").len(), 3);
}

#[test]
fn two_at_once_download_once() {
    let (server, _) = one_file();
    server.data_faults(&[Fault::Slow(30_000, Duration::from_millis(100))]);
    let cache = TempDir::new();
    let phases: Vec<Vec<String>> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Recorder::default();
                    hub(&cache, &server)
                        .resolve(&parse("org/repo"), &mut seen)
                        .unwrap();
                    seen.phases
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(server.seen("GET", "/resolve/").len(), 1);
    assert!(
        phases.iter().any(|run| run.contains(&"waiting".to_owned())),
        "{phases:?}"
    );
}

#[test]
fn unsafe_names_from_a_server_are_refused() {
    let odd = [
        ("notes: v2?.md", content(1, 9)),
        ("m-Q4_K_M.gguf", content(1, 9)),
    ];
    let server = Server::with("org/repo", &odd);
    hub(&TempDir::new(), &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    let server = Server::with("org/repo", &[("../../evil.gguf", content(1, 100))]);
    let cache = TempDir::new();
    let error = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::UnsafeName {
                what: "file name",
                ..
            }
        ),
        "{error}"
    );

    let (server, _) = one_file();
    server.state().etag = Some("../../../evil".to_owned());
    let error = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        matches!(error, Error::UnsafeName { what: "etag", .. }),
        "{error}"
    );

    let (server, _) = one_file();
    server.state().commit = "../../evil".to_owned();
    let error = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        matches!(error, Error::UnsafeName { what: "commit", .. }),
        "{error}"
    );
    assert!(!cache.0.parent().unwrap().join("evil.gguf").exists());
}

#[test]
fn an_exact_file_of_a_repository() {
    let files = [
        ("a b-Q2_K.gguf", content(1, 500)),
        ("x/m-Q2_K.gguf", content(2, 600)),
    ];
    let server = Server::with("org/repo", &files);
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let model = parse("org/repo:a b-Q2_K.gguf");
    assert_eq!(
        model.repo().unwrap().tag,
        Tag::File("a b-Q2_K.gguf".to_owned())
    );
    assert_eq!(hub.resolve(&model, &mut ()).unwrap().total_bytes, 500);
    assert_eq!(
        hub.resolve(&parse("org/repo:m-q2_k.gguf"), &mut ())
            .unwrap()
            .total_bytes,
        600
    );
}

#[test]
fn a_stalled_connection_is_given_up() {
    let (server, bytes) = one_file();
    let cache = TempDir::new();
    server.data_faults(&[Fault::Slow(150_000, Duration::from_millis(2500))]);
    let mut config = config(&cache.0, &server.url);
    config.timeouts.idle = Duration::from_millis(700);
    let found = Hub::new(config)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == bytes);
    assert_eq!(server.seen("GET", "/resolve/").len(), 2);
}

#[test]
fn a_mirror_without_listings_still_has_files() {
    let (server, bytes) = one_file();
    server.state().no_listing = true;
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let error = hub.resolve(&parse("org/repo"), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let found = hub
        .resolve(&parse("org/repo:m-Q4_K_M.gguf"), &mut ())
        .unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == bytes);
    let error = hub
        .resolve(&parse("org/repo:other.gguf"), &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn a_repository_without_gguf_files_is_a_folder() {
    let files: Vec<(&str, Vec<u8>)> = [
        "config.json",
        "tokenizer.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "pytorch_model.bin",
    ]
    .into_iter()
    .zip(1..)
    .map(|(name, seed)| (name, content(seed, 1000)))
    .collect();
    let server = Server::with("org/repo", &files);
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let found = hub.resolve(&parse("org/repo"), &mut ()).unwrap();
    let folder = found.folder.clone().expect("a folder");
    assert_eq!(found.name, "org/repo");
    assert_eq!(
        found.total_bytes, 5000,
        "PyTorch's weights stay where they are"
    );
    for (name, bytes) in &files[..5] {
        assert!(
            std::fs::read(folder.join(name)).unwrap() == *bytes,
            "{name}"
        );
    }
    assert!(!folder.join("pytorch_model.bin").exists());

    // From here on without the network; and gone when it is removed.
    assert_eq!(hub.resolve_local(&parse("org/repo")).unwrap(), found);
    let listed = hub.list().models;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].name.as_str(), listed[0].bytes),
        ("org/repo", 5000)
    );
    std::fs::remove_file(folder.join("model-00002-of-00002.safetensors")).unwrap();
    assert!(
        hub.resolve_local(&parse("org/repo")).is_err(),
        "a shard is missing"
    );
    assert_eq!(hub.resolve(&parse("org/repo"), &mut ()).unwrap(), found);
    assert_eq!(hub.remove(&parse("org/repo")).unwrap(), 5000);
    assert!(hub.list().models.is_empty());

    // Somebody who names a quantisation wants a GGUF file.
    let error = hub.resolve(&parse("org/repo:Q4_K_M"), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NoSuchFile { .. }), "{error}");
}

#[test]
fn a_local_folder_with_a_shard_missing_says_which() {
    let folder = TempDir::new();
    let put = |name: &str| std::fs::write(folder.0.join(name), "{}").unwrap();
    put("config.json");
    put("model.safetensors.index.json");
    put("model-00001-of-00002.safetensors");
    let hub = Hub::new(config(&folder.0, "http://127.0.0.1:1"));
    let name = folder.0.display().to_string();
    let error = hub.resolve(&parse(&name), &mut ()).unwrap_err().to_string();
    assert!(
        error.contains("model-00002-of-00002.safetensors"),
        "{error}"
    );
    put("model-00002-of-00002.safetensors");
    let found = hub.resolve(&parse(&name), &mut ()).unwrap();
    assert_eq!(found.folder, Some(folder.0.clone()));
    // A GGUF file in it wins.
    put("m-Q4_K_M.gguf");
    let found = hub.resolve(&parse(&name), &mut ()).unwrap();
    assert_eq!((found.folder, found.files.len()), (None, 1));
}
