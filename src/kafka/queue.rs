//! Records from a consumer's queue, many at a time, with what rdkafka drops.
//!
//! Owns what a message means: a record, the end of a partition, or a fault.
//! `BaseConsumer::poll` hands over one record a call at half the pace, and its errors
//! name neither partition nor offset; an end of partition without its offset would leave
//! the position in front of a transaction's markers. Invariant: only what the client says
//! is a record becomes one, and behind damage nothing of its partition is handed on.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::context::Context;
use crate::kafka::native::{Message, Source};
use crate::kafka::{Batch, Fault, FaultKind};
use crate::log::{NextOffset, Partition};

/// How many bytes of records are taken at a time. Together with the number of
/// batches on their way this bounds what waits between the client and the counts.
const BATCH_BYTES: usize = 2 << 20;

/// A consumer that is read in batches.
pub(super) struct Queue {
    source: Source,
    capacity: usize,
    reading: Reading,
}

/// What is known of the partitions that are read.
#[derive(Default)]
struct Reading {
    /// Partitions with a bad batch: the client loses its place in what it has fetched
    /// of them, so nothing behind it is handed on.
    bad: Vec<Partition>,
}

/// What stands in any message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    /// The error's number, 0 for a record.
    pub(super) code: i32,
    /// Which partition it is about, if it is about one.
    pub(super) partition: Option<Partition>,
    /// Negative where it has none.
    pub(super) offset: i64,
    pub(super) key: Option<&'a [u8]>,
    /// A record's value, or the client's words.
    pub(super) payload: Option<&'a [u8]>,
}

/// What a message means.
enum Meaning {
    /// It is a record of so many bytes.
    Record(usize),
    End(Partition, NextOffset),
    Fault(Fault),
    /// What stands behind damage.
    Nothing,
}

impl Queue {
    /// Reads what `consumer` is assigned, at most `capacity` records at a time.
    pub(super) fn new(consumer: BaseConsumer<Context>, capacity: usize) -> Self {
        Self { source: Source::of(consumer), capacity, reading: Reading::default() }
    }

    pub(super) fn consumer(&self) -> &Arc<BaseConsumer<Context>> {
        self.source.consumer()
    }

    /// Whether a batch has messages of it, for which its client waits before it ends.
    pub(super) fn is_lent(&self) -> bool {
        self.source.is_lent()
    }

    /// What was assigned is read anew: a partition with a bad batch is tried again.
    pub(super) fn begin_anew(&mut self) {
        self.reading.bad.clear();
    }

    /// Whether the client met a bad batch. What it says of that partition later is
    /// not to be told from what it says after a new assignment.
    pub(super) fn has_lost_its_place(&self) -> bool {
        !self.reading.bad.is_empty()
    }

    /// Waits up to `timeout` for a record, then takes all that are there, up to
    /// the capacity and about `BATCH_BYTES`. Faults go to `fault`.
    pub(super) fn take(&mut self, timeout: Duration, batch: &mut Batch, mut fault: impl FnMut(Fault)) {
        let (mut wait, mut wanted, mut free) = (timeout, 1, self.capacity);
        while wanted > 0 {
            let before = batch.messages.len();
            self.source.take(wait, wanted, &mut batch.messages);
            let taken = batch.messages.len() - before;
            (before..batch.messages.len()).for_each(|at| self.reading.read(at, batch, &mut fault));
            if taken < wanted {
                return;
            }
            free -= taken;
            wait = Duration::ZERO;
            // As many more as fit if they are as large as those so far, and no more than those
            // few can tell.
            let size = batch.byte_len() / batch.len().max(1) + 1;
            let told_by = 4 * batch.len().max(16);
            wanted = (BATCH_BYTES.saturating_sub(batch.byte_len()) / size).min(free).min(told_by);
        }
    }
}

impl Reading {
    /// Makes of the message at this place what it is, or reports what it says.
    fn read(&mut self, at: usize, batch: &mut Batch, fault: &mut impl FnMut(Fault)) {
        match batch.messages.get(at).map_or(Meaning::Nothing, |message| self.meaning(message)) {
            Meaning::Record(bytes) => batch.keep(at, bytes),
            Meaning::End(partition, end) => batch.reach_end(partition, end),
            Meaning::Fault(found) => fault(found),
            Meaning::Nothing => {}
        }
    }

