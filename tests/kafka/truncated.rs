//! A log that is the same topic's and has lost its end, as after an unclean election.

use std::fs::{self, File};

use serde_json::json;

use crate::model::{Event, Model, workload};
use crate::node::Node;
use crate::service::{Service, Setup};
use crate::topic::Topic;
use crate::wait::until;

/// Makes a killed node's partition end where its segment had `length` bytes.
fn cut_off(node: &Node, topic: &Topic, partition: i32, length: u64) {
    let segment = node.segment(&topic.name, partition);
    File::options().write(true).open(&segment).unwrap().set_len(length).unwrap();
    for entry in fs::read_dir(segment.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        // What the node had concluded from the rest.
        if path.extension().is_some_and(|end| end == "index" || end == "timeindex" || end == "snapshot") {
            fs::remove_file(path).unwrap();
        }
    }
}

struct Cut {
    node: Node,
    topic: Topic,
    setup: Setup,
    parts: [Vec<Event>; 2],
    service: Option<Service>,
}

/// Two partitions of 60 records each that were counted, and begin and end behind
/// so many and 30 of them now.
fn cut(running: bool, begin: usize) -> Cut {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 2);
    let parts = [0, 1].map(|partition| workload(820 + partition, 80));
    let lengths = [0, 1].map(|partition| {
        let events = &parts[usize::try_from(partition).unwrap()];
        topic.send_to(partition, &events[..30]);
        let length = node.segment(&topic.name, partition).metadata().unwrap().len();
        topic.send_to(partition, &events[30..60]);
        length
    });
    let setup = Setup::new(&topic).often();
    let service = setup.serve();
    service.agrees_with(&first_model(&parts));
    until("all of it is kept", || (setup.kept() == [60, 60]).then_some(()));
    let service = if running {
        Some(service)
    } else {
        service.ends();
        None
    };
    if begin > 0 {
        (0..2).for_each(|partition| topic.trim(partition, i64::try_from(begin).unwrap()));
        // A node that is killed may forget where its logs begin.
        node.stop();
    } else {
        node.kill();
    }
    for (partition, length) in (0..).zip(lengths) {
        cut_off(&node, &topic, partition, length);
    }
    node.run();
    Cut { node, topic, setup, parts, service }
}

fn first_model(parts: &[Vec<Event>; 2]) -> Model {
    Model::of(&parts.iter().flat_map(|part| part[..60].to_vec()).collect::<Vec<_>>())
}

fn check(running: bool, begin: usize) {
    let Cut { node: _node, topic, setup, parts, service } = cut(running, begin);
    assert_eq!(topic.bounds(), [(i64::try_from(begin).unwrap(), 30); 2]);
    let service = service.unwrap_or_else(|| setup.serve());
    let stopped = service.stops(&[0, 1]);
    for (number, of) in stopped.iter().enumerate() {
        let expected = json!({
            "partition": number, "state": "stopped", "stop": format!("beyond_end-{number}-30"),
            "reason": "beyond_end", "from": 60, "to": 30, "records": 0,
        });
        assert_eq!(*of, expected);
    }
    if !running {
        assert_eq!(service.consumed(), 0, "nothing is read");
    }
    until("the stops are kept", || (setup.state()?.positions.stops().count() == 2).then_some(()));
    service.ends();
    // More records than before are no decision either.
    for (partition, part) in (0..).zip(&parts) {
        topic.send_to(partition, &part[60..]);
    }
    let service = setup.serve();
    assert_eq!(service.stops(&[0, 1]), stopped, "a restart is no decision");
    let id = |number: usize| stopped[number]["stop"].as_str().unwrap();
    let refused = setup.command(&["resolve", id(0), "--accept-gap"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--adopt, --rebuild"), "{refused:?}");
    let mut model = first_model(&parts);
    for (number, part) in parts.iter().enumerate() {
        service.refuses_to_answer();
        setup.resolve(id(number), "--adopt");
        model.take(&part[begin..30]);
        model.take(&part[60..]);
    }
    service.agrees_with(&model);
    service.ends();
    let service = setup.serve();
    service.agrees_with(&model);
    assert_eq!(service.consumed(), 0);
}

#[test]
fn a_log_that_lost_its_end_while_the_service_was_away_is_recognised_before_anything_is_read() {
    check(false, 0);
}

#[test]
fn a_log_that_lost_its_end_under_a_running_service_is_recognised() {
    check(true, 0);
}

#[test]
fn a_log_that_had_lost_its_beginning_before_it_lost_its_end_is_recognised() {
    check(true, 5);
}

#[test]
fn a_log_that_lost_its_end_and_has_other_records_in_its_place_is_another_log() {
    let Cut { node: _node, topic, setup, parts, service: _ } = cut(false, 0);
    for (partition, part) in (0..).zip(&parts) {
        topic.send_to(partition, &part[60..]);
    }
    let service = setup.serve();
    let stopped = service.stops(&[0, 1]);
    assert!(stopped.iter().all(|of| of["reason"] == "recreated" && of["stop"] == stopped[0]["stop"]));
    assert_eq!(service.consumed(), 0, "nothing is read");
    let id = stopped[0]["stop"].as_str().unwrap();
    until("the stops are kept", || (setup.state()?.positions.stops().count() == 2).then_some(()));
    service.ends();
    let service = setup.serve();
    assert_eq!(service.stops(&[0, 1]), stopped, "a restart is no decision");
    setup.resolve(id, "--rebuild");
    let left = parts.iter().flat_map(|part| [&part[..30], &part[60..]].concat());
    service.agrees_with(&Model::of(&left.collect::<Vec<_>>()));
}
