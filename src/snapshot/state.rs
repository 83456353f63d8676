//! What a generation says beside its rooms: whose log, how far, and the stops.
//!
//! Owns its form on disk, which is JSON, so that a person can read it in the last
//! bytes of a file. The types on disk are not those in memory; what cannot be
//! taken over exactly is refused.

use serde::{Deserialize, Serialize};

use crate::log::{
    Canary, Decision, LogIdentity, NextOffset, Partition, Position, Positions, Stop, StopId, StopReason,
    TopicId,
};
use crate::room::Timestamp;

/// Rooms aside, all that is kept of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The number of the generation.
    pub generation: u64,
    /// The topic's name.
    pub topic: String,
    /// Whose log it is.
    pub identity: LogIdentity,
    /// How far each partition had been applied, and where counting stopped.
    pub positions: Positions,
    /// The last decisions on stops, the latest one last.
    pub decisions: Vec<Decided>,
    /// When it was written.
    pub written_at: Timestamp,
    /// How many rooms counted.
    pub rooms: u64,
}

/// A decision that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// On which stop.
    pub stop: StopId,
    /// What.
    pub decision: Decision,
    /// When the service took it.
    pub at: Timestamp,
    /// What had been missing, for the partitions that the stop held.
    pub missing: Vec<(Partition, NextOffset, NextOffset)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    generation: u64,
    topic: String,
    cluster_id: Option<String>,
    topic_id: Option<String>,
    written_at_ms: i64,
    rooms: u64,
    partitions: Vec<PartitionOnDisk>,
    decisions: Vec<DecidedOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionOnDisk {
    partition: i32,
    begin: i64,
    next: i64,
    last_record: Option<CanaryOnDisk>,
    stop: Option<StopOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanaryOnDisk {
    offset: i64,
    timestamp_ms: Option<i64>,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StopOnDisk {
    id: String,
    reason: String,
    from: i64,
    to: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecidedOnDisk {
    stop: String,
    decision: String,
    at_ms: i64,
    missing: Vec<(i32, i64, i64)>,
}

impl Decided {
    /// So many decisions are remembered.
    pub const REMEMBERED_MAX: usize = 100;
}

impl State {
    /// The bytes of it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let on_disk = OnDisk {
            generation: self.generation,
            topic: self.topic.clone(),
            cluster_id: self.identity.cluster.clone(),
            topic_id: self.identity.topic.map(|id| id.to_string()),
            written_at_ms: self.written_at.as_millis(),
            rooms: self.rooms,
            partitions: self
                .positions
                .all()
                .map(|(partition, position)| (partition, position).into())
                .collect(),
            decisions: self.decisions.iter().map(DecidedOnDisk::from).collect(),
        };
        // Maps with names and numbers cannot fail to be written.
        serde_json::to_vec(&on_disk).unwrap_or_default()
    }

    /// Reads it; none if it is not what would be written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let on_disk: OnDisk = serde_json::from_slice(bytes).ok()?;
        let mut positions = Positions::default();
        for of in &on_disk.partitions {
            positions.restore(Partition(of.partition), of.position()?);
        }
        let state = Self {
            generation: on_disk.generation,
            identity: LogIdentity {
                cluster: on_disk.cluster_id,
                topic: match on_disk.topic_id {
                    Some(text) => Some(TopicId(hex(&text)?.to_be_bytes())),
                    None => None,
                },
            },
            topic: on_disk.topic,
            positions,
            decisions: on_disk.decisions.iter().map(DecidedOnDisk::decided).collect::<Option<_>>()?,
            written_at: Timestamp::from_millis(on_disk.written_at_ms),
            rooms: on_disk.rooms,
        };
        (state.encode() == bytes).then_some(state)
    }
}

impl From<(Partition, &Position)> for PartitionOnDisk {
    fn from((partition, position): (Partition, &Position)) -> Self {
        Self {
            partition: partition.0,
            begin: position.begin.as_offset(),
            next: position.next.as_offset(),
            last_record: position.canary.map(|canary| CanaryOnDisk {
                offset: canary.offset,
                timestamp_ms: canary.timestamp_ms,
                hash: format!("{:032x}", canary.hash),
            }),
            stop: position.stop.as_ref().map(|stop| StopOnDisk {
                id: stop.id.to_string(),
                reason: stop.reason.name().to_owned(),
                from: stop.from.as_offset(),
                to: stop.to.as_offset(),
            }),
        }
    }
}

