//! `roomtally produce`: what arrives, and what it says.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::model::{Event, FIRST_TS, Model, iso, workload};
use crate::program::{Ended, run, write_lines};
use crate::service::Setup;
use crate::topic::Topic;

const TIME: Duration = Duration::from_mins(1);

/// So many events that have a line.
pub(crate) fn lines(seed: u64, count: usize) -> Vec<Event> {
    let mut events = workload(seed, count as u64 * 2 / 3);
    events.retain(|event| event.value().is_some());
    assert!(events.len() >= count);
    events.truncate(count);
    events
}

/// Produces these lines from a file.
pub(crate) fn produce(topic: &Topic, lines: impl IntoIterator<Item = String>, flags: &[&str]) -> Ended {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("events.jsonl");
    write_lines(&file, lines);
    let mut arguments = vec!["produce", "--bootstrap-servers", &topic.servers, "--topic", &topic.name];
    arguments.extend(["--file", file.to_str().unwrap()]);
    arguments.extend(flags);
    run(TIME, &arguments, None)
}

pub(crate) fn values(events: &[Event]) -> impl Iterator<Item = String> + '_ {
    events.iter().map(|event| event.value().unwrap())
}

#[track_caller]
pub(crate) fn succeeds(ended: &Ended, acknowledged: usize, read: usize) {
    let line = format!("{acknowledged} records acknowledged by Kafka, of {read} events and rooms read");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.lines().any(|said| said == line), "{ended:?}");
}

#[test]
fn ten_thousand_events_from_a_file_are_acknowledged_and_counted() {
    let topic = Topic::shared(4);
    let events = lines(61, 10_000);
    succeeds(&produce(&topic, values(&events), &[]), 10_000, 10_000);
    let stored: i64 = topic.bounds().into_iter().map(|(_, end)| end).sum();
    assert_eq!(stored, 10_000);
    Setup::new(&topic).serve().agrees_with(&Model::of(&events));
}

#[test]
fn events_from_standard_input_are_acknowledged_and_counted() {
    let topic = Topic::shared(2);
    let events = lines(62, 100);
    // Empty lines and a last one without its end are no fault.
    let text = values(&events).collect::<Vec<_>>().join("\n\n");
    let config = Setup::new(&topic).config("127.0.0.1:0");
    for flags in [vec![], vec!["--file", "-"]] {
        let mut arguments = vec!["produce", "--bootstrap-servers", &topic.servers, "--topic", &topic.name];
        arguments.extend(flags);
        succeeds(&run(TIME, &arguments, Some(&text)), 100, 100);
    }
    assert!(!config.exists(), "nothing of the configuration is needed");
    Setup::new(&topic).serve().agrees_with(&Model::of(&[events.clone(), events].concat()));
}

#[test]
fn history_sent_for_unknown_rooms_only_has_its_header_and_undoes_nothing() {
    let topic = Topic::shared(1);
    let live = [
        Event::created("moved", FIRST_TS, Some("before")),
        Event::transferred("moved", Some("after")),
        Event::created("same", FIRST_TS + 1, None),
    ];
    succeeds(&produce(&topic, values(&live), &[]), 3, 3);
    let history = [
        Event::created("moved", FIRST_TS, Some("before")),
        Event::created("same", FIRST_TS + 1, None),
        Event::created("old", FIRST_TS - 1, Some("before")),
        Event::transferred("old", Some("after")),
    ];
    succeeds(&produce(&topic, values(&history), &["--if-unknown"]), 4, 4);

    let service = Setup::new(&topic).serve();
    let mut expected = live.to_vec();
    expected.push(history[2].clone());
    service.agrees_with(&Model::of(&expected));
    assert_eq!(service.metric("roomtally_events_total{result=\"duplicate\"}").to_string(), "3");
    assert_eq!(
        headers(&topic, 7),
        [vec![Vec::<String>::new(); 3], vec![vec!["roomtally-if-unknown".to_owned()]; 4]].concat()
    );
}

