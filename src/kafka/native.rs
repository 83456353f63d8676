//! What rdkafka does not expose of librdkafka: the one file with `unsafe` code.
//!
//! Owns the handles that librdkafka gives away: a consumer's queue, the messages in it, and
//! what a broker says of a topic. What they mean is said in safe code, in `queue.rs` and
//! `topic_id.rs`. Invariant: what we own is given back exactly once, on every path, and
//! before the client that it belongs to.
//!
//! Safety. Messages hold the queue, and it its consumer, so neither outlives the client; all
//! else ends inside one call, which borrows the client. A message's bytes and headers are its
//! own, and lent for no longer than [`Messages`] are borrowed. What is no record is of another
//! make inside, and not asked for what only records have. Pointers are read only where they
//! are not null, and for the length that stands beside them; names end with a zero byte.
//! Error codes are read as numbers: one that a broker answers with and librdkafka's list
//! lacks is handed on as it came, and no value of the enum stands for it.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use std::{ptr, slice};

use rdkafka::bindings as native;
use rdkafka::bindings::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE as NO_TIMESTAMP;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::context::{Context, log_line};
use crate::kafka::queue::Fields;
use crate::log::Partition;
use crate::room::Timestamp;

/// How many messages are taken at once.
const TAKEN_MAX: usize = 1_000;

const NONE_FAILED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
const NO_ERROR: c_int = NONE_FAILED as c_int;
const NO_TOPIC: c_int = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as c_int;

unsafe extern "C" {
    #[link_name = "rd_kafka_event_error"]
    fn code_of_event(event: *const native::rd_kafka_event_t) -> c_int;
    #[link_name = "rd_kafka_error_code"]
    fn code_of_error(error: *const native::rd_kafka_error_t) -> c_int;
}

/// What is ours until it is given back.
struct Owned<T> {
    native: *mut T,
    give_back: unsafe extern "C" fn(*mut T),
}

// Safety: what librdkafka gives away may be used and given back by any thread.
unsafe impl<T> Send for Owned<T> {}

impl<T> Owned<T> {
    /// # Safety
    /// `native` must be null, or ours alone and `give_back` the function that ends it.
    unsafe fn new(native: *mut T, give_back: unsafe extern "C" fn(*mut T)) -> Self {
        Self { native, give_back }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.native.is_null() {
            // Safety: it is ours by the promise of `new`, and given back here alone.
            unsafe { (self.give_back)(self.native) };
        }
    }
}

/// A consumer, and the queue in which it puts what it reads.
struct Reading {
    /// Fields are dropped in their order; whoever shares the consumer prolongs its life.
    queue: Owned<native::rd_kafka_queue_t>,
    consumer: Arc<BaseConsumer<Context>>,
}

// Safety: queues and clients may be used by several threads at once.
unsafe impl Sync for Reading {}

/// Where messages are taken from.
pub(super) struct Source(Arc<Reading>);

impl Source {
    /// The queue of this consumer.
    pub(super) fn of(consumer: BaseConsumer<Context>) -> Self {
        let client = consumer.client().native_ptr();
        // Safety: the client is alive; the reference to its queue, if it has one, is ours.
        let queue = unsafe { native::rd_kafka_queue_get_consumer(client) };
        let queue = unsafe { Owned::new(queue, native::rd_kafka_queue_destroy) };
        // Log lines come through the queue too, and would be printed to standard error.
        // Safety: the client is alive, and the function lives as long as the program.
        unsafe { native::rd_kafka_set_logger(client, Some(log)) };
        Self(Arc::new(Reading { queue, consumer: Arc::new(consumer) }))
    }

    pub(super) fn consumer(&self) -> &Arc<BaseConsumer<Context>> {
        &self.0.consumer
    }

    /// Whether messages that are out keep it alive.
    pub(super) fn is_lent(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Waits for so many messages, and puts those that have come in time behind the others.
    pub(super) fn take(&self, timeout: Duration, wanted: usize, into: &mut Messages) {
        if !into.of.iter().any(|of| Arc::ptr_eq(of, &self.0)) {
            into.of.push(Arc::clone(&self.0));
        }
        let mut list = [ptr::null_mut(); TAKEN_MAX];
        let (queue, ms, free) = (self.0.queue.native, ms(timeout), list.as_mut_ptr());
        // Safety: the queue is alive, and the list is as long as said.
        let take = || unsafe { native::rd_kafka_consume_batch_queue(queue, ms, free, wanted.min(TAKEN_MAX)) };
        let taken = if queue.is_null() { 0 } else { usize::try_from(take()).unwrap_or(0) };
        // Safety: the call made them ours, and so they are given back.
        let owned = |&message: &_| unsafe { Owned::new(message, native::rd_kafka_message_destroy) };
        into.list.extend(list.iter().take(taken).map(owned));
    }
}

/// Messages that were taken, until they are given back.
#[derive(Default)]
pub(super) struct Messages {
    /// None is null; dropped before what they belong to.
    list: Vec<Owned<native::rd_kafka_message_t>>,
    of: Vec<Arc<Reading>>,
}

impl Messages {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The message at this place, if there is one.
    pub(super) fn get(&self, at: usize) -> Option<Message<'_>> {
        self.list.get(at).map(|owned| Message { native: owned.native, lent: PhantomData })
    }

