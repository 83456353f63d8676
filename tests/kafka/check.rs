//! `roomtally check` against what it looks at.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use crate::model::{Event, FIRST_TS, workload};
use crate::node;
use crate::program::{Ended, run};
use crate::service::Setup;
use crate::topic::{FOR_EVER, Record, Topic};
use crate::wait::until;

const TIME: Duration = Duration::from_mins(1);

fn check(config: &Path, flags: &[&str]) -> Ended {
    let mut arguments = vec!["check", "--config", config.to_str().unwrap()];
    arguments.extend(flags);
    run(TIME, &arguments, None)
}

fn check_topic(topic: &Topic) -> Ended {
    let setup = Setup::new(topic);
    check(&setup.config("127.0.0.1:0"), &[])
}

/// Says these words in one of the lines of this kind.
#[track_caller]
fn says(ended: &Ended, kind: &str, words: &[&str]) {
    let mut lines = ended.stdout.lines().filter(|line| line.starts_with(kind));
    assert!(lines.any(|line| words.iter().all(|word| line.contains(word))), "{kind} {words:?}: {ended:?}");
}

#[track_caller]
fn warns(topic: &Topic, words: &[&str]) {
    let ended = check_topic(topic);
    assert_eq!(ended.code, Some(0), "a warning is no failure: {ended:?}");
    says(&ended, "warn", words);
    assert_eq!(ended.stdout.matches("warn ").count(), 1, "and nothing else: {ended:?}");
}

#[track_caller]
fn fails(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    says(ended, "FAIL", words);
}

