//! The whole service put together: its threads, and the order in which they stop.
//!
//! Owns the life of the parts. Invariant: a part that ends before it is told to
//! ends the service with an error, so no half of it goes on alone. On a stop
//! the reader stops reading, the aggregator applies what is on its way, and the
//! server closes last: a webhook that is being answered is answered.

mod published;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use chrono::Utc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::aggregator::{Aggregator, Checkpoint, Counting, Ending, Settings, SnapshotSettings, Sources};
use crate::api::{self, Api};
use crate::config::{ClientFault, Config, Property};
use crate::decode::{Limits, Rules};
use crate::kafka::{Connection, DeadLetters, Decoder, LogEvent, Properties, PropertyFault, Reader, Watch};
use crate::log::LogIdentity;
use crate::room::Timestamp;
use crate::snapshot::{self, Decisions, Keeper, Place, Policy, State, Store};
use crate::status::Status;
use crate::tally::{self, TallyReader, TallyWriter};
use crate::telemetry::metrics::Metrics;

/// Batches on their way from the reader to the aggregator; each holds up to
/// about a thousand records.
const BATCHES_ON_THE_WAY: usize = 16;

/// How long the server may take to close when counting has used up all its time.
const SERVER_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A running service.
#[derive(Debug)]
pub struct Service {
    status: Status,
    ending: Ending,
    counting: JoinHandle<anyhow::Result<()>>,
    serving: JoinHandle<()>,
    stop_reading: CancellationToken,
    stop_watching: CancellationToken,
    stop_serving: CancellationToken,
}

/// Whether what is counted outlives the process.
#[derive(Debug)]
pub enum Durability {
    /// In this data directory.
    Kept(Place),
    /// Not at all: neither does the log.
    None,
}

impl Service {
    /// Starts everything. Requests are answered from now on, with 503 until the
    /// log has been read.
    ///
    /// # Errors
    /// When the webhook's client of Kafka cannot be made.
    pub fn start(config: &Config, listener: TcpListener, durability: Durability) -> anyhow::Result<Self> {
        let (status, ending) = (Status::default(), Ending::default());
        let (writer, reader) = tally::tally(config.limits.departments);
        let metrics = Metrics::new();
        let mut api =
            Api::new(reader.clone(), status.clone(), metrics.clone(), now, &config.http, &config.auth);
        if let Some(secret) = &config.webhook.secret {
            api = api.with_webhook(secret.clone(), published::webhook(config)?);
        }
        let (stop_watching, stop_serving) = (CancellationToken::new(), CancellationToken::new());
        // Whatever ends the watch ends the reader too, and with it the service.
        let stop_reading = stop_watching.child_token();
        let serving = tokio::spawn(api::serve(listener, api, stop_serving.clone()));
        let start = Start {
            config: config.clone(),
            durability,
            status: status.clone(),
            ending: ending.clone(),
            metrics,
            writer,
            reader,
            stop_reading: stop_reading.clone(),
            stop_watching: stop_watching.clone(),
        };
        let counting = tokio::task::spawn_blocking(move || start.count());
        Ok(Self { status, ending, counting, serving, stop_reading, stop_watching, stop_serving })
    }

    /// What the service knows of itself.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Runs until `stop`, then ends every part in order: no more records, the last
    /// snapshot, the answers. It returns within 9 seconds of that whatever a part
    /// waits for, and says what it gave up; the process is to end then.
    ///
    /// # Errors
    /// When a part ended by itself, or the snapshots cannot be used.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => {}
            counted = &mut self.counting => {
                counted.context("the counting thread failed")??;
                return Err(anyhow!("the counting thread ended unexpectedly; see the log above"));
            }
            _ = &mut self.serving => {
                return Err(anyhow!("the HTTP server ended unexpectedly; see the log above"));
            }
        }
        let by = self.ending.begin();
        self.stop_reading.cancel();
        let counted = if let Ok(counted) = timeout_at(by.into(), self.counting).await {
            counted.context("the counting thread failed")?
        } else {
            let unfinished = self.ending.at();
            tracing::warn!(
                "given up, to end in time: {unfinished}; what no snapshot has is read again at the next start"
            );
            Ok(())
        };
        self.stop_watching.cancel();
        self.stop_serving.cancel();
        let by = by.max(Instant::now()) + SERVER_ENDS_WITHIN;
        if let Ok(served) = timeout_at(by.into(), self.serving).await {
            served.context("the HTTP server failed")?;
        } else {
            tracing::warn!("given up, to end in time: answers that take too long");
        }
        counted
    }
}

/// What the counting thread begins with.
struct Start {
    config: Config,
    durability: Durability,
    status: Status,
    ending: Ending,
    metrics: Metrics,
    writer: TallyWriter,
    reader: TallyReader,
    stop_reading: CancellationToken,
    stop_watching: CancellationToken,
}