    /// Gives all back.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.of.clear();
    }
}

/// A record, or what the client has to say instead.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    native: *mut native::rd_kafka_message_t,
    lent: PhantomData<&'a Messages>,
}

impl<'a> Message<'a> {
    pub(super) fn fields(self) -> Fields<'a> {
        let message = self.native;
        // Safety: the message is alive and says how long its texts are; a code is a number.
        unsafe {
            Fields {
                code: (&raw const (*message).err).cast::<c_int>().read(),
                partition: (!(*message).rkt.is_null()).then_some(Partition((*message).partition)),
                offset: (*message).offset,
                key: bytes((*message).key.cast(), (*message).key_len),
                payload: bytes((*message).payload.cast(), (*message).len),
            }
        }
    }

    /// Whether it is a record; what only records have is asked of no other.
    pub(super) fn is_record(self) -> bool {
        self.fields().code == NO_ERROR && self.fields().partition.is_some()
    }

    pub(super) fn timestamp(self) -> Option<Timestamp> {
        let mut kind = NO_TIMESTAMP;
        // Safety: the message is alive, a record is asked, and `kind` is ours to be written to.
        let mut ask = || unsafe { native::rd_kafka_message_timestamp(self.native, &raw mut kind) };
        let ms = if self.is_record() { ask() } else { -1 };
        (kind != NO_TIMESTAMP && ms >= 0).then(|| Timestamp::from_millis(ms))
    }

    /// Its headers' names and values, in their order.
    pub(super) fn headers(self) -> impl Iterator<Item = (&'a CStr, Option<&'a [u8]>)> {
        let mut headers = ptr::null_mut();
        // Safety: the message is alive and a record; its headers stay its own. They are made when
        // they are first asked for: messages are looked at by one thread at a time.
        let mut ask = || unsafe { native::rd_kafka_message_headers(self.native, &raw mut headers) };
        let places = if self.is_record() && ask() == NONE_FAILED { 0..usize::MAX } else { 0..0 };
        places.map_while(move |at| {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            let (to_name, to_value, to_size) = (&raw mut name, &raw mut value, &raw mut size);
            // Safety: the headers live as long as their message; a value says how long it is.
            unsafe {
                let found = native::rd_kafka_header_get_all(headers, at, to_name, to_value, to_size);
                let is_there = found == NONE_FAILED && !name.is_null();
                is_there.then(|| (CStr::from_ptr(name), bytes(value.cast(), size)))
            }
        })
    }
}

/// # Safety
/// `start` must be null or point to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> Option<&'a [u8]> {
    // Safety: as this function's own.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, length) })
}

fn ms(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}

/// # Safety
/// `start` must be null or a text that ends with a zero byte.
unsafe fn text(start: *const c_char) -> Option<String> {
    // Safety: as this function's own.
    (!start.is_null()).then(|| unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned())
}

/// Takes a log line from librdkafka.
///
/// # Safety
/// As of [`text`].
unsafe extern "C" fn log(
    _client: *const native::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    message: *const c_char,
) {
    // Safety: as this function's own.
    let [facility, message] = [facility, message].map(|start| unsafe { text(start) }.unwrap_or_default());
    // Nothing may unwind into C; what a subscriber of the log does is not ours.
    let _ = std::panic::catch_unwind(|| log_line(level, &facility, &message));
}

/// The cluster's id as the latest answer about brokers or topics told it, whoever asked;
/// nothing is sent. rdkafka has it too, but never frees it, and it is asked for every second.
pub(super) fn cluster_id<C: ClientContext>(client: &Client<C>) -> Option<String> {
    // Safety: the client is alive; the text is null or ours, and ends with a zero byte.
    unsafe {
        let id = native::rd_kafka_clusterid(client.native_ptr(), 0);
        let copy = text(id);
        native::rd_kafka_mem_free(client.native_ptr(), id.cast());
        copy
    }
}

