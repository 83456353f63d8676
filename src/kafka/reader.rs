//! The thread that takes records from the log.
//!
//! Owns the consumer. It reads exactly the partitions and from exactly the
//! positions that it is given, joins no group, stores no offset, and passes on
//! what comes, decoded and in order; replays after a new assignment are for the receiver to
//! drop. Batches come back once they are counted, and their messages are given back here. It
//! ends when told to stop or when nobody receives any more.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use tokio_util::sync::CancellationToken;

use crate::kafka::bad_batch::{End, Search, Unknown};
use crate::kafka::context::Context;
use crate::kafka::looking::offsets;
use crate::kafka::queue::Queue;
use crate::kafka::{Connection, DecodedBatch, Decoder, Fault, FaultKind, LogEvent, ReadFrom};
use crate::log::{NextOffset, Partition};

/// Records taken at a time: what is counted within a millisecond or so, and is known to be read
/// only then.
const BATCH_RECORDS: usize = 1_000;

/// How long an idle reader waits before it looks for orders.
const IDLE: Duration = Duration::from_millis(100);

/// Batches that are kept to be used again, and as many that come back meanwhile. One that finds
/// no place among these is freed where it is: the reader waits for a place in the other channel,
/// or the topic's end has been reached and its memory is not needed any more.
const SPARE_BATCHES: usize = 4;

/// Gives orders to the reading thread.
#[derive(Debug)]
pub struct Reader {
    order: NextOrder,
    thread: JoinHandle<()>,
    assigned: Cell<u64>,
    read_from: ReadFrom,
    used: SyncSender<DecodedBatch>,
}

/// What the thread has to do next, if anything: a later order replaces one that
/// was not carried out yet, so orders cannot pile up.
type NextOrder = Arc<Mutex<Option<Order>>>;

/// Read these partitions from these positions, and no others.
#[derive(Debug)]
struct Order {
    assignment: u64,
    partitions: Vec<(Partition, NextOffset)>,
    /// With a new client, whose time for an answer is doubled so many times.
    rebuild: Option<u32>,
}

impl Reader {
    /// Starts the thread. It passes on what it reads until `stop`, and holds a
    /// sender for as long as it lives; `read_from` tells which cluster that is from.
    ///
    /// # Errors
    /// When the client cannot be made from its properties.
    pub fn start<E: From<LogEvent> + Send + 'static>(
        connection: Connection,
        decoder: Decoder,
        read_from: ReadFrom,
        events: SyncSender<E>,
        stop: CancellationToken,
    ) -> Result<Self, KafkaError> {
        let order = NextOrder::default();
        let queue = queue(&connection, 0)?;
        let search = Search::new(&connection, stop.clone());
        let (used, used_here) = sync_channel(SPARE_BATCHES);
        let reading = Reading {
            connection,
            decoder,
            queue,
            retired: Vec::new(),
            search,
            assignment: 0,
            order: Arc::clone(&order),
            read_from: read_from.clone(),
            used: used_here,
            spare: Vec::new(),
            events,
            stop,
        };
        let thread = thread::Builder::new().name("kafka-reader".to_owned()).spawn(move || reading.run());
        let thread = thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { order, thread, assigned: Cell::new(0), read_from, used })
    }

    /// Reads these partitions from these positions, and no others. What comes of it
    /// has this number; what has another comes of an earlier order.
    pub fn assign(&self, partitions: Vec<(Partition, NextOffset)>) -> u64 {
        self.give(partitions, None)
    }

    /// As [`Reader::assign`], with a new client, whose time for an answer is the
    /// usual one doubled so many times.
    pub fn rebuild(&self, partitions: Vec<(Partition, NextOffset)>, doublings: u32) -> u64 {
        self.give(partitions, Some(doublings))
    }

    fn give(&self, partitions: Vec<(Partition, NextOffset)>, rebuild: Option<u32>) -> u64 {
        let assignment = self.assigned.get() + 1;
        self.assigned.set(assignment);
        if partitions.is_empty() {
            self.read_from.end();
        }
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let rebuild = rebuild.or(order.as_ref().and_then(|earlier| earlier.rebuild));
        *order = Some(Order { assignment, partitions, rebuild });
        assignment
    }

    /// Takes a batch back whose records are not needed any more.
    pub fn reuse(&self, batch: DecodedBatch) {
        // Without a place for it, it is freed.
        let _ = self.used.try_send(batch);
    }

    /// Waits for the thread, which was told to stop; says whether it ended well.
    pub fn join(self) -> bool {
        let Self { thread, used, .. } = self;
        // No batch comes back any more.
        drop(used);
        thread.join().is_ok()
    }
}

struct Reading<E: From<LogEvent>> {
    connection: Connection,
    decoder: Decoder,
    queue: Queue,
    /// Earlier clients, until no batch has messages of them: they end on this thread.
    retired: Vec<Queue>,
    search: Search,
    /// The order that was carried out last.
    assignment: u64,
    order: NextOrder,
    read_from: ReadFrom,
    used: Receiver<DecodedBatch>,
    /// Emptied, to be filled again.
    spare: Vec<DecodedBatch>,
    events: SyncSender<E>,
    stop: CancellationToken,
}

