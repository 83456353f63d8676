//! The ids of a cluster and of a topic, asked of the broker.
//!
//! Owns two questions: `rd_kafka_DescribeTopics`, which rdkafka does not have,
//! and the cluster's id, which rdkafka has but never frees, and which is asked
//! for every second.
//!
//! Safety. The client is borrowed, so it outlives each call and every handle made
//! in it. An answer belongs to its event: it is read while the event lives, only
//! where it is not null, and what is kept of it is copied. An answer that comes
//! too late goes to a queue that librdkafka itself counts references to.

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::kafka::native::Owned;
use crate::log::TopicId;

/// The client's own end of a question comes this long before ours, so that none
/// is left on its way.
const MARGIN: Duration = Duration::from_millis(100);

/// The cluster's id as the latest answer about brokers or topics told it, whoever
/// asked; nothing is sent.
pub(in crate::kafka) fn cluster_id<C: ClientContext>(client: &Client<C>) -> Option<String> {
    let rk = client.native_ptr();
    // Safety: the client is alive; the text is null or ours, and ends with a zero byte.
    unsafe {
        let text = native::rd_kafka_clusterid(rk, 0);
        if text.is_null() {
            return None;
        }
        let id = CStr::from_ptr(text).to_string_lossy().into_owned();
        native::rd_kafka_mem_free(rk, text.cast());
        Some(id)
    }
}

/// The topic's id as the broker of this number knows it, or none when that one is
/// too old to have any. Left alone the client would ask the controller, which may
/// be one that cannot be reached, or that it does not know.
///
/// # Errors
/// When there is no answer within `timeout`, or it is an error.
pub(in crate::kafka) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topic: &str,
    timeout: Duration,
) -> KafkaResult<Option<TopicId>> {
    let name = CString::new(topic)?;
    let event = describe(client, broker, &name, timeout);
    if event.as_ptr().is_null() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut));
    }
    // Safety: the event is alive to the end of this function, and what is read of it
    // with it; an event that is no description has a null one.
    unsafe {
        succeeded(native::rd_kafka_event_error(event.as_ptr()))?;
        let result = native::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        if result.is_null() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail));
        }
        let mut count = 0;
        let found = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let found = if found.is_null() || count == 0 { ptr::null() } else { *found };
        if found.is_null() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
        }
        let error = native::rd_kafka_TopicDescription_error(found);
        if !error.is_null() {
            succeeded(native::rd_kafka_error_code(error))?;
        }
        Ok(id_of(native::rd_kafka_TopicDescription_topic_id(found)))
    }
}

/// Asks for one topic's description; the event is null when none came in time.
fn describe<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    name: &CStr,
    timeout: Duration,
) -> Owned<native::rd_kafka_event_t> {
    let ms = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let rk = client.native_ptr();
    let mut names = [name.as_ptr()];
    // Safety: the client is alive, `names` is as long as said and copied; each handle
    // is new, ours, and given back by the function that belongs to it.
    unsafe {
        let queue = Owned::new(native::rd_kafka_queue_new(rk), native::rd_kafka_queue_destroy);
        let topics = native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let topics = Owned::new(topics, native::rd_kafka_TopicCollection_destroy);
        let kind = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = native::rd_kafka_AdminOptions_new(rk, kind);
        let options = Owned::new(options, native::rd_kafka_AdminOptions_destroy);
        // Where they are refused, the controller is asked, and our own patience ends it.
        let (no_text, no_length) = (ptr::null_mut(), 0);
        let set_timeout = native::rd_kafka_AdminOptions_set_request_timeout;
        let _ = set_timeout(options.as_ptr(), ms(timeout), no_text, no_length);
        let _ = native::rd_kafka_AdminOptions_set_broker(options.as_ptr(), broker, no_text, no_length);
        native::rd_kafka_DescribeTopics(rk, topics.as_ptr(), options.as_ptr(), queue.as_ptr());
        let event = native::rd_kafka_queue_poll(queue.as_ptr(), ms(timeout + MARGIN));
        Owned::new(event, native::rd_kafka_event_destroy)
    }
}

fn succeeded(code: RDKafkaRespErr) -> KafkaResult<()> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(KafkaError::MetadataFetch(error.into())),
    }
}

/// All zeros is what a broker without topic ids is given by the client.
///
/// # Safety
/// The UUID must be null or alive.
unsafe fn id_of(uuid: *const native::rd_kafka_Uuid_t) -> Option<TopicId> {
    if uuid.is_null() {
        return None;
    }
    // Safety: as this function's own.
    let (most, least) = unsafe {
        (
            native::rd_kafka_Uuid_most_significant_bits(uuid),
            native::rd_kafka_Uuid_least_significant_bits(uuid),
        )
    };
    let mut id = [0; 16];
    id[..8].copy_from_slice(&most.to_be_bytes());
    id[8..].copy_from_slice(&least.to_be_bytes());
    (id != [0; 16]).then_some(TopicId(id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]
mod tests {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};

    use super::*;
    use crate::kafka::context::Context;
    use crate::kafka::{Connection, EmbeddedBroker, Properties};

    const SHORT: Duration = Duration::from_millis(200);

    fn consumer(bootstrap_servers: String, topic: &str) -> BaseConsumer<Context> {
        let topic = topic.to_owned();
        let connection = Connection { bootstrap_servers, topic, properties: Properties::default() };
        connection.consumer(Context::default()).unwrap()
    }

    fn code(found: &KafkaResult<Option<TopicId>>) -> Option<RDKafkaErrorCode> {
        found.as_ref().err().and_then(KafkaError::rdkafka_error_code)
    }

    #[test]
    fn a_broker_that_is_away_is_waited_for_and_no_longer() {
        // Nothing listens on port 1.
        let consumer = consumer("127.0.0.1:1".to_owned(), "any");
        for _ in 0..3 {
            let found = topic_id(consumer.client(), 1, "any", SHORT);
            assert_eq!(code(&found), Some(RDKafkaErrorCode::OperationTimedOut), "{found:?}");
        }
        assert_eq!(cluster_id(consumer.client()), None);
    }

    #[test]
    fn a_topic_goes_on_having_its_id_and_a_name_that_cannot_be_is_an_error() {
        let broker = EmbeddedBroker::start("there", 3).unwrap();
        let consumer = consumer(broker.bootstrap_servers(), "there");
        let time = Duration::from_secs(10);
        consumer.fetch_metadata(Some("there"), time).unwrap();
        let found = topic_id(consumer.client(), 1, "there", time);
        assert!(matches!(found, Ok(Some(_))), "{found:?}");
        assert_eq!(topic_id(consumer.client(), 1, "there", time), found);
        let cluster = cluster_id(consumer.client());
        assert!(cluster.is_some_and(|id| !id.is_empty()));
        assert_eq!(code(&topic_id(consumer.client(), 1, "", time)), Some(RDKafkaErrorCode::InvalidArgument));
        assert!(matches!(topic_id(consumer.client(), 1, "\0", time), Err(KafkaError::Nul(_))));
    }

    #[test]
    fn an_id_is_the_uuids_bytes_in_order_and_zeros_are_none() {
        let of = |most, least| {
            // Safety: the UUID is ours until it is given back.
            unsafe {
                let uuid = Owned::new(native::rd_kafka_Uuid_new(most, least), native::rd_kafka_Uuid_destroy);
                id_of(uuid.as_ptr())
            }
        };
        assert_eq!(of(0, 0), None);
        let id = of(0x0102_0304_0506_0708, -1).unwrap();
        assert_eq!(id.to_string(), "0102030405060708ffffffffffffffff");
    }
}
