//! Processes that end with the tests, however those end.
//!
//! Owns a process through a keeper, a shell that has it as its child and waits for its own
//! input to close, which it does at the latest when the tests are gone. As its parent the
//! keeper cannot take another process for it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Ends the process when the input closes, and itself when the process ends.
const KEEPER: &str = r#"exec 3<&0 </dev/null
cat <&3 >/dev/null &
"$@" 3<&- &
wait -n
kill -KILL $(jobs -pr) 2>/dev/null
wait"#;

/// A running process; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    keeper: Child,
    log: PathBuf,
}

impl Kept {
    /// Starts a command. What it prints goes into the file `log`.
    pub(crate) fn start(command: &[&str], environment: &[(&str, &str)], log: &Path) -> Self {
        let out = File::create(log).unwrap();
        let mut keeper = Command::new("bash");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROOMTALLY_"))
        {
            keeper.env_remove(name);
        }
        keeper.args(["-c", KEEPER, "keeper"]).args(command).envs(environment.iter().copied());
        keeper.stdin(Stdio::piped()).stderr(out.try_clone().unwrap()).stdout(out);
        // An interrupt from the terminal is for the tests; their end is for the keeper.
        let keeper = keeper.process_group(0).spawn().expect("bash can be run");
        Self { keeper, log: log.to_owned() }
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Fails with its last lines if it has ended.
    #[track_caller]
    pub(crate) fn is_running(&mut self) {
        if let Some(status) = self.keeper.try_wait().unwrap() {
            panic!("it has ended ({status}), saying\n{}", self.last_lines());
        }
    }

    pub(crate) fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
