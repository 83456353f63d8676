//! Brokers that go away under a running service, and come back.

use std::time::Duration;

use chrono::DateTime;
use rustix::process::Signal;

use crate::model::{Model, workload};
use crate::node::Node;
use crate::service::{Service, Setup};
use crate::topic::Topic;
use crate::wait::until;

/// Longer than any answer's age while the broker is there.
const OLD_MS: i64 = 6_000;

fn age_ms(as_of: &str) -> i64 {
    let instant = DateTime::parse_from_rfc3339(&as_of.to_uppercase()).unwrap();
    roomtally::service::now().as_millis() - instant.timestamp_millis()
}

/// Every answer is given while the broker is away.
#[track_caller]
fn waits_for(service: &Service, model: &Model, state: &str) {
    until(&format!("kafka.state is {state}"), || {
        service.answers(model);
        let (status, body) = service.ready();
        assert_eq!(status, 200, "ready stays true: {body}");
        (body["kafka"]["state"] == state).then_some(())
    });
}

fn check(end: fn(&Node)) {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 2);
    let events = workload(41, 200);
    topic.send(&events);
    let mut model = Model::of(&events);
    let service = Setup::new(&topic).kafka("unavailable_after = \"2s\"").serve();
    service.agrees_with(&model);
    assert_eq!(service.kafka_state(), "connected");

    let mut other = Setup::new(&topic).serve();
    other.agrees_with(&model);

    end(&node);
    waits_for(&service, &model, "unavailable");
    let stands = service.as_of();
    until("the answers are old", || (age_ms(&service.as_of()) > OLD_MS).then_some(()));
    assert_eq!(service.as_of(), stands, "as-of stands still while the broker is away");
    assert!(service.logged(&["cannot reach Kafka", &node.servers()]), "the log names the address");
    other.signal(Signal::TERM);
    let ended = other.ends_within(Duration::from_secs(10));
    assert_eq!(ended.code(), Some(0), "a service ends well without its broker: {ended}");

    node.run();
    waits_for(&service, &model, "connected");
    let events = workload(42, 200);
    topic.send(&events);
    model.take(&events);
    service.agrees_with(&model);
    until("as-of moves again", || (service.as_of() > stands).then_some(()));
    for partition in 0..2 {
        let lag = service.metric(&format!("roomtally_consumer_lag_records{{partition=\"{partition}\"}}"));
        assert_eq!(lag.to_string(), "0", "partition {partition}");
    }
}

#[test]
fn counts_are_answered_while_a_stopped_broker_is_away_and_go_on_when_it_is_back() {
    check(Node::stop);
}

#[test]
fn counts_are_answered_while_a_killed_broker_is_away_and_go_on_when_it_is_back() {
    check(Node::kill);
}
