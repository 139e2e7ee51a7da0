//! Files under `golden/`: values of other implementations, and small models.

use std::path::PathBuf;

use serde_json::Value;

/// The path of a file under `golden/`.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../golden")
        .join(name)
}

/// A file's bytes.
pub fn bytes(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file's text.
pub fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap_or_else(|error| panic!("golden/{name}: {error}"))
}

/// A JSON file.
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap_or_else(|error| panic!("golden/{name}: {error}"))
}

/// A JSON array of token ids.
pub fn tokens(value: &Value) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().expect("a token id") as u32;
    value.as_array().expect("a list").iter().map(id).collect()
}

/// A JSON array of numbers.
pub fn floats(value: &Value) -> Vec<f32> {
    let number = |value: &Value| value.as_f64().expect("a number") as f32;
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

/// The file of this name among the real models that tests use, too large to be kept here.
///
/// They lie in `INGLE_TEST_MODELS`, or in `~/.cache/ingle-test-models`. None if it is not there,
/// which the test should take as leave to pass.
///
/// # Panics
/// If it is not there and `CI` is set: a check that silently checks nothing is none.
pub fn real_model(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("INGLE_TEST_MODELS").map(PathBuf::from);
    let home = || std::env::home_dir().map(|home| home.join(".cache/ingle-test-models"));
    let path = folder.or_else(home)?.join(name);
    if path.is_file() {
        return Some(path);
    }
    let ci = std::env::var_os("CI").is_some();
    assert!(
        !ci,
        "`{}` is missing\nhint: `cargo xtask fetch`",
        path.display()
    );
    None
}
