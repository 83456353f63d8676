//! Error codes that a broker may answer with, and leaders that move.
//!
//! The broker is the one that librdkafka brings for its own tests: it answers
//! requests of a kind with the errors that it was given, one each, and well after
//! that. After each error everything is counted once and nothing stalls.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Request, RDKafkaRespErr as Code};
use roomtally::log::StopReason;

use crate::model::workload;
use crate::parallel::side_by_side;
use crate::sent::Sent;
use crate::service::{Service, Setup};
use crate::topic::{Record, Sender, Topic};
use crate::wait::until;
use crate::watching::Watching;

/// What any request may be answered with for a while. `__TRANSPORT` stands for no
/// answer: the broker closes the connection.
const ANY: [Code; 13] = [
    Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    Code::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    Code::RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN,
    Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    Code::RD_KAFKA_RESP_ERR__TRANSPORT,
];

/// What is answered where an offset is in the question.
const OF_AN_OFFSET: [Code; 3] = [
    Code::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
];

/// What only a request for records is answered with. The client tells of all but the second.
const OF_RECORDS: [Code; 8] = [
    Code::RD_KAFKA_RESP_ERR_INVALID_MSG,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID,
    Code::RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND,
    Code::RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH,
    Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE,
    Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
    Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
];

const PARTITIONS: i32 = 2;

/// How many services share a table of errors.
const SERVICES: usize = 3;

struct Injected {
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: Topic,
    /// It asks for nothing by itself where one broker is there, so that no error
    /// meant for the service is an answer to it.
    sender: Sender,
    service: Service,
    sent: Sent,
}

impl Injected {
    fn start(brokers: i32) -> Self {
        let cluster = MockCluster::new(brokers).unwrap();
        let topic = Topic::absent(&cluster.bootstrap_servers());
        cluster.create_topic(&topic.name, PARTITIONS, brokers).unwrap();
        let sender = topic.sender(&[]);
        let service = Setup::new(&topic).serve();
        let mut injected = Self { cluster, topic, sender, service, sent: Sent::default() };
        injected.send(1);
        injected.is_exact_again("at the start");
        injected
    }

    fn send(&mut self, seed: u64) {
        let events = workload(seed, 10);
        self.topic.put(&self.sender, events.iter().map(Record::from));
        self.sent.take(&events);
    }

    /// Waits until everything is applied and a later look at the topic was
    /// answered, and compares.
    #[track_caller]
    fn is_exact_again(&self, what: &str) {
        let after = roomtally::service::now().to_string().to_lowercase();
        let what = format!("everything is counted and nothing lags: {what}");
        until(&what, || {
            let (status, body) = self.service.ready();
            let partitions = body["partitions"].as_array().unwrap();
            let stopped = partitions.iter().find(|of| of["state"] == "stopped");
            assert!(stopped.is_none(), "{what}: {body}");
            let current = status == 200 && partitions.iter().all(|of| of["position"] == of["end"]);
            (current && self.service.consumed() >= self.sent.records() && self.service.as_of() > after)
                .then_some(())
        });
        self.sent.is_exact(&self.service, &what);
    }
}

/// Has so many requests of a kind answered with each error in turn; a few services
/// share the errors among them, for most of the time is waiting.
fn check(request: fn() -> Request, codes: &[&[Code]], times: usize) {
    let codes = codes.concat();
    side_by_side(codes.chunks(codes.len().div_ceil(SERVICES)), |codes| {
        let mut injected = Injected::start(1);
        for (seed, &code) in (2..).zip(codes) {
            injected.cluster.request_errors(request(), &vec![code; times]);
            injected.send(seed);
            injected.is_exact_again(&format!("{code:?}"));
            injected.cluster.clear_request_errors(request());
        }
    });
}

#[test]
fn requests_for_records_that_are_answered_with_errors_for_a_while_lose_nothing() {
    check(|| Request::Fetch, &[&ANY], 2);
}

#[test]
fn offsets_and_sessions_that_a_broker_does_not_accept_for_a_while_lose_nothing() {
    check(|| Request::Fetch, &[&OF_AN_OFFSET, &OF_RECORDS], 3);
}

#[test]
fn requests_for_the_ends_that_are_answered_with_errors_for_a_while_stall_nothing() {
    check(|| Request::ListOffsets, &[&ANY, &OF_AN_OFFSET], 2);
}

/// The broker names the same topic again: however long it did not, nothing was deleted.
#[test]
fn a_topic_that_is_absent_and_comes_back_with_its_id_is_read_on_without_a_stop() {
    let long = "the topic has been deleted";
    side_by_side([None, Some(long)], |said_of_absence| {
        let mut injected = Injected::start(1);
        let Injected { cluster, topic, service, .. } = &injected;
        let identity = Watching::of(topic).identity();
        assert!(identity.topic.is_some(), "{identity:?}");
        cluster.topic_error(&topic.name, Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
        until("the absence is noticed", || (service.kafka_state() == "topic_absent").then_some(()));
        if let Some(said) = said_of_absence {
            until("it lasts", || service.logged(&[said]).then_some(()));
        }
        service.answers(injected.sent.model());
        cluster.topic_error(&topic.name, Code::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
        assert_eq!(Watching::of(topic).identity(), identity);
        let what = format!("the topic was absent, long: {}", said_of_absence.is_some());
        injected.is_exact_again(&what);
        injected.send(2);
        injected.is_exact_again(&what);
        let Injected { service, .. } = &injected;
        assert_eq!(service.kafka_state(), "connected");
        for reason in StopReason::ALL {
            let series = format!("roomtally_integrity_stops_total{{reason=\"{}\"}}", reason.name());
            assert!(service.metric(&series) == 0.0, "{what}: {series}");
        }
    });
}

/// Each answer takes longer than a look waits for the topic's id at first.
#[test]
fn a_slow_broker_tells_the_topics_id_to_those_who_wait_as_long_as_for_its_other_answers() {
    let cluster = MockCluster::new(1).unwrap();
    let topic = Topic::absent(&cluster.bootstrap_servers());
    cluster.create_topic(&topic.name, 1, 1).unwrap();
    let known = Watching::of(&topic).identity();
    assert!(known.topic.is_some(), "{known:?}");
    cluster.broker_round_trip_time(1, Duration::from_millis(1_300)).unwrap();
    let slow = Watching::of(&topic);
    let told = slow.look("the topic's id is told", |seen| seen.ok()?.identity.topic);
    assert_eq!(Some(told), known.topic);
    // And goes on being told.
    assert_eq!(slow.identity(), known);
}

#[test]
fn leaders_that_move_lose_nothing() {
    // The brokers stay: one of these that comes back takes its port again, and ends the
    // whole process if another has it. Real ones go and come in `faults`.
    let mut injected = Injected::start(3);
    for round in 0..6 {
        let leader = (round + 1) % 3 + 1;
        // A producer of its own each time: whether one finds its leaders is not the question.
        let events = workload(u64::try_from(round).unwrap() + 50, 10);
        injected.topic.send(&events);
        injected.sent.take(&events);
        for partition in 0..PARTITIONS {
            injected.cluster.partition_leader(&injected.topic.name, partition, Some(leader)).unwrap();
        }
        injected.is_exact_again(&format!("broker {leader} leads"));
    }
}
