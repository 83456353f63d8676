//! The one owner of writing: takes what the log tells and makes it count.
//!
//! Owns the tally's writer, the positions and what they mean. It reads one
//! closed enum from one bounded channel, applies whole batches, keeps
//! [`Status`] true, gives the reader its partitions, and takes snapshots between
//! two batches. The thread that writes those has a channel of its own, so that it
//! can be waited for while records fill the other. Invariant: a record's effect and
//! the position behind it change in the same step, here and nowhere else.

mod absence;
mod beginnings;
mod counting;
mod dead_letters;
mod decisions;
mod ending;
mod guard;
mod judge;
mod keeping;
mod sight;
mod snapshots;
mod stops;
mod watchdog;

pub use counting::{Counting, Refusal};
pub use ending::Ending;
pub use snapshots::{Checkpoint, SnapshotSettings};

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::aggregator::absence::Absence;
use crate::aggregator::dead_letters::Letters;
use crate::aggregator::guard::Guard;
use crate::aggregator::judge::Judge;
use crate::aggregator::snapshots::Snapshots;
use crate::aggregator::watchdog::Watchdog;
use crate::decode;
use crate::kafka::{Batch, BatchRecord, DeadLetters, DecodedBatch, LogEvent, Reader, Watch};
use crate::log::LogIdentity;
use crate::room::Timestamp;
use crate::status::Status;
use crate::telemetry::Sampler;
use crate::telemetry::metrics::Metrics;

/// How long nothing happens before the clock is looked at.
const TICK: Duration = Duration::from_millis(100);

/// The threads towards Kafka.
#[derive(Debug)]
pub struct Sources {
    /// Gives records.
    pub reader: Reader,
    /// Looks after broker and topic.
    pub watch: Watch,
    /// Copies what is refused, if there is a topic for it.
    pub dead_letters: Option<DeadLetters>,
}

/// Makes what the log tells count.
pub struct Aggregator {
    counting: Counting,
    status: Status,
    settings: Settings,
    reader: Reader,
    watch: Watch,
    letters: Letters,
    snapshots: Snapshots,
    /// The order to the reader whose records are counted; those of earlier ones
    /// are not.
    assignment: u64,
    /// Whether the reader has been given partitions.
    reading: bool,
    /// Nothing is read any more: only what was counted is to be kept.
    ended: bool,
    sampler: Sampler,
    watchdog: Watchdog,
    judge: Judge,
    absence: Absence,
    guard: Guard,
    last_look: LastLook,
    said: Said,
    /// What nobody can go on after.
    failed: bool,
    began: Instant,
}

/// What the last look at the topic showed.
#[derive(Debug, Default)]
struct LastLook {
    /// The topic was seen.
    in_sight: bool,
    /// Some position lies past the end of its log.
    past_end: bool,
}

/// What is said once.
#[derive(Debug, Default)]
struct Said {
    keys: bool,
    ready: bool,
}

/// What the aggregator needs to know of the outside.
#[derive(Debug)]
pub struct Settings {
    /// The topic's name.
    pub topic: String,
    /// For log lines.
    pub bootstrap_servers: String,
    /// How long a broker may be away before [`crate::status::KafkaState::Unavailable`]
    /// says so.
    pub unavailable_after: Duration,
    /// How many departments may be told apart.
    pub departments: usize,
    /// The log that was counted so far, if any was.
    pub identity: Option<LogIdentity>,
    /// Says when the service was told to stop.
    pub ending: Ending,
    /// Records how long things took.
    pub metrics: Metrics,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

impl Aggregator {
    /// Counts on from where `counting` stands.
    pub fn new(
        counting: Counting,
        status: Status,
        sources: Sources,
        snapshots: Option<SnapshotSettings>,
        mut settings: Settings,
    ) -> Self {
        let guard = Guard::of(settings.identity.take());
        let Sources { reader, watch, dead_letters } = sources;
        status.restore(counting.positions());
        Self {
            counting,
            status,
            settings,
            reader,
            watch,
            letters: Letters::new(dead_letters),
            snapshots: Snapshots::new(snapshots),
            assignment: 0,
            reading: false,
            ended: false,
            sampler: Sampler::default(),
            watchdog: Watchdog::default(),
            judge: Judge::default(),
            absence: Absence::default(),
            guard,
            last_look: LastLook::default(),
            said: Said::default(),
            failed: false,
            began: Instant::now(),
        }
    }

