//! The id of a topic, asked of a broker.
//!
//! Owns what an answer means. No topic ever gets the id of another.

use std::ffi::CString;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::kafka::native;
use crate::log::TopicId;

/// The client's own end of a question comes this long before ours, so that none
/// is left on its way.
const MARGIN: Duration = Duration::from_millis(100);

/// The topic's id as the broker of this number knows it, or none when that one is
/// too old to have any. Left alone the client would ask the controller, which may
/// be one that cannot be reached, or that it does not know.
///
/// # Errors
/// When there is no answer within `timeout`, or it is an error.
pub(super) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topic: &str,
    timeout: Duration,
) -> KafkaResult<Option<TopicId>> {
    let failed = |code| Err(KafkaError::MetadataFetch(code));
    match native::topic_id(client, broker, &CString::new(topic)?, [timeout, timeout + MARGIN]) {
        None => failed(RDKafkaErrorCode::OperationTimedOut),
        Some(Err(code)) => failed(meaning(code)),
        Some(Ok(bits)) => Ok(id_of(bits)),
    }
}

/// What the number of an error says: no number is an answer about nothing at all, and one
/// that the client's list lacks is no more than a failure.
fn meaning(code: i32) -> RDKafkaErrorCode {
    match RDKafkaRespErr::try_from(code) {
        Ok(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) | Err(_) => RDKafkaErrorCode::Fail,
        Ok(code) => code.into(),
    }
}

/// The halves of the id in their order. All zeros is what a broker without topic ids is
/// given by the client.
fn id_of(halves: [i64; 2]) -> Option<TopicId> {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&halves[0].to_be_bytes());
    id[8..].copy_from_slice(&halves[1].to_be_bytes());
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
        assert_eq!(native::cluster_id(consumer.client()), None);
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
        let cluster = native::cluster_id(consumer.client());
        assert!(cluster.is_some_and(|id| !id.is_empty()));
        assert_eq!(code(&topic_id(consumer.client(), 1, "", time)), Some(RDKafkaErrorCode::InvalidArgument));
        assert!(matches!(topic_id(consumer.client(), 1, "\0", time), Err(KafkaError::Nul(_))));
    }

    #[test]
    fn an_id_is_the_uuids_bytes_in_order_and_zeros_are_none() {
        assert_eq!(id_of([0, 0]), None);
        let id = id_of([0x0102_0304_0506_0708, -1]).unwrap();
        assert_eq!(id.to_string(), "0102030405060708ffffffffffffffff");
    }

    #[test]
    fn a_number_that_is_no_error_of_the_clients_is_a_failure() {
        for (code, expected) in [
            (3, RDKafkaErrorCode::UnknownTopicOrPartition),
            (29, RDKafkaErrorCode::TopicAuthorizationFailed),
            (0, RDKafkaErrorCode::Fail),
            (131, RDKafkaErrorCode::Fail),
            (i32::MAX, RDKafkaErrorCode::Fail),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}
