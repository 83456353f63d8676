//! Records that are refused: each reason with its counter and its log line.

use std::collections::BTreeMap;

use crate::model::{Event, FIRST_TS, Model};
use crate::service::{Service, Setup};
use crate::topic::{Record, Topic};

/// The partition that all of these records go to.
const PARTITION: i32 = 1;

/// A record's Kafka timestamp: 2020-01-01T00:00:00Z.
const RECORDED_MS: i64 = 1_577_836_800_000;

fn record(key: Option<&[u8]>, value: &[u8]) -> Record {
    Record {
        key: key.map(<[u8]>::to_vec),
        value: Some(value.to_vec()),
        partition: Some(PARTITION),
        timestamp: Some(RECORDED_MS),
        headers: Vec::new(),
    }
}

fn created(rest: &str) -> Record {
    record(Some(b"k"), format!(r#"{{"event":"room-created",{rest}}}"#).as_bytes())
}

/// Records with the reason for which each is refused.
pub(crate) fn refused() -> Vec<(&'static str, Record)> {
    let large = "x".repeat(1_024);
    let long = "y".repeat(129);
    vec![
        ("too_large", created(&format!(r#""_id":"r","ts":1e12,"x":"{large}""#))),
        ("not_utf8", record(Some(b"k"), b"\xff\xfe")),
        ("not_json", record(Some(b"k"), b"\0\0\0\0\x07{}")),
        ("not_json", record(Some(b"k"), b"{\"event\":")),
        ("not_object", record(Some(b"k"), b"[1]")),
        ("no_id", record(None, br#"{"event":"room-created","ts":1e12}"#)),
        ("no_id", record(Some(br#"{"_data":"82"}"#), br#"{"event":"room-removed"}"#)),
        ("bad_id", created(r#""_id":"","ts":1e12"#)),
        ("bad_id", created(&format!(r#""_id":"{long}","ts":1e12"#))),
        ("bad_id", record(Some(b""), br#"{"event":"room-removed"}"#)),
        ("no_ts", created(r#""_id":"r""#)),
        ("bad_ts", created(r#""_id":"r","ts":"yesterday""#)),
        ("bad_ts", created(r#""_id":"r","ts":NaN"#)),
        ("ts_out_of_range", created(r#""_id":"r","ts":"1999-12-31T23:59:59.999Z""#)),
        ("ts_out_of_range", created(r#""_id":"r","ts":"2020-01-02T00:00:00.001Z""#)),
        ("bad_department", created(r#""_id":"r","ts":1e12,"departmentId":5"#)),
        ("bad_department", created(&format!(r#""_id":"r","ts":1e12,"departmentId":"{long}""#))),
        ("too_many_departments", created(r#""_id":"r","ts":1e12,"departmentId":"third""#)),
        ("too_many_departments", {
            let event = Event::transferred("good-0", Some("third"));
            record(Some(b"good-0"), event.value().unwrap().as_bytes())
        }),
    ]
}

/// As many departments as the limit allows, and one room that has none.
pub(crate) fn good() -> Vec<Event> {
    let departments = [Some("first"), Some("second"), None];
    let room = |(number, department)| {
        Event::created(&format!("good-{number}"), FIRST_TS - 86_400_000_000, department)
    };
    departments.into_iter().enumerate().map(room).collect()
}

#[track_caller]
fn each_reason_has_its_counter(service: &Service, expected: &BTreeMap<&str, f64>) {
    for (reason, records) in expected {
        let series = format!("roomtally_rejected_total{{reason=\"{reason}\"}}");
        assert_eq!(service.metric(&series).to_string(), records.to_string(), "{series}");
    }
}

#[test]
fn each_reason_to_reject_has_its_counter_and_a_line_with_topic_partition_and_offset() {
    let topic = Topic::shared(2);
    let good = good();
    let of_good = good.iter().map(|event| Record {
        partition: Some(PARTITION),
        timestamp: Some(RECORDED_MS),
        ..Record::from(event)
    });
    let refused = refused();
    topic.send_with(&[], of_good.chain(refused.iter().map(|(_, record)| record.clone())));

    let setup = Setup::new(&topic).limits("record_bytes = \"1KiB\"\ndepartments = 2");
    let service = setup.serve();
    service.agrees_with(&Model::of(&good));

    let mut expected = BTreeMap::new();
    for (number, (reason, _)) in refused.iter().enumerate() {
        let before = expected.insert(*reason, expected.get(reason).unwrap_or(&0.0) + 1.0);
        // Lines are sampled: the first of each reason is there.
        if before.is_none() {
            let offset = format!("offset={} ", good.len() + number);
            let (name, reason) = (format!("topic=\"{}\"", topic.name), format!("reason=\"{reason}\""));
            assert!(
                service.logged(&["record rejected", &name, "partition=1 ", &offset, &reason]),
                "{reason}"
            );
        }
    }
    assert_eq!(expected.len(), 11, "every reason occurs");
    each_reason_has_its_counter(&service, &expected);
    assert_eq!(service.consumed(), (good.len() + refused.len()) as u64);
    assert!(service.logged(&["record rejected", "schema registry"]), "framing is explained");
}

#[test]
fn records_of_other_kinds_are_ignored_and_not_refused() {
    let topic = Topic::shared(1);
    let heartbeat = Record { key: Some(br#"{"_data":"82"}"#.to_vec()), ..Record::default() };
    let closed = Record { partition: None, ..record(Some(b"k"), br#"{"event":"room-closed","_id":5}"#) };
    topic.send_with(&[], [heartbeat, closed]);
    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::default());
    assert_eq!(service.metric("roomtally_events_total{result=\"ignored\"}").to_string(), "2");
    assert_eq!(service.consumed(), 2);
}
