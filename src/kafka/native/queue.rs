//! Records from librdkafka's queue, many at a time, with what rdkafka drops.
//!
//! Owns the consumer's queue. `BaseConsumer::poll` hands over one record a call at
//! half the pace of `rd_kafka_consume_batch_queue`, and its errors name neither
//! partition nor offset; an end of partition without its offset would leave the
//! position in front of a transaction's markers.
//!
//! Safety. The queue is a counted reference that is given back before the
//! consumer it belongs to is closed (fields drop in order, and whoever shares the
//! consumer can only prolong its life). Each message the
//! call hands out is ours until `rd_kafka_message_destroy`, which is called for
//! exactly those, once, after their bytes have been copied; a message that is an
//! error carries its text in `payload` and no key. Pointers are read only when
//! they are not null, and for the length that stands beside them.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::context::{Context, log_line};
use crate::kafka::native::{Owned, headers};
use crate::kafka::{Batch, BatchRecord, Fault, FaultKind, Take};
use crate::log::{NextOffset, Partition};
use crate::room::Timestamp;

/// A consumer that is read in batches.
pub(in crate::kafka) struct Queue {
    source: Owned<native::rd_kafka_queue_t>,
    consumer: Arc<BaseConsumer<Context>>,
    messages: Vec<*mut native::rd_kafka_message_t>,
    take: Take,
    /// Partitions with a bad batch: the client loses its place in what it has fetched
    /// of them, so nothing behind it is handed on.
    bad: Vec<Partition>,
}

/// How many bytes of records are taken at a time. Together with the number of
/// batches on their way this bounds what waits between the client and the counts.
const BATCH_BYTES: usize = 2 << 20;

// Safety: the pointers in `messages` are only alive inside `take`, and librdkafka's
// queues and clients may be used from any thread.
unsafe impl Send for Queue {}

impl Queue {
    /// Reads what `consumer` is assigned, at most `capacity` records at a time.
    pub(in crate::kafka) fn new(consumer: BaseConsumer<Context>, capacity: usize) -> Self {
        let client = consumer.client().native_ptr();
        // Safety: the client is alive; a consumer with a group.id has this queue, and the
        // reference to it is ours.
        let source = unsafe {
            Owned::new(native::rd_kafka_queue_get_consumer(client), native::rd_kafka_queue_destroy)
        };
        // Log lines and errors come through the queue too, and would be printed to
        // standard error by the client where rdkafka does not take them out.
        // Safety: the client is alive, and the function lives as long as the program.
        unsafe { native::rd_kafka_set_logger(client, Some(log)) };
        let consumer = Arc::new(consumer);
        Self {
            source,
            consumer,
            messages: vec![ptr::null_mut(); capacity],
            take: Take::Records,
            bad: Vec::new(),
        }
    }

    /// The same, with so much of each record.
    pub(in crate::kafka) fn taking(self, take: Take) -> Self {
        Self { take, ..self }
    }

    pub(in crate::kafka) fn consumer(&self) -> &Arc<BaseConsumer<Context>> {
        &self.consumer
    }

    /// What was assigned is read anew: a partition with a bad batch is tried again.
    pub(in crate::kafka) fn begin_anew(&mut self) {
        self.bad.clear();
    }

    /// Whether the client met a bad batch. What it says of that partition later is
    /// not to be told from what it says after a new assignment.
    pub(in crate::kafka) fn has_lost_its_place(&self) -> bool {
        !self.bad.is_empty()
    }

    /// Waits up to `timeout` for a record, then takes all that are there, up to
    /// the capacity and about `BATCH_BYTES`. Faults go to `fault`.
    pub(in crate::kafka) fn take(
        &mut self,
        timeout: Duration,
        batch: &mut Batch,
        mut fault: impl FnMut(Fault),
    ) {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let (mut wait_ms, mut wanted, mut free) = (timeout_ms, 1, self.messages.len());
        while wanted > 0 {
            let taken = self.consume(wait_ms, wanted);
            self.hand_on(taken, batch, &mut fault);
            if taken < wanted {
                return;
            }
            free -= taken;
            wait_ms = 0;
            // As many more as fit if they are as large as those so far.
            let size = batch.byte_len() / batch.len().max(1) + 1;
            wanted = (BATCH_BYTES.saturating_sub(batch.byte_len()) / size).min(free);
        }
    }