/// The bits of the topic's id as this broker knows it, all 0 where it has none, or an error's
/// number; none when no answer came within `patience`. A later one goes to a queue that
/// librdkafka itself counts references to.
pub(super) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topic: &CStr,
    [timeout, patience]: [Duration; 2],
) -> Option<Result<[i64; 2], i32>> {
    let rk = client.native_ptr();
    let mut names = [topic.as_ptr()];
    // Safety: the client is alive, `names` is as long as said and copied; each handle is new,
    // ours, and given back by the function that belongs to it. What is read of the event
    // lives as long as it does, and an event that is no description has a null one.
    unsafe {
        let queue = Owned::new(native::rd_kafka_queue_new(rk), native::rd_kafka_queue_destroy);
        let topics = native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let topics = Owned::new(topics, native::rd_kafka_TopicCollection_destroy);
        let kind = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = native::rd_kafka_AdminOptions_new(rk, kind);
        let options = Owned::new(options, native::rd_kafka_AdminOptions_destroy);
        // Where they are refused, the controller is asked, and our own patience ends it.
        let (set_timeout, no_text) = (native::rd_kafka_AdminOptions_set_request_timeout, ptr::null_mut());
        let _ = set_timeout(options.native, ms(timeout), no_text, 0);
        let _ = native::rd_kafka_AdminOptions_set_broker(options.native, broker, no_text, 0);
        native::rd_kafka_DescribeTopics(rk, topics.native, options.native, queue.native);
        let event = native::rd_kafka_queue_poll(queue.native, ms(patience));
        let event = Owned::new(event, native::rd_kafka_event_destroy);
        if event.native.is_null() {
            return None;
        }
        let result = native::rd_kafka_event_DescribeTopics_result(event.native);
        if code_of_event(event.native) != NO_ERROR || result.is_null() {
            return Some(Err(code_of_event(event.native)));
        }
        let mut count = 0;
        let topics = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count == 0 {
            return Some(Err(NO_TOPIC));
        }
        let error = native::rd_kafka_TopicDescription_error(*topics);
        if !error.is_null() && code_of_error(error) != NO_ERROR {
            return Some(Err(code_of_error(error)));
        }
        let id = native::rd_kafka_TopicDescription_topic_id(*topics);
        let most = if id.is_null() { 0 } else { native::rd_kafka_Uuid_most_significant_bits(id) };
        let least = if id.is_null() { 0 } else { native::rd_kafka_Uuid_least_significant_bits(id) };
        Some(Ok([most, least]))
    }
}

#[cfg(test)]
pub(super) mod made {
    //! Messages and answers that no broker at hand gives.

    use std::cell::Cell;
    use std::ptr::NonNull;

    use super::*;

    thread_local! {
        /// How many messages of this thread were given back.
        pub(in crate::kafka) static GIVEN_BACK: Cell<u64> = const { Cell::new(0) };
    }

    /// One message with this code; one that is a record has nothing inside and cannot be read.
    pub(in crate::kafka) fn message(
        code: i32,
        partition: Option<Partition>,
        offset: i64,
        text: Option<&'static [u8]>,
    ) -> Messages {
        let message = Box::into_raw(Box::new(native::rd_kafka_message_t {
            err: NONE_FAILED,
            rkt: partition.map_or(ptr::null_mut(), |_| NonNull::dangling().as_ptr()),
            partition: partition.map_or(7, |partition| partition.0),
            payload: text.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut().cast()),
            len: text.map_or(0, <[u8]>::len),
            key: ptr::null_mut(),
            key_len: 0,
            offset,
            _private: ptr::null_mut(),
        }));
        // Safety: the message is new and ours; its code is read and freed as a number.
        // `give_back` frees what was boxed.
        let owned = unsafe {
            (&raw mut (*message).err).cast::<c_int>().write(code);
            Owned::new(message, give_back)
        };
        Messages { list: vec![owned], of: Vec::new() }
    }

    unsafe extern "C" fn give_back(message: *mut native::rd_kafka_message_t) {
        GIVEN_BACK.set(GIVEN_BACK.get() + 1);
        // Safety: it was boxed, and nothing of it needs more than its memory freed.
        drop(unsafe { Box::from_raw(message.cast::<std::mem::MaybeUninit<native::rd_kafka_message_t>>()) });
    }

    /// Has the broker inside this consumer, which `test.mock.num.brokers` makes, create a topic
    /// of one partition and answer the next fetches with these codes; where it listens.
    pub(in crate::kafka) fn answers(consumer: &BaseConsumer<Context>, topic: &CStr, codes: &[i32]) -> String {
        let fetch = 1;
        // Safety: the client is alive and its broker with it; codes are copied as numbers.
        unsafe {
            let broker = native::rd_kafka_handle_mock_cluster(consumer.client().native_ptr());
            assert!(!broker.is_null());
            let _ = native::rd_kafka_mock_topic_create(broker, topic.as_ptr(), 1, 1);
            let first = codes.as_ptr().cast();
            native::rd_kafka_mock_push_request_errors_array(broker, fetch, codes.len(), first);
            text(native::rd_kafka_mock_cluster_bootstraps(broker)).unwrap_or_default()
        }
    }

    #[test]
    fn messages_are_given_back_once_when_they_are_cleared_or_dropped() {
        let before = GIVEN_BACK.get();
        let mut messages = message(-199, None, 0, None);
        assert!(messages.get(0).is_some() && messages.get(1).is_none());
        messages.clear();
        assert_eq!((messages.len(), GIVEN_BACK.get()), (0, before + 1));
        messages.list.append(&mut message(-199, None, 0, None).list);
        drop(messages);
        assert_eq!(GIVEN_BACK.get(), before + 2);
    }
}
