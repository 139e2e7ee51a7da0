//! Real client libraries against the program: the scripts of `crates/server/tests/clients`, each with the server's
//! address as its argument. A script succeeds if everything it asserts holds.
//!
//! The libraries come from their own registries, in the versions that `requirements.txt` and `package-lock.json` pin, into
//! a folder of the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::{self, Tally};
use crate::serve::{self, Server};
use crate::{Failure, fetch};

/// Runs the scripts, or those whose names are given.
///
/// # Errors
/// If a library cannot be had, the server does not start, or a script fails.
pub(crate) fn run(
    root: &Path,
    target: &Path,
    names: &[&str],
    tally: &mut Tally,
) -> Result<(), Failure> {
    let folder = root.join("crates/server/tests/clients");
    let tools = Tools::install(&folder, &target.join("clients"))?;
    let program = serve::program(root, target)?;
    let flags = ["--metrics", "--alias", "stories"];
    let server = Server::start(root, &program, &folder.join("template.jinja"), &flags)?;
    let mut failed = Vec::new();
    let mut commands = Vec::new();
    for script in scripts(&folder)? {
        let name = script
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        let mut command = tools.command(&script);
        command.arg(&server.url).current_dir(&tools.folder);
        commands.push((name, command));
    }
    commands.extend(with_servers_of_their_own(root, &tools, &program)?);
    for (name, mut command) in commands {
        if !names.is_empty() && !names.iter().any(|wanted| name.contains(wanted)) {
            continue;
        }
        println!("── {name}");
        match exec::stream(&mut command) {
            Ok(()) => tally.passed += 1,
            Err(failure) => {
                tally.failed += 1;
                tally.failures.push(name);
                failed.push(failure);
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("\n")),
    }
}

/// Scripts that start what they need: MCP servers and clients, and the tutorial, which wants a model that can chat.
fn with_servers_of_their_own(
    root: &Path,
    tools: &Tools,
    program: &Path,
) -> Result<Vec<(String, Command)>, Failure> {
    let mut mcp = Command::new("python3");
    mcp.arg(root.join("crates/mcp/tests/real.py")).arg(program);
    mcp.arg(root.join("golden/models/stories260K-f32.gguf"));
    let model = fetch::file("smollm2").ok_or("there is no test model `smollm2`")?;
    let mut tutorial = Command::new("python3");
    tutorial.arg(root.join("docs/tutorial.py")).arg(program);
    tutorial.env("MODEL", fetch::folder()?.join(model));
    tutorial.env("PYTHON", tools.folder.join("venv/bin/python"));
    tutorial.env("PORT", "39218");
    let named = [("mcp", mcp), ("tutorial", tutorial)];
    Ok(named
        .map(|(name, command)| (name.to_owned(), command))
        .into())
}

/// `*_client.py` and `*_client.mjs`, in order.
fn scripts(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let is_script = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.ends_with("_client.py") || name.ends_with("_client.mjs")
    };
    let mut scripts: Vec<PathBuf> = paths.filter(is_script).collect();
    scripts.sort();
    Ok(scripts)
}

/// Where the libraries are.
struct Tools {
    folder: PathBuf,
}

impl Tools {
    fn install(sources: &Path, folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let tools = Self {
            folder: folder.to_owned(),
        };
        tools.once(sources, &["requirements.txt"], || {
            exec::stream(
                Command::new("python3")
                    .args(["-m", "venv"])
                    .arg(folder.join("venv")),
            )?;
            let pip = folder.join("venv/bin/pip");
            let quiet = [
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ];
            exec::stream(
                Command::new(pip)
                    .args(quiet)
                    .arg(sources.join("requirements.txt")),
            )
        })?;
        tools.once(sources, &["package.json", "package-lock.json"], || {
            exec::stream(
                Command::new("npm")
                    .args(["ci", "--silent", "--no-audit", "--no-fund"])
                    .current_dir(folder),
            )
        })?;
        Ok(tools)
    }

    /// Installs what the files name, unless it has been done with the same files. They are copied first.
    fn once(
        &self,
        sources: &Path,
        files: &[&str],
        install: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let done = self.folder.join(format!("{}.done", files[0]));
        let mut wanted = String::new();
        for file in files {
            let from = sources.join(file);
            let text = fs::read_to_string(&from)
                .map_err(|error| format!("{}: {error}", from.display()))?;
            fs::write(self.folder.join(file), &text).map_err(|error| format!("{file}: {error}"))?;
            wanted += &text;
        }
        if fs::read_to_string(&done).is_ok_and(|text| text == wanted) {
            return Ok(());
        }
        install()?;
        fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))
    }

    fn command(&self, script: &Path) -> Command {
        if script
            .extension()
            .is_some_and(|extension| extension == "py")
        {
            let mut command = Command::new(self.folder.join("venv/bin/python"));
            command.arg(script);
            return command;
        }
        // Modules are looked for beside the script: it is run from where they are.
        let name = script.file_name().unwrap_or_default();
        let copy = self.folder.join(name);
        // If it cannot be copied, node says that it is not there.
        let _ = fs::copy(script, &copy);
        let mut command = Command::new("node");
        command.arg(copy);
        command
    }
}
