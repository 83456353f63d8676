//! Another log in the place of the one that was counted, in every shape.
//!
//! A table of cases: whether the service runs when the log is replaced, how long
//! the new log is, whether it has more partitions, and how it came there. Cases of
//! one way share their brokers and run side by side.

use serde_json::Value;

use crate::model::{Event, Model, workload};
use crate::node::{self, Node};
use crate::parallel::side_by_side;
use crate::service::{Service, Setup};
use crate::topic::{FOR_EVER, Topic};
use crate::wait::until;

/// Records of each partition of the first log.
const FIRST: usize = 60;

/// Partitions of the first log.
const PARTITIONS: usize = 2;

#[derive(Debug, Clone, Copy)]
struct Case {
    running: bool,
    /// Records of each partition of the new log.
    records: usize,
    partitions: usize,
    adopts: bool,
}

/// What a case has come to before the log is replaced.
struct Counted {
    case: Case,
    topic: Topic,
    setup: Setup,
    service: Option<Service>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for running in [false, true] {
        for records in [20, FIRST, 100] {
            for partitions in [PARTITIONS, PARTITIONS + 1] {
                cases.push(Case { running, records, partitions, adopts: cases.len() % 2 == 0 });
            }
        }
    }
    cases
}

/// The whole history of a partition: both logs are a part of it, so that they know
/// the same rooms.
fn history(partition: usize) -> Vec<Event> {
    workload(700 + partition as u64, 80)
}

fn first_log(partition: usize) -> Vec<Event> {
    history(partition)[..FIRST].to_vec()
}

impl Case {
    fn new_log(self, partition: usize) -> Vec<Event> {
        history(partition)[FIRST..FIRST + self.records].to_vec()
    }

    /// A service that has counted the first log, ended or not.
    fn begin(self, servers: &str) -> Counted {
        let topic = Topic::new(servers, i32::try_from(PARTITIONS).unwrap());
        (0..PARTITIONS).for_each(|partition| topic.send_to(partition, &first_log(partition)));
        let setup = Setup::new(&topic).often();
        let service = setup.serve();
        service.agrees_with(&first_model());
        until("all of it is kept", || (setup.kept() == [60, 60]).then_some(()));
        let service = if self.running {
            Some(service)
        } else {
            service.ends();
            None
        };
        Counted { case: self, topic, setup, service }
    }
}

fn first_model() -> Model {
    Model::of(&(0..PARTITIONS).flat_map(first_log).collect::<Vec<_>>())
}

impl Counted {
    /// Makes the new log, which a broker at these servers has.
    fn make_new_log(&self, servers: &str) {
        let (topic, partitions) = (self.topic.through(servers), self.case.partitions);
        let count = i32::try_from(partitions).unwrap();
        until("the name is free", || topic.try_create(count, &[FOR_EVER]).ok());
        (0..partitions).for_each(|partition| topic.send_to(partition, &self.case.new_log(partition)));
    }

    /// Sees that the new log is recognised, and decides on it.
    fn ends_well(self) {
        let Self { case, topic: _, setup, service } = self;
        let service = service.unwrap_or_else(|| setup.serve());
        let id = stops_all(&service);
        if !case.running {
            assert_eq!(service.consumed(), 0, "{case:?}: nothing is read of another log");
        }
        until("the stop is kept", || is_kept(&setup, &id).then_some(()));
        holds_the_first_log_alone(&setup);

        service.ends();
        let service = setup.serve();
        assert_eq!(stops_all(&service), id, "{case:?}: a restart is no decision");
        assert_eq!(service.consumed(), 0, "{case:?}: a restart reads nothing");
        refuses_what_does_not_fit(&setup, &id);
        holds_the_first_log_alone(&setup);

        let mut model = if case.adopts { first_model() } else { Model::default() };
        setup.resolve(&id, if case.adopts { "--adopt" } else { "--rebuild" });
        service.takes_the_decision(0, &id);
        let new: Vec<_> = (0..case.partitions).flat_map(|partition| case.new_log(partition)).collect();
        model.take(&new);
        service.agrees_with(&model);
        assert_eq!(service.consumed(), new.len() as u64, "{case:?}: the new log is read once");

        until("the decision's file is gone", || {
            setup.files().iter().all(|name| !name.starts_with(&id)).then_some(())
        });
        let shown = setup.command(&["snapshot", "show"]);
        assert!(shown.stdout.contains(&format!("decided on {id}")), "{shown:?}");
        assert!(!shown.stdout.contains("stopped:"), "{shown:?}");
        service.ends();
        let service = setup.serve();
        service.agrees_with(&model);
        assert_eq!(service.consumed(), 0, "{case:?}: all of it was kept");
    }
}

