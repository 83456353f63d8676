//! The thread that looks after broker and topic.
//!
//! Owns the pace of the looks, one a second, and the orders to the thread: to
//! verify records that were read, and to leave positions with the broker. A look
//! is reported before anything else is done, so that orders never make answers
//! older than they are.
//!
//! Invariant: the look that an order is verified with begins after the order was
//! given, and its identity is asked of the broker then. A topic's id never comes
//! back: where it is the one that was known when reading began, no other log was
//! there in between, and what was applied before the order was read from it.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use crate::kafka::canaries::Canaries;
use crate::kafka::looking::Looking;
use crate::kafka::{Connection, LogEvent, ReadFrom, VerifyOrder};
use crate::log::{NextOffset, Partition};
use crate::room::Timestamp;

/// Between two looks. `x-roomtally-as-of` is at most 5 s old, so there is room
/// for an answer that comes late.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after broker and topic, and takes orders.
#[derive(Debug)]
pub struct Watch(Arc<Orders>);

impl Watch {
    /// Starts the thread. It reports until `stop` or until nobody receives; it
    /// is not waited for, since a question to a broker that is away takes long.
    /// While records are read from another cluster than it sees, it tells of that one.
    ///
    /// # Errors
    /// When the client cannot be made from its properties.
    pub fn start<E: From<LogEvent> + Send + 'static>(
        connection: Connection,
        read_from: ReadFrom,
        events: SyncSender<E>,
        stop: CancellationToken,
        now: fn() -> Timestamp,
    ) -> Result<Self, KafkaError> {
        let orders = Arc::<Orders>::default();
        let watching = Watching {
            canaries: Canaries::new(connection.clone()),
            looking: Looking::new(connection)?.beside(read_from),
            orders: Arc::clone(&orders),
            events,
            now,
        };
        let watch = move || {
            // A panic here must not leave the service with a watch that sees nothing.
            let _ends_the_service = stop.clone().drop_guard();
            watching.run(&stop);
        };
        let thread = thread::Builder::new().name("kafka-watch".to_owned()).spawn(watch);
        thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self(orders))
    }

    /// Looks at once, and finds out whether the log still has these records, at
    /// most one of each partition: [`LogEvent::Verified`] tells, after the
    /// sighting. What cannot be found out is tried again with every look, until a
    /// later order takes its place.
    pub fn verify(&self, order: VerifyOrder) {
        self.0.give(|waiting| waiting.verify = Some(order));
        self.0.given.notify_one();
    }

    /// Leaves these positions with the broker under our `group.id`, with the next
    /// look, for tools that show lag: nothing here ever reads them, and nobody is
    /// told how it went. Positions not left yet are replaced.
    pub fn commit(&self, positions: Vec<(Partition, NextOffset)>) {
        self.0.give(|waiting| waiting.commit = Some(positions));
    }
}

/// What the thread has to do next: a later order replaces one that was not
/// carried out yet, so orders cannot pile up.
#[derive(Debug, Default)]
struct Orders {
    waiting: Mutex<Waiting>,
    given: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    verify: Option<VerifyOrder>,
    commit: Option<Vec<(Partition, NextOffset)>>,
}

impl Orders {
    fn give(&self, order: impl FnOnce(&mut Waiting)) {
        order(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `time`, or until there is something to verify.
    fn wait_until(&self, time: Instant) {
        let left = time.saturating_duration_since(Instant::now());
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.given.wait_timeout_while(waiting, left, |waiting| waiting.verify.is_none());
        drop(wait);
    }
}

struct Watching<E> {
    looking: Looking,
    canaries: Canaries,
    orders: Arc<Orders>,
    events: SyncSender<E>,
    now: fn() -> Timestamp,
}

impl<E: From<LogEvent>> Watching<E> {
    fn run(mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let Waiting { verify, commit } = self.orders.take();
            if let Some(order) = verify {
                self.canaries.order(order);
            }
            if let Some(positions) = commit {
                self.looking.commit(&positions);
            }
            let next = match self.report() {
                Ok(seen_at) => seen_at + INTERVAL,
                Err(()) => return,
            };
            self.orders.wait_until(next);
        }
    }

    /// Looks, and reports it and then what it verifies; an error when nobody
    /// receives any more.
    fn report(&mut self) -> Result<Instant, ()> {
        let seen = self.looking.look((self.now)());
        let seen_at = Instant::now();
        let sighting = match &seen {
            LogEvent::Sighted(sighting) if self.canaries.are_ordered() => Some(sighting.clone()),
            _ => None,
        };
        self.events.send(seen.into()).map_err(drop)?;
        if let Some(verified) = sighting.and_then(|sighting| self.canaries.verify(&sighting)) {
            self.events.send(LogEvent::Verified(verified).into()).map_err(drop)?;
        }
        self.canaries.listen();
        Ok(seen_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: u64) -> VerifyOrder {
        VerifyOrder { number, canaries: Vec::new() }
    }

    #[test]
    fn a_later_order_takes_the_place_of_one_not_carried_out() {
        let watch = Watch(Arc::default());
        let positions = vec![(Partition(0), NextOffset::at(3))];
        watch.verify(order(1));
        watch.commit(positions.clone());
        watch.verify(order(2));
        let Waiting { verify, commit } = watch.0.take();
        assert_eq!((verify, commit), (Some(order(2)), Some(positions)));
        assert!(watch.0.take().verify.is_none());
    }

    #[test]
    fn an_order_wakes_the_thread_and_positions_to_leave_do_not() {
        let watch = Watch(Arc::default());
        watch.commit(Vec::new());
        let (began, short) = (Instant::now(), Duration::from_millis(30));
        watch.0.wait_until(began + short);
        assert!(began.elapsed() >= short);
        thread::scope(|scope| {
            scope.spawn(|| watch.verify(order(1)));
            watch.0.wait_until(began + Duration::from_mins(1));
        });
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