impl<E: From<LogEvent>> Reading<E> {
    fn run(mut self) {
        while !self.stop.is_cancelled() {
            let order = self.order.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(Err(error)) = order.map(|order| self.obey(order)) {
                tracing::error!(%error, "cannot read the partitions; trying again soon with a new client");
            }
            if self.pass_on().is_err() {
                break;
            }
        }
    }

    /// Passes on what has come; an error when nobody receives any more.
    fn pass_on(&mut self) -> Result<(), ()> {
        self.take_back();
        let mut decoded = self.spare.pop().unwrap_or_default();
        decoded.batch.reuse(self.assignment);
        let mut faults = Vec::new();
        self.queue.take(IDLE, &mut decoded.batch, |fault| faults.push(fault));
        if decoded.batch.is_empty() {
            self.spare.push(decoded);
        } else {
            self.decoder.decode(&mut decoded);
            self.tell(LogEvent::Batch(decoded))?;
        }
        for fault in faults {
            if let Some(fault) = self.complete(fault) {
                self.tell(LogEvent::Fault(fault, self.assignment))?;
            }
        }
        Ok(())
    }

    /// Empties batches that were counted, and ends clients that nothing is left of.
    fn take_back(&mut self) {
        while let Ok(mut decoded) = self.used.try_recv() {
            decoded.batch.clear();
            if self.spare.len() < SPARE_BATCHES {
                self.spare.push(decoded);
            }
        }
        self.retired.retain(Queue::is_lent);
    }

    /// Finds out where a bad batch ends. What cannot be found out is met again: the
    /// partition stands still until it is given anew.
    fn complete(&mut self, fault: Fault) -> Option<Fault> {
        let (true, Some(partition), Some(begin)) = (fault.kind.is_damage(), fault.partition, fault.at) else {
            return Some(fault);
        };
        let end = if fault.kind == FaultKind::BadBatch {
            self.search.end(partition, begin)
        } else {
            self.search.end_in_unknown_format(partition, begin)
        };
        match end {
            Ok(End::Behind(at)) => Some(Fault { kind: FaultKind::BadBatch, at: Some(at), ..fault }),
            Ok(End::Untold) => {
                let message =
                    format!("{}; it has several records, and the client cannot tell how many", fault.message);
                Some(Fault { kind: FaultKind::BadBatch, at: None, message, ..fault })
            }
            Ok(End::Whole) => {
                tracing::warn!(
                    %partition,
                    offset = begin.as_offset(),
                    "a batch came damaged, and is whole when it is asked for again: it is read again"
                );
                // Another time the partition stands still until it is given anew, so that
                // one that is damaged by turns is not read without end.
                let before = self.search.was_whole_before(partition, begin);
                (!before).then_some(Fault { kind: FaultKind::WholeAgain, ..fault })
            }
            Err(Unknown::Unanswered(why)) => {
                tracing::warn!(%partition, "a batch is damaged, and where it ends cannot be found out: {why}");
                None
            }
            Err(Unknown::Stopped) => None,
        }
    }

    fn tell(&self, event: LogEvent) -> Result<(), ()> {
        self.events.send(event.into()).map_err(drop)
    }

    fn obey(&mut self, order: Order) -> KafkaResult<()> {
        let Order { assignment, partitions, rebuild } = order;
        // What a client heard of a cluster before it read may not be so any more.
        let begins = !partitions.is_empty() && !self.read_from.is_any();
        let anew = begins || self.queue.has_lost_its_place();
        if let Some(doublings) = rebuild.or(anew.then_some(0)) {
            let anew = queue(&self.connection, doublings)?;
            // What it fetched by now is of an earlier order, and what it knows of no use.
            self.read_from.end();
            let _ = self.queue.consumer().unassign();
            self.retired.push(std::mem::replace(&mut self.queue, anew));
        }
        self.assignment = assignment;
        self.search.forget_unless_among(&partitions);
        self.queue.consumer().assign(&offsets(&self.connection.topic, &partitions)?)?;
        if partitions.is_empty() {
            self.read_from.end();
        } else {
            self.read_from.begin(self.queue.consumer());
        }
        Ok(())
    }
}

impl<E: From<LogEvent>> Drop for Reading<E> {
    /// However the thread ends, whoever waits for records learns that none come. The clients
    /// end on this thread, behind the last batch that has messages of theirs.
    fn drop(&mut self) {
        let _ = self.queue.consumer().unassign();
        let _ = self.tell(LogEvent::ReaderEnded);
        // The one that was filled last holds the client even where nothing came.
        self.spare.clear();
        while self.queue.is_lent() || !self.retired.is_empty() {
            match self.used.recv_timeout(IDLE) {
                Ok(decoded) => drop(decoded),
                // One that found no place here was freed elsewhere.
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.retired.retain(Queue::is_lent);
        }
    }
}

fn queue(connection: &Connection, doublings: u32) -> KafkaResult<Queue> {
    let consumer = connection.patient_consumer(Context::default(), doublings)?;
    Ok(Queue::new(consumer, BATCH_RECORDS))
}