    fn meaning(&mut self, message: Message<'_>) -> Meaning {
        let fields = message.fields();
        if fields.partition.is_some_and(|partition| self.bad.contains(&partition)) {
            return Meaning::Nothing;
        }
        if message.is_record() {
            let bytes = [fields.key, fields.payload].map(|bytes| bytes.map_or(0, <[u8]>::len));
            return Meaning::Record(bytes.iter().sum());
        }
        match fields.partition {
            Some(partition) if is_end(fields) => Meaning::End(partition, NextOffset::at(fields.offset)),
            partition => {
                let found = fault_of(fields);
                self.bad.extend(partition.filter(|_| found.kind.is_damage()));
                Meaning::Fault(found)
            }
        }
    }
}

/// Whether a partition has been read up to the offset that stands here.
fn is_end(fields: Fields<'_>) -> bool {
    fields.code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32 && fields.offset >= 0
}

fn fault_of(fields: Fields<'_>) -> Fault {
    let code = RDKafkaRespErr::try_from(fields.code);
    let name = code.as_ref().map_or_else(|_| format!("error {}", fields.code), |code| format!("{code:?}"));
    let words = String::from_utf8_lossy(fields.payload.unwrap_or_default());
    Fault {
        partition: fields.partition,
        kind: code.map_or(FaultKind::Other, kind),
        // The client names none where it finds a log truncated.
        at: (fields.offset >= 0).then(|| NextOffset::at(fields.offset)),
        message: format!("{name}: {words}"),
    }
}

fn kind(error: RDKafkaRespErr) -> FaultKind {
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
        | RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => FaultKind::OutOfRange,
        // What the client finds in a batch, which it then skips. A broker's own words for
        // the same (`INVALID_MSG`) come without records, so nothing is skipped.
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG | RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_COMPRESSION => {
            FaultKind::BadBatch
        }
        // The client asks for what lies one offset behind the batch's beginning then, and
        // says no more of it when it comes again.
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED => FaultKind::UnknownFormat,
        _ => FaultKind::Other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]
mod tests {
    use std::time::Instant;

    use rdkafka::consumer::Consumer as _;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    use super::*;
    use crate::kafka::looking::offsets;
    use crate::kafka::native::{Messages, made};
    use crate::kafka::{Connection, Properties};

    const P: Partition = Partition(3);
    const OTHER: Partition = Partition(4);
    const PARTITION_EOF: i32 = -191;

    /// What a message came to.
    fn read(reading: &mut Reading, messages: Messages) -> (Batch, Vec<Fault>) {
        let (mut batch, mut faults) = (Batch::default(), Vec::new());
        batch.messages = messages;
        reading.read(0, &mut batch, &mut |fault| faults.push(fault));
        batch.messages.clear();
        (batch, faults)
    }

    /// What docs/kafka.md says of each, by number.
    fn expected_kind(code: i32) -> FaultKind {
        match code {
            // _AUTO_OFFSET_RESET, OFFSET_OUT_OF_RANGE
            -140 | 1 => FaultKind::OutOfRange,
            // _BAD_MSG, _BAD_COMPRESSION
            -199 | -198 => FaultKind::BadBatch,
            // _NOT_IMPLEMENTED
            -170 => FaultKind::UnknownFormat,
            _ => FaultKind::Other,
        }
    }

    fn check(code: i32, partition: Option<Partition>, offset: i64, text: Option<&'static [u8]>) {
        let given_back = made::GIVEN_BACK.get();
        let mut reading = Reading::default();
        let (batch, faults) = read(&mut reading, made::message(code, partition, offset, text));
        let what = format!("{code} {partition:?} {offset} {text:?}");
        assert_eq!(made::GIVEN_BACK.get(), given_back + 1, "{what}");
        assert_eq!(batch.len(), 0, "{what}");
        if let (PARTITION_EOF, Some(partition), 0..) = (code, partition, offset) {
            assert_eq!(batch.ends(), [(partition, NextOffset::at(offset))], "{what}");
            assert!(faults.is_empty(), "{what}: {faults:?}");
            return;
        }
        let [Fault { partition: of, kind, at, message }] = &faults[..] else { panic!("{what}: {faults:?}") };
        assert!(batch.is_empty(), "{what}");
        assert_eq!((*of, *kind), (partition, expected_kind(code)), "{what}");
        assert_eq!(*at, (offset >= 0).then(|| NextOffset::at(offset)), "{what}");
        let words = text.map_or(String::new(), |text| String::from_utf8_lossy(text).into_owned());
        assert!(message.ends_with(&format!(": {words}")), "{what}: {message}");
        let (behind, faults) = read(&mut reading, made::message(PARTITION_EOF, partition, 9, None));
        let is_heard = !behind.is_empty() || !faults.is_empty();
        assert_eq!(is_heard, !kind.is_damage() || partition.is_none(), "{what}: what follows");
        let (other, _) = read(&mut reading, made::message(PARTITION_EOF, Some(OTHER), 9, None));
        assert_eq!(other.ends(), [(OTHER, NextOffset::at(9))], "{what}: another partition");
    }

