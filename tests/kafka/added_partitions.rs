//! Topics that grow.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::model::{Event, Model, workload};
use crate::node;
use crate::parallel::side_by_side;
use crate::service::Setup;
use crate::topic::Topic;
use crate::wait::{until, within};

#[test]
fn partitions_added_while_running_are_found_within_15_s_and_read_from_their_beginning() {
    let topic = Topic::shared(1);
    let mut events = workload(31, 100);
    topic.send(&events);
    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&events));

    topic.grow(3);
    until("the partitions are there", || (topic.bounds().len() == 3).then_some(()));
    for (partition, seed) in [(1, 32), (2, 33)] {
        let added: Vec<Event> = workload(seed, 100);
        topic.send_to(partition, &added);
        events.extend(added);
    }
    within(Duration::from_secs(15), "the new partitions are followed", || {
        let (status, body) = service.ready();
        assert_eq!(status, 200, "ready stays true: {body}");
        assert_eq!(service.counts().status, 200, "answers go on");
        (body["partitions"].as_array().unwrap().len() == 3).then_some(())
    });
    service.agrees_with(&Model::of(&events));
    assert_eq!(service.consumed(), events.len() as u64);
}

#[test]
fn records_of_an_added_partition_that_are_gone_before_it_was_ever_seen_are_a_gap() {
    let node = node::shared();
    side_by_side([false, true], |running| {
        let topic = Topic::new(&node.servers(), 1);
        let events = workload(34, 50);
        topic.send(&events);
        let setup = Setup::new(&topic).often();
        let service = setup.serve();
        service.agrees_with(&Model::of(&events));
        let end = i64::try_from(events.len()).unwrap();
        until("all of it is kept", || (setup.kept() == [end]).then_some(()));
        let service = if running {
            service.signal(Signal::STOP);
            Some(service)
        } else {
            service.ends();
            None
        };
        topic.grow(3);
        until("the partitions are there", || (topic.bounds().len() == 3).then_some(()));
        let added = [workload(35, 50), workload(36, 50)];
        for (partition, added) in (1..).zip(&added) {
            topic.send_to(partition, added);
        }
        topic.trim(1, 20);
        let service = if let Some(service) = service {
            service.signal(Signal::CONT);
            service
        } else {
            setup.serve()
        };
        let stopped = service.stops(&[1]);
        let expected = json!({
            "partition": 1, "state": "stopped", "stop": "gap-1-20", "reason": "gap",
            "from": 0, "to": 20, "records": 20,
        });
        assert_eq!(stopped, [expected], "running: {running}");
        until("the stop is kept", || setup.state().filter(|state| state.positions.stops().count() == 1));
        setup.resolve("gap-1-20", "--accept-gap");
        let left = [&events, &added[0][20..], &added[1]].concat();
        service.agrees_with(&Model::of(&left));

        // Who starts for the first time counts from what is there.
        let first = Setup::new(&topic).serve();
        first.agrees_with(&Model::of(&left));
        assert_eq!(first.partition(1)["begins_at"], 20);
    });
}