/// What `mongoexport` writes of some rooms: canonical, relaxed and as an array.
fn exports() -> [Vec<String>; 3] {
    let canonical = [
        format!(
            r#"{{"_id":"first","t":"l","ts":{{"$date":{{"$numberLong":"{FIRST_TS}"}}}},"departmentId":"a","usersCount":{{"$numberInt":"2"}}}}"#
        ),
        r#"{"_id":"GENERAL","t":"c","ts":{"$date":{"$numberLong":"1600000000000"}},"name":"general"}"#
            .to_owned(),
        format!(
            r#"{{"_id":{{"$oid":"65a1b2c3d4e5f60718293a4b"}},"t":"l","ts":{{"$date":{{"$numberLong":"{FIRST_TS}"}}}}}}"#
        ),
    ];
    let ts = iso(FIRST_TS);
    let relaxed = [
        format!(r#"{{"_id":"first","t":"l","ts":{{"$date":"{ts}"}},"departmentId":"a","usersCount":2}}"#),
        r#"{"_id":"GENERAL","t":"c","ts":{"$date":"2020-09-13T12:26:40Z"},"name":"general"}"#.to_owned(),
        format!(r#"{{"_id":{{"$oid":"65a1b2c3d4e5f60718293a4b"}},"t":"l","ts":{{"$date":"{ts}"}}}}"#),
    ];
    let array = vec![format!("[{}]", relaxed.join(",\n"))];
    [canonical.to_vec(), relaxed.to_vec(), array]
}

#[test]
fn rooms_as_mongoexport_writes_them_are_counted_once_and_others_left_out() {
    let topic = Topic::shared(2);
    let live = [Event::created("first", FIRST_TS, Some("a")), Event::transferred("first", Some("b"))];
    succeeds(&produce(&topic, values(&live), &[]), 2, 2);
    for lines in exports() {
        let ended = produce(&topic, lines, &["--if-unknown"]);
        succeeds(&ended, 2, 3);
        assert!(ended.stdout.contains("1 rooms of other types left out"), "{ended:?}");
    }
    let service = Setup::new(&topic).serve();
    let exported = Event::created("65a1b2c3d4e5f60718293a4b", FIRST_TS, None);
    service.agrees_with(&Model::of(&[&live[..], &[exported]].concat()));
    assert_eq!(service.metric("roomtally_events_total{result=\"duplicate\"}").to_string(), "5");
}

#[test]
fn a_document_of_an_array_that_is_bad_is_named_by_its_number() {
    let topic = Topic::shared(1);
    let room = |id: &str| format!(r#"{{"_id":"{id}","t":"l","ts":{FIRST_TS}}}"#);
    let array = [format!("[{},", room("a")), r#"{"_id":5,"t":"l"},"#.to_owned(), format!("{}]", room("b"))];
    let ended = produce(&topic, array.clone(), &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("events.jsonl, element 2: ") && ended.stderr.contains("bad_id"),
        "{ended:?}"
    );
    succeeds(&produce(&topic, array, &["--skip-invalid"]), 2, 3);
    let cut = produce(&topic, [format!("[{}", room("c"))], &[]);
    assert_eq!(cut.code, Some(1), "{cut:?}");
    assert!(cut.stderr.contains("closing ]"), "{cut:?}");
}

/// The headers' names of the first records of partition 0.
fn headers(topic: &Topic, records: usize) -> Vec<Vec<String>> {
    let reader: BaseConsumer = topic.reader();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.name, 0, Offset::Beginning).unwrap();
    reader.assign(&list).unwrap();
    let names = |_| {
        let record = reader.poll(TIME).expect("a record").unwrap();
        let headers = record.headers().map(|headers| headers.iter().map(|of| of.key.to_owned()).collect());
        headers.unwrap_or_default()
    };
    (0..records).map(names).collect()
}
