//! Nodes of a real Kafka, started and ended by `scripts/kafka`.
//!
//! Owns their ports and directories. Invariant: no node outlives the tests,
//! however they end. Each has a guardian, a process that waits for its standard
//! input to close, which it does at the latest when this process is gone, and
//! then kills the node by its process id and removes its directory.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::process::{Pid, Signal, kill_process};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka");

const GUARDIAN: &str = r#"cat >/dev/null; "$0" kill --dir "$1"; exec "$0" stop --dir "$1" --delete"#;

/// So that what a node does once in a while, it does while a test waits.
const IMPATIENCE: [&str; 3] =
    ["log.cleaner.backoff.ms=200", "log.initial.task.delay.ms=100", "log.retention.check.interval.ms=500"];

/// One node; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    port: u16,
    controller_port: u16,
    dir: PathBuf,
    settings: Vec<String>,
    /// A second listener's port, and that of the proxy in front of it.
    behind: Option<(u16, u16)>,
    guardian: Child,
}

/// The node that tests share. It is there for as long as one of them holds it.
pub(crate) fn shared() -> Arc<Node> {
    static SHARED: Mutex<Result<Weak<Node>, String>> = Mutex::new(Ok(Weak::new()));
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let running = match &*shared {
        Ok(node) => node.upgrade(),
        // It would fail again, after a minute perhaps.
        Err(problem) => panic!("{problem}"),
    };
    if let Some(node) = running {
        return node;
    }
    let node = Arc::new(Node::absent(&[]));
    match node.try_run() {
        Ok(()) => *shared = Ok(Arc::downgrade(&node)),
        Err(problem) => {
            *shared = Err(problem.clone());
            panic!("{problem}");
        }
    }
    node
}

impl Node {
    /// A node of one's own.
    pub(crate) fn start() -> Self {
        let node = Self::absent(&[]);
        node.run();
        node
    }

    /// The place of a node that does not run yet, with further broker properties.
    pub(crate) fn absent(settings: &[&str]) -> Self {
        let (port, controller_port) = (free_port(), free_port());
        let name = format!("roomtally-suite-{}-{port}-{controller_port}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let guardian = Command::new("bash")
            .args(["-c", GUARDIAN, SCRIPT])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt from the terminal is for the tests; their end is for the guardian.
            .process_group(0)
            .spawn()
            .expect("bash can be run");
        let settings = IMPATIENCE.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        Self { port, controller_port, dir, settings, behind: None, guardian }
    }

    /// Listens, the next time that it runs, where this other node does.
    pub(crate) fn takes_place_of(&mut self, other: &Self) {
        self.port = other.port;
    }

    /// The place of a node with a second listener, to be reached through a proxy
    /// on the port `proxy` alone.
    pub(crate) fn behind(proxy: u16) -> Self {
        let mut node = Self::absent(&[]);
        node.behind = Some((free_port(), proxy));
        node
    }

    /// The port that the proxy leads to.
    pub(crate) fn behind_port(&self) -> u16 {
        self.behind.expect("a node behind a proxy").0
    }

    /// Where it listens.
    pub(crate) fn servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where a stopped node keeps the first records of a topic's partition.
    pub(crate) fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        let name = format!("{topic}-{partition}/00000000000000000000.log");
        let below = fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let found = below.flat_map(|dir| [dir.join(&name)]).find(|path| path.exists());
        found.unwrap_or_else(|| panic!("no {name} below {}", self.dir.display()))
    }

    /// Starts it with what it has on its disk.
    pub(crate) fn run(&self) {
        self.try_run().unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Ends it in order, and keeps its disk.
    pub(crate) fn stop(&self) {
        self.command("stop", &[]).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Ends it as a crash would, and keeps its disk.
    pub(crate) fn kill(&self) {
        self.command("kill", &[]).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Keeps it from running, as a machine that is out of breath does.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it run on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.dir.join("pid")).expect("the node's pid");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a pid is a number");
        kill_process(pid, signal).expect("the node can be signalled");
    }

    fn try_run(&self) -> Result<(), String> {
        let (port, controller_port) = (self.port.to_string(), self.controller_port.to_string());
        let mut arguments = vec!["--port", &port, "--controller-port", &controller_port];
        let behind = self.behind.map(|(port, proxy)| format!("{port}:{proxy}"));
        if let Some(behind) = &behind {
            arguments.extend(["--behind", behind]);
        }
        for setting in &self.settings {
            arguments.extend(["--set", setting]);
        }
        self.command("start", &arguments)
    }

    fn command(&self, command: &str, arguments: &[&str]) -> Result<(), String> {
        let mut script = Command::new(SCRIPT);
        script.arg(command).arg("--dir").arg(&self.dir).args(arguments).stdin(Stdio::null());
        // Tests are short: a node that starts fast serves them better than a fast one.
        if std::env::var_os("ROOMTALLY_KAFKA_JAVA_OPTS").is_none() {
            script.env("ROOMTALLY_KAFKA_JAVA_OPTS", "-XX:TieredStopAtLevel=1");
        }
        match script.output() {
            Ok(Output { status, .. }) if status.success() => Ok(()),
            Ok(Output { stderr, .. }) => Err(format!(
                "these tests need a Kafka node, and scripts/kafka {command} failed:\n{}",
                String::from_utf8_lossy(&stderr)
            )),
            Err(error) => Err(format!("these tests need scripts/kafka, which cannot be run: {error}")),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}

/// A port that nothing listens on. It is below those that the system gives to
/// connections, so that it is still free when a stopped node comes back.
pub(crate) fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 97).unwrap() * 100;
    loop {
        let port = 20_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
