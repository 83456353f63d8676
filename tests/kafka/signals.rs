//! Services that are ended while events pour in.

use std::time::Duration;

use rustix::process::Signal;

use crate::load::{is_busy, under_load};
use crate::model::{Model, workload};
use crate::node;
use crate::service::Setup;
use crate::topic::Topic;
use crate::wait::until;

#[test]
fn a_service_killed_again_and_again_during_a_load_counts_exactly() {
    let topic = Topic::shared(4);
    let setup = Setup::new(&topic);
    let (service, events) = under_load(&topic, || {
        for _ in 0..3 {
            let mut service = setup.serve();
            is_busy(&service);
            service.signal(Signal::KILL);
            let _ = service.ends_within(Duration::from_secs(10));
        }
        let service = setup.serve();
        is_busy(&service);
        service
    });
    service.agrees_with(&Model::of(&events));
}

#[test]
fn an_interrupted_or_terminated_service_ends_well_within_10_s_under_load_and_goes_on_where_it_was() {
    let topic = Topic::shared(4);
    let setup = Setup::new(&topic);
    let (kept, events) = under_load(&topic, || {
        let mut kept = 0;
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
        kept
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

#[test]
fn a_service_that_ends_keeps_what_it_counted_and_reads_nothing_more() {
    let topic = Topic::shared(1);
    let setup = Setup::new(&topic);
    let mut service = setup.serve();
    service.reads_to_the_end();
    let events = workload(6, 50);
    topic.send(&events);
    service.agrees_with(&Model::of(&events));
    service.signal(Signal::TERM);
    assert_eq!(service.ends_within(Duration::from_secs(10)).code(), Some(0));
    assert_eq!(setup.kept(), [i64::try_from(events.len()).unwrap()]);
    let reading = format!("reading topic=\"{}\"", topic.name);
    assert_eq!(service.log().matches(&reading).count(), 1);
}
