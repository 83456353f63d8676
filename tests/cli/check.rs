//! `roomtally check`: one line for each part, and an exit code that scripts can use.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Ended, Running, roomtally};
use crate::{NOWHERE, TOPIC, USER, broker, dir, run, write};

/// The verdict on each part, in order.
fn verdicts(ended: &Ended) -> Vec<(&str, &str)> {
    let lines = ended.stdout.lines().map(|line| {
        let (verdict, rest) = line.split_once(' ').expect("a verdict");
        (verdict, rest.trim_start().split([' ', ':']).next().unwrap_or_default())
    });
    lines.collect()
}

/// A check with a user and these flags, in a directory in which nothing is left.
struct Checking {
    running: Running,
    dir: TempDir,
    _elsewhere: TempDir,
}

impl Checking {
    fn start(flags: &[&str]) -> Self {
        let (dir, elsewhere) = (dir(), dir());
        write(elsewhere.path(), "r.toml", USER);
        let config = elsewhere.path().join("r.toml");
        let config = config.to_str().expect("a plain path");
        let running = roomtally(dir.path(), &[&["check", "--config", config][..], flags].concat()).start();
        Self { running, dir, _elsewhere: elsewhere }
    }

    #[track_caller]
    fn ended(self, code: i32) -> Ended {
        let ended = self.running.ended().with_code(code);
        let files = |dir| fs::read_dir(dir).expect("the directory").count();
        let left = (files(self.dir.path().to_owned()), files(self.dir.path().join("data")));
        assert_eq!(left, (1, 0), "something is left behind\n{ended}");
        ended
    }
}

#[test]
fn offline_only_the_configuration_is_looked_at() {
    let ended = Checking::start(&["--offline", "--bootstrap-servers", NOWHERE]).ended(0);
    assert_eq!(verdicts(&ended), [("ok", "configuration")], "{ended}");
    let ended = run(&["check", "--offline"]).with_code(0);
    assert_eq!(verdicts(&ended), [("ok", "configuration"), ("warn", "auth")], "{ended}");
}

#[test]
fn a_broker_that_is_away_fails_in_bounded_time_and_the_other_parts_are_told() {
    let begun = Instant::now();
    let flags = ["--bootstrap-servers", NOWHERE, "--listen", "127.0.0.1:0"];
    let ended = Checking::start(&flags).ended(1);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let parts =
        [("ok", "configuration"), ("FAIL", "kafka"), ("skip", "topic"), ("ok", "data"), ("ok", "address")];
    assert_eq!(verdicts(&ended), parts, "{ended}");
    ended.saying(&[NOWHERE, "refused"]);
}

#[test]
fn each_part_that_fails_is_told_with_what_helps() {
    let broker = broker();
    let servers = broker.bootstrap_servers();
    let dir = dir();
    write(dir.path(), "file", "");
    let file = dir.path().join("file");
    let file = file.to_str().expect("a plain path");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("its address").to_string();
    let online = ["--bootstrap-servers", &servers, "--listen", "127.0.0.1:0"];
    let with = |flags: &[&str]| Checking::start(&[&["--bootstrap-servers", &servers], flags].concat());
    // The embedded broker does not tell the topic's settings, for which each waits.
    let well = Checking::start(&online);
    let places = with(&["--listen", &taken, "--data-dir", file]);
    let topic = with(&["--listen", "127.0.0.1:0", "--topic", "other"]);
    let missing = with(&["--listen", "127.0.0.1:0", "--data-dir", "nowhere"]);

    let ended = well.ended(0);
    let verdicts = verdicts(&ended);
    let parts: Vec<_> = verdicts.iter().map(|(_, part)| *part).collect();
    assert_eq!(parts, ["configuration", "kafka", "topic", "data", "address"], "{ended}");
    assert!(verdicts.iter().all(|(verdict, _)| *verdict == "ok"), "{ended}");
    ended.saying(&[TOPIC, "3 partitions"]);
    let taken = format!("FAIL  address {taken}");
    let directory = format!("FAIL  data directory {file}");
    places.ended(1).saying(&[&taken, "http.listen", &directory, "snapshot.dir"]);
    missing.ended(1).saying(&["FAIL  data directory nowhere", "mkdir -p /", "/nowhere)", "--data-dir"]);
    topic.ended(1).saying(&["FAIL  topic other", "--topic", "ok    data directory"]);
}
