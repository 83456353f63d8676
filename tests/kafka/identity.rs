//! Which log it is that the watching thread sees.

use std::sync::mpsc;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use roomtally::decode::{Limits, Rules};
use roomtally::kafka::{Decoder, LogEvent, ReadFrom, Reader};
use roomtally::log::CanaryFound::{Other, Same};
use roomtally::log::{NextOffset, Partition};
use roomtally::room::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::model::workload;
use crate::node::Node;
use crate::topic::{FOR_EVER, Topic};
use crate::wait::{until, within};
use crate::watching::{Watching, canary_from, connection};

#[test]
fn a_topic_made_anew_within_a_second_and_filled_further_has_another_id() {
    let topic = Topic::shared(1);
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
    let mut second = Node::absent(&[]);
    second.takes_place_of(&first);
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

/// As where the names in `bootstrap_servers` lead to two clusters: the reading client has
/// found one, and the looking client the other.
#[test]
fn records_read_from_another_cluster_than_the_one_that_is_seen_are_told_by_its_id() {
    let clusters = [1, 2].map(|_| MockCluster::new(1).unwrap());
    let seen = Topic::absent(&clusters[0].bootstrap_servers());
    let read = seen.through(&clusters[1].bootstrap_servers());
    for cluster in &clusters {
        cluster.create_topic(&seen.name, 1, 1).unwrap();
    }
    let of_the_read = Watching::of(&read).identity().cluster;
    let (sender, events) = mpsc::sync_channel::<LogEvent>(100);
    let stop = CancellationToken::new();
    let limits = Limits { record_bytes: 1_000, oldest: Timestamp::from_millis(0), max_future_ms: 0 };
    let decoder = Decoder::new(Rules { limits, collection: String::new() });
    let from = ReadFrom::default();
    let reader = Reader::start(connection(&read), decoder, from.clone(), sender, stop.clone()).unwrap();
    let watching = Watching::beside(&seen, from.clone());
    let of_the_seen = watching.identity().cluster;
    assert!(of_the_read.is_some() && of_the_seen.is_some() && of_the_read != of_the_seen);

    reader.assign(vec![(Partition(0), NextOffset::START)]);
    until("the reading client's cluster is told", || {
        (watching.identity().cluster == of_the_read).then_some(())
    });
    let (verified, _) = watching.verify(1, &[]);
    assert_eq!(verified.identity.cluster, of_the_read, "what was read is not vouched for");
    reader.assign(Vec::new());
    assert_eq!(watching.identity().cluster, of_the_seen, "nothing is read");
    let same = Watching::beside(&read, from);
    reader.assign(vec![(Partition(0), NextOffset::START)]);
    until("the reading client's cluster is told", || {
        (watching.identity().cluster == of_the_read).then_some(())
    });
    assert_eq!(same.identity().cluster, of_the_read);
    stop.cancel();
    drop(events);
    assert!(reader.join());
}
