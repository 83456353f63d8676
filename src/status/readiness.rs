//! How things stand, as values: the broker, each partition, all together.

use std::collections::BTreeMap;

use crate::log::{NextOffset, Partition, Stop};
use crate::room::Timestamp;
use crate::status::SnapshotStatus;

/// What is known of the broker and the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaState {
    /// Not reached yet since the start.
    Connecting,
    /// The broker answers and has the topic.
    Connected,
    /// No answer for longer than `kafka.unavailable_after`.
    Unavailable,
    /// The broker answers and has no such topic.
    TopicAbsent,
}

impl KafkaState {
    /// The name in the readiness body.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Unavailable => "unavailable",
            Self::TopicAbsent => "topic_absent",
        }
    }
}

/// How one partition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Which.
    pub partition: Partition,
    /// The next offset to apply.
    pub position: NextOffset,
    /// The end of what can be read, as last heard from the broker.
    pub end: NextOffset,
    /// Where the log began when it was first read, if that was not at 0.
    pub begins_at: Option<NextOffset>,
    /// Whether the end that the log had at the beginning has been reached.
    pub current: bool,
    /// Why it is not counted on.
    pub stop: Option<Stop>,
}

/// How far behind one partition is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// Which.
    pub partition: Partition,
    /// Records that can be read and have not been applied.
    pub records: u64,
    /// The age of the last applied record while records are behind, else 0;
    /// none while nothing has been applied yet.
    pub seconds: Option<f64>,
}

/// The whole of readiness at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether answers are given.
    pub ready: bool,
    /// Every partition that is followed, in order.
    pub partitions: Vec<PartitionStatus>,
    /// The broker and the topic.
    pub kafka: KafkaState,
    /// What is on disk.
    pub snapshot: SnapshotStatus,
}

/// The ends of all partitions, as they were at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// Before the broker was asked.
    pub at: Timestamp,
    /// The end of what can be read of each partition of the topic.
    pub ends: BTreeMap<Partition, NextOffset>,
}