    #[test]
    fn no_code_that_can_be_written_becomes_a_record_and_each_is_told_and_given_back_once() {
        // A broker's codes have 16 bits; the client's own are a few below 0.
        for code in i32::from(i16::MIN)..=i32::from(i16::MAX) {
            let is_known = RDKafkaRespErr::try_from(code).is_ok();
            for partition in [Some(P), None] {
                // A real record would be read; tests with a broker do.
                if code == 0 && partition.is_some() {
                    continue;
                }
                let texts = [None, Some(&b"Fetch failed"[..]), Some(b"\xff")];
                let texts = if is_known { &texts[..] } else { &texts[..1] };
                for &text in texts {
                    for offset in [0, 7, i64::MAX, -1001, i64::MIN] {
                        check(code, partition, offset, text);
                    }
                }
            }
        }
    }

    /// What the client does about by itself, and does not tell: it looks for the leader, or
    /// asks again.
    const NOT_TOLD: [i32; 10] = [3, 5, 6, 8, 9, 56, 74, 75, 78, 100];

    #[test]
    fn every_code_that_a_broker_answers_with_is_told_or_dealt_with_and_the_record_behind_comes() {
        // All but the one at which a partition stands still, and some that the client's list
        // lacks: it hands them on as they came.
        let known = (2..130).filter(|&code| RDKafkaRespErr::try_from(code).is_ok());
        let codes: Vec<_> = known.chain([98, 131, 1_000, i32::from(i16::MAX)]).collect();
        let of = |settings: &[(&str, &str)]| {
            Properties(settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
        };
        let connection = Connection {
            bootstrap_servers: String::new(),
            topic: "rooms".to_owned(),
            properties: of(&[
                ("test.mock.num.brokers", "1"),
                ("fetch.error.backoff.ms", "1"),
                ("fetch.wait.max.ms", "1"),
            ]),
        };
        let consumer = connection.consumer(Context::default()).unwrap();
        let bootstrap_servers = made::answers(&consumer, c"rooms", &codes);
        let there = Connection { bootstrap_servers, properties: of(&[]), ..connection };
        let producer: BaseProducer = there.client(&[]).create().unwrap();
        producer.send(BaseRecord::<[u8], _>::to("rooms").partition(0).payload("there")).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
        consumer.assign(&offsets("rooms", &[(Partition(0), NextOffset::START)]).unwrap()).unwrap();
        let mut queue = Queue::new(consumer, 10);
        let (mut batch, mut told) = (Batch::default(), Vec::new());
        let deadline = Instant::now() + Duration::from_mins(1);
        while batch.records().next().is_none() {
            assert!(
                Instant::now() < deadline,
                "no record came behind {} faults; the last: {:?}",
                told.len(),
                told.last()
            );
            queue.take(Duration::from_millis(100), &mut batch, |fault| told.push(fault));
        }
        assert!(queue.is_lent());
        drop(queue);
        let elsewhere = std::thread::spawn(move || {
            assert_eq!(batch.records().next().unwrap().value, Some(&b"there"[..]));
            assert!(!batch.is_if_unknown(0));
            let copy = batch.copied();
            batch.clear();
            assert_eq!((batch.len(), copy.records().next().unwrap().value), (0, Some(&b"there"[..])));
        });
        elsewhere.join().unwrap();
        for Fault { partition, kind, at, message } in &told {
            assert_eq!(*kind, FaultKind::Other, "{message}");
            assert_eq!((*partition, *at), (Some(Partition(0)), Some(NextOffset::START)), "{message}");
        }
        let number = |code: i32| match RDKafkaRespErr::try_from(code) {
            Ok(code) => format!("{code:?}: "),
            Err(_) => format!("error {code}: "),
        };
        let untold: Vec<_> = codes
            .into_iter()
            .filter(|&code| !told.iter().any(|fault| fault.message.starts_with(&number(code))))
            .collect();
        assert_eq!(untold, NOT_TOLD);
    }
}
