//! Everything that speaks to Kafka; the only module that knows its client.
//!
//! Owns two threads towards the log: [`Reader`] takes records from the
//! partitions it is given, [`Watch`] looks every second whether broker and topic
//! are there, which log it is and where the partitions end. Both tell what they see as
//! [`LogEvent`]s over one bounded channel. Neither decides anything: positions
//! and their meaning belong to whoever receives the events.

mod bad_batch;
mod batch;
mod canaries;
mod connection;
mod context;
mod dead_letters;
mod decoded;
mod embedded;
mod inspect;
mod looking;
#[allow(unsafe_code, reason = "what rdkafka does not expose of librdkafka")]
mod native;
mod outgoing;
mod patience;
mod producer;
mod publisher;
mod queue;
mod read_from;
mod reader;
mod stored;
mod topic_id;
mod under_way;
mod watch;

pub use batch::{Batch, BatchRecord, Header, Headers};
pub use connection::{Connection, Properties, PropertyFault};
pub use dead_letters::{Copied, DeadLetter, DeadLetters, NotCopied, copied_from, original_headers};
pub use decoded::{DecodedBatch, DecodedRecord, Decoder};
pub use embedded::EmbeddedBroker;
pub use inspect::{Inspection, inspect};
pub use outgoing::Outgoing;
pub use producer::{ProduceError, Producer};
pub use publisher::{Fate, Publisher, Unwritten};
pub use read_from::ReadFrom;
pub use reader::Reader;
pub use stored::{Stored, StoredError};
pub use watch::Watch;

use crate::log::{Canary, CanaryFound, LogIdentity, NextOffset, Partition};
use crate::room::Timestamp;

/// What the threads towards the log tell.
#[derive(Debug)]
pub enum LogEvent {
    /// Records, and ends of partitions reached behind them.
    Batch(DecodedBatch),
    /// A partition that cannot be read on, and the number of the order that it was
    /// read for.
    Fault(Fault, u64),
    /// The topic as it is.
    Sighted(Sighting),
    /// The topic cannot be seen.
    OutOfSight(OutOfSight),
    /// What an order to [`Watch::verify`] has brought to light.
    Verified(Verified),
    /// The reader has ended; no more records will come.
    ReaderEnded,
}

/// Why a partition cannot be read on, as the client puts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which partition, if the client said.
    pub partition: Option<Partition>,
    /// What is wrong.
    pub kind: FaultKind,
    /// The position that was asked for, where it is [`FaultKind::OutOfRange`], or none
    /// where the log has lost what it was behind; the first one behind, where it is
    /// [`FaultKind::BadBatch`], once that is known, and before that the batch's own, or
    /// none where it cannot be known.
    pub at: Option<NextOffset>,
    /// The client's words.
    pub message: String,
}

/// What is wrong with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The log has no record at our position, before its start or past its end.
    OutOfRange,
    /// A batch of records does not match its checksum.
    BadBatch,
    /// A batch is of a format that the client does not know, as where the byte that says
    /// so is damaged. It tells nobody of it who asks for anything but its beginning.
    UnknownFormat,
    /// One of these was met, and is whole when it is asked for again. The
    /// client has lost its place: the partition is to be read anew.
    WholeAgain,
    /// Something that may pass.
    Other,
}

impl FaultKind {
    /// Whether a batch cannot be read. The client has lost its place in what it has
    /// fetched of the partition.
    pub fn is_damage(self) -> bool {
        matches!(self, Self::BadBatch | Self::UnknownFormat)
    }
}

/// The topic as it was at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Before the broker was asked.
    pub at: Timestamp,
    /// Which log it is, asked for after the bounds.
    pub identity: LogIdentity,
    /// Every partition, in order.
    pub partitions: Vec<PartitionBounds>,
}

impl Sighting {
    /// Whether the topic has this partition.
    pub fn has(&self, partition: Partition) -> bool {
        self.partitions.iter().any(|bounds| bounds.partition == partition)
    }
}

/// Where the log of one partition begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionBounds {
    /// Which.
    pub partition: Partition,
    /// The offset of the first record that is still there.
    pub begin: NextOffset,
    /// The end of what can be read: before the first open transaction.
    pub end: NextOffset,
}

/// An order to find out which log the broker has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOrder {
    /// The giver's own, to know the answer by.
    pub number: u64,
    /// Records that were read, at most one of each partition.
    pub canaries: Vec<(Partition, Canary)>,
}

/// Which log the broker has, and what became of records that were read.
///
/// The identity was asked of the broker after the order was given. No topic ever
/// gets the id of another, so if it is the one that was known when reading began,
/// everything that was applied before the order was read from that log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The order's.
    pub number: u64,
    /// Which log it is; what the broker did not tell this time is none.
    pub identity: LogIdentity,
    /// What stands at each canary's offset, in the order of the partitions. One
    /// at or behind the log's end, or of a partition that is not there, is
    /// absent too: that the log is shorter than what was read of it, its bounds
    /// tell.
    pub canaries: Vec<(Partition, CanaryFound)>,
}

/// Why the topic cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutOfSight {
    /// The broker answers that there is no such topic.
    TopicAbsent,
    /// No answer, or none of use.
    BrokerAway {
        /// What the client said last.
        reason: String,
    },
}

impl OutOfSight {
    /// Whether both mean the same, whatever words the client finds for it.
    pub fn is_alike(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
