//! `kill -9` at random moments of a download: nothing half-written is ever a model, and the same
//! command goes on where the dead one stopped.

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::Duration;

use hub::Hub;

use crate::server::{Fault, Server};
use crate::support::{TempDir, config, content, parse};

const CACHE: &str = "HUB_TEST_CACHE";
const ENDPOINT: &str = "HUB_TEST_ENDPOINT";
const SIZE: usize = 2_000_000;

/// The victim: this test binary, started again for this one "test".
#[test]
#[ignore = "started by the test below"]
fn victim() {
    let (Ok(cache), Ok(endpoint)) = (std::env::var(CACHE), std::env::var(ENDPOINT)) else {
        return;
    };
    let hub = Hub::new(config(cache.as_ref(), &endpoint));
    hub.resolve(&parse("org/repo"), &mut ()).unwrap();
}

#[test]
fn a_killed_download_is_never_a_model() {
    let parts = [
        "m-Q4_K_M-00001-of-00002.gguf",
        "m-Q4_K_M-00002-of-00002.gguf",
    ];
    let files: Vec<_> = (1..)
        .zip(parts)
        .map(|(seed, part)| (part, content(seed, SIZE)))
        .collect();
    let server = Server::with("org/repo", &files);
    // About 0.3 s for each part.
    server.data_faults(&vec![
        Fault::Slow(SIZE / 30, Duration::from_millis(10));
        100
    ]);
    let cache = TempDir::new();
    let hub = Hub::new(config(&cache.0, &server.url));
    let (mut interrupted, largest) = (0, Cell::new(0));
    // More rounds only on a machine so busy that the victims hardly start.
    for round in (0..60u64).take_while(|round| *round < 14 || largest.get() == 0) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::victim", "--exact", "--ignored", "--quiet"])
            .env(CACHE, &cache.0)
            .env(ENDPOINT, &server.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Odd steps, so that the moments differ: start, first part, its rename, second part.
        std::thread::sleep(Duration::from_millis(
            40 + round * 67 % 290 + round / 14 * 200,
        ));
        let running = child.try_wait().unwrap().is_none();
        child.kill().ok();
        child.wait().unwrap();
        interrupted += u32::from(running);
        let listed = hub.list();
        let bytes = listed.incomplete.iter().map(|left| left.bytes).max();
        largest.set(largest.get().max(bytes.unwrap_or(0)));
        for model in hub
            .resolve_local(&parse("org/repo"))
            .into_iter()
            .map(|model| model.files)
        {
            assert_whole(&model, &files);
        }
        for model in listed.models {
            assert_whole(&model.files, &files);
        }
        assert_blobs_whole(&cache, &files);
    }
    assert!(
        interrupted >= 2 && largest.get() > 0,
        "the kills came too early or too late"
    );
    let found = hub.resolve(&parse("org/repo"), &mut ()).unwrap();
    assert_whole(&found.files, &files);
    let resumed = server
        .seen("GET", "/resolve/")
        .iter()
        .filter(|seen| seen.range.is_some())
        .count();
    assert!(resumed > 0, "no download was resumed");
}

fn assert_whole(found: &[std::path::PathBuf], files: &[(&str, Vec<u8>)]) {
    assert_eq!(found.len(), files.len());
    for (path, (_, expected)) in found.iter().zip(files) {
        assert!(
            std::fs::read(path).unwrap() == *expected,
            "{}",
            path.display()
        );
    }
}

/// Whatever has a final name has its final content.
fn assert_blobs_whole(cache: &TempDir, files: &[(&str, Vec<u8>)]) {
    for entry in std::fs::read_dir(cache.0.join("models--org--repo/blobs"))
        .into_iter()
        .flatten()
    {
        let path = entry.unwrap().path();
        if path.extension().is_none() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                files.iter().any(|(_, expected)| *expected == bytes),
                "{}",
                path.display()
            );
        }
    }
}