/// Waits until every partition that was read is stopped; the id that they share.
#[track_caller]
fn stops_all(service: &Service) -> String {
    let stopped = service.stops(&[0, 1]);
    for of in &stopped {
        assert_eq!(of["reason"], "recreated", "{of}");
        assert_eq!(of["stop"], stopped[0]["stop"], "partitions stopped by one cause share an id");
        assert_eq!((&of["from"], &of["to"]), (&Value::from(FIRST), &Value::from(FIRST)), "{of}");
    }
    stopped[0]["stop"].as_str().unwrap().to_owned()
}

fn is_kept(setup: &Setup, id: &str) -> bool {
    let state = setup.state().unwrap();
    state.positions.all().all(|(_, of)| of.stop.as_ref().is_some_and(|stop| stop.id.as_str() == id))
}

/// Every generation is whole, and none knows more than the first log.
#[track_caller]
fn holds_the_first_log_alone(setup: &Setup) {
    let directory = roomtally::snapshot::look(&setup.data()).unwrap();
    for checked in roomtally::snapshot::verify(&directory).unwrap() {
        let state = checked.result.unwrap();
        let positions: Vec<_> = state.positions.all().map(|(_, of)| of.next.as_offset()).collect();
        assert!(positions.len() == PARTITIONS && positions.iter().all(|&of| of <= 60), "{positions:?}");
    }
    let state = setup.state().unwrap();
    assert_eq!(state.rooms, first_model().rooms() as u64);
    assert_eq!(setup.kept(), [60, 60]);
    assert_eq!(setup.command(&["snapshot", "verify"]).code, Some(0));
}

#[track_caller]
fn refuses_what_does_not_fit(setup: &Setup, id: &str) {
    let before = (setup.files(), setup.state());
    for (stop, decision, word) in
        [(id, "--accept-gap", "--adopt, --rebuild"), ("recreated-00000000", "--adopt", id)]
    {
        let ended = setup.command(&["resolve", stop, decision]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(word), "{ended:?}");
    }
    assert_eq!((setup.files(), setup.state()), before, "nothing is changed");
}

/// Carries out every case side by side; `replace` gives them all another log.
fn check(servers: &str, replace: impl FnOnce(&[Counted])) {
    let counted = side_by_side(cases(), |case| case.begin(servers));
    replace(&counted);
    side_by_side(counted, Counted::ends_well);
}

#[test]
fn a_topic_deleted_and_made_anew_is_recognised_kept_out_and_decided_on_whatever_its_shape() {
    let node = node::shared();
    check(&node.servers(), |counted| {
        side_by_side(counted, |counted| {
            counted.topic.delete();
            counted.make_new_log(&node.servers());
        });
    });
}

#[test]
fn another_broker_at_the_same_address_is_recognised_kept_out_and_decided_on_whatever_its_log() {
    let first = Node::start();
    let mut second = Node::start();
    check(&first.servers(), |counted| {
        // It has all its logs when it comes to the address: what a reader finds there may
        // reach past its position at once.
        side_by_side(counted, |counted| counted.make_new_log(&second.servers()));
        second.stop();
        first.stop();
        second.takes_place_of(&first);
        second.run();
    });
}
