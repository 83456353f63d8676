//! Services that start before their topic or their broker.

use crate::model::{Model, workload};
use crate::node::{self, Node};
use crate::service::Setup;
use crate::topic::{FOR_EVER, Topic};
use crate::wait::until;

#[test]
fn a_topic_that_is_made_after_the_service_has_started_is_counted() {
    let node = node::shared();
    let topic = Topic::absent(&node.servers());
    let service = Setup::new(&topic).serve();
    service.refuses_to_answer();
    until("the topic is said to be absent", || (service.kafka_state() == "topic_absent").then_some(()));
    service.refuses_to_answer();
    assert_eq!(service.ready().0, 503);
    let name = format!("topic=\"{}\"", topic.name);
    until("the log says so", || service.logged(&["Kafka has no such topic", &name]).then_some(()));

    let events = workload(51, 100);
    topic.create(2, &[FOR_EVER]);
    topic.send(&events);
    service.agrees_with(&Model::of(&events));
    assert_eq!(service.kafka_state(), "connected");
}

#[test]
fn a_broker_that_is_started_after_the_service_is_found() {
    let node = Node::absent(&[]);
    let topic = Topic::absent(&node.servers());
    let service = Setup::new(&topic).kafka("unavailable_after = \"1s\"").serve();
    let address = node.servers();
    until("the log names the address", || service.logged(&["cannot reach Kafka", &address]).then_some(()));
    until("the broker is said to be away", || (service.kafka_state() == "unavailable").then_some(()));
    service.refuses_to_answer();
    assert_eq!(service.ready().0, 503);

    node.run();
    let events = workload(52, 100);
    topic.create(2, &[FOR_EVER]);
    topic.send(&events);
    service.agrees_with(&Model::of(&events));
    assert_eq!(service.kafka_state(), "connected");
}
