//! Fills a topic with events of rooms as quickly as a producer can.
//!
//! ```sh
//! make_topic --bootstrap-servers 127.0.0.1:9092 --topic livechat.rooms --records 10000000 \
//!     [--form native|envelope] [--first 0] [--rooms N] [--departments 1000] [--scattered]
//!     [--compression none]
//! ```
//!
//! Owns which records there are. Native events are each the creation of another room; of two
//! envelopes the first creates a room and the second tells that it was answered. `--rooms`
//! says how many share the year, through which they go in order, or in none with `--scattered`.

mod arguments;
mod rooms;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use arguments::{Arguments, stop};
use rooms::Rooms;
use rooms::records::Record;

/// Records between two looks at what became of those before.
const POLL_EVERY: u64 = 1_024;

#[derive(Clone, Default)]
struct Acknowledged(Arc<AtomicU64>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            stop(&format!("a record was not acknowledged: {error}"));
        }
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    let Some(arguments) = Arguments::given() else { return };
    let (records, first) = (arguments.number("--records", 1_000_000_u64), arguments.number("--first", 0));
    let is_envelope = match arguments.number("--form", "native".to_owned()).as_str() {
        "native" => false,
        "envelope" => true,
        other => stop(&format!("--form is native or envelope, and not {other:?}")),
    };
    let rooms = Rooms {
        count: arguments.number("--rooms", if is_envelope { records.div_ceil(2) } else { records }),
        departments: arguments.number("--departments", 1_000),
        is_scattered: arguments.has("--scattered"),
    };
    let (topic, mut bytes, begun) = (arguments.text("--topic"), 0, Instant::now());
    let acknowledged = Acknowledged::default();
    let producer = producer(&arguments, acknowledged.clone());
    let mut record = Record::default();
    for number in first..first + records {
        if is_envelope {
            record.be_envelope(number, rooms);
        } else {
            record.be_native(number, rooms);
        }
        bytes += record.value.len() as u64;
        send(&producer, topic, &record);
        if number.is_multiple_of(POLL_EVERY) {
            producer.poll(Duration::ZERO);
        }
    }
    if let Err(error) = producer.flush(Duration::from_mins(1)) {
        stop(&format!("not everything was acknowledged: {error}"));
    }
    assert_eq!(acknowledged.0.load(Ordering::Relaxed), records, "all are acknowledged");
    let each = bytes / records.max(1);
    println!("{records} records of {each} bytes in {:.1} s", begun.elapsed().as_secs_f64());
}

fn producer(arguments: &Arguments, acknowledged: Acknowledged) -> BaseProducer<Acknowledged> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", arguments.text("--bootstrap-servers"))
        // A key finds the partition that Java's clients would choose.
        .set("partitioner", "murmur2_random")
        .set("compression.codec", arguments.number("--compression", "none".to_owned()))
        .set("linger.ms", "50")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "1000000")
        // Order within a partition, which rooms' updates rely on.
        .set("max.in.flight.requests.per.connection", "1");
    config.create_with_context(acknowledged).unwrap_or_else(|error| stop(&error.to_string()))
}

fn send(producer: &BaseProducer<Acknowledged>, topic: &str, record: &Record) {
    let mut outgoing = BaseRecord::to(topic).key(&record.key).payload(&record.value);
    loop {
        match producer.send(outgoing) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                outgoing = unsent;
                producer.poll(Duration::from_millis(50));
            }
            Err((error, _)) => stop(&error.to_string()),
        }
    }
}
