//! Positions left with the broker, for tools that show lag.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::topic::Topic;
use crate::wait::until;
use crate::watching::Watching;

#[test]
fn positions_are_left_with_the_broker_under_the_group_and_later_ones_take_their_place() {
    let topic = Topic::shared(2);
    let watching = Watching::of(&topic);
    let reader = topic.reader_of_group("roomtally");
    for positions in [[(0, 0), (1, 7)], [(0, 12), (1, 5)]] {
        watching.commit(&positions);
        until("the positions are there", || {
            let mut list = TopicPartitionList::new();
            for (partition, _) in positions {
                list.add_partition(&topic.name, partition);
            }
            let found = reader.committed_offsets(list, Duration::from_secs(30)).unwrap();
            let is_there = |&(partition, next): &(i32, i64)| {
                let of = found.find_partition(&topic.name, partition).unwrap();
                of.offset() == Offset::Offset(next)
            };
            positions.iter().all(is_there).then_some(())
        });
    }
}
