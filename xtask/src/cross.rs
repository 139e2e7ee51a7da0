//! Tests of the levels that this machine's CPU may lack: other targets under an emulator.
//!
//! | name | what runs | needs |
//! |---|---|---|
//! | `aarch64` | NEON with and without dot products | `rustup target add aarch64-unknown-linux-gnu`; Debian's `gcc-aarch64-linux-gnu`, `qemu-user` |
//! | `wasm` | WebAssembly's `simd128` | `rustup target add wasm32-wasip1`; Node 20 or later |
//! | `vnni` | AVX2 with VNNI, in the encoding that AVX-512 CPUs have | AVX-512 VNNI and VL |
//!
//! Each also builds everything from `tensor` to `engine` for its target. Not part of CI: compiling the
//! kernels for three more targets takes longer than all the rest.

use std::path::Path;
use std::process::Command;

use crate::{Failure, exec};

/// A target and how its programs run.
struct Target {
    name: &'static str,
    /// The target's name for the compiler; none for this machine's.
    triple: Option<&'static str>,
    rustflags: &'static str,
    linker: Option<&'static str>,
    runner: Option<&'static str>,
}

const TARGETS: [Target; 3] = [
    Target {
        name: "aarch64",
        triple: Some("aarch64-unknown-linux-gnu"),
        rustflags: "",
        linker: Some("aarch64-linux-gnu-gcc"),
        // Where Debian's cross compiler has its system library.
        runner: Some("qemu-aarch64 -L /usr/aarch64-linux-gnu"),
    },
    Target {
        name: "wasm",
        triple: Some("wasm32-wasip1"),
        rustflags: "-C target-feature=+simd128",
        linker: None,
        runner: Some("node --no-warnings xtask/src/wasi.mjs"),
    },
    Target {
        name: "vnni",
        triple: None,
        rustflags: "--cfg evex_vnni",
        linker: None,
        runner: None,
    },
];

/// What a port must at least compile.
const CRATES: [&str; 6] = [
    "tensor",
    "formats",
    "kernels",
    "model",
    "tokenizer",
    "engine",
];

/// The names of all targets.
pub(crate) fn names() -> Vec<&'static str> {
    TARGETS.iter().map(|target| target.name).collect()
}

/// Checks and tests the targets that are named; all without names.
///
/// # Errors
/// If one has no such name, or fails.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<(), Failure> {
    if let Some(name) = names.iter().find(|name| !self::names().contains(name)) {
        return Err(format!("`cross` knows no target `{name}`"));
    }
    let chosen = |target: &&Target| names.is_empty() || names.contains(&target.name);
    for target in TARGETS.iter().filter(chosen) {
        println!("── {}", target.name);
        let mut check = cargo(root, target, "check");
        exec::stream(check.args(CRATES.iter().flat_map(|name| ["-p", name])))?;
        let mut test = cargo(root, target, "test");
        exec::stream(test.args(["-p", "kernels", "--", "--test-threads", "1"]))?;
    }
    Ok(())
}

/// `cargo <task> --locked` for a target, in a folder of its own: flags differ.
fn cargo(root: &Path, target: &Target, task: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let folder = root.join("target/cross").join(target.name);
    command
        .current_dir(root)
        .args([task, "--locked", "--target-dir"])
        .arg(folder)
        .env("RUSTFLAGS", target.rustflags);
    if let Some(triple) = target.triple {
        command.args(["--target", triple]);
        let variable = triple.to_uppercase().replace('-', "_");
        if let Some(linker) = target.linker {
            command.env(format!("CARGO_TARGET_{variable}_LINKER"), linker);
        }
        if let Some(runner) = target.runner {
            // Tests run in the folder of their package.
            let runner = runner.replace("xtask/", &format!("{}/xtask/", root.display()));
            command.env(format!("CARGO_TARGET_{variable}_RUNNER"), runner);
        }
    }
    command
}
