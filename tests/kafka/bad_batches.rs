//! Batches that are damaged on the broker's disk.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::behind::node_behind_a_proxy;
use crate::model::{Event, FIRST_TS, Model, workload};
use crate::node::Node;
use crate::proxy::Way;
use crate::service::Setup;
use crate::topic::{Record, Topic};
use crate::wait::{until, within};

/// For a link over which a batch takes longer than the service waits at first.
const SLOWLY: Duration = Duration::from_mins(2);

/// Sends events as one batch.
fn send_batch(topic: &Topic, partition: i32, events: &[Event]) {
    topic.send_to_with(&[("linger.ms", "500")], partition, events);
}

/// Where the byte that tells a batch's format stands in it.
const FORMAT: u64 = 16;

/// Changes the last byte that is there.
fn damage(segment: &Path) {
    damage_at(segment, length(segment) - 1);
}

fn length(segment: &Path) -> u64 {
    segment.metadata().unwrap().len()
}

fn damage_at(segment: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(segment).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn damaged_batches_are_told_exactly_and_counting_goes_on_behind_them() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 4);
    // Damaged in the middle, at the end, twice in a row, and not at all.
    let parts = [0, 1, 2, 3].map(|partition| workload(800 + partition, 50)[..100].to_vec());
    for (partition, events) in (0..).zip(&parts) {
        send_batch(&topic, partition, &events[..20]);
    }
    let setup = Setup::new(&topic).often();
    let service = setup.serve();
    let mut model = Model::of(&parts.iter().flat_map(|part| part[..20].to_vec()).collect::<Vec<_>>());
    service.agrees_with(&model);
    until("all of it is kept", || (setup.kept() == [20; 4]).then_some(()));
    service.ends();

    let to = [50, 50, 80];
    for (partition, events) in (0..).zip(&parts) {
        let segment = node.segment(&topic.name, partition);
        send_batch(&topic, partition, &events[20..50]);
        if partition < 3 {
            damage(&segment);
        }
        if partition == 2 {
            send_batch(&topic, partition, &events[50..80]);
            damage(&segment);
        }
        match partition {
            0 => send_batch(&topic, partition, &events[50..]),
            2 => send_batch(&topic, partition, &events[80..]),
            _ => {}
        }
    }
    let service = setup.serve();
    let stopped = service.stops(&[0, 1, 2]);
    for (number, to) in to.into_iter().enumerate() {
        let expected = json!({
            "partition": number, "state": "stopped", "stop": format!("bad_batch-{number}-{to}"),
            "reason": "bad_batch", "from": 20, "to": to, "records": to - 20,
        });
        assert_eq!(stopped[number], expected);
    }
    service.has_consumed(30);
    send_batch(&topic, 3, &parts[3][50..]);
    service.has_consumed(80);
    until("the stops are kept", || (setup.state()?.positions.stops().count() == 3).then_some(()));
    service.ends();

    let service = setup.serve();
    assert_eq!(service.stops(&[0, 1, 2]), stopped, "a restart is no decision");
    let refused = setup.command(&["resolve", "bad_batch-0-50", "--adopt"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--accept-gap"), "{refused:?}");
    for (number, to) in to.into_iter().enumerate() {
        service.refuses_to_answer();
        setup.resolve(&format!("bad_batch-{number}-{to}"), "--accept-gap");
    }
    model.take(&parts[0][50..]);
    model.take(&parts[2][80..]);
    model.take(&parts[3][20..]);
    service.agrees_with(&model);

    // What is behind is counted on.
    let more = workload(804, 50);
    send_batch(&topic, 1, &more);
    model.take(&more);
    service.agrees_with(&model);
    service.ends();
    setup.serve().agrees_with(&model);
}

#[test]
fn a_batch_damaged_before_it_is_first_read_stops_its_partition_and_a_rebuild_meets_it_again() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 1);
    let events = workload(810, 50);
    send_batch(&topic, 0, &events[..40]);
    damage(&node.segment(&topic.name, 0));
    send_batch(&topic, 0, &events[40..]);
    let setup = Setup::new(&topic).often();
    let service = setup.serve();
    let stopped = service.stops(&[0]);
    assert_eq!((&stopped[0]["stop"], &stopped[0]["from"]), (&json!("bad_batch-0-40"), &json!(0)));
    setup.resolve("bad_batch-0-40", "--rebuild");
    until("the decision is carried out", || {
        setup.state().filter(|state| !state.decisions.is_empty()).map(drop)
    });
    until("it is met again", || (service.partition(0)["state"] == "stopped").then_some(()));
    setup.resolve("bad_batch-0-40", "--accept-gap");
    service.agrees_with(&Model::of(&events[40..]));
}

