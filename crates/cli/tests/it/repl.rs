//! The chat, driven through a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{folder, ingle, model};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program at a terminal.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not yet looked at.
    seen: String,
}

impl Terminal {
    fn start(home: &Path, args: &[&str]) -> Self {
        let pty = openpty(None, None).expect("the system has pseudo-terminals");
        let slave = || pty.slave.try_clone().expect("descriptors are left");
        let mut command = ingle(home, args);
        command
            .env("NO_COLOR", "1")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave());
        let child = command.spawn().expect("it starts");
        let mut reader = File::from(pty.master.try_clone().expect("descriptors are left"));
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails when the program has gone.
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keyboard = File::from(pty.master);
        Self {
            child,
            keyboard,
            screen,
            seen: String::new(),
        }
    }

    /// Waits until `text` is shown; returns what was shown up to it.
    fn expect(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(_) => panic!("no {text:?} in {:?}", self.seen),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("the terminal is open");
    }

    /// A line, once the prompt is there.
    fn say(&mut self, line: &str) {
        self.expect(">>> ");
        self.press(&format!("{line}\r"));
    }

    fn end(mut self) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                assert_eq!(status.code(), Some(0), "{:?}", self.seen);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        panic!("it did not end: {:?}", self.seen);
    }
}

fn chat(test: &str, flags: &[&str]) -> (std::path::PathBuf, Terminal) {
    let home = folder(test);
    let template = "{% for m in messages %}{{ m.content }}{% endfor %}";
    std::fs::write(home.join("t.jinja"), template).expect("writable");
    let model = model();
    let args = [
        "run",
        &model,
        "--chat-template-file",
        "t.jinja",
        "--temp",
        "0",
    ];
    let terminal = Terminal::start(&home, &[&args, flags].concat());
    (home, terminal)
}

#[test]
fn a_conversation_is_held_saved_and_loaded() {
    let (home, mut terminal) = chat("repl_talk", &["-n", "8"]);
    terminal.say("Once upon a time");
    terminal.say("/system Be brief.");
    terminal.expect("system message set");
    terminal.say("/save talk.json");
    terminal.expect("saved to `talk.json`");
    terminal.say("/clear");
    terminal.expect("forgotten");
    terminal.say("/load talk.json");
    terminal.expect("3 messages");
    terminal.say("/set temp 0.5");
    terminal.expect("temp 0.5");
    terminal.say("/set nonsense 1");
    terminal.expect("error: no setting `nonsense`");
    terminal.say("/regen");
    terminal.say("/what");
    terminal.expect("error: no command `/what`");
    terminal.say("/exit");
    terminal.end();
    let text = std::fs::read_to_string(home.join("talk.json")).expect("it was saved");
    let talk: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let roles: Vec<_> = (0..3)
        .map(|i| talk["messages"][i]["role"].as_str())
        .collect();
    assert_eq!(roles, [Some("system"), Some("user"), Some("assistant")]);
    assert_eq!(talk["messages"][1]["content"], "Once upon a time");
    assert!(
        talk["messages"][2]["content"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let history = std::fs::read_to_string(home.join("state/ingle/history")).expect("it was kept");
    assert!(history.contains("Once upon a time"), "{history}");
}

#[test]
fn several_lines_stand_between_quotes() {
    let (home, mut terminal) = chat("repl_lines", &["-n", "4"]);
    terminal.say("\"\"\"Once");
    terminal.expect("... ");
    terminal.press("upon\"\"\"\r");
    terminal.say("/save talk.json");
    terminal.expect("saved");
    terminal.expect(">>> ");
    terminal.press("\x04"); // Ctrl-D
    terminal.end();
    let text = std::fs::read_to_string(home.join("talk.json")).expect("it was saved");
    assert!(text.contains(r#""Once\nupon""#), "{text}");
}

#[test]
fn ctrl_c_clears_the_line_and_stops_answers() {
    let (_, mut terminal) = chat("repl_interrupt", &["--ignore-eos"]);
    terminal.expect(">>> ");
    terminal.press("never sent\x03");
    terminal.say("Once upon a time, there was");
    terminal.expect("there was");
    terminal.expect("\n"); // the line is taken
    let pid = Pid::from_raw(
        terminal
            .child
            .id()
            .try_into()
            .expect("process ids are positive"),
    );
    kill(pid, Signal::SIGINT).expect("it is our child");
    terminal.expect("(stopped)");
    terminal.say("/exit");
    terminal.end();
}
