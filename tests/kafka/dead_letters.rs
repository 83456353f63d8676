//! Copies of refused records: what they are, what happens where they find no place, and
//! how they come back.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::DateTime;
use roomtally::decode::RejectReason;
use rustix::process::Signal;

use crate::model::{Event, FIRST_TS, Model};
use crate::node;
use crate::program::{Ended, run};
use crate::rejections::{good, refused};
use crate::service::{Service, Setup};
use crate::topic::{FOR_EVER, OwnHeader, Record, Topic};
use crate::wait::until;

const TIME: Duration = Duration::from_mins(1);

fn as_of_ms(service: &Service) -> i64 {
    DateTime::parse_from_rfc3339(&service.as_of().to_uppercase()).unwrap().timestamp_millis()
}

/// What a copy has beside the record's own headers.
const ADDED: [&str; 4] = ["roomtally-reason", "roomtally-topic", "roomtally-partition", "roomtally-offset"];

/// A topic of rooms and a place whose services copy what they refuse.
fn copying(topic: &Topic, dead: &Topic) -> Setup {
    Setup::new(topic).section(&format!("[dead_letter]\ntopic = \"{}\"\n", dead.name))
}

fn copies(service: &Service, result: &str) -> f64 {
    service.metric(&format!("roomtally_dead_letters_total{{result=\"{result}\"}}"))
}

#[track_caller]
fn has_settled(service: &Service, result: &str, expected: u32) {
    until(&format!("{expected} copies are {result}"), || {
        (copies(service, result) >= f64::from(expected)).then_some(())
    });
    assert_eq!(copies(service, result).to_string(), expected.to_string(), "{result}");
}

fn own_headers() -> Vec<OwnHeader> {
    vec![
        ("trace".to_owned(), Some(b"\x00\xff".to_vec())),
        ("empty".to_owned(), Some(Vec::new())),
        ("trace".to_owned(), None),
        ("roomtally-if-unknown".to_owned(), None),
    ]
}

fn bad(key: &str, timestamp: i64) -> Record {
    Record {
        key: Some(key.as_bytes().to_vec()),
        value: Some(b"{".to_vec()),
        partition: Some(0),
        timestamp: Some(timestamp),
        headers: Vec::new(),
    }
}

/// Every way to be refused, with null and empty keys and values among them.
fn all_refused() -> Vec<(&'static str, Record)> {
    let mut all = refused();
    for (key, value) in [(None, None), (Some(Vec::new()), None), (Some(vec![0xff]), Some(Vec::new()))] {
        let reason = match (&key, &value) {
            (None, _) => "no_id",
            (_, None) => "bad_id",
            _ => "not_json",
        };
        all.push((reason, Record { key, value, ..all[0].1.clone() }));
    }
    for (number, (_, record)) in all.iter_mut().enumerate() {
        record.timestamp = record.timestamp.map(|timestamp| timestamp - i64::try_from(number).unwrap());
        record.headers = if number % 3 == 0 { Vec::new() } else { own_headers() };
    }
    all
}

#[test]
fn every_refused_record_is_copied_as_it_was_with_its_reason_and_place() {
    let (topic, dead) = (Topic::shared(2), Topic::shared(3));
    let (good, refused) = (good(), all_refused());
    let of_good = good.iter().map(|event| Record {
        partition: Some(1),
        timestamp: refused[0].1.timestamp,
        ..Record::from(event)
    });
    topic.send_with(&[], of_good.chain(refused.iter().map(|(_, record)| record.clone())));
    let setup = copying(&topic, &dead).limits("record_bytes = \"1KiB\"\ndepartments = 2").often();

    let service = setup.serve();
    service.agrees_with(&Model::of(&good));
    has_settled(&service, "acknowledged", u32::try_from(refused.len()).unwrap());
    let mut copied = dead.records();
    copied.sort_by_key(|copy| copy.header("roomtally-offset").unwrap().parse::<usize>().unwrap());
    assert_eq!(copied.len(), refused.len());
    for (number, ((reason, record), copy)) in refused.iter().zip(&copied).enumerate() {
        let (offset, name) = ((good.len() + number).to_string(), topic.name.as_str());
        let added = ADDED.into_iter().zip([reason, name, "1", &offset]);
        let added = added.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
        let headers = record.headers.iter().cloned().chain(added).collect();
        assert_eq!(*copy, Record { headers, partition: copy.partition, ..record.clone() }, "{reason}");
    }
    let reasons: BTreeSet<_> = copied.iter().filter_map(|copy| copy.header("roomtally-reason")).collect();
    assert_eq!(reasons, RejectReason::ALL.map(RejectReason::name).into(), "every reason occurs");
    service.ends();

    // What was read before is not copied again, and without the section nothing is.
    let service = setup.serve();
    service.agrees_with(&Model::of(&good));
    assert_eq!(copies(&service, "acknowledged").to_string(), "0");
    service.ends();
    let service = Setup::new(&topic).limits("record_bytes = \"1KiB\"\ndepartments = 2").serve();
    service.agrees_with(&Model::of(&good));
    assert!(service.metric("roomtally_events_total{result=\"rejected\"}") > 0.0);
    service.ends();
    assert_eq!(dead.records().len(), refused.len());
}