/// Each batch takes five seconds to come, longer than a first question waits, and what
/// comes behind the damaged one has to come to know where that ends.
#[test]
fn a_damaged_batch_is_told_exactly_over_a_slow_link() {
    let (proxy, node) = node_behind_a_proxy();
    let topic = Topic::new(&node.servers(), 1);
    topic.send_with(&[], [Record::large(1)]);
    damage(&node.segment(&topic.name, 0));
    topic.send_with(&[], [Record::large(2)]);
    proxy.set(Way::Open, Way::Slow(180_000));
    let service = Setup::new(&topic).through(&proxy.servers()).serve();
    within(SLOWLY, "the partition is stopped", || (service.partition(0)["state"] == "stopped").then_some(()));
    let stopped = service.stops(&[0]);
    assert_eq!((&stopped[0]["stop"], &stopped[0]["from"]), (&json!("bad_batch-0-1"), &json!(0)));
    assert!(service.logged(&["where it ends cannot be found out"]), "the first question waited for less");
}

#[test]
fn a_batch_that_is_damaged_on_its_way_is_read_again_and_stops_nothing() {
    let (proxy, node) = node_behind_a_proxy();
    let topic = Topic::new(&node.servers(), 1);
    let events = workload(830, 50);
    send_batch(&topic, 0, &events[..20]);
    let service = Setup::new(&topic).through(&proxy.servers()).serve();
    let mut model = Model::of(&events[..20]);
    service.agrees_with(&model);
    let damaged = Event::created("damaged-on-its-way", FIRST_TS, None);
    proxy.spoil_once(b"damaged-on-its-way");
    let batch = [&events[20..30], &[damaged], &events[30..40]].concat();
    send_batch(&topic, 0, &batch);
    model.take(&batch);
    service.agrees_with(&model);
    assert!(proxy.has_spoiled() && service.logged(&["WARN", "a batch came damaged"]));
    assert_eq!(service.metric("roomtally_integrity_stops_total{reason=\"bad_batch\"}").to_string(), "0");
    send_batch(&topic, 0, &events[40..]);
    model.take(&events[40..]);
    service.agrees_with(&model);
}

/// The client passes such a batch over after one word about it.
#[test]
fn batches_whose_format_is_damaged_are_told_as_far_as_can_be_and_never_passed_over() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 2);
    let parts = [0, 1].map(|partition| workload(840 + partition, 50)[..50].to_vec());
    for (partition, events) in (0..).zip(&parts) {
        send_batch(&topic, partition, &events[..20]);
    }
    // Of one record, and of several.
    let lengths = [1, 10];
    for ((partition, events), records) in (0..).zip(&parts).zip(lengths) {
        let segment = node.segment(&topic.name, partition);
        let begin = length(&segment);
        send_batch(&topic, partition, &events[20..20 + records]);
        damage_at(&segment, begin + FORMAT);
        send_batch(&topic, partition, &events[20 + records..]);
    }
    let setup = Setup::new(&topic).often();
    let service = setup.serve();
    // A question that is not answered takes some seconds, and another one if the reader
    // is given new orders meanwhile.
    within(SLOWLY, "the second one is stopped", || {
        (service.partition(1)["state"] == "stopped").then_some(())
    });
    let stopped = service.stops(&[0, 1]);
    for (number, to) in [21, 20].into_iter().enumerate() {
        let expected = json!({
            "partition": number, "state": "stopped", "stop": format!("bad_batch-{number}-{to}"),
            "reason": "bad_batch", "from": 20, "to": to, "records": to - 20,
        });
        assert_eq!(stopped[number], expected);
    }
    assert_eq!(service.consumed(), 40, "nothing behind them is read");
    until("the stops are kept", || (setup.state()?.positions.stops().count() == 2).then_some(()));
    setup.resolve("bad_batch-0-21", "--accept-gap");
    until("it is read on", || (service.partition(0)["position"] == 50).then_some(()));

    // What has no end that is known can only be deleted.
    topic.trim(1, 30);
    setup.resolve("bad_batch-1-20", "--accept-gap");
    until("the records in between are missing", || {
        (service.partition(1)["stop"] == "gap-1-30").then_some(())
    });
    until("the stop is kept", || (setup.state()?.positions.stops().count() == 1).then_some(()));
    setup.resolve("gap-1-30", "--accept-gap");
    let counted = [&parts[0][..20], &parts[0][21..], &parts[1][..20], &parts[1][30..]];
    service.agrees_with(&Model::of(&counted.concat()));
}

#[test]
fn that_the_last_record_counted_is_damaged_is_said_once_and_once_that_the_next_one_can_be_read() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 2);
    let events = workload(820, 50);
    send_batch(&topic, 0, &events[..20]);
    let setup = Setup::new(&topic).often();
    let service = setup.serve();
    let counted = |kept: [i64; 2]| until("it is kept", || (setup.kept() == kept).then_some(()));
    counted([20, 0]);
    damage(&node.segment(&topic.name, 0));
    // Each of these is kept after another look at the damaged record.
    for kept in 1..=3 {
        send_batch(&topic, 1, &workload(820 + kept, 1)[..1]);
        counted([20, i64::try_from(kept).unwrap()]);
    }
    send_batch(&topic, 0, &events[20..21]);
    counted([21, 3]);
    for words in [["WARN", "cannot be read any more"], ["INFO", "can be read again"]] {
        assert_eq!(
            service.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count(),
            1
        );
    }
    service.agrees_with(&Model::of(
        &[&events[..21], &workload(821, 1)[..1], &workload(822, 1)[..1], &workload(823, 1)[..1]].concat(),
    ));
}
