//! The built program as a process: commands that end by themselves, and services.
//!
//! Invariant: no process outlives the tests, however those end. An owner that is
//! dropped kills its process; should the tests themselves be killed, a guardian
//! does, which is told of every process and waits for its input to close.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use crate::wait::within;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program; no setting comes from the environment of the tests.
pub(crate) fn roomtally() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomtally"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROOMTALLY_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program, which must end within `time`.
pub(crate) fn run(time: Duration, arguments: &[&str], stdin: Option<&str>) -> Ended {
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut command = roomtally();
    command.args(arguments).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).unwrap();
    }
    let what = format!("roomtally {} has ended", arguments.join(" "));
    let status = KillOnDrop::new(child).ends_within(time, &what);
    Ended { code: status.code(), stdout: text_of(&mut stdout), stderr: text_of(&mut stderr) }
}

/// A file of lines.
pub(crate) fn write_lines(path: &Path, lines: impl IntoIterator<Item = String>) {
    let mut file = std::io::BufWriter::new(File::create(path).unwrap());
    lines.into_iter().for_each(|line| writeln!(file, "{line}").unwrap());
    file.flush().unwrap();
}

/// Kills what is still there of the processes it was told of.
const GUARDIAN: &str = r#"pids=()
while read -r pid; do pids+=("$pid"); done
for pid in "${pids[@]}"; do [[ /proc/$pid/exe -ef $0 ]] && kill -KILL "$pid"; done"#;

/// A process that does not outlive its owner.
#[derive(Debug)]
pub(crate) struct KillOnDrop(pub(crate) Child);

impl KillOnDrop {
    /// Owns a process of the program.
    pub(crate) fn new(child: Child) -> Self {
        static GUARDIAN_INPUT: LazyLock<Mutex<ChildStdin>> = LazyLock::new(|| Mutex::new(guardian()));
        let mut input = GUARDIAN_INPUT.lock().unwrap();
        writeln!(input, "{}", child.id()).unwrap();
        Self(child)
    }

    #[track_caller]
    pub(crate) fn ends_within(&mut self, time: Duration, what: &str) -> ExitStatus {
        within(time, what, || self.0.try_wait().unwrap())
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn guardian() -> ChildStdin {
    let mut guardian = Command::new("bash");
    guardian.args(["-c", GUARDIAN, env!("CARGO_BIN_EXE_roomtally")]).stdin(Stdio::piped());
    // An interrupt from the terminal is for the tests; their end is for the guardian.
    guardian.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    guardian.spawn().expect("bash can be run").stdin.expect("it has an input")
}

fn text_of(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
