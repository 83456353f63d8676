//! The watching thread by itself, asked as the service asks it.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use roomtally::kafka::{
    Connection, LogEvent, OutOfSight, Properties, ReadFrom, Sighting, Verified, VerifyOrder, Watch,
};
use roomtally::log::{Canary, CanaryFound, LogIdentity, NextOffset, Partition};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::topic::Topic;

const PATIENCE: Duration = Duration::from_mins(1);

/// A thread that watches a topic, and ends with this.
#[derive(Debug)]
pub(crate) struct Watching {
    watch: Watch,
    events: Receiver<LogEvent>,
    _stops: DropGuard,
}

impl Watching {
    pub(crate) fn of(topic: &Topic) -> Self {
        Self::beside(topic, ReadFrom::default())
    }

    /// Beside the reading of records.
    pub(crate) fn beside(topic: &Topic, read_from: ReadFrom) -> Self {
        let connection = connection(topic);
        let (sender, events) = mpsc::sync_channel(1_000);
        let stop = CancellationToken::new();
        let watch =
            Watch::start(connection, read_from, sender, stop.clone(), roomtally::service::now).unwrap();
        Self { watch, events, _stops: stop.drop_guard() }
    }

    /// The next look that `meant` says something of.
    #[track_caller]
    pub(crate) fn look<T>(
        &self,
        what: &str,
        mut meant: impl FnMut(Result<Sighting, OutOfSight>) -> Option<T>,
    ) -> T {
        self.event(what, |event| match event {
            LogEvent::Sighted(sighting) => meant(Ok(sighting)),
            LogEvent::OutOfSight(why) => meant(Err(why)),
            other => panic!("no look: {other:?}"),
        })
    }

    /// What the next look that begins from now on tells of the log's identity.
    #[track_caller]
    pub(crate) fn identity(&self) -> LogIdentity {
        let now = roomtally::service::now();
        self.look("the topic is seen", |seen| {
            seen.ok().filter(|sighting| sighting.at >= now).map(|sighting| sighting.identity)
        })
    }

    pub(crate) fn order(&self, number: u64, canaries: &[(i32, Canary)]) {
        let canaries = canaries.iter().map(|&(partition, canary)| (Partition(partition), canary)).collect();
        self.watch.verify(VerifyOrder { number, canaries });
    }

    /// Waits for what the order of this number has brought to light.
    #[track_caller]
    pub(crate) fn verified(&self, number: u64) -> Verified {
        let verified = self.next_verified();
        assert_eq!(verified.number, number, "{verified:?}");
        verified
    }

    /// Waits for what some order has brought to light.
    #[track_caller]
    pub(crate) fn next_verified(&self) -> Verified {
        self.event("an order is carried out", |event| match event {
            LogEvent::Verified(verified) => Some(verified),
            _ => None,
        })
    }

    /// The same; says how often the topic was seen until then.
    #[track_caller]
    pub(crate) fn verified_after_looks(&self) -> (Verified, usize) {
        let mut looks = 0;
        let verified = self.event("an order is carried out", |event| match event {
            LogEvent::Verified(verified) => Some(verified),
            LogEvent::Sighted(_) => {
                looks += 1;
                None
            }
            _ => None,
        });
        (verified, looks)
    }

    /// Both; says how long it took.
    #[track_caller]
    pub(crate) fn verify(&self, number: u64, canaries: &[(i32, Canary)]) -> (Verified, Duration) {
        let began = Instant::now();
        self.order(number, canaries);
        (self.verified(number), began.elapsed())
    }

    /// What is found in partition 0.
    #[track_caller]
    pub(crate) fn finds(&self, canary: Canary) -> CanaryFound {
        let (verified, _) = self.verify(1, &[(0, canary)]);
        assert_eq!(verified.canaries.len(), 1);
        verified.canaries[0].1
    }

    pub(crate) fn commit(&self, positions: &[(i32, i64)]) {
        let positions =
            positions.iter().map(|&(partition, next)| (Partition(partition), NextOffset::at(next)));
        self.watch.commit(positions.collect());
    }

    #[track_caller]
    fn event<T>(&self, what: &str, mut meant: impl FnMut(LogEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left);
            let event = event.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
            if let Some(found) = meant(event) {
                return found;
            }
        }
    }
}

pub(crate) fn connection(topic: &Topic) -> Connection {
    Connection {
        bootstrap_servers: topic.servers.clone(),
        topic: topic.name.clone(),
        properties: Properties::default(),
    }
}

/// The canary of the first record from `offset` on, as a reader finds it.
#[track_caller]
pub(crate) fn canary_from(topic: &Topic, partition: i32, offset: i64) -> Canary {
    let reader = topic.reader();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.name, partition, Offset::Offset(offset)).unwrap();
    reader.assign(&list).unwrap();
    let record = reader.poll(PATIENCE).expect("an answer").expect("a record");
    Canary::of(record.offset(), record.timestamp().to_millis(), record.key(), record.payload())
}
