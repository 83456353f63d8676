//! Topics that grow.

use std::time::Duration;

use crate::model::{Event, Model, workload};
use crate::service::Setup;
use crate::topic::{Record, Topic};
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
        let to = |event| Record { partition: Some(partition), ..Record::from(event) };
        topic.send_with(&[], added.iter().map(to));
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
