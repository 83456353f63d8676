//! How long an event that Kafka has acknowledged takes to be in an answer:
//!
//! ```sh
//! visible --bootstrap-servers 127.0.0.1:9092 --topic livechat.rooms --address 127.0.0.1:3000 \
//!     --rate 50000 --samples 500 [--first 0]
//! ```
//!
//! Owns a steady stream of events, among which some are sampled: rooms whose creation times
//! nobody else has, so that a question for one millisecond tells whether the room is counted.
//! A wait begins with the broker's acknowledgement and ends when the first answer that counts
//! the room is there; what is visible before it is acknowledged has waited for nothing. Each
//! sampled event is asked for from its sending on, some thousand times a second, which is what
//! the measure is exact to. Prints `name value` a line, seconds.

mod arguments;
mod http;
mod latencies;
mod rooms;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use roomtally::room::Timestamp;

use arguments::{Arguments, stop};
use http::{Connection, question};
use latencies::Latencies;
use rooms::records::Record;
use rooms::{Rooms, id, mixed};

/// Between two questions for the same room.
const POLL_PAUSE: Duration = Duration::from_micros(200);
/// At most so long from one sampled event to the next, drawn by lot so that no rhythm of the
/// stream or the service is kept to.
const SAMPLE_PAUSE_US_MAX: u64 = 15_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// Sampled rooms were created here, long before all others, a millisecond each.
const SAMPLED_FROM_MS: i64 = 946_684_800_000;
const SAMPLED_IDS_FROM: u64 = 1 << 59;

/// What was acknowledged: how many, and when the sampled one was.
struct Deliveries {
    count: AtomicU64,
    sampled: Sender<Instant>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, is_sampled: usize) {
        if let Err((error, _)) = result {
            stop(&format!("a record was not acknowledged: {error}"));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        if is_sampled == 1 {
            let _ = self.sampled.send(Instant::now());
        }
    }
}

type Client = ThreadedProducer<Deliveries>;

struct Stream {
    producer: Client,
    topic: String,
}

fn main() {
    let Some(arguments) = Arguments::given() else { return };
    let Ok(address) = arguments.text("--address").parse() else { stop("--address is IP:PORT") };
    let (sampled, acknowledged) = channel();
    let deliveries = Deliveries { count: AtomicU64::new(0), sampled };
    let producer = producer(arguments.text("--bootstrap-servers"), deliveries);
    let stream = Stream { producer, topic: arguments.text("--topic").to_owned() };
    let (first, rate) = (arguments.number("--first", 0_u64), arguments.number("--rate", 50_000_u64));
    let (is_over, begun) = (AtomicBool::new(false), Instant::now());
    let waits = thread::scope(|scope| {
        scope.spawn(|| stream.pour(first, rate, &is_over));
        let waits = sample(&stream, address, first, arguments.number("--samples", 500), &acknowledged);
        is_over.store(true, Ordering::Relaxed);
        waits
    });
    if let Err(error) = stream.producer.flush(PATIENCE) {
        stop(&format!("not everything was acknowledged: {error}"));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let count = stream.producer.context().count.load(Ordering::Relaxed);
    let Latencies { p50, p99, max, .. } = Latencies::of(waits);
    println!("records {count}\nseconds {seconds}");
    for (name, wait) in [("p50", p50), ("p99", p99), ("max", max)] {
        println!("{name} {}", wait.as_secs_f64());
    }
}

fn producer(bootstrap_servers: &str, deliveries: Deliveries) -> Client {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap_servers)
        .set("partitioner", "murmur2_random")
        .set("acks", "all")
        .set("linger.ms", "1");
    config.create_with_context(deliveries).unwrap_or_else(|error| stop(&error.to_string()))
}

impl Stream {
    fn send(&self, record: &Record, is_sampled: bool) {
        let opaque = usize::from(is_sampled);
        let mut outgoing =
            BaseRecord::with_opaque_to(&self.topic, opaque).key(&record.key).payload(&record.value);
        loop {
            match self.producer.send(outgoing) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                    outgoing = unsent;
                    thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => stop(&error.to_string()),
            }
        }
    }

    /// Sends so many events a second, each the creation of another room.
    fn pour(&self, first: u64, rate: u64, is_over: &AtomicBool) {
        let rooms = Rooms { count: first + 100_000_000, departments: 1_000, is_scattered: false };
        let (mut record, mut sent, begun) = (Record::default(), 0, Instant::now());
        while !is_over.load(Ordering::Relaxed) {
            let due = u64::try_from(begun.elapsed().as_micros()).unwrap_or(0) * rate / 1_000_000;
            for number in sent..due {
                record.be_native(first + number, rooms);
                self.send(&record, false);
            }
            sent = due.max(sent);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Sends the sampled events one after another; how long each took.
fn sample(
    stream: &Stream,
    address: SocketAddr,
    first: u64,
    samples: u64,
    acknowledged: &Receiver<Instant>,
) -> Vec<Duration> {
    let mut connection = Connection::open(address);
    let mut record = Record::default();
    let one = |number: u64| {
        thread::sleep(Duration::from_micros(mixed(first + number) % SAMPLE_PAUSE_US_MAX));
        let ts = SAMPLED_FROM_MS + i64::try_from(first + number).unwrap_or(0);
        record.be_created(&id(SAMPLED_IDS_FROM + first + number), Timestamp::from_millis(ts));
        stream.send(&record, true);
        let visible = when_visible(&mut connection, ts);
        match acknowledged.recv_timeout(PATIENCE) {
            Ok(acknowledged) => visible.saturating_duration_since(acknowledged),
            Err(_) => stop("a record was not acknowledged in time"),
        }
    };
    (0..samples).map(one).collect()
}

fn when_visible(connection: &mut Connection, ts: i64) -> Instant {
    let (question, sent) = (question((ts, ts), ""), Instant::now());
    while sent.elapsed() < PATIENCE {
        let body = connection.ask(&question);
        if body.starts_with(br#"{"departments":[{"#) {
            return Instant::now();
        }
        thread::sleep(POLL_PAUSE);
    }
    stop(&format!("a record was not counted in {} s", PATIENCE.as_secs()))
}
