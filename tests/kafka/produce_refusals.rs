//! `roomtally produce`: what it refuses, and in which words.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::model::Model;
use crate::node;
use crate::produce::{lines, produce, succeeds, values};
use crate::program::{Ended, run};
use crate::service::Setup;
use crate::topic::{FOR_EVER, Topic};

#[track_caller]
fn fails(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(words.iter().all(|word| ended.stderr.contains(word)), "{words:?}: {ended:?}");
}

#[test]
fn a_bad_line_ends_the_sending_and_what_was_before_it_is_there() {
    let topic = Topic::shared(2);
    let events = lines(71, 200);
    let (before, after) = events.split_at(120);
    for (bad, reason) in [
        ("{\"event\":", "not_json"),
        (r#"{"event":"room-created","_id":"x","ts":"rubbish"}"#, "bad_ts"),
        (r#"{"event":"room-created","ts":"2020-01-01T00:00:00Z"}"#, "no_id"),
    ] {
        let text = values(before).chain([bad.to_owned()]).chain(values(after));
        let ended = produce(&topic, text, &[]);
        fails(&ended, &["events.jsonl, line 121: ", reason, "120 records before it were"]);
        assert!(ended.stdout.contains("120 records acknowledged"), "{ended:?}");
    }
    let stored: i64 = topic.bounds().into_iter().map(|(_, end)| end).sum();
    assert_eq!(stored, 3 * 120);
    let sent = [before, before, before].concat();
    Setup::new(&topic).serve().agrees_with(&Model::of(&sent));
}

#[test]
fn bad_lines_are_left_out_when_told_so() {
    let topic = Topic::shared(2);
    let events = lines(72, 100);
    let mut text: Vec<_> = values(&events).collect();
    text.insert(50, "rubbish".to_owned());
    text.insert(1, "[]".to_owned());
    let ended = produce(&topic, text, &["--skip-invalid"]);
    succeeds(&ended, 100, 102);
    assert!(ended.stdout.contains("2 invalid ones skipped"), "{ended:?}");
    for line in ["line 2: ", "line 52: "] {
        assert!(ended.stderr.contains(line), "{line}: {ended:?}");
    }
    Setup::new(&topic).serve().agrees_with(&Model::of(&events));
}

#[test]
fn a_broker_that_is_not_there_or_does_not_answer_is_named_within_half_a_minute() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [format!("127.0.0.1:{}", node::free_port()), silent.local_addr().unwrap().to_string()] {
        let topic = Topic::absent(&address);
        let began = Instant::now();
        let ended = produce(&topic, values(&lines(73, 10)), &[]);
        fails(&ended, &["cannot reach Kafka", &address]);
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}

#[test]
fn records_that_the_broker_refuses_are_a_failure() {
    let topic = Topic::shared_with(1, &[FOR_EVER, ("max.message.bytes", "1000")]);
    let large = format!(r#"{{"event":"room-removed","_id":"r","x":"{}"}}"#, "x".repeat(2_000));
    fails(&produce(&topic, [large], &[]), &["1 records were not acknowledged"]);
    assert_eq!(topic.bounds(), [(0, 0)]);
}

#[test]
fn an_absent_topic_is_named_and_not_made() {
    let node = node::shared();
    let topic = Topic::absent(&node.servers());
    for _ in 0..2 {
        fails(&produce(&topic, values(&lines(74, 10)), &[]), &[&topic.name, &topic.servers]);
    }
}

#[test]
fn an_absent_file_is_named() {
    let topic = Topic::shared(1);
    let arguments =
        ["produce", "--bootstrap-servers", &topic.servers, "--topic", &topic.name, "--file", "no/such/file"];
    fails(&run(Duration::from_secs(30), &arguments, None), &["no/such/file"]);
}
