//! Files on disk: parts of a model that are missing or do not fit, and paths that are no files.

use std::path::{Path, PathBuf};

use formats::gguf::part_name;
use formats::{Error, Gguf, GgufWriter, Metadata, Value};
use tensor::DType;

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("formats-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A model of five tensors in three parts, `model-0000?-of-00003.gguf`.
fn three_parts(folder: &Folder) -> Vec<PathBuf> {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", Value::String("test".into()));
    let mut writer = GgufWriter::new(metadata).expect("valid metadata");
    for i in 0..5_u8 {
        let name = format!("blk.{i}");
        writer
            .tensor(&name, DType::I8, &[2, 20], vec![i; 40])
            .expect("a valid tensor");
    }
    let parts = writer.split(128).expect("no more than 65,535 parts");
    assert_eq!(parts.len(), 3, "two tensors of 64 padded bytes fit a part");
    let write = |(no, part): (usize, &GgufWriter<'_>)| {
        let path = folder.path(&part_name("model", no as u64, 3));
        write_file(part, &path);
        path
    };
    parts.iter().enumerate().map(write).collect()
}

fn write_file(writer: &GgufWriter<'_>, path: &Path) {
    let mut file = std::fs::File::create(path).expect("a new file");
    writer.write(&mut file).expect("room on the disk");
}

/// Writes a file with only these entries about a split.
fn write_part(path: &Path, no: u16, count: u16, tensors: i32) {
    let mut metadata = Metadata::new();
    metadata.insert("split.no", Value::U16(no));
    metadata.insert("split.count", Value::U16(count));
    metadata.insert("split.tensors.count", Value::I32(tensors));
    write_file(&GgufWriter::new(metadata).expect("valid metadata"), path);
}

#[test]
fn any_part_opens_all() {
    let folder = Folder::new("any-part");
    let paths = three_parts(&folder);
    for path in &paths {
        let gguf = Gguf::open(path).expect("all parts are there");
        assert_eq!(gguf.paths(), paths);
        assert_eq!(gguf.tensors().len(), 5);
        for (i, tensor) in gguf.tensors().iter().enumerate() {
            assert_eq!(tensor.name, format!("blk.{i}"));
            assert_eq!(*tensor.data, [i as u8; 40]);
            assert_eq!(gguf.tensor(&tensor.name), Some(tensor));
        }
        assert_eq!(
            gguf.metadata()
                .require::<&str>("general.architecture")
                .expect("first part's"),
            "test"
        );
    }
}

#[test]
fn missing_part_is_named() {
    let folder = Folder::new("missing-part");
    let paths = three_parts(&folder);
    std::fs::remove_file(&paths[1]).expect("was written");
    let error = Gguf::open(&paths[2]).expect_err("a part is missing");
    assert!(matches!(&error, Error::SplitMissing { no: 2, count: 3, path } if *path == paths[1]));
}

#[test]
fn renamed_part_is_explained() {
    let folder = Folder::new("renamed-part");
    let paths = three_parts(&folder);
    let other = folder.path("other.gguf");
    std::fs::rename(&paths[0], &other).expect("was written");
    let error = Gguf::open(&other).expect_err("the name leads nowhere");
    assert!(matches!(error.root(), Error::SplitName { no: 1, count: 3 }));
    assert!(
        error.to_string().contains("`-00001-of-00003.gguf`"),
        "{error}"
    );
}

#[test]
fn parts_must_agree() {
    let folder = Folder::new("parts-agree");
    let first = folder.path(&part_name("m", 0, 2));
    let second = folder.path(&part_name("m", 1, 2));
    for (no, count, tensors, wrong) in [
        (0, 2, 0, "split.no"),
        (1, 3, 0, "split.count"),
        (1, 0, 0, "split.count"),
        (1, 2, 9, "split.tensors.count"),
    ] {
        write_part(&first, 0, 2, 0);
        write_part(&second, no, count, tensors);
        let error = Gguf::open(&first).expect_err("the second part is of another model");
        assert!(
            matches!(error.root(), Error::SplitMismatch { key, .. } if *key == wrong),
            "{error}"
        );
        assert!(
            error.to_string().contains("m-00002-of-00002.gguf"),
            "{error}"
        );
    }
}

#[test]
fn number_of_tensors_must_agree() {
    let folder = Folder::new("tensor-count");
    let paths = [
        folder.path(&part_name("m", 0, 2)),
        folder.path(&part_name("m", 1, 2)),
    ];
    write_part(&paths[0], 0, 2, 7);
    write_part(&paths[1], 1, 2, 7);
    let error = Gguf::open(&paths[1]).expect_err("no tensors at all");
    assert!(
        matches!(
            error.root(),
            Error::SplitMismatch {
                key: "split.tensors.count",
                found: 7,
                expected: 0
            }
        ),
        "{error}"
    );
}

#[test]
fn tensor_in_two_parts() {
    let folder = Folder::new("tensor-twice");
    let paths = three_parts(&folder);
    let gguf = Gguf::open(&paths[0]).expect("all parts are there");
    // The second part again, with a tensor of the first.
    let mut metadata = Metadata::new();
    metadata.insert("split.no", Value::U16(1));
    metadata.insert("split.count", Value::U16(3));
    metadata.insert("split.tensors.count", Value::I32(5));
    let mut writer = GgufWriter::new(metadata).expect("valid metadata");
    writer
        .copy_tensor(&gguf.tensors()[2])
        .expect("a valid tensor");
    writer
        .copy_tensor(&gguf.tensors()[0])
        .expect("a valid tensor");
    // Not over the old file: it is mapped.
    let new = folder.path("new");
    write_file(&writer, &new);
    std::fs::rename(new, &paths[1]).expect("on the same disk");
    let error = Gguf::open(&paths[0]).expect_err("blk.0 is there twice");
    assert!(
        matches!(error.root(), Error::Duplicate { what: "tensor", name } if name == "blk.0"),
        "{error}"
    );
}

#[test]
fn paths_that_are_no_files() {
    let folder = Folder::new("no-files");
    for path in [folder.path("absent.gguf"), folder.0.clone()] {
        let error = Gguf::open(&path).expect_err("nothing to read");
        assert!(
            matches!(&error, Error::Open { path: named, .. } if *named == path),
            "{error}"
        );
    }
    let empty = folder.path("empty.gguf");
    std::fs::write(&empty, []).expect("a new file");
    let error = Gguf::open(&empty).expect_err("nothing in it");
    assert!(matches!(error.root(), Error::Magic { .. }));
    assert!(error.to_string().contains("empty.gguf"), "{error}");
}

#[test]
fn file_that_is_being_written() {
    let folder = Folder::new("locked");
    let paths = three_parts(&folder);
    let writer = std::fs::File::open(&paths[0]).expect("there");
    writer.lock().expect("nobody else has it");
    let error = Gguf::open(&paths[0]).expect_err("locked");
    assert!(
        error
            .to_string()
            .contains("another program has locked the file"),
        "{error}"
    );
    drop(writer);

    let reader = Gguf::open(&paths[0]).expect("free again");
    Gguf::open(&paths[0]).expect("readers share it");
    let writer = std::fs::File::open(&paths[0]).expect("there");
    writer.try_lock().expect_err("a model is in use");
    drop(reader);
    writer.try_lock().expect("no longer");
}