impl PartitionOnDisk {
    fn position(&self) -> Option<Position> {
        let canary = match &self.last_record {
            Some(of) => {
                let (offset, timestamp_ms) = (of.offset, of.timestamp_ms);
                Some(Canary { offset, timestamp_ms, hash: hex(&of.hash)? })
            }
            None => None,
        };
        let stop = match &self.stop {
            Some(of) => Some(Stop {
                id: StopId::parse(&of.id)?,
                reason: StopReason::of(&of.reason)?,
                from: NextOffset::at(of.from),
                to: NextOffset::at(of.to),
            }),
            None => None,
        };
        let (begin, next) = (NextOffset::at(self.begin), NextOffset::at(self.next));
        let sound = begin <= next && canary.is_none_or(|canary| canary.offset < self.next);
        sound.then_some(Position { begin, next, canary, stop })
    }
}

impl From<&Decided> for DecidedOnDisk {
    fn from(decided: &Decided) -> Self {
        let missing = decided.missing.iter();
        Self {
            stop: decided.stop.to_string(),
            decision: decided.decision.name().to_owned(),
            at_ms: decided.at.as_millis(),
            missing: missing.map(|(of, from, to)| (of.0, from.as_offset(), to.as_offset())).collect(),
        }
    }
}

impl DecidedOnDisk {
    fn decided(&self) -> Option<Decided> {
        let missing = self.missing.iter();
        Some(Decided {
            stop: StopId::parse(&self.stop)?,
            decision: Decision::of(&self.decision)?,
            at: Timestamp::from_millis(self.at_ms),
            missing: missing
                .map(|&(of, from, to)| (Partition(of), NextOffset::at(from), NextOffset::at(to)))
                .collect(),
        })
    }
}

/// 128 bits from exactly 32 lower-case digits.
fn hex(text: &str) -> Option<u128> {
    let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (lower && text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut positions = Positions::default();
        positions.begin(Partition(0), NextOffset::START);
        positions.reach(Partition(0), NextOffset::at(i64::MAX));
        positions.remember(Partition(0), Canary::of(5, None, None, Some(b"x")));
        positions.begin(Partition(3), NextOffset::at(4));
        positions.stop(Partition(3), Stop::recreated(7, NextOffset::at(4)));
        State {
            generation: u64::MAX,
            topic: "\"topic\" \u{1f4ac}\n".to_owned(),
            identity: LogIdentity { cluster: None, topic: Some(TopicId([0xfe; 16])) },
            positions,
            decisions: vec![Decided {
                stop: StopId::parse("gap-1-2").unwrap(),
                decision: Decision::Adopt,
                at: Timestamp::MIN,
                missing: vec![(Partition(i32::MAX), NextOffset::START, NextOffset::at(9))],
            }],
            written_at: Timestamp::MAX,
            rooms: u64::MAX,
        }
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        assert_eq!(State::decode(&state().encode()), Some(state()));
    }

    #[test]
    fn only_what_would_be_written_is_read() {
        let text = String::from_utf8(state().encode()).unwrap();
        for (from, to) in [
            (",", ", "),
            ("{\"generation\"", "{\"more\":1,\"generation\""),
            ("\"rooms\":18446744073709551615,", ""),
            ("18446744073709551615", "18446744073709551616"),
            ("18446744073709551615", "1e3"),
            ("\"cluster_id\":null,", ""),
            ("fefe", "FEFE"),
            ("fefe", "fef"),
            ("\"partition\":3", "\"partition\":0"),
            ("\"begin\":0", "\"begin\":-1"),
            ("\"next\":4", "\"next\":3"),
            ("\"next\":9223372036854775807", "\"next\":5"),
            ("recreated-00000007", "recreated 7"),
            ("\"adopt\"", "\"adapt\""),
            ("\\n", "\\u000a"),
            ("]}", "]} "),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text, "{from}");
            assert_eq!(State::decode(other.as_bytes()), None, "{from} as {to}");
        }
        assert_eq!(State::decode(b""), None);
    }

    #[test]
    fn a_state_that_would_be_refused_is_not_read_back() {
        let mut state = state();
        state.positions.begin(Partition(9), NextOffset::START);
        state.positions.remember(Partition(9), Canary::of(5, None, None, None));
        assert_eq!(State::decode(&state.encode()), None, "a record behind the position");
    }
}
