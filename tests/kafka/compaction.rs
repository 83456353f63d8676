//! Topics that keep only the last record of each key.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::model::{Event, FIRST_TS, Model};
use crate::node;
use crate::service::Setup;
use crate::topic::{FOR_EVER, Topic};
use crate::wait::until;

/// Cleaned as soon as a segment is full, which is soon.
pub(crate) const COMPACTED: [(&str, &str); 4] =
    [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001"), FOR_EVER];

/// Offsets of the records that are left in partition 0.
pub(crate) fn offsets_left(topic: &Topic) -> Vec<i64> {
    let reader: BaseConsumer = topic.reader();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.name, 0, Offset::Beginning).unwrap();
    reader.assign(&list).unwrap();
    let mut offsets = Vec::new();
    // The first error is the end of the partition.
    while let Ok(record) = reader.poll(Duration::from_secs(30)).expect("an answer") {
        offsets.push(rdkafka::Message::offset(&record));
    }
    offsets
}

/// Counts a topic of 400 rooms and 200 tombstones whose other records have been
/// removed, as soon as fewer than `fewer_than` records are left.
#[track_caller]
fn check(tombstones_kept_ms: &str, fewer_than: usize) {
    let node = node::shared();
    let settings = [&COMPACTED[..], &[("delete.retention.ms", tombstones_kept_ms)]].concat();
    let topic = Topic::with(&node.servers(), 1, &settings);
    let room = |number: i64| format!("room-{number}");
    let rooms = 0..600;
    let mut events: Vec<_> = rooms
        .clone()
        .map(|number| Event::created(&room(number), FIRST_TS + number, Some("first-department")))
        .collect();
    let moved = rooms.clone().filter(|number| number % 2 == 0);
    events.extend(moved.map(|number| Event::created(&room(number), FIRST_TS + number, Some("second"))));
    let gone = rooms.filter(|number| number % 3 == 0);
    events.extend(gone.map(|number| Event::tombstone(&room(number))));
    topic.send(&events);

    // A segment is cleaned once a later record has opened the next one.
    let mut opener = 0;
    let left = until("the cleaner has removed records", || {
        opener += 1;
        let event = Event::created("opener", FIRST_TS - opener, None);
        topic.send(std::slice::from_ref(&event));
        events.push(event);
        let left = offsets_left(&topic);
        (left.len() < fewer_than).then_some(left)
    });
    assert!(left[0] > 0, "the log's first records are among the removed");

    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&events));
    assert!(service.consumed() <= left.len() as u64, "only what is left is there to be read");
}

#[test]
fn a_compacted_topic_with_tombstones_is_counted_right_from_its_beginning() {
    check("86400000", 700);
}

#[test]
fn a_compacted_topic_whose_tombstones_are_gone_too_is_counted_right_from_its_beginning() {
    check("0", 500);
}
