//! The thread that counts, from the last snapshot on.
//!
//! Owns what it begins with, and in which order. Snapshot and topic are looked for at the same
//! time: by the time the rooms are loaded the topic has been seen. Everything towards Kafka and
//! the disk comes from this thread. What reads, counts and writes has a lower priority than
//! whoever answers: where a topic is read as fast as it comes, answers get a core all the same.
//! What looks at the topic has not: it needs little, in time, also on a machine that is full.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::aggregator::{Aggregator, Checkpoint, Counting, Ending, Settings, SnapshotSettings, Sources};
use crate::config::Config;
use crate::kafka::{Connection, DeadLetters, Decoder, LogEvent, ReadFrom, Reader, Watch};
use crate::log::LogIdentity;
use crate::service::{Durability, connection, now, rules};
use crate::snapshot::{self, Decisions, Keeper, Place, Policy, State, Store};
use crate::status::Status;
use crate::tally::{TallyReader, TallyWriter};
use crate::telemetry::metrics::Metrics;

/// Batches on their way from the reader to the aggregator; each holds up to
/// about a thousand records.
const BATCHES_ON_THE_WAY: usize = 16;

/// How much less than others it wants a core, as `nice` has it: a tenth as much.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// What it begins with.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) durability: Durability,
    pub(super) status: Status,
    pub(super) ending: Ending,
    pub(super) metrics: Metrics,
    pub(super) writer: TallyWriter,
    pub(super) reader: TallyReader,
    pub(super) stop_reading: CancellationToken,
    pub(super) stop_watching: CancellationToken,
}

impl Start {
    /// Starts the thread; how it ended is told once it has.
    pub(super) fn spawn(self) -> io::Result<oneshot::Receiver<anyhow::Result<()>>> {
        let (ended, when_ended) = oneshot::channel();
        let thread = thread::Builder::new().name("counting".to_owned());
        thread.spawn(move || {
            // Nobody waits for it any more where the process is to end at once.
            let _ = ended.send(self.count());
        })?;
        Ok(when_ended)
    }

    /// Goes on from the newest snapshot until it is told to stop.
    fn count(self) -> anyhow::Result<()> {
        let Self { config, durability, status, ending, metrics, writer, reader, stop_reading, stop_watching } =
            self;
        // Whatever ends this ends those that are started on the way.
        let _stops = stop_watching.clone().drop_guard();
        let (sender, events) = mpsc::sync_channel::<LogEvent>(BATCHES_ON_THE_WAY);
        let (connection, cannot) = (connection(&config), "cannot make the Kafka client");
        let decoder = Decoder::new(rules(&config));
        let read_from = ReadFrom::default();
        let watch = Watch::start(connection.clone(), read_from.clone(), sender.clone(), stop_watching, now);
        let watch = watch.context(cannot)?;
        step_back();
        let reading = Reader::start(connection.clone(), decoder, read_from, sender, stop_reading);
        let reading = reading.context(cannot)?;
        let dead_letters =
            dead_letters(&config, &connection).context("cannot make the client of dead letters")?;
        let mut counting = Counting::new(writer);
        let (snapshots, identity) = match &durability {
            Durability::Kept(place) => {
                counting.keep_changes();
                let restore = || restore(&config, place, &status, &mut counting, reader);
                let (settings, identity) = ending.doing("reading the last snapshot", restore)?;
                (Some(settings), identity)
            }
            Durability::None => (None, None),
        };
        let settings = Settings {
            topic: connection.topic,
            bootstrap_servers: connection.bootstrap_servers,
            unavailable_after: config.kafka.unavailable_after,
            departments: config.limits.departments,
            identity,
            ending,
            metrics,
            now,
        };
        let sources = Sources { reader: reading, watch, dead_letters };
        let aggregator = Aggregator::new(counting, status, sources, snapshots, settings);
        if aggregator.run(events) { Ok(()) } else { Err(anyhow!("a part failed; see the log above")) }
    }
}

/// Lets others have a core first, as do threads that this one starts from now on.
fn step_back() {
    // Of the calling thread alone; elsewhere it would be of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the counting thread keeps its priority");
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

/// What copies refused records, if there is a topic for them.
fn dead_letters(config: &Config, connection: &Connection) -> anyhow::Result<Option<DeadLetters>> {
    let topic = &config.dead_letter.topic;
    if topic.is_empty() {
        return Ok(None);
    }
    tracing::info!(topic, "rejected records are copied");
    Ok(Some(DeadLetters::start(connection.clone(), topic.clone())?))
}