    /// Takes events until the reader has ended, or should have, then keeps a last
    /// snapshot; says whether all went well.
    pub fn run(mut self, events: Receiver<LogEvent>) -> bool {
        self.say_what_is_stopped();
        let mut ended = false;
        while !ended && !self.failed {
            ended = match events.recv_timeout(TICK) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            self.tick();
            ended |= self.settings.ending.ends_reading(Instant::now());
        }
        let ending = self.settings.ending.clone();
        if !self.failed {
            ending.doing("keeping the last snapshot", || self.keep_last(&events));
        }
        ending.doing("sending dead letters", || self.end_letters());
        // Whoever waits for a place in it is to end too.
        drop(events);
        let Self { snapshots, reader, failed, .. } = self;
        let kept_well = ending.doing("writing a snapshot", || snapshots.end());
        !failed && ending.doing("reading the topic", || reader.join()) && kept_well
    }

    /// Takes one event; says whether no more records will come.
    fn take(&mut self, event: LogEvent) -> bool {
        match event {
            LogEvent::Batch(batch) => {
                self.count(&batch);
                self.reader.reuse(batch);
            }
            LogEvent::Fault(fault, assignment) => self.fault(&fault, assignment),
            LogEvent::Sighted(sighting) => self.sighted(&sighting),
            LogEvent::OutOfSight(why) => self.missed(&why),
            LogEvent::Verified(verified) => self.verified(&verified),
            LogEvent::ReaderEnded => return true,
        }
        false
    }

    /// What is to be done from time to time.
    fn tick(&mut self) {
        let now = Instant::now();
        self.tell_of_letters();
        self.hear_of_snapshots();
        self.snapshots.hand_on();
        self.take_decisions();
        if self.last_look.in_sight && self.reading && self.guard.is_due(now) {
            self.ask(now);
        }
        self.cut_if_due(now);
        let is_unvouched = self.last_look.in_sight && !self.is_another_log() && self.guard.is_unsettled(now);
        self.status.snapshots_unvouched(is_unvouched);
    }

    fn count(&mut self, decoded: &DecodedBatch) {
        let batch = decoded.batch();
        if batch.assignment() != self.assignment {
            return;
        }
        let topic = &self.settings.topic;
        let (sampler, letters) = (&mut self.sampler, &mut self.letters);
        self.counting.apply(decoded, |refusal| {
            letters.copy(batch, &refusal);
            let Refusal { record: BatchRecord { partition, offset, .. }, reason, .. } = refusal;
            if let Some(unsaid) = sampler.sample(reason.name()) {
                let hint = refusal.hint();
                tracing::warn!(topic, %partition, offset, reason = reason.name(), unsaid, "record rejected{hint}");
            }
        });
        if let Some(changes) = self.counting.take_changes(snapshots::PART) {
            self.snapshots.changed(changes);
        }
        let counting = &self.counting;
        self.status.applied(counting.positions(), counting.timestamps(), counting.events());
        for &(partition, _) in batch.ends() {
            self.status.reached_end(partition);
        }
        self.warn_of_keys(batch);
        self.say_when_ready();
    }

    /// Gives the reader what is to be read.
    fn assign(&mut self) {
        let partitions: Vec<_> =
            if self.reading { self.counting.positions().iter().collect() } else { Vec::new() };
        self.assignment = self.reader.assign(partitions);
    }

    fn warn_of_keys(&mut self, batch: &Batch) {
        if self.said.keys || self.counting.positions().iter().nth(1).is_none() {
            return;
        }
        // A few records tell; every batch's first is enough to find out.
        let Some(record) = batch.records().next() else { return };
        // A connector's heartbeat has no value, and no room in its key either.
        if record.value.is_some() && !decode::key_names_a_room(record.key) {
            self.said.keys = true;
            tracing::warn!(
                topic = self.settings.topic,
                partition = %record.partition,
                offset = record.offset,
                "this record's key names no room, and the topic has several partitions: changes of one room \
                 may be applied in the wrong order; key the records by room id, or use one partition"
            );
        }
    }

    fn say_when_ready(&mut self) {
        if !self.said.ready && self.status.complete_as_of().is_some() {
            self.said.ready = true;
            let records = self.counting.events().total();
            let seconds = format!("{:.1}", self.began.elapsed().as_secs_f64());
            tracing::info!(
                topic = self.settings.topic,
                records,
                seconds,
                "ready: every partition is read to its end"
            );
        }
    }
}
