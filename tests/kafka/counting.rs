//! The plain case: several partitions, rooms keyed by their ids.

use crate::model::{Model, workload};
use crate::service::Setup;
use crate::topic::Topic;

#[test]
fn rooms_over_four_partitions_are_counted_exactly_through_repeats_transfers_and_deletions() {
    let topic = Topic::shared(4);
    let events = workload(1, 2_000);
    topic.send(&events);
    let bounds = topic.bounds();
    assert!(bounds.iter().all(|(begin, end)| begin < end), "every partition has records: {bounds:?}");

    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&events));
    assert_eq!(service.consumed(), events.len() as u64, "each record has one result");
    for result in ["counted", "changed", "duplicate", "removed", "unknown_room", "tombstone"] {
        let records = service.metric(&format!("roomtally_events_total{{result=\"{result}\"}}"));
        assert!(records > 0.0, "the workload has some of {result}");
    }
}

#[test]
fn events_that_arrive_while_the_service_runs_are_counted() {
    let topic = Topic::shared(4);
    let service = Setup::new(&topic).serve();
    let mut model = Model::default();
    service.agrees_with(&model);
    for seed in 2..5 {
        let events = workload(seed, 200);
        topic.send(&events);
        model.take(&events);
        service.agrees_with(&model);
    }
}
