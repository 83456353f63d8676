//! Logs that are not what was counted: trimmed under us, or another log.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::model::{Event, Model, workload};
use crate::node::{self, Node};
use crate::service::{NOTICED, Service, Setup};
use crate::topic::{FOR_EVER, Topic};
use crate::wait::{until, within};

#[test]
fn a_first_start_on_a_trimmed_log_counts_what_is_there_and_says_where_it_begins() {
    let topic = Topic::shared(2);
    let (trimmed, whole) = (workload(101, 50), workload(102, 50));
    topic.send_to(0, &trimmed);
    topic.send_to(1, &whole);
    topic.trim(0, 30);
    let service = Setup::new(&topic).serve();
    let mut model = Model::of(&trimmed[30..]);
    model.take(&whole);
    service.agrees_with(&model);
    assert_eq!(service.partition(0)["begins_at"], 30);
    assert_eq!(service.partition(1)["begins_at"], Value::Null);

    // What was counted may be deleted: it stays counted.
    topic.trim(0, i64::try_from(trimmed.len()).unwrap());
    let more = workload(103, 50);
    topic.send_to(0, &more);
    model.take(&more);
    service.agrees_with(&model);
}

#[test]
fn a_topic_made_anew_behind_a_gap_that_nobody_decided_on_is_another_log_all_the_same() {
    let topic = Topic::shared(1);
    let events = workload(104, 100);
    topic.send(&events[..100]);
    let setup = Setup::new(&topic);
    let service = setup.serve();
    service.agrees_with(&Model::of(&events[..100]));
    service.ends();
    topic.send(&events[100..]);
    topic.trim(0, 120);
    let service = setup.serve();
    let gap = service.stops(&[0]).remove(0);
    assert_eq!((&gap["stop"], &gap["from"]), (&json!("gap-0-120"), &json!(100)));

    topic.delete();
    until("the name is free", || topic.try_create(1, &[FOR_EVER]).ok());
    let anew = workload(112, 100);
    topic.send(&anew);
    let stopped = within(NOTICED, "the partition is stopped for another reason", || {
        let of = service.partition(0);
        (of["reason"] == "recreated").then_some(of)
    });
    assert_eq!((&stopped["from"], &stopped["to"]), (&json!(100), &json!(100)));
    let stop = stopped["stop"].as_str().unwrap();
    until("the stop is kept", || {
        let state = setup.state().unwrap();
        state.positions.stops().any(|(_, of)| of.id.as_str() == stop).then_some(())
    });
    assert_eq!(setup.command(&["resolve", "gap-0-120", "--accept-gap"]).code, Some(1));
    setup.resolve(stop, "--adopt");
    let mut model = Model::of(&events[..100]);
    model.take(&anew);
    service.agrees_with(&model);
}

#[test]
fn records_deleted_before_they_were_read_stop_the_partition_with_their_exact_range() {
    let topic = Topic::shared(2);
    let (other, events, unread) = (workload(105, 50), workload(106, 100), workload(107, 200));
    topic.send_to(1, &other);
    topic.send_to(0, &events);
    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&[other.clone(), events.clone()].concat()));

    service.signal(Signal::STOP);
    // A fetch may be on its way: it brings at most what is sent first.
    let (first, others) = unread.split_at(5);
    topic.send_to(0, first);
    topic.send_to(0, others);
    let to = (events.len() + unread.len() - 10) as u64;
    topic.trim(0, i64::try_from(to).unwrap());
    service.signal(Signal::CONT);
    let stopped = service.stops(&[0]).remove(0);
    assert_eq!(service.metric("roomtally_integrity_stops_total{reason=\"gap\"}").to_string(), "1");
    let from = service.consumed() - other.len() as u64;
    let read = from - events.len() as u64;
    assert!(read == 0 || read == first.len() as u64, "{stopped}");
    assert_eq!(
        stopped,
        json!({
            "partition": 0, "state": "stopped",
            "stop": format!("gap-0-{to}"), "reason": "gap", "from": from, "to": to, "records": to - from,
        })
    );
    assert_eq!(service.partition(1)["state"], "current", "the other partition is no part of it");

    // Nothing of the stopped partition is counted on.
    topic.send_to(1, &other);
    service.has_consumed(from + 2 * other.len() as u64);
    topic.send_to(0, &events);
    topic.send_to(1, &other);
    service.has_consumed(from + 3 * other.len() as u64);
    service.refuses_to_answer();
}

