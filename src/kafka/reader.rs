//! The thread that takes records from the log.
//!
//! Owns the consumer. It reads exactly the partitions and from exactly the
//! positions that it is given, joins no group, stores no offset, and passes on
//! what comes, in order; replays after a new assignment are for the receiver to
//! drop. It ends when told to stop or when nobody receives any more.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use crate::kafka::context::Context;
use crate::kafka::queue::Queue;
use crate::kafka::{Batch, Connection, LogEvent};
use crate::log::{NextOffset, Partition};

/// Records taken at a time. A batch is applied under one lock, for which
/// queries wait, so it is kept to what applies within a millisecond or so.
const BATCH_RECORDS: usize = 1_000;

/// How long an idle reader waits before it looks for orders.
const IDLE: Duration = Duration::from_millis(100);

/// Gives orders to the reading thread.
#[derive(Debug)]
pub struct Reader {
    order: NextOrder,
    thread: JoinHandle<()>,
}

/// What the thread has to do next, if anything: a later order replaces one that
/// was not carried out yet, so orders cannot pile up.
type NextOrder = Arc<Mutex<Option<Order>>>;

/// Read these partitions from these positions, and no others.
#[derive(Debug)]
struct Order {
    partitions: Vec<(Partition, NextOffset)>,
    /// With a new client.
    rebuild: bool,
}

impl Reader {
    /// Starts the thread. It passes on what it reads until `stop`, and holds a
    /// sender for as long as it lives.
    ///
    /// # Errors
    /// When the client cannot be made from its properties.
    pub fn start(
        connection: Connection,
        events: SyncSender<LogEvent>,
        stop: CancellationToken,
    ) -> Result<Self, KafkaError> {
        let order = NextOrder::default();
        let queue = queue(&connection)?;
        let reading = Reading { connection, queue, order: Arc::clone(&order), events, stop };
        let thread = thread::Builder::new().name("kafka-reader".to_owned()).spawn(move || reading.run());
        let thread = thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { order, thread })
    }

    /// Reads these partitions from these positions, and no others.
    pub fn assign(&self, partitions: Vec<(Partition, NextOffset)>) {
        self.give(partitions, false);
    }

    /// Gives up the client and reads on with a new one.
    pub fn rebuild(&self, partitions: Vec<(Partition, NextOffset)>) {
        self.give(partitions, true);
    }

    fn give(&self, partitions: Vec<(Partition, NextOffset)>, rebuild: bool) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let rebuild = rebuild || order.as_ref().is_some_and(|earlier| earlier.rebuild);
        *order = Some(Order { partitions, rebuild });
    }

    /// Waits for the thread, which was told to stop; says whether it ended well.
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

struct Reading {
    connection: Connection,
    queue: Queue,
    order: NextOrder,
    events: SyncSender<LogEvent>,
    stop: CancellationToken,
}

impl Reading {
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
        let mut batch = Batch::default();
        let mut faults = Vec::new();
        self.queue.take(IDLE, &mut batch, |fault| faults.push(fault));
        if !batch.is_empty() {
            self.events.send(LogEvent::Batch(batch)).map_err(drop)?;
        }
        for fault in faults {
            self.events.send(LogEvent::Fault(fault)).map_err(drop)?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> KafkaResult<()> {
        let Order { partitions, rebuild } = order;
        if rebuild {
            self.queue = queue(&self.connection)?;
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (partition, next) in partitions {
            let offset = Offset::Offset(next.as_offset());
            list.add_partition_offset(&self.connection.topic, partition.0, offset)?;
        }
        self.queue.consumer().assign(&list)
    }
}

impl Drop for Reading {
    /// However the thread ends, whoever waits for records learns that none come.
    fn drop(&mut self) {
        let _ = self.events.send(LogEvent::ReaderEnded);
    }
}

fn queue(connection: &Connection) -> KafkaResult<Queue> {
    Ok(Queue::new(connection.consumer(Context::default())?, BATCH_RECORDS))
}
