//! Which crate may use which, and how many packages stand behind them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Failure, exec};

/// Every crate of ours with the crates of ours it may use. No arrow points back: a row names only rows above.
const MAY_USE: &[(&str, &[&str])] = &[
    ("tensor", &[]),
    ("formats", &["tensor"]),
    ("kernels", &["tensor"]),
    ("tokenizer", &[]),
    ("model", &["tensor", "formats", "kernels"]),
    ("engine", &["formats", "model", "tokenizer"]),
    ("hub", &[]),
    // The façade hands out what it is made of: files, tokenizers, probe taps.
    (
        "ingle",
        &["tensor", "formats", "tokenizer", "model", "engine", "hub"],
    ),
    ("mcp", &["ingle"]),
    ("server", &["ingle", "mcp"]),
    // `show` prints the metadata of a file.
    ("cli", &["formats", "ingle", "mcp", "server"]),
    ("testkit", &["tensor", "formats"]),
    ("xtask", &[]),
];

/// Only for tests of the others.
const FOR_TESTS: &[&str] = &["testkit"];

/// Packages in the lock file.
const MAX_LOCKED: usize = 300;

/// Packages, ours included, that `engine` is compiled from.
const MAX_BELOW_ENGINE: usize = 60;

/// Arrows that point where they may not, and dependencies that are not pinned in one place.
pub(super) fn directions(root: &Path) -> Result<Vec<String>, Failure> {
    let mut broken = Vec::new();
    for folder in members(root)? {
        let name = folder.rsplit('/').next().unwrap_or(&folder);
        let path = format!("{folder}/Cargo.toml");
        let Some((_, allowed)) = MAY_USE.iter().find(|(member, _)| *member == name) else {
            broken.push(format!(
                "{path}: `{name}` has no row in xtask/src/tidy/deps.rs"
            ));
            continue;
        };
        for dependency in dependencies(&read(root, &path)?) {
            let used = dependency.name.as_str();
            if !dependency.inherited {
                broken.push(format!("{path}: `{used}` is not taken from the workspace"));
            }
            let is_ours = MAY_USE.iter().any(|(member, _)| *member == used);
            let is_allowed = allowed.contains(&used)
                || (dependency.dev && (is_below(name, used) || FOR_TESTS.contains(&used)));
            if is_ours && !is_allowed {
                broken.push(format!("{path}: `{name}` may not use `{used}`"));
            }
        }
    }
    Ok(broken)
}

/// What is over its number of packages.
pub(super) fn budgets(root: &Path) -> Result<Vec<String>, Failure> {
    let mut broken = Vec::new();
    let counts = [
        ("Cargo.lock", locked(root)?.len(), MAX_LOCKED),
        (
            "packages below `engine`",
            closure(root, "engine")?.len(),
            MAX_BELOW_ENGINE,
        ),
    ];
    for (what, count, most) in counts {
        if count > most {
            broken.push(format!("{what}: {count}, at most {most} are allowed"));
        }
    }
    Ok(broken)
}

/// The names in the lock file, one for each version.
pub(super) fn locked(root: &Path) -> Result<Vec<String>, Failure> {
    let lock = read(root, "Cargo.lock")?;
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    Ok(names.map(str::to_owned).collect())
}

/// Every package that `name` is compiled from on this machine, itself included.
pub(super) fn closure(root: &Path, name: &str) -> Result<BTreeSet<String>, Failure> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(program);
    tree.current_dir(root);
    tree.args([
        "tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none",
    ]);
    let listing = exec::capture(&mut tree)?;
    // `half v2.7.1 (/path) (*)`
    let name_and_version = |line: &str| line.split(" (").next().unwrap_or(line).to_owned();
    Ok(listing
        .lines()
        .filter(|line| !line.is_empty())
        .map(name_and_version)
        .collect())
}

/// Whether `other` is in the closure of what `name` may use.
fn is_below(name: &str, other: &str) -> bool {
    let row = MAY_USE.iter().find(|(member, _)| *member == name);
    row.is_some_and(|(_, used)| {
        used.iter()
            .any(|used| *used == other || is_below(used, other))
    })
}

/// Folders of the workspace's members, as its globs name them.
fn members(root: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(root.join("crates"));
    let entries = entries.map_err(|error| format!("cannot list `crates`: {error}"))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut folders: Vec<String> = names.map(|name| format!("crates/{name}")).collect();
    folders.extend(["testkit".to_owned(), "xtask".to_owned()]);
    folders.retain(|folder| root.join(folder).join("Cargo.toml").is_file());
    folders.sort();
    Ok(folders)
}

/// One line of a dependency table.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    /// Only for tests.
    dev: bool,
    /// Its version comes from the workspace.
    inherited: bool,
}

/// The dependencies in a manifest written one to a line, as ours are.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section.ends_with("dependencies") && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', ' ', '=']).next().unwrap_or(line);
            found.push(Dependency {
                name: name.to_owned(),
                dev: section.ends_with("dev-dependencies"),
                inherited: line.replace(' ', "").contains("workspace=true"),
            });
        }
    }
    found
}

fn read(root: &Path, path: &str) -> Result<String, Failure> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("cannot read `{path}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_only_rows_above() {
        for (index, (name, used)) in MAY_USE.iter().enumerate() {
            for used in *used {
                let place = MAY_USE.iter().position(|(member, _)| member == used);
                assert!(place < Some(index), "{name} -> {used}");
            }
        }
        assert!(is_below("engine", "tensor"));
        assert!(!is_below("tensor", "engine"));
    }

    #[test]
    fn dependencies_are_read_from_a_manifest() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nhalf.workspace = true\n\
                        [target.'cfg(unix)'.dev-dependencies]\nlibc = \"0.2\"\n";
        let dependency = |name: &str, dev, inherited| Dependency {
            name: name.to_owned(),
            dev,
            inherited,
        };
        let expected = [
            dependency("half", false, true),
            dependency("libc", true, false),
        ];
        assert_eq!(dependencies(manifest), expected);
    }
}