impl Start {
    /// Goes on from the newest snapshot until it is told to stop.
    fn count(self) -> anyhow::Result<()> {
        let Self { config, durability, status, ending, metrics, writer, reader, .. } = self;
        let mut counting = Counting::new(writer);
        let (sender, events) = mpsc::sync_channel::<LogEvent>(BATCHES_ON_THE_WAY);
        let (snapshots, identity) = match &durability {
            Durability::Kept(place) => {
                counting.keep_changes();
                let restore = || restore(&config, place, &status, &mut counting, reader);
                let (settings, identity) = ending.doing("reading the last snapshot", restore)?;
                (Some(settings), identity)
            }
            Durability::None => (None, None),
        };
        let connection = connection(&config);
        let settings = Settings {
            topic: connection.topic.clone(),
            bootstrap_servers: connection.bootstrap_servers.clone(),
            unavailable_after: config.kafka.unavailable_after,
            departments: config.limits.departments,
            identity,
            ending,
            metrics,
            now,
        };
        let cannot = "cannot make the Kafka client";
        let dead_letters =
            dead_letters(&config, &connection).context("cannot make the client of dead letters")?;
        let decoder = Decoder::new(rules(&config));
        let reader =
            Reader::start(connection.clone(), decoder, sender.clone(), self.stop_reading).context(cannot)?;
        let read_from = reader.read_from();
        let watch = Watch::start(connection, read_from, sender, self.stop_watching, now).context(cannot)?;
        let aggregator =
            Aggregator::new(counting, status, Sources { reader, watch, dead_letters }, snapshots, settings);
        if aggregator.run(events) { Ok(()) } else { Err(anyhow!("a part failed; see the log above")) }
    }
}

/// Takes the newest whole snapshot over, and starts the thread that writes the next
/// ones; also whose log was counted.
fn restore(
    config: &Config,
    place: &Place,
    status: &Status,
    counting: &mut Counting,
    rooms: TallyReader,
) -> anyhow::Result<(SnapshotSettings, Option<LogIdentity>)> {
    status.snapshots_begin(None);
    let (began, directory) = (Instant::now(), place.directory());
    let mut loaded = snapshot::load(&directory, config.limits.departments, Some(&config.kafka.topic))?;
    directory.report_damaged(&loaded.damaged);
    let policy = Policy { keep: config.snapshot.keep, ..Policy::default() };
    let store = Store::new(directory, rooms, policy, &loaded);
    let (mut kept, mut decided, mut identity) = (None, Vec::new(), None);
    if let Some(found) = &mut loaded.found {
        let State { generation, written_at, rooms, .. } = &found.state;
        let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
        tracing::info!(generation, %written_at, rooms, seconds, "going on from the last snapshot");
        status.snapshots_begin(Some((*generation, *written_at, found.bytes)));
        identity = Some(found.state.identity.clone());
        (kept, decided) = (Some(Checkpoint::of(&found.state)), found.state.decisions.clone());
        let rooms = found.take_tally();
        counting.replace(rooms, found.state.positions.clone());
    } else {
        tracing::info!("no snapshot is there: the topic is read from its beginning");
    }
    let keeper = Keeper::start(store).context("cannot start the thread that writes snapshots")?;
    let decisions = Decisions::watch(place.directory());
    let decisions = decisions.context("cannot start the thread that looks for decisions")?;
    let interval = config.snapshot.interval;
    Ok((SnapshotSettings { keeper, decisions, interval, kept, decided }, identity))
}

/// The wall clock: the one place where it is read.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::from_millis(Utc::now().timestamp_millis())
}

/// How the configuration says to reach the topic.
pub fn connection(config: &Config) -> Connection {
    Connection {
        bootstrap_servers: config.kafka.bootstrap_servers.clone(),
        topic: config.kafka.topic.clone(),
        properties: properties(&config.kafka.properties),
    }
}

/// What copies refused records, if there is a topic for them.
fn dead_letters(config: &Config, connection: &Connection) -> anyhow::Result<Option<DeadLetters>> {
    let topic = &config.dead_letter.topic;
    if topic.is_empty() {
        return Ok(None);
    }
    tracing::info!(topic, "rejected records are copied");
    Ok(Some(DeadLetters::start(connection.clone(), topic.clone())?))
}

/// What the configuration says of records.
pub fn rules(config: &Config) -> Rules {
    let limits = Limits {
        record_bytes: config.limits.record_bytes,
        oldest: Timestamp::from_millis(config.limits.oldest),
        max_future_ms: i64::try_from(config.limits.max_future.as_millis()).unwrap_or(i64::MAX),
    };
    Rules { limits, collection: config.kafka.collection.clone() }
}

/// What the Kafka client of this build has against the properties.
pub fn check_client(given: &BTreeMap<String, Property>) -> Vec<ClientFault> {
    let connection =
        Connection { bootstrap_servers: String::new(), topic: String::new(), properties: properties(given) };
    let faults = connection.faults().into_iter();
    let fault = |fault: PropertyFault| ClientFault {
        property: fault.property,
        problem: fault.problem,
        remedy: fault.remedy,
    };
    faults.map(fault).collect()
}

fn properties(given: &BTreeMap<String, Property>) -> Properties {
    Properties(given.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect())
}
