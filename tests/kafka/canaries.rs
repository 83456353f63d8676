//! Whether the log still has the records that were read of it.

use std::fs;
use std::time::Duration;

use rdkafka::producer::Producer as _;
use roomtally::log::CanaryFound::{Absent, Other, Same};
use roomtally::log::{Canary, Partition};

use crate::behind::node_behind_a_proxy;
use crate::compaction::{COMPACTED, offsets_left};
use crate::model::{Event, FIRST_TS, workload};
use crate::node::Node;
use crate::proxy::Way;
use crate::topic::{FOR_EVER, Record, Topic};
use crate::transactions::{begin, transactional};
use crate::wait::{until, within};
use crate::watching::{Watching, canary_from};

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn a_record_is_found_and_one_that_was_trimmed_or_never_came_is_absent() {
    let topic = Topic::shared(1);
    let events = workload(211, 50);
    topic.send(&events);
    let end = i64::try_from(events.len()).unwrap();
    let watching = Watching::of(&topic);
    let canary = canary_from(&topic, 0, 20);
    assert_eq!(watching.finds(canary), Same);
    assert_eq!(watching.finds(Canary { hash: canary.hash ^ 1, ..canary }), Other);
    let timestamp_ms = canary.timestamp_ms.map(|ms| ms + 1);
    assert_eq!(watching.finds(Canary { timestamp_ms, ..canary }), Other);
    for offset in [end, end + 1_000] {
        assert_eq!(watching.finds(Canary { offset, ..canary }), Absent);
    }
    topic.trim(0, 20);
    assert_eq!(watching.finds(canary), Same);
    topic.trim(0, 21);
    assert_eq!(watching.finds(canary), Absent);
}

