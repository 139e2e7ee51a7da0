//! The small models of `golden/arch`, which `golden/arch/make.py` made: one or several of each family.

use std::path::PathBuf;

use formats::Gguf;
use testkit::golden;

/// Names and folders of all of them, by name.
pub(crate) fn folders() -> Vec<(String, PathBuf)> {
    let entries = golden::path("arch").read_dir().expect("a folder");
    let named = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        (name, entry.path())
    });
    // Scripts lie beside them.
    let mut folders: Vec<_> = named.filter(|(_, path)| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Those that llama.cpp's converter made a GGUF file of.
pub(crate) fn files() -> impl Iterator<Item = (String, Gguf)> {
    folders().into_iter().filter_map(|(name, folder)| {
        let path = folder.join("model.gguf");
        let open = |path| Gguf::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = path.exists().then(|| open(path))?;
        Some((name, file))
    })
}

/// The sequence of tokens that this model's taps were taken with.
pub(crate) fn tokens(name: &str) -> Vec<u32> {
    let path = golden::path("arch").join(name).join("taps.gguf");
    let taps = Gguf::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    taps.metadata().require("golden.tokens").expect("tokens")
}