#[test]
fn a_flattened_stream_that_loses_what_was_unset_is_recognised() {
    let topic = Topic::shared(1);
    let value = r#"{"_id":"r","_updatedAt":1714979283000,"__deleted":false}"#;
    let record =
        Record { key: Some(br#"{"id":"r"}"#.to_vec()), value: Some(value.into()), ..Record::default() };
    let loaded = Topic::shared(1);
    let header = ("roomtally-if-unknown".to_owned(), Some(Vec::new()));
    loaded.send_with(&[], [Record { headers: vec![header], ..record.clone() }]);
    assert!(!check_topic(&loaded).stdout.contains("parts of documents"), "history that was loaded is none");
    topic.send_with(&[], [record]);
    warns(&topic, &[&topic.name, "parts of documents", "capture.mode=change_streams_update_full"]);
}

#[test]
fn a_good_broker_and_topic_pass_without_a_warning() {
    let topic = Topic::shared(4);
    let events = workload(81, 50);
    topic.send(&events);
    let ended = check_topic(&topic);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    says(&ended, "ok", &["configuration"]);
    says(&ended, "ok", &["kafka", &topic.servers]);
    says(&ended, "ok", &[&topic.name, "4 partitions", &format!("{} offsets", events.len())]);
    says(&ended, "ok", &["data directory"]);
    says(&ended, "ok", &["address"]);
    assert!(ended.stdout.lines().all(|line| line.starts_with("ok ")), "{ended:?}");
}

#[test]
fn retention_by_time_and_by_size_is_warned_of() {
    let node = node::shared();
    let topic = Topic::with(&node.servers(), 1, &[("retention.ms", "86400000")]);
    warns(&topic, &[&topic.name, "24 h", "retention.ms"]);
    let topic = Topic::with(&node.servers(), 1, &[FOR_EVER, ("retention.bytes", "1000000000")]);
    warns(&topic, &[&topic.name, "retention.bytes"]);
}

#[test]
fn an_old_snapshot_is_warned_of_where_it_lacks_records_that_will_be_gone() {
    let node = node::shared();
    // The broker looks for old records every five minutes; these stay for this test.
    let topic = Topic::with(&node.servers(), 1, &[("retention.ms", "3000")]);
    topic.send(&workload(85, 10));
    let setup = Setup::new(&topic);
    let service = setup.serve();
    service.reads_to_the_end();
    service.ends();
    let written_at = setup.state().unwrap().written_at.as_millis();
    until("the snapshot is old", || {
        (roomtally::service::now().as_millis() > written_at + 2_000).then_some(())
    });
    let checked = || check(&setup.config("127.0.0.1:0"), &[]);
    let current = checked();
    says(&current, "warn", &[&topic.name, "3 s", "retention.ms"]);
    says(&current, "warn", &[&topic.name, "snapshot.interval", "more often"]);
    assert!(!current.stdout.contains("lacks records"), "it has all there is: {current:?}");
    topic.send(&workload(86, 1));
    says(&checked(), "warn", &[&topic.name, "newest snapshot", "lacks records", "start the service soon"]);
}

#[test]
fn a_topic_that_a_start_would_stop_at_is_warned_of() {
    let topic = Topic::shared(1);
    topic.send(&workload(87, 20));
    let setup = Setup::new(&topic);
    let service = setup.serve();
    service.reads_to_the_end();
    service.ends();
    let checked = || check(&setup.config("127.0.0.1:0"), &[]);
    assert!(!checked().stdout.contains("warn "), "all is well");
    topic.send(&workload(88, 20));
    let end = topic.bounds()[0].1;
    topic.trim(0, end);
    says(&checked(), "warn", &[&topic.name, "deleted", "gap", "roomtally resolve"]);
    topic.delete();
    until("the name is free", || topic.try_create(1, &[FOR_EVER]).ok());
    says(&checked(), "warn", &[&topic.name, "another one than was counted", "roomtally resolve"]);
}

#[test]
fn compaction_is_warned_of_where_records_update_rooms_in_part() {
    let topic = Topic::shared_with(1, &[("cleanup.policy", "compact")]);
    topic.send(&[Event::created("r", FIRST_TS, None), Event::tombstone("gone")]);
    let ended = check_topic(&topic);
    assert!(ended.code == Some(0) && !ended.stdout.contains("warn "), "whole rooms are fine: {ended:?}");
    topic.send(&[Event::transferred("r", Some("other"))]);
    warns(&topic, &[&topic.name, "compacted", "partial updates"]);
}

#[test]
fn keys_that_name_no_room_are_warned_of_over_several_partitions_only() {
    let node = node::shared();
    let events = workload(82, 10);
    let unkeyed = || {
        events
            .iter()
            .filter(|event| event.value().is_some())
            .map(|event| Record { key: None, ..Record::from(event) })
    };
    let topic = Topic::new(&node.servers(), 2);
    topic.send_with(&[], unkeyed());
    warns(&topic, &[&topic.name, "several partitions", "key"]);
    let service = Setup::new(&topic).serve();
    service.reads_to_the_end();
    assert!(service.logged(&["key names no room", &topic.name]), "the service says it, too");

    let topic = Topic::new(&node.servers(), 1);
    topic.send_with(&[], unkeyed());
    let ended = check_topic(&topic);
    assert!(ended.code == Some(0) && !ended.stdout.contains("warn "), "{ended:?}");
}

#[test]
fn a_topic_whose_first_records_are_gone_is_warned_of() {
    let topic = Topic::shared(1);
    topic.send(&workload(83, 10));
    topic.trim(0, 5);
    warns(&topic, &[&topic.name, "gone already"]);
}

#[test]
fn a_directory_in_use_and_damaged_snapshots_are_warned_of() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    topic.send(&workload(84, 10));
    let setup = Setup::new(&topic);
    let service = setup.serve();
    service.reads_to_the_end();
    let checked = || {
        let ended = check(&setup.config("127.0.0.1:0"), &[]);
        assert_eq!(ended.code, Some(0), "a warning is no failure: {ended:?}");
        ended
    };
    let ended = checked();
    says(&ended, "warn", &["data directory", "a service runs on it"]);
    assert!(!ended.stdout.contains("damaged"), "{ended:?}");
    service.ends();
    assert!(!checked().stdout.contains("warn "));

    let newest = setup.files().into_iter().rfind(|name| name.starts_with("0000")).unwrap();
    let path = setup.data().join(&newest);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    says(&checked(), "warn", &["data directory", &newest, "is damaged", "snapshot verify"]);
    let service = setup.serve();
    service.reads_to_the_end();
    service.ends();
    let (ended, aside) = (checked(), format!("{newest}.bad"));
    says(&ended, "warn", &["data directory", "put aside", &aside]);
    assert!(!ended.stdout.contains("is damaged"), "{ended:?}");
}

#[test]
fn an_unreachable_broker_an_absent_topic_and_a_taken_port_are_failures() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for nowhere in [format!("127.0.0.1:{}", node::free_port()), silent.local_addr().unwrap().to_string()] {
        fails(&check_topic(&Topic::absent(&nowhere)), &["cannot reach", &nowhere]);
    }
    let node = node::shared();
    let absent = Topic::absent(&node.servers());
    let ended = check_topic(&absent);
    fails(&ended, &[&absent.name, "is not there"]);
    says(&ended, "ok", &["kafka", &node.servers()]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let setup = Setup::new(&Topic::new(&node.servers(), 1));
    fails(&check(&setup.config(&taken), &[]), &["address", &taken]);
}

#[test]
fn a_bad_configuration_is_78_and_reaches_for_nothing() {
    let nowhere = format!("127.0.0.1:{}", node::free_port());
    let setup = Setup::new(&Topic::absent(&nowhere)).kafka("tpoic = \"x\"\nunavailable_after = \"soon\"");
    let config = setup.config("127.0.0.1:0");
    let ended = check(&config, &[]);
    assert_eq!(ended.code, Some(78), "{ended:?}");
    for word in ["tpoic", "topic", "unavailable_after"] {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
    fs::write(&config, "").unwrap();
    assert_eq!(check(&config, &["--offline"]).code, Some(0), "nothing is asked offline");
}
