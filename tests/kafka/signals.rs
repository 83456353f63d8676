//! Services that are ended while events pour in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::model::{Event, Model, workload};
use crate::node;
use crate::service::{Service, Setup};
use crate::topic::{Record, Topic};
use crate::wait::until;

/// Between two chunks of the load, so that it lasts without becoming endless work.
const PAUSE: Duration = Duration::from_millis(20);

/// Ends the load when a test has enough of it, or fails.
pub(crate) struct Enough<'a>(pub(crate) &'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends events until told that it is enough; gives all that were sent.
pub(crate) fn pour(topic: &Topic, enough: &AtomicBool) -> Vec<Event> {
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

#[test]
fn a_service_killed_again_and_again_during_a_load_counts_exactly() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 4);
    let setup = Setup::new(&topic);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let pouring = scope.spawn(|| pour(&topic, &enough));
        let enough = Enough(&enough);
        for _ in 0..3 {
            let mut service = setup.serve();
            is_busy(&service);
            service.signal(Signal::KILL);
            let _ = service.ends_within(Duration::from_secs(10));
        }
        let service = setup.serve();
        is_busy(&service);
        drop(enough);
        let events = pouring.join().unwrap();
        service.agrees_with(&Model::of(&events));
    });
}

#[test]
fn an_interrupted_or_terminated_service_ends_well_within_10_s_under_load_and_goes_on_where_it_was() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 4);
    let setup = Setup::new(&topic);
    let (enough, mut kept) = (AtomicBool::new(false), 0);
    let events = thread::scope(|scope| {
        let pouring = scope.spawn(|| pour(&topic, &enough));
        let enough = Enough(&enough);
        for signal in [Signal::TERM, Signal::INT] {
            let mut service = setup.serve();
            is_busy(&service);
            let consumed = service.consumed();
            service.signal(signal);
            let ended = service.ends_within(Duration::from_secs(10));
            assert_eq!(ended.code(), Some(0), "{signal:?}: {ended}");
            let now_kept = setup.kept().iter().sum::<i64>().unsigned_abs();
            assert!(now_kept >= kept + consumed, "what was counted is kept: {now_kept}, {kept}, {consumed}");
            kept = now_kept;
        }
        drop(enough);
        pouring.join().unwrap()
    });
    let service = setup.serve();
    let mut model = Model::of(&events);
    service.agrees_with(&model);
    assert_eq!(service.consumed(), events.len() as u64 - kept, "nothing is read again");
    service.ends();
    let more = workload(5, 100);
    topic.send(&more);
    model.take(&more);
    let service = setup.serve();
    service.agrees_with(&model);
    assert_eq!(service.consumed(), more.len() as u64, "nothing is read again");
}

#[test]
fn a_service_that_waits_for_its_broker_ends_well_within_10_s() {
    let topic = Topic::absent(&format!("127.0.0.1:{}", node::free_port()));
    for signal in [Signal::TERM, Signal::INT] {
        let mut service = Setup::new(&topic).serve();
        until("it waits", || service.logged(&["cannot reach Kafka"]).then_some(()));
        service.signal(signal);
        let ended = service.ends_within(Duration::from_secs(10));
        assert_eq!(ended.code(), Some(0), "{signal:?}: {ended}");
    }
}
