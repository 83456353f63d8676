//! A batch with what each of its records says.
//!
//! Owns what goes from the thread that reads to the one that counts, so that decoding is done by
//! the first, which has time. What a record says is kept apart from its bytes, packed and side by
//! side: whoever counts looks at the record itself only where it was refused, or where its room is
//! known. Invariant: what is told is told of the records that are there, in their order.

use bumpalo::Bump;

use crate::decode::{self, Decoded, Record, RejectReason, Rules};
use crate::kafka::{Batch, BatchRecord};
use crate::log::Partition;
use crate::room::{ChangeById, ChangeNaming, DepartmentIdRef, PackedId, RoomChange, StoredIdRef, Timestamp};

/// Bytes that are kept from batch to batch: several times what 1,000 usual records need.
const MEMORY_KEPT: usize = 8 << 20;

/// Decodes batches.
#[derive(Debug)]
pub struct Decoder {
    rules: Rules,
    /// What of a batch had to be unescaped. It is reset and not freed, so that a record costs
    /// no allocation.
    memory: Bump,
}

/// Some records, and what each says.
#[derive(Debug, Default)]
pub struct DecodedBatch {
    pub(super) batch: Batch,
    decoded: Vec<Kept>,
    /// Departments' ids, and rooms' that have no packing.
    texts: String,
}

/// What one record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodedRecord<'a> {
    /// The partition it came from.
    pub partition: Partition,
    /// Its offset there.
    pub offset: i64,
    /// Kafka's timestamp of it.
    pub timestamp: Option<Timestamp>,
    /// What happened to which room, or nothing that is counted, or why it is refused.
    pub said: Result<Option<ChangeById<'a>>, RejectReason>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    partition: Partition,
    offset: i64,
    timestamp: Option<Timestamp>,
    said: Result<Option<(KeptId, ChangeNaming<Text>)>, RejectReason>,
}

#[derive(Debug, Clone, Copy)]
enum KeptId {
    Packed(PackedId),
    Long(Text),
}

/// Where a text stands among those of a batch.
#[derive(Debug, Clone, Copy)]
struct Text {
    begin: u32,
    end: u32,
}

impl Decoder {
    /// Decodes by these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, memory: Bump::new() }
    }

    /// Takes a batch whose records were decoded or not, and decodes them all.
    pub fn decode(&mut self, batch: &mut DecodedBatch) {
        let DecodedBatch { batch, decoded, texts } = batch;
        decoded.clear();
        texts.clear();
        for BatchRecord { partition, offset, timestamp, key, value } in batch.records() {
            let record = Record { key, value, timestamp };
            let said = decode::decode(&record, &self.rules, &self.memory).map(|found| match found {
                Decoded::Change(change) => Some(kept(change, texts)),
                Decoded::Ignored(_) => None,
            });
            decoded.push(Kept { partition, offset, timestamp, said });
        }
        if self.memory.allocated_bytes() > MEMORY_KEPT {
            self.memory = Bump::new();
        } else {
            self.memory.reset();
        }
    }
}

impl DecodedBatch {
    /// The records themselves.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The records themselves, to be changed; what they say is told once they are decoded again.
    pub fn batch_mut(&mut self) -> &mut Batch {
        self.decoded.clear();
        &mut self.batch
    }

    /// What each record says, in the order in which they came.
    pub fn records(&self) -> impl Iterator<Item = DecodedRecord<'_>> {
        self.decoded.iter().map(|&Kept { partition, offset, timestamp, said }| DecodedRecord {
            partition,
            offset,
            timestamp,
            said: said.map(|said| said.map(|(id, change)| self.told(id, change))),
        })
    }

    fn told(&self, id: KeptId, change: ChangeNaming<Text>) -> ChangeById<'_> {
        let id = match id {
            KeptId::Packed(packed) => StoredIdRef::Packed(packed),
            KeptId::Long(text) => StoredIdRef::Long(self.text(text)),
        };
        ChangeById { id, change: change.renamed(|text| DepartmentIdRef::trusted(self.text(text))) }
    }

    fn text(&self, Text { begin, end }: Text) -> &str {
        self.texts.get(begin as usize..end as usize).unwrap_or_default()
    }
}