#[test]
fn orders_one_after_the_other_are_carried_out_soon() {
    let topic = Topic::shared(4);
    for partition in 0..4 {
        topic.send_to(partition, &workload(212, 1_000));
    }
    let watching = Watching::of(&topic);
    watching.identity();
    for number in 0..5 {
        let offset = 10 + i64::try_from(number).unwrap();
        let canaries = [0, 1, 2, 3].map(|partition| (partition, canary_from(&topic, partition, offset)));
        let (verified, took) = watching.verify(number, &canaries);
        assert_eq!(verified.canaries, [0, 1, 2, 3].map(|partition| (Partition(partition), Same)));
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[test]
fn a_record_of_a_topic_made_anew_is_another() {
    let topic = Topic::shared(1);
    topic.send(&workload(213, 50));
    let watching = Watching::of(&topic);
    let canary = canary_from(&topic, 0, 49);
    assert_eq!(watching.finds(canary), Same);
    topic.delete();
    within(Duration::from_secs(5), "the topic is made anew", || topic.try_create(1, &[FOR_EVER]).ok());
    topic.send(&workload(214, 90));
    let (verified, _) = watching.verify(2, &[(0, canary)]);
    assert_eq!(verified.canaries, [(Partition(0), Other)]);
}

#[test]
fn a_record_that_compaction_has_removed_is_absent() {
    let topic = Topic::shared_with(1, &COMPACTED);
    let event = |ts| Event::created("room", FIRST_TS + ts, Some("department"));
    topic.send(&[event(0)]);
    topic.send(&[Event::created("other", FIRST_TS, None)]);
    let watching = Watching::of(&topic);
    let removed = canary_from(&topic, 0, 0);
    assert_eq!(watching.finds(removed), Same);
    let mut ts = 0;
    let left = until("the cleaner has removed the record", || {
        ts += 1;
        topic.send(&[event(ts)]);
        let left = offsets_left(&topic);
        (!left.contains(&0)).then_some(left)
    });
    assert_eq!(watching.finds(removed), Absent, "{left:?}");
    assert_eq!(watching.finds(canary_from(&topic, 0, 1)), Same);
}

#[test]
fn a_record_between_the_markers_of_transactions_is_found_and_a_marker_is_none() {
    let topic = Topic::shared(1);
    let sender = transactional(&topic);
    let ten = |seed| workload(seed, 10).into_iter().take(10).collect::<Vec<_>>();
    for (seed, commits) in [(215, true), (216, false), (217, true)] {
        begin(&topic, &sender, &ten(seed));
        let ended =
            if commits { sender.commit_transaction(TIMEOUT) } else { sender.abort_transaction(TIMEOUT) };
        ended.unwrap();
    }
    let watching = Watching::of(&topic);
    // Ten committed and their marker, ten aborted and theirs, ten committed and theirs.
    let canary = canary_from(&topic, 0, 10);
    assert_eq!(canary.offset, 22);
    for offset in [0, 9, 22, 31] {
        assert_eq!(watching.finds(canary_from(&topic, 0, offset)), Same, "{offset}");
    }
    for offset in [10, 15, 21, 32] {
        assert_eq!(watching.finds(Canary { offset, ..canary }), Absent, "{offset}");
    }
}

#[test]
fn records_much_larger_than_a_fetch_are_compared_whole_in_every_partition() {
    let topic = Topic::shared(3);
    for partition in 0..3 {
        topic.send_with(
            &[],
            [1, 2, 3].map(|seed| Record { partition: Some(partition), ..Record::large(seed) }),
        );
    }
    let watching = Watching::of(&topic);
    let canaries = [0, 1, 2].map(|partition| (partition, canary_from(&topic, partition, 1)));
    let (verified, _) = watching.verify(1, &canaries);
    assert_eq!(verified.canaries, [0, 1, 2].map(|partition| (Partition(partition), Same)));
    let others = canaries.map(|(partition, canary)| (partition, Canary { hash: 0, ..canary }));
    let (verified, _) = watching.verify(2, &others);
    assert_eq!(verified.canaries, [0, 1, 2].map(|partition| (Partition(partition), Other)));
}

/// One that takes five seconds to come: longer than a look reads, and longer than the
/// first client waits for an answer.
#[test]
fn a_record_that_comes_over_a_slow_link_is_found_while_looks_go_on() {
    let (proxy, node) = node_behind_a_proxy();
    let topic = Topic::new(&node.servers(), 1);
    topic.send_with(&[], [Record::large(4)]);
    let canary = canary_from(&topic, 0, 0);
    proxy.set(Way::Open, Way::Slow(180_000));
    let watching = Watching::of(&topic.through(&proxy.servers()));
    watching.order(1, &[(0, canary)]);
    let (verified, looks) = watching.verified_after_looks();
    assert_eq!((verified.number, verified.canaries), (1, vec![(Partition(0), Same)]));
    assert!(looks > 2, "{looks} looks");
}

#[test]
fn a_record_in_the_middle_of_a_compressed_batch_is_found() {
    let topic = Topic::shared_with(1, &[FOR_EVER, ("compression.type", "zstd")]);
    topic.send_with(
        &[("linger.ms", "500"), ("compression.type", "zstd")],
        workload(218, 500).iter().map(Record::from),
    );
    let watching = Watching::of(&topic);
    for offset in [0, 250, 499] {
        let canary = canary_from(&topic, 0, offset);
        assert_eq!(canary.offset, offset);
        assert_eq!(watching.finds(canary), Same, "{offset}");
    }
}

#[test]
fn a_bad_checksum_is_no_other_record_and_keeps_no_log_from_being_the_same() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 2);
    for partition in 0..2 {
        topic.send_to(partition, &workload(219, 20));
    }
    let canaries = [0, 1].map(|partition| (partition, canary_from(&topic, partition, 3)));
    node.stop();
    let segment = node.segment(&topic.name, 0);
    let mut bytes = fs::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&segment, bytes).unwrap();
    node.run();

    let watching = Watching::of(&topic);
    watching.order(1, &canaries);
    let answer = watching.next_verified();
    assert_eq!((answer.number, answer.canaries), (1, vec![(Partition(0), Absent), (Partition(1), Same)]));
}
