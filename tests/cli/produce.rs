//! `roomtally produce`: what it sends, what it refuses, and how it says so.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use roomtally::kafka::EmbeddedBroker;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Program, roomtally};
use crate::{NOWHERE, broker, dir, write};

const GOOD: &str = "{\"event\":\"room-created\",\"_id\":\"a\",\"ts\":\"2020-09-09T00:11:22.345Z\"}\n";

/// A broker, and files beside it.
struct Place {
    broker: EmbeddedBroker,
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { broker: broker(), dir: dir() }
    }

    fn produce(&self, flags: &[&str]) -> Program {
        let servers = self.broker.bootstrap_servers();
        roomtally(self.dir.path(), &[&["produce", "--bootstrap-servers", &servers], flags].concat())
    }
}

#[test]
fn every_line_that_is_sent_is_acknowledged_and_told() {
    let place = Place::new();
    let broken = format!("{GOOD}\n  \n{{\"event\":\n{GOOD}");
    for (text, flags, code, told) in [
        (GOOD.repeat(3), &[][..], 0, &["3 records"][..]),
        (GOOD.repeat(2), &["--if-unknown"], 0, &["2 records"]),
        (GOOD.trim_end().to_owned(), &[], 0, &["1 records"]),
        (GOOD.replace('\n', "\r\n"), &[], 0, &["1 records"]),
        (String::new(), &[], 0, &["0 records"]),
        ("\n\n".to_owned(), &[], 0, &["0 records"]),
        (broken.clone(), &[], 1, &["1 records", "events, line 4", "not_json", "--skip-invalid"]),
        (broken, &["--skip-invalid"], 0, &["2 records", "events, line 4", "1 invalid"]),
        (GOOD.replace("room-created", "room-begun"), &[], 1, &["line 1", "room-created"]),
        (GOOD.replace("2020-09-09", "2020-02-30"), &[], 1, &["line 1", "bad_ts"]),
        (GOOD.replace("\"a\"", "5"), &[], 1, &["line 1", "bad_id"]),
        (
            r#"{"_id":"a","ts":{"$date":"2020-09-09T00:11:22.345Z"},"departmentId":"d"}"#.to_owned(),
            &[],
            0,
            &["1 records", "1 are parts of documents", "they add no room", "without --fields"],
        ),
        (
            r#"{"_id":"a","departmentId":"d"}"#.to_owned(),
            &["--if-unknown"],
            0,
            &["1 are parts of documents", "with --if-unknown they do nothing"],
        ),
        ("\u{feff}".to_owned() + GOOD, &[], 1, &["line 1", "not_json"]),
    ] {
        write(place.dir.path(), "events", &text);
        place.produce(&[&["--file", "events"], flags].concat()).run().with_code(code).saying(told);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let place = Place::new();
    let ended = place.produce(&["--file", "."]).run().with_code(1).saying(&["directory"]);
    assert!(!ended.stderr.contains("--skip-invalid"), "advice that does not help\n{ended}");
    place.produce(&["--file", "absent"]).run().with_code(1).saying(&["absent", "No such file"]);
}

#[test]
fn a_topic_or_broker_that_is_not_there_is_named() {
    let place = Place::new();
    write(place.dir.path(), "events", GOOD);
    let args = ["produce", "--file", "events", "--bootstrap-servers", NOWHERE];
    let ended = roomtally(place.dir.path(), &args).run().with_code(1).saying(&[NOWHERE, "refused"]);
    assert!(!ended.stderr.contains("--skip-invalid"), "advice that does not help\n{ended}");
}

#[test]
fn lines_come_from_standard_input_too() {
    let place = Place::new();
    for flags in [&[][..], &["--file", "-"]] {
        let (running, mut input) = place.produce(flags).start_with_input();
        input.write_all(GOOD.repeat(2).as_bytes()).expect("it reads");
        drop(input);
        running.ended().with_code(0).saying(&["2 records"]);
        let (running, mut input) = place.produce(flags).start_with_input();
        input.write_all(b"nothing\n").expect("it reads");
        drop(input);
        running.ended().with_code(1).saying(&["standard input, line 1"]);
    }
}

#[test]
fn a_signal_ends_it_while_it_waits_for_input_and_what_was_sent_is_told() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        let (mut running, mut input) = place.produce(&["--skip-invalid"]).start_with_input();
        input.write_all((GOOD.repeat(3) + "bad\n").as_bytes()).expect("it reads");
        running.until("the bad line", |running| running.stderr().contains("line 4").then_some(()));
        running.signal(signal);
        let told = Instant::now();
        running.ended().with_code(0).saying(&["3 records", "line 4"]);
        assert!(told.elapsed() < Duration::from_secs(5), "{signal:?} took {:?}", told.elapsed());
        drop(input);
    }
}

#[test]
fn a_terminal_gets_a_bar_and_a_pipe_gets_none() {
    let place = Place::new();
    let mut events = String::new();
    for room in 0..20_000 {
        let line = format!("{{\"event\":\"room-created\",\"_id\":\"r{room}\",\"ts\":\"2020-09-09\"}}");
        writeln!(events, "{line}").expect("memory");
    }
    write(place.dir.path(), "events", &events);
    let on_terminal = place.produce(&["--file", "events"]).start_on_terminal().ended().with_code(0);
    assert!(on_terminal.stderr.contains("sending") && on_terminal.stderr.contains('\r'), "{on_terminal}");
    assert!(!on_terminal.stdout.contains('\x1b'), "{on_terminal}");
    // A pipe: that it has no escape sequences is checked of every child.
    let piped = place.produce(&["--file", "events"]).run().with_code(0).saying(&["20000 records"]);
    assert!(piped.stderr.is_empty(), "{piped}");
}