/// A service that has counted a topic, which is then deleted and made anew.
fn counted_and_made_anew(node: &Node, partitions: i32) -> (Topic, Service, Vec<Event>) {
    let topic = Topic::new(&node.servers(), partitions);
    let events = workload(108, 100);
    topic.send_to(partitions - 1, &events);
    let setup = Setup::new(&topic).often();
    let service = setup.serve();
    service.agrees_with(&Model::of(&events));
    until("all of it is kept", || {
        let kept: i64 = setup.kept().into_iter().sum();
        (kept == i64::try_from(events.len()).unwrap()).then_some(())
    });
    topic.delete();
    until("the topic is said to be absent", || (service.kafka_state() == "topic_absent").then_some(()));
    service.answers(&Model::of(&events));
    assert_eq!(service.ready().0, 200, "complete counts go on being answered");
    topic.create(1, &[FOR_EVER]);
    (topic, service, events)
}

#[test]
fn a_topic_that_is_back_with_fewer_records_stops_the_service_within_15_s() {
    let node = node::shared();
    let (topic, service, events) = counted_and_made_anew(&node, 1);
    let anew = workload(109, 20);
    topic.send(&anew);
    let stopped = stops_all(&service, 1).remove(0);
    assert_eq!(stopped["from"], events.len(), "{stopped}");
    assert_eq!(service.consumed(), events.len() as u64, "nothing of the other log is counted");
}

#[test]
fn a_topic_that_is_back_and_soon_has_more_records_than_before_stops_the_service_too() {
    let node = node::shared();
    let (topic, service, events) = counted_and_made_anew(&node, 1);
    until("the service has asked for more", || service.logged(&["nothing at our position"]).then_some(()));
    topic.send(&workload(109, 200));
    let stopped = stops_all(&service, 1).remove(0);
    assert_eq!(stopped["from"], events.len(), "{stopped}");
    assert_eq!(service.consumed(), events.len() as u64, "nothing of the other log is counted");
}

#[test]
fn a_topic_that_is_back_with_fewer_partitions_stops_the_service_too() {
    let node = node::shared();
    let (_topic, service, events) = counted_and_made_anew(&node, 2);
    let stopped = stops_all(&service, 2);
    assert_eq!(stopped[1]["from"], events.len(), "{stopped:?}");
}

#[test]
fn a_topic_that_was_gone_for_a_while_is_another_however_much_it_has() {
    let topic = Topic::shared(2);
    let events = workload(110, 50);
    topic.send(&events);
    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&events));
    topic.delete();
    until("the service takes it for deleted", || {
        service.logged(&["the topic has been deleted"]).then_some(())
    });
    service.answers(&Model::of(&events));
    topic.create(2, &[FOR_EVER]);
    topic.send(&workload(111, 200));
    stops_all(&service, 2);
    assert_eq!(service.consumed(), events.len() as u64, "nothing of the other log is counted");
}

/// Waits until every partition is stopped because the topic is another one.
#[track_caller]
fn stops_all(service: &Service, partitions: usize) -> Vec<Value> {
    let stopped = service.stops(&(0..partitions).collect::<Vec<_>>());
    for of in &stopped {
        assert_eq!(of["reason"], "recreated", "{of}");
    }
    let series = "roomtally_integrity_stops_total{reason=\"recreated\"}";
    assert_eq!(service.metric(series).to_string(), partitions.to_string());
    stopped
}
