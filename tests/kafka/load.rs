//! Events that pour in while something else is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::model::{Event, workload};
use crate::service::Service;
use crate::topic::{Record, Topic};
use crate::wait::until;

/// Between two chunks of the load, so that it lasts without becoming endless work.
const PAUSE: Duration = Duration::from_millis(20);

/// Ends the load when a test has enough of it, or fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends events while `work` is done; what came of it, and all that was sent.
pub(crate) fn under_load<T>(topic: &Topic, work: impl FnOnce() -> T) -> (T, Vec<Event>) {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let pouring = scope.spawn(|| pour(topic, &enough));
        let ends = Enough(&enough);
        let done = work();
        drop(ends);
        (done, pouring.join().unwrap())
    })
}

/// Sends events until told that it is enough; gives all that were sent.
fn pour(topic: &Topic, enough: &AtomicBool) -> Vec<Event> {
    let sender = topic.sender(&[]);
    let (mut sent, mut seed) = (Vec::new(), 1_000);
    while !enough.load(Ordering::Relaxed) {
        let events = workload(seed, 100);
        topic.put(&sender, events.iter().map(Record::from));
        sent.extend(events);
        seed += 1;
        thread::sleep(PAUSE);
    }
    sent
}

#[track_caller]
pub(crate) fn is_busy(service: &Service) {
    until("the service counts", || (service.consumed() > 1_000).then_some(()));
}
