//! Which log a position belongs to: values only.
//!
//! Owns the signs by which the log that was counted is told from another of the
//! same name. An offset says nothing about the log it points into: a topic that
//! was deleted and made anew, or another cluster behind the same address, has
//! the same offsets with other records behind them.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// The cluster and the topic as the broker names them. What a broker does not
/// tell is none, and proves nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogIdentity {
    /// The cluster's id.
    pub cluster: Option<String>,
    /// The topic's id, which no other topic ever gets, of the same name or not.
    pub topic: Option<TopicId>,
}

/// A topic's id: the 16 bytes of its UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

/// What is remembered of the last record that was read of a partition, to find it
/// again: a record at this offset that is another one belongs to another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// The record's offset.
    pub offset: i64,
    /// Kafka's timestamp of it, in milliseconds since 1970, if it has one.
    pub timestamp_ms: Option<i64>,
    /// Of key and value, see [`Canary::of`].
    pub hash: u128,
}

/// What stands in the log at a canary's offset.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryFound {
    /// The record that was read.
    Same,
    /// Nothing: retention or compaction has taken it, which proves nothing.
    Absent,
    /// Another record.
    Other,
}

impl LogIdentity {
    /// Whether both may be the same log: nothing that both tell differs.
    pub fn may_be(&self, other: &Self) -> bool {
        agree(self.cluster.as_ref(), other.cluster.as_ref())
            && agree(self.topic.as_ref(), other.topic.as_ref())
    }

    /// Adds what the other tells and this does not.
    pub fn learn(&mut self, other: &Self) {
        if self.cluster.is_none() {
            self.cluster.clone_from(&other.cluster);
        }
        self.topic = self.topic.or(other.topic);
    }
}

fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

impl Canary {
    /// The canary of a record. Keys and values that are absent, empty, or cut at
    /// another place have another hash each.
    pub fn of(offset: i64, timestamp_ms: Option<i64>, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let mut hash = Xxh3::new();
        for part in [key, value] {
            // Nothing is as long as the mark of what is absent.
            let length = part.map_or(u64::MAX, |bytes| bytes.len() as u64);
            hash.update(&length.to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        Self { offset, timestamp_ms, hash: hash.digest128() }
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_sides_tell_can_differ() {
        let of = |cluster: Option<&str>, topic: Option<u8>| LogIdentity {
            cluster: cluster.map(str::to_owned),
            topic: topic.map(|byte| TopicId([byte; 16])),
        };
        for (one, other, may_be) in [
            (of(Some("c"), Some(1)), of(Some("c"), Some(1)), true),
            (of(Some("c"), Some(1)), of(Some("d"), Some(1)), false),
            (of(Some("c"), Some(1)), of(Some("c"), Some(2)), false),
            (of(Some("c"), None), of(Some("c"), Some(2)), true),
            (of(None, None), of(Some("c"), Some(2)), true),
        ] {
            assert_eq!(one.may_be(&other), may_be, "{one:?} {other:?}");
            assert_eq!(other.may_be(&one), may_be, "{other:?} {one:?}");
        }
        let mut learning = of(None, Some(1));
        learning.learn(&of(Some("c"), Some(2)));
        assert_eq!(learning, of(Some("c"), Some(1)));
    }

    #[test]
    fn canaries_tell_what_is_absent_from_what_is_empty_and_where_a_key_ends() {
        type Part = Option<&'static [u8]>;
        let records: [(Part, Part); 6] = [
            (None, None),
            (Some(b""), None),
            (None, Some(b"")),
            (Some(b"ab"), Some(b"c")),
            (Some(b"a"), Some(b"bc")),
            (None, Some(b"abc")),
        ];
        let hashes = records.map(|(key, value)| Canary::of(0, None, key, value).hash);
        for (number, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..number].contains(hash), "{:?}", records[number]);
        }
    }
}
