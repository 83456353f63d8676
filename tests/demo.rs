//! `roomtally demo` as a user meets it: started, asked as it says, and ended.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails with the reason")]

mod process;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use process::{Answer, Running, get, roomtally};
use rustix::process::Signal;
use tempfile::TempDir;

/// The documented example to the byte, in the endpoint's order.
const DOCUMENTED: &str = concat!(
    r#"{"departments":[{"rooms":30,"_id":null},{"rooms":10,"_id":"8MGLTfaKLCbE9CqR8"},"#,
    r#"{"rooms":61,"_id":"BiqbQav59HD2LzXEY"},{"rooms":181,"_id":"CAJioQNAvLnYWTy8i"},"#,
    r#"{"rooms":486,"_id":"GgYvrkAF63aeQmsh4"},{"rooms":4,"_id":"MpAiP9PMyHwBcmALx"},"#,
    r#"{"rooms":1,"_id":"NJaMpSvZFZ4NAXm3j"},{"rooms":51,"_id":"Yi87Ju7eTHiZQ7CJt"},"#,
    r#"{"rooms":6,"_id":"YiWdMkdbFhk3o9daf"},{"rooms":2,"_id":"Z2KWYBJQFR7AzfmQL"},"#,
    r#"{"rooms":13,"_id":"qajzu7WaBRoQBpq6Z"}],"count":11,"offset":0,"total":11,"success":true}"#,
);

/// A demonstration in empty directories of its own.
struct Demo {
    running: Running,
    working: TempDir,
    temporary: TempDir,
}

impl Demo {
    fn start() -> Self {
        let (working, temporary) = (empty_dir(), empty_dir());
        let program = roomtally(working.path(), &["demo", "--listen", "127.0.0.1:0"]);
        let running = program.env("TMPDIR", temporary.path()).env("HOME", working.path()).start();
        Self { running, working, temporary }
    }

    /// The command that it prints.
    fn curl_line(&mut self) -> String {
        self.running.until("a line with curl", |running| {
            let said = running.stdout();
            // A line is whole once another follows it.
            let line = said.split_inclusive('\n').find(|line| line.trim_start().starts_with("curl "))?;
            line.ends_with('\n').then(|| line.trim().to_owned())
        })
    }
}

/// What a line with curl asks.
struct Question {
    address: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
}

impl Question {
    fn read(line: &str) -> Self {
        let quoted: Vec<_> = line.split('\'').skip(1).step_by(2).collect();
        let (urls, headers): (Vec<&str>, Vec<&str>) =
            quoted.iter().partition(|part| part.starts_with("http"));
        let (address, path) = urls[0]["http://".len()..].split_once('/').expect("a path");
        let headers = headers.iter().map(|header| {
            let (name, value) = header.split_once(": ").expect("a header");
            (name.to_owned(), value.to_owned())
        });
        Self {
            address: address.parse().expect("an address with its port"),
            path: format!("/{path}"),
            headers: headers.collect(),
        }
    }

    fn ask(&self, path: &str) -> Answer {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        get(self.address, path, &headers).expect("an answer")
    }

    /// Rooms up to now, by the endpoint.
    fn rooms_until_now(&self) -> u64 {
        let (path, _) = self.path.split_once('?').expect("a query");
        let now = roomtally::service::now();
        let body = self.ask(&format!("{path}?start=2020-01-01&end={now}&count=0")).body;
        let answer: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let rows = answer["departments"].as_array().expect("rows");
        rows.iter().filter_map(|row| row["rooms"].as_u64()).sum()
    }

    /// The gauge `roomtally_rooms`.
    fn rooms_in_metrics(&self) -> Option<f64> {
        let body = self.ask("/metrics").body;
        body.lines().find_map(|line| line.strip_prefix("roomtally_rooms "))?.parse().ok()
    }
}

fn empty_dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn the_printed_line_is_answered_with_the_documented_numbers() {
    let mut demo = Demo::start();
    let line = demo.curl_line();
    let question = Question::read(&line);
    let answer = question.ask(&question.path);
    assert_eq!((answer.status, &*answer.body), (200, DOCUMENTED));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    for part in [&*format!("http://{}", question.address), "myuser-name", "myauth-token"] {
        assert!(demo.running.stdout().contains(part), "{part} is not told: {}", demo.running.stdout());
    }
    match Command::new("sh").args(["-c", &line]).output() {
        Ok(pasted) if pasted.status.code() != Some(127) => {
            assert_eq!(String::from_utf8_lossy(&pasted.stdout), answer.body, "{pasted:?}");
        }
        _ => eprintln!("curl is not on this machine; the line was asked over a socket only"),
    }
}

#[test]
fn live_chats_raise_what_ends_now_and_leave_the_documented_numbers() {
    let mut demo = Demo::start();
    let question = Question::read(&demo.curl_line());
    let (gauge, rooms) = (question.rooms_in_metrics(), question.rooms_until_now());
    demo.running.until("more rooms", |_| {
        (question.rooms_in_metrics() > gauge && question.rooms_until_now() > rooms).then_some(())
    });
    assert!(rooms >= 845, "{rooms}");
    assert_eq!(question.ask(&question.path).body, DOCUMENTED);
}

#[test]
fn a_signal_ends_it_well_and_soon_and_nothing_is_left_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut demo = Demo::start();
        let question = Question::read(&demo.curl_line());
        demo.running.signal(signal);
        let told = Instant::now();
        demo.running.ended().with_code(0);
        let took = told.elapsed();
        assert!(took < Duration::from_secs(5), "{signal:?} took {took:?}");
        assert!(TcpListener::bind(question.address).is_ok(), "{} is still taken", question.address);
        for dir in [&demo.working, &demo.temporary] {
            let left: Vec<_> = fs::read_dir(dir.path()).expect("the directory").collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_helps() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let dir = empty_dir();
    let ended = roomtally(dir.path(), &["demo", "--listen", &address.to_string()]).run();
    ended.with_code(1).saying(&[&address.port().to_string(), "--listen"]);
}