    /// Copies what was taken, and gives it back to librdkafka.
    fn hand_on(&mut self, taken: usize, batch: &mut Batch, fault: &mut impl FnMut(Fault)) {
        for &message in &self.messages[..taken] {
            // Safety: the call handed out this message, and nobody else holds it.
            unsafe {
                read(&*message, self.take, batch, &mut self.bad, fault);
                native::rd_kafka_message_destroy(message);
            }
        }
    }

    /// Fills the first `wanted` of `messages` as far as there are some; says how
    /// many.
    fn consume(&mut self, timeout_ms: i32, wanted: usize) -> usize {
        let free = &mut self.messages[..wanted];
        // Safety: the queue is alive, and `free` is as long as said.
        let taken = unsafe {
            native::rd_kafka_consume_batch_queue(
                self.source.as_ptr(),
                timeout_ms,
                free.as_mut_ptr(),
                free.len(),
            )
        };
        usize::try_from(taken).unwrap_or(0)
    }
}

/// Takes a log line from librdkafka.
///
/// # Safety
/// The texts must be null or end with a zero byte, as librdkafka's do.
unsafe extern "C" fn log(
    _client: *const native::rd_kafka_t,
    level: i32,
    facility: *const c_char,
    message: *const c_char,
) {
    let text = |start: *const c_char| {
        // Safety: as this function's own.
        let text = (!start.is_null()).then(|| unsafe { CStr::from_ptr(start) });
        text.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
    };
    let (facility, message) = (text(facility), text(message));
    // Nothing may unwind into C; what a subscriber of the log does is not ours.
    let _ = std::panic::catch_unwind(|| log_line(level, &facility, &message));
}

/// Copies one message into the batch, or reports what it says.
///
/// # Safety
/// The message must be one that librdkafka handed out and has not taken back.
unsafe fn read(
    message: &native::rd_kafka_message_t,
    take: Take,
    batch: &mut Batch,
    bad: &mut Vec<Partition>,
    fault: &mut impl FnMut(Fault),
) {
    let partition = Partition(message.partition);
    if !message.rkt.is_null() && bad.contains(&partition) {
        return;
    }
    match message.err {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
            let record = BatchRecord {
                partition,
                offset: message.offset,
                // Safety: as this function's own.
                timestamp: unsafe { timestamp(message) },
                key: unsafe { bytes(message.key.cast(), message.key_len) },
                value: unsafe { bytes(message.payload.cast(), message.len) },
                if_unknown: unsafe { headers::has_if_unknown(message) },
            };
            batch.push(&record);
            if take == Take::WithHeaders {
                // Safety: as this function's own.
                unsafe { headers::read(message, batch) };
            }
        }
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
            batch.reach_end(partition, NextOffset::at(message.offset));
        }
        error => {
            // Safety: as this function's own.
            let text = unsafe { bytes(message.payload.cast(), message.len) }.unwrap_or_default();
            let message_text = String::from_utf8_lossy(text);
            let kind = kind(error);
            let message_text = format!("{error:?}: {message_text}");
            if kind.is_damage() && !message.rkt.is_null() {
                bad.push(partition);
            }
            fault(Fault {
                partition: (!message.rkt.is_null()).then_some(partition),
                kind,
                // The client names none where it finds a log truncated.
                at: (message.offset >= 0).then(|| NextOffset::at(message.offset)),
                message: message_text,
            });
        }
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

/// # Safety
/// `start` must be null or point to `length` bytes that live for `'a`.
pub(super) unsafe fn bytes<'a>(start: *const u8, length: usize) -> Option<&'a [u8]> {
    // Safety: as this function's own.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, length) })
}

/// # Safety
/// As [`read`].
unsafe fn timestamp(message: &native::rd_kafka_message_t) -> Option<Timestamp> {
    let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // Safety: the message is alive, and `kind` is ours to be written to.
    let ms = unsafe { native::rd_kafka_message_timestamp(message, &raw mut kind) };
    let available = kind != native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    (available && ms >= 0).then(|| Timestamp::from_millis(ms))
}
