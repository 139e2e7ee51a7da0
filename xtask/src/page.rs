//! The page of the server (`crates/server/web`): types, logic, a fresh build, and Chromium against both servers.
//!
//! npm and Chromium are the machine's own. What npm brings is kept in `node_modules` and brought again when
//! `package-lock.json` has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::serve::{self, Server};
use crate::{Failure, exec};

/// Where the page's sources are.
const WEB: &str = "crates/server/web";

/// Where browsers of the Chromium kind are, as in `tests/playwright.config.ts`.
const CHROMIUM: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// Everything, against the program of the folder `target`.
///
/// # Errors
/// If something that it needs cannot be had, the committed build is not the sources', or a test fails.
pub(crate) fn run(root: &Path, target: &Path) -> Result<(), Failure> {
    let web = root.join(WEB);
    install(&web)?;
    for script in ["check", "test"] {
        exec::stream(npm(&web).args(["run", "--silent", script]))?;
    }
    check_fresh(&web, &target.join("page"))?;
    find_chromium()?;
    exec::stream(npm(&web).args(["run", "--silent", "test:page"]))?;
    let program = serve::program(root, target)?;
    let server = Server::start(root, &program, &web.join("tests/chat.jinja"), &[])?;
    exec::stream(
        npm(&web)
            .args(["run", "--silent", "test:server"])
            .env("INGLE_URL", format!("{}/", server.url)),
    )
}

/// The packages of `package-lock.json`, exactly.
fn install(web: &Path) -> Result<(), Failure> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let wanted = read(&web.join("package-lock.json"))?;
    let stamp = web.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    exec::stream(npm(web).arg("ci")).map_err(|failure| {
        format!("{failure}\nhint: needs node 20.19 or later with npm, and a package index")
    })?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// The committed build is what the sources give.
fn check_fresh(web: &Path, out: &Path) -> Result<(), Failure> {
    let mut build = npm(web);
    build.args(["run", "--silent", "build", "--", "--logLevel", "warn"]);
    exec::stream(build.arg("--emptyOutDir").arg("--outDir").arg(out))?;
    let committed = web.join("dist");
    let (built, there) = (files(out)?, files(&committed)?);
    let changed = built.iter().chain(&there).find(|path| {
        let bytes = |folder: &Path| fs::read(folder.join(path)).ok();
        bytes(out) != bytes(&committed)
    });
    match changed {
        None => Ok(()),
        Some(path) => Err(format!(
            "{WEB}/dist/{} is not what the sources give\nhint: `npm run build` in {WEB}, and commit",
            path.display()
        )),
    }
}

/// The files below `folder`, relative to it.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let wrong = |error| format!("{}: {error}", next.display());
        for entry in fs::read_dir(&next).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(path.strip_prefix(folder).ok().map(Path::to_owned)),
            }
        }
    }
    Ok(found)
}

/// Chromium is there, or Debian's comes now.
fn find_chromium() -> Result<(), Failure> {
    let is_there = || CHROMIUM.iter().any(|path| Path::new(path).exists());
    if std::env::var_os("CHROMIUM").is_some() || is_there() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        exec::stream(
            command
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    let brought = apt(&["update", "-qq"]).and_then(|()| {
        apt(&[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "chromium",
        ])
    });
    match brought {
        Ok(()) if is_there() => Ok(()),
        outcome => Err(format!(
            "the page needs Chromium, and apt-get did not bring it{}\n\
             hint: install it, or name a browser of its kind in `CHROMIUM`",
            outcome
                .err()
                .map_or_else(String::new, |why| format!(": {why}"))
        )),
    }
}

fn npm(web: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(web).env("CI", "true");
    // The browser is not npm's.
    command.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    command
}