fn kept(RoomChange { room, change }: RoomChange<'_>, texts: &mut String) -> (KeptId, ChangeNaming<Text>) {
    let id = match StoredIdRef::from(&room) {
        StoredIdRef::Packed(packed) => KeptId::Packed(packed),
        StoredIdRef::Long(text) => KeptId::Long(push(texts, text)),
    };
    (id, change.renamed(|department| push(texts, department.as_str())))
}

fn push(texts: &mut String, text: &str) -> Text {
    let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let begin = place(texts.len());
    texts.push_str(text);
    Text { begin, end: place(texts.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Limits;
    use crate::log::NextOffset;

    fn decoder() -> Decoder {
        let limits = Limits { record_bytes: 1_000, oldest: Timestamp::from_millis(0), max_future_ms: 0 };
        Decoder::new(Rules { limits, collection: "rocketchat_room".to_owned() })
    }

    fn record(offset: i64, value: &str) -> BatchRecord<'_> {
        let timestamp = Some(Timestamp::from_millis(9));
        BatchRecord { partition: Partition(1), offset, timestamp, key: None, value: Some(value.as_bytes()) }
    }

    /// What the records of a batch say, in words.
    fn said(batch: &DecodedBatch) -> Vec<String> {
        let said = batch.records().map(|record| match record.said {
            Ok(Some(ChangeById { id, change })) => {
                let mut letters = [0; crate::room::MAX_PACKED_BYTES];
                let department = match change {
                    ChangeNaming::Stated { ts, department, waiting } => {
                        let named = department.map(|id| id.as_str().to_owned());
                        format!("at {} in {named:?} {waiting}", ts.as_millis())
                    }
                    ChangeNaming::Updated(update) => {
                        let named = update.department.map(|named| named.map(|id| id.as_str().to_owned()));
                        format!("{:?} now in {named:?} {:?}", update.ts, update.waiting)
                    }
                    other => format!("{other:?}"),
                };
                format!("{} {} {department}", record.offset, id.text(&mut letters))
            }
            Ok(None) => format!("{} nothing", record.offset),
            Err(reason) => format!("{} {}", record.offset, reason.name()),
        });
        said.collect()
    }

    #[test]
    fn what_is_told_is_what_the_records_say_and_a_batch_that_is_used_again_has_nothing_of_before() {
        let long = "long-".repeat(20);
        let stated = format!(r#"{{"event":"room-created","_id":"{long}","departmentId":"\u0061","ts":5}}"#);
        let (mut decoder, mut batch) = (decoder(), DecodedBatch::default());
        for (records, expected) in [
            (
                vec![
                    (3, stated.as_str()),
                    (4, r#"{"event":"room-updated","_id":"r","departmentId":"bc","waitingResponse":true}"#),
                    (6, r#"{"event":"room-updated","_id":"r","departmentId":null}"#),
                    (7, "{"),
                    (8, r#"{"event":"other"}"#),
                ],
                vec![
                    format!("3 {long} at 5 in Some(\"a\") false"),
                    "4 r None now in Some(Some(\"bc\")) Some(true)".to_owned(),
                    "6 r None now in Some(None) None".to_owned(),
                    "7 not_json".to_owned(),
                    "8 nothing".to_owned(),
                ],
            ),
            (vec![(9, r#"{"event":"room-removed","_id":"r"}"#)], vec!["9 r Removed".to_owned()]),
        ] {
            batch.batch_mut().clear();
            records.iter().for_each(|&(offset, value)| batch.batch_mut().push(&record(offset, value)));
            batch.batch_mut().reach_end(Partition(1), NextOffset::at(10));
            decoder.decode(&mut batch);
            assert_eq!(said(&batch), expected);
            assert_eq!(batch.batch().len(), expected.len());
        }
    }
}
