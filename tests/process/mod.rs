//! The program as a child process, and its HTTP port through a bare socket.
//!
//! Owns the child: everything it prints is kept, and a test that fails prints
//! it. Invariants: no child outlives its value, every wait has a deadline, and
//! no variable of the caller's environment is a setting of the child's.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot go on fails with the reason")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a child may take for anything; the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(40);

const LOOK: Duration = Duration::from_millis(10);

/// What a child has printed so far on one of its streams.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn gather(&self, mut from: impl Read + Send + 'static) -> JoinHandle<()> {
        let printed = self.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal whose other end is closed gives an error and not an end.
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                printed.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..length]);
            }
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// The program before it is started.
pub struct Program(Command);

/// The program with these arguments, in the directory `dir`.
pub fn roomtally(dir: &Path, args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomtally"));
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("ROOMTALLY_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").args(args).current_dir(dir);
    Program(command)
}

impl Program {
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Starts it, with nothing on standard input.
    pub fn start(mut self) -> Running {
        self.0.stdin(Stdio::null());
        self.spawn(None)
    }

    /// Starts it with a pipe on standard input.
    pub fn start_with_input(mut self) -> (Running, ChildStdin) {
        self.0.stdin(Stdio::piped());
        let mut running = self.spawn(None);
        let input = running.child.stdin.take().expect("a pipe was asked for");
        (running, input)
    }

    /// Starts it with a terminal of 100 columns as its standard error.
    pub fn start_on_terminal(mut self) -> Running {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use rustix::termios::{Winsize, tcsetwinsize};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("the terminal's other side");
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("the terminal's size");
        let name = ptsname(&ours, Vec::new()).expect("the terminal's name");
        let theirs = File::options().read(true).write(true).open(name.to_str().expect("a plain name"));
        self.0.stdin(Stdio::null()).env("TERM", "xterm").env_remove("NO_COLOR");
        self.0.stderr(theirs.expect("the terminal's other side"));
        self.spawn(Some(File::from(ours)))
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        self.start().ended()
    }

    fn spawn(mut self, terminal: Option<File>) -> Running {
        self.0.stdout(Stdio::piped());
        if terminal.is_none() {
            self.0.stderr(Stdio::piped());
        }
        let mut child = self.0.spawn().expect("the program starts");
        let name = format!("{:?}", self.0.get_args().collect::<Vec<_>>());
        // Our copy of the terminal's other side would keep it open.
        drop(self.0);
        let on_terminal = terminal.is_some();
        let (stdout, stderr) = (Printed::default(), Printed::default());
        let mut gathering = vec![stdout.gather(child.stdout.take().expect("a pipe was asked for"))];
        gathering.push(match terminal {
            Some(terminal) => stderr.gather(terminal),
            None => stderr.gather(child.stderr.take().expect("a pipe was asked for")),
        });
        Running { name, child, stdout, stderr, gathering, on_terminal }
    }
}

/// The running program.
pub struct Running {
    name: String,
    child: Child,
    stdout: Printed,
    stderr: Printed,
    gathering: Vec<JoinHandle<()>>,
    on_terminal: bool,
}

impl Running {
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until `found` finds something.
    #[track_caller]
    pub fn until<T>(&mut self, what: &str, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("the child can be asked");
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "{what} did not come ({ended:?})\n{}", self.printed());
            thread::sleep(LOOK);
        }
    }

    /// The address that a service says it listens on.
    #[track_caller]
    pub fn address(&mut self) -> SocketAddr {
        self.until("an address", |running| {
            let said = running.stdout() + &running.stderr();
            let rest = said.split("http://").nth(1)?;
            let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c)))?;
            rest[..end].parse().ok()
        })
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the child can be signalled");
    }

    /// Waits for its end. What went to no terminal has neither bars nor colours.
    #[track_caller]
    pub fn ended(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end\n{}", self.printed());
            thread::sleep(LOOK);
        };
        for gathering in self.gathering.drain(..) {
            gathering.join().expect("what was printed can be read");
        }
        let ended = Ended { name: self.name.clone(), status, stdout: self.stdout(), stderr: self.stderr() };
        let is_plain = !ended.all().contains(['\x1b', '\r']);
        assert!(is_plain || self.on_terminal, "escape sequences without a terminal\n{ended}");
        ended
    }

    fn printed(&self) -> String {
        told(&self.name, &self.stdout(), &self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program after its end.
#[derive(Debug)]
pub struct Ended {
    name: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The exit code is this one.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{} says\n{self}", self.status);
        self
    }

    /// All that was printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Every one of these is printed somewhere.
    #[track_caller]
    pub fn saying(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.all().contains(part), "{part:?} is not said\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&told(&self.name, &self.stdout, &self.stderr))
    }
}

fn told(name: &str, stdout: &str, stderr: &str) -> String {
    format!("roomtally {name}\n--- standard output\n{stdout}\n--- standard error\n{stderr}\n---")
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Asks with GET; none when there is no whole answer.
pub fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    let named = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let named: String = named.collect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{named}");
    stream.write_all(format!("{request}\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Some(Answer { status, headers, body: body.to_owned() })
}