#[test]
fn without_its_topic_copies_are_given_up_and_with_it_they_go_on_and_counting_always_does() {
    let topic = Topic::shared(1);
    let dead = Topic::absent(&topic.servers);
    topic.send_with(&[], [bad("a", FIRST_TS)]);
    let events = [Event::created("r", FIRST_TS, Some("d"))];
    topic.send(&events);
    let setup = copying(&topic, &dead).often();
    let service = setup.serve();
    service.agrees_with(&Model::of(&events));
    has_settled(&service, "failed", 1);
    assert!(service.logged(&["WARN", "given up", &dead.name, "create the topic"]), "the log says what to do");
    until("the position is kept all the same", || (setup.kept() == [2]).then_some(()));
    assert_eq!(service.ready().0, 200);

    // Kafka would make it by itself, if it were asked to.
    let names = |topics: Vec<String>| topics.into_iter().filter(|name| *name == dead.name).count();
    assert_eq!(names(dead.all_topics()), 0);
    dead.create(1, &[FOR_EVER]);
    until("copies find the new topic", || {
        topic.send_with(&[], [bad("b", FIRST_TS)]);
        (copies(&service, "acknowledged") > 0.0).then_some(())
    });
    assert!(!dead.records().is_empty());
    service.ends();
}

#[test]
fn copies_given_up_right_behind_a_line_of_the_log_are_told_though_no_other_one_is() {
    let topic = Topic::shared(1);
    let dead = Topic::absent(&topic.servers);
    topic.send_with(&[], [bad("a", FIRST_TS)]);
    let service = copying(&topic, &dead).serve();
    has_settled(&service, "failed", 1);
    assert!(service.logged(&["WARN", "given up", "failed=1"]));
    topic.send_with(&[], [bad("b", FIRST_TS), bad("c", FIRST_TS)]);
    has_settled(&service, "failed", 3);
    until("they are told, too", || service.logged(&["WARN", "given up", "failed=2"]).then_some(()));
    service.ends();
}

#[test]
fn a_copy_that_is_too_large_for_its_topic_is_given_up_and_the_next_one_arrives() {
    let topic = Topic::shared(1);
    let dead = Topic::shared_with(1, &[FOR_EVER, ("max.message.bytes", "2000")]);
    let large = Record { key: None, partition: Some(0), ..Record::large(1) };
    topic.send_with(&[], [large, bad("small", FIRST_TS)]);
    let events = [Event::created("r", FIRST_TS, None)];
    topic.send(&events);
    let service = copying(&topic, &dead).serve();
    service.agrees_with(&Model::of(&events));
    has_settled(&service, "failed", 1);
    has_settled(&service, "acknowledged", 1);
    assert_eq!(dead.records()[0].key.as_deref(), Some(&b"small"[..]));
    assert!(service.logged(&["WARN", "given up", "max.message.bytes"]), "the log says what to do");
    service.ends();
}

#[test]
fn a_service_that_ends_with_copies_under_way_ends_well_and_says_so() {
    let topic = Topic::shared(1);
    let dead = Topic::absent(&topic.servers);
    topic.send_with(&[], [bad("a", FIRST_TS)]);
    let mut service = copying(&topic, &dead).serve();
    service.agrees_with(&Model::default());
    service.signal(Signal::TERM);
    let ended = service.ends_within(Duration::from_secs(10));
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(service.logged(&["WARN", "not in the dead-letter topic", "failed=1"]));
}

#[test]
fn a_snapshot_waits_for_copies_so_that_a_crash_loses_none_of_them() {
    let topic = Topic::shared(1);
    let dead = Topic::absent(&topic.servers);
    let setup = copying(&topic, &dead).often();
    let mut service = setup.serve();
    service.reads_to_the_end();
    topic.send(&[Event::created("r", FIRST_TS, None)]);
    until("what is there is kept", || (setup.kept() == [1]).then_some(()));
    topic.send_with(&[], [bad("a", FIRST_TS)]);
    until("it is refused", || (service.consumed() == 2).then_some(()));
    // A cut is taken within a second and would be kept soon after.
    let refused_at = as_of_ms(&service);
    until("the broker has been looked at for a while", || {
        (as_of_ms(&service) > refused_at + 2_500).then_some(())
    });
    assert_eq!(setup.kept(), [1], "the copy has no place yet");
    service.signal(Signal::KILL);
    let _ = service.ends_within(Duration::from_secs(10));

    dead.create(1, &[FOR_EVER]);
    let service = setup.serve();
    has_settled(&service, "acknowledged", 1);
    until("it is kept now", || (setup.kept() == [2]).then_some(()));
    assert_eq!(dead.records().len(), 1);
}

/// Replays with the configuration of this place.
fn replay(setup: &Setup, flags: &[&str]) -> Ended {
    let config = setup.config("127.0.0.1:0");
    run(TIME, &[&["replay", "--config", config.to_str().unwrap()], flags].concat(), None)
}

