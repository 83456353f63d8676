//! Which log it is that the watching thread sees.

use std::time::Duration;

use roomtally::log::CanaryFound::{Other, Same};
use roomtally::log::Partition;

use crate::model::workload;
use crate::node::{self, Node};
use crate::topic::{FOR_EVER, Topic};
use crate::wait::within;
use crate::watching::{Watching, canary_from};

#[test]
fn a_topic_made_anew_within_a_second_and_filled_further_has_another_id() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    topic.send(&workload(201, 20));
    let watching = Watching::of(&topic);
    let before = watching.identity();
    assert!(before.cluster.is_some() && before.topic.is_some(), "{before:?}");
    assert_eq!(watching.identity(), before);

    topic.delete();
    // The name is taken until the deletion has reached the broker.
    within(Duration::from_secs(5), "the topic is made anew", || topic.try_create(1, &[FOR_EVER]).ok());
    topic.send(&workload(202, 50));
    let (verified, _) = watching.verify(1, &[]);
    assert_eq!(verified.identity.cluster, before.cluster);
    assert!(verified.identity.topic.is_some() && verified.identity.topic != before.topic, "{verified:?}");
    assert_eq!(watching.identity(), verified.identity);
}

#[test]
fn a_log_stays_the_same_over_a_restart_of_its_broker() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 1);
    topic.send(&workload(205, 20));
    let watching = Watching::of(&topic);
    let before = watching.identity();
    assert!(before.topic.is_some());
    let canary = canary_from(&topic, 0, 10);
    node.stop();
    watching.look("the broker is away", Result::err);
    // An order stays open until it can be carried out.
    watching.order(7, &[(0, canary)]);
    watching.look("the broker is away still", Result::err);
    node.run();
    let verified = watching.verified(7);
    assert_eq!((&verified.identity, verified.canaries), (&before, vec![(Partition(0), Same)]));
    assert_eq!(watching.identity(), before);
}

#[test]
fn another_cluster_behind_the_same_address_is_told_by_its_id() {
    let first = Node::start();
    let topic = Topic::new(&first.servers(), 1);
    topic.send(&workload(203, 20));
    let watching = Watching::of(&topic);
    let before = watching.identity();
    let canary = canary_from(&topic, 0, 19);
    first.stop();
    let second = Node::in_place_of(&first);
    second.run();
    topic.create(1, &[FOR_EVER]);
    topic.send(&workload(204, 50));
    let after = watching.identity();
    assert!(after.cluster.is_some() && after.cluster != before.cluster, "{before:?} {after:?}");
    assert!(after.topic.is_some() && after.topic != before.topic, "{before:?} {after:?}");
    let (verified, _) = watching.verify(1, &[(0, canary)]);
    assert_eq!(verified.identity, after);
    assert_eq!(verified.canaries, [(Partition(0), Other)]);
}