#[track_caller]
fn says(ended: &Ended, lines: &[&str]) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn dead_letters_that_are_good_by_now_are_counted_and_the_others_left() {
    let (topic, dead) = (Topic::shared(1), Topic::shared(2));
    let live = [Event::created("live", FIRST_TS, Some("first"))];
    let large = {
        let room = Event::created("large", FIRST_TS, Some("first"));
        let value = room.value().unwrap().replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(2_000)), 1);
        Record {
            value: Some(value.into_bytes()),
            headers: own_headers()[..3].to_vec(),
            ..Record::from(&room)
        }
    };
    let third = Event::created("third", FIRST_TS, Some("third"));
    topic.send(&live);
    topic.send_with(&[], [large.clone(), Record::from(&third), bad("bad", FIRST_TS)]);
    let strict = copying(&topic, &dead).limits("record_bytes = \"1KiB\"\ndepartments = 1");
    let service = strict.serve();
    service.agrees_with(&Model::of(&live));
    has_settled(&service, "acknowledged", 3);
    dead.send_with(&[], [bad("foreign", FIRST_TS)]);

    // Whatever still has its limit is refused again, and its copy has one set of headers.
    let to = format!("2 good now and sent to {}, 2 of them acknowledged by Kafka", topic.name);
    let foreign = format!("1 left that are no copies of records of {}", topic.name);
    let large_only = copying(&topic, &dead);
    let read = format!("4 records read from {}", dead.name);
    says(&replay(&large_only, &[]), &[&read, &to, "1 still bad and left: 1 not_json", &foreign]);
    has_settled(&service, "acknowledged", 5);
    for copy in dead.records().iter().filter(|copy| copy.header("roomtally-topic").is_some()) {
        let named = |name: &str| copy.headers.iter().filter(|(other, _)| other == name).count();
        assert_eq!(ADDED.map(named), [1; 4], "{copy:?}");
    }
    service.ends();

    let generous = copying(&topic, &dead);
    let service = generous.serve();
    let expected = [live[0].clone(), Event::created("large", FIRST_TS, Some("first")), third];
    service.agrees_with(&Model::of(&expected));
    let later = [Event::transferred("large", Some("second"))];
    topic.send(&later);
    let ended = replay(&generous, &["--if-unknown"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    service.agrees_with(&Model::of(&[&expected[..], &later].concat()));
    let sent = topic.records();
    let again: Vec<_> = sent.iter().filter(|of| of.key == large.key && of.value == large.value).collect();
    assert!(again.len() > 2, "{}", again.len());
    assert_eq!(again[1].headers, large.headers, "as it was");
    assert_eq!(again[1].timestamp, again[0].timestamp);
    assert_eq!(again[2].header("roomtally-if-unknown"), Some(""));
    service.ends();
}

#[test]
fn a_replay_without_a_topic_says_what_is_missing() {
    let topic = Topic::shared(1);
    let dead = Topic::absent(&topic.servers);
    let ended = replay(&copying(&topic, &dead), &[]);
    assert!(ended.code == Some(1) && ended.stderr.contains(&dead.name), "{ended:?}");
    let ended = replay(&Setup::new(&topic), &[]);
    assert!(ended.code == Some(1) && ended.stderr.contains("dead_letter.topic"), "{ended:?}");
}

#[test]
fn check_tells_what_is_wrong_with_the_dead_letter_topic() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let small =
        Topic::with(&topic.servers, 1, &[("max.message.bytes", "2000"), ("cleanup.policy", "compact")]);
    let with = |settings: &[(&str, &str)]| Topic::with(&topic.servers, 1, settings);
    let for_a_day = ("retention.ms", "86400000");
    for (dead, words) in [
        (with(&[for_a_day]), &["warn", "retention.ms=86400000", "set retention.ms to -1"][..]),
        (Topic::new(&topic.servers, 2), &["ok ", "2 partitions"]),
        (Topic::absent(&topic.servers), &["warn", "is not there", "create it"]),
        (small.clone(), &["warn", "2000 bytes", "max.message.bytes"]),
        (small, &["warn", "is compacted"]),
    ] {
        let setup = copying(&topic, &dead);
        let config = setup.config("127.0.0.1:0");
        let ended = run(TIME, &["check", "--config", config.to_str().unwrap()], None);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let mut lines = ended.stdout.lines().filter(|line| line.contains(&dead.name));
        assert!(lines.any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {ended:?}");
    }
    for settings in [&[FOR_EVER][..], &[for_a_day, ("message.timestamp.type", "LogAppendTime")]] {
        let dead = with(settings);
        let setup = copying(&topic, &dead);
        let config = setup.config("127.0.0.1:0");
        let ended = run(TIME, &["check", "--config", config.to_str().unwrap()], None);
        let warned = ended.stdout.lines().any(|line| line.starts_with("warn") && line.contains(&dead.name));
        assert!(ended.code == Some(0) && !warned, "{settings:?}: {ended:?}");
    }
}
