//! Records that are deleted before they were read.
//!
//! A campaign of cases that a seed decides: `ROOMTALLY_SEED` and
//! `ROOMTALLY_MINUTES`, without which it is short.

use rustix::process::Signal;
use serde_json::json;

use crate::budget::Budget;
use crate::model::{Event, Model, Random, workload};
use crate::node;
use crate::parallel::side_by_side;
use crate::service::{Service, Setup};
use crate::topic::Topic;
use crate::wait::until;

/// Cases side by side.
const AT_ONCE: usize = 4;

/// What a fetch that is on its way may bring.
const ON_THE_WAY: usize = 5;

#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "a case is what a few coins decide")]
struct Case {
    seed: u64,
    /// Whether the service is there, and held up, while records are deleted.
    running: bool,
    /// Whether the second partition loses records too.
    both: bool,
    /// Whether more is deleted while it is stopped.
    trimmed_further: bool,
    rebuilds: bool,
}

/// One partition: all its events, and how many of them were counted, are there,
/// and are gone.
#[derive(Debug, Clone)]
struct Part {
    number: usize,
    events: Vec<Event>,
    counted: usize,
    gone: usize,
    /// Of these is known that they were counted.
    model: Vec<Event>,
}

fn trim(topic: &Topic, partition: usize, offset: usize) {
    topic.trim(i32::try_from(partition).unwrap(), i64::try_from(offset).unwrap());
}

impl Case {
    fn of(random: &mut Random) -> Self {
        let seed = random.below(1_000_000_u64) as u64;
        let [running, both, trimmed_further, rebuilds] = std::array::from_fn(|_| random.below(2_u64) == 0);
        Self { seed, running, both, trimmed_further, rebuilds }
    }

    fn check(self, servers: &str) {
        let mut random = Random(self.seed);
        let topic = Topic::new(servers, 2);
        let setup = Setup::new(&topic).often();
        let mut parts = [0, 1].map(|number| {
            let events = workload(self.seed * 2 + number as u64, 60);
            let counted = 1 + random.below(40_u64);
            topic.send_to(number, &events[..counted]);
            let model = events[..counted].to_vec();
            Part { number, events, counted, gone: 0, model }
        });
        let service = setup.serve();
        service.agrees_with(&model_of(&parts));
        until("all of it is kept", || (setup.kept() == parts.clone().map(|part| part.next())).then_some(()));

        let service = self.lose(&topic, &setup, service, &mut parts, &mut random);
        let losing = &mut parts[..if self.both { 2 } else { 1 }];
        let numbers: Vec<_> = losing.iter().map(|part| part.number).collect();
        service.stops(&numbers);
        for part in &mut *losing {
            part.is_stopped(&service);
        }
        until("the stops are kept", || {
            let state = setup.state().unwrap();
            (state.positions.stops().count() == numbers.len()).then_some(())
        });
        let told = numbers.iter().map(|&number| service.partition(number)).collect::<Vec<_>>();
        service.ends();

        if self.trimmed_further {
            for part in &mut *losing {
                part.gone += random.below((part.events.len() - part.gone) as u64 + 1);
                trim(&topic, part.number, part.gone);
            }
        }
        let service = setup.serve();
        assert_eq!(service.stops(&numbers), told, "{self:?}: a restart is no decision");
        let id = |number: usize| told[number]["stop"].as_str().unwrap().to_owned();
        let refused = setup.command(&["resolve", &id(0), "--adopt"]);
        assert!(refused.code == Some(1) && refused.stderr.contains("--accept-gap, --rebuild"), "{refused:?}");

        if self.rebuilds {
            // One decision ends all stops.
            setup.resolve(&id(numbers.len() - 1), "--rebuild");
            parts.iter_mut().for_each(|part| part.model = part.events[part.gone..].to_vec());
        } else {
            for part in &mut *losing {
                part.accept(&setup, &service, &id(part.number));
                part.model.extend_from_slice(&part.events[part.gone..]);
            }
        }
        service.agrees_with(&model_of(&parts));
        for part in &parts {
            assert_eq!(service.partition(part.number)["position"], part.events.len(), "{self:?}");
        }
    }

    /// Sends the rest and deletes some of it unread; gives the service that is to
    /// notice.
    fn lose(
        self,
        topic: &Topic,
        setup: &Setup,
        service: Service,
        parts: &mut [Part; 2],
        random: &mut Random,
    ) -> Service {
        let service = if self.running {
            service.signal(Signal::STOP);
            Some(service)
        } else {
            service.ends();
            None
        };
        for part in &mut *parts {
            let rest = &part.events[part.counted..];
            topic.send_to(part.number, &rest[..ON_THE_WAY]);
            topic.send_to(part.number, &rest[ON_THE_WAY..]);
            if self.both || part.number == 0 {
                let first = part.counted + ON_THE_WAY + 1;
                part.gone = first + random.below((part.events.len() - first) as u64 + 1);
                trim(topic, part.number, part.gone);
            } else {
                part.model = part.events.clone();
            }
        }
        match service {
            Some(service) => {
                service.signal(Signal::CONT);
                service
            }
            None => setup.serve(),
        }
    }
}

impl Part {
    fn next(&self) -> i64 {
        i64::try_from(self.counted).unwrap()
    }

    /// The stop tells exactly what is missing.
    #[track_caller]
    fn is_stopped(&mut self, service: &Service) {
        let (of, number, to) = (service.partition(self.number), self.number, self.gone);
        let from = usize::try_from(of["from"].as_u64().unwrap()).unwrap();
        let brought = from - self.counted;
        assert!(brought == 0 || brought == ON_THE_WAY, "{of}, counted {}", self.counted);
        let expected = json!({
            "partition": number, "state": "stopped", "stop": format!("gap-{number}-{to}"), "reason": "gap",
            "from": from, "to": to, "records": to - from,
        });
        assert_eq!(of, expected);
        self.model = self.events[..from].to_vec();
    }

    /// Accepts what is missing, and what is missing behind it too.
    #[track_caller]
    fn accept(&self, setup: &Setup, service: &Service, id: &str) {
        setup.resolve(id, "--accept-gap");
        service.takes_the_decision(self.number, id);
        let further = format!("gap-{}-{}", self.number, self.gone);
        if id != further {
            let stopped = service.stops(&[self.number]);
            assert_eq!(stopped[0]["stop"], further, "{stopped:?}");
            setup.resolve(&further, "--accept-gap");
        }
    }
}

fn model_of(parts: &[Part]) -> Model {
    Model::of(&parts.iter().flat_map(|part| part.model.clone()).collect::<Vec<_>>())
}

#[test]
fn records_deleted_unread_are_told_exactly_and_counting_goes_on_exactly_where_it_was_decided() {
    let node = node::shared();
    let budget = Budget::told();
    let (mut random, mut cases) = (Random(budget.seed), 0);
    loop {
        let round = [(); AT_ONCE].map(|()| Case::of(&mut random));
        side_by_side(round, |case| {
            let checked = std::panic::catch_unwind(|| case.check(&node.servers()));
            checked.unwrap_or_else(|_| panic!("{case:?}"));
        });
        cases += AT_ONCE;
        if budget.is_spent() {
            break;
        }
    }
    let seed = budget.seed;
    eprintln!("seed {seed}: {cases} cases of records deleted unread, none told or counted wrong");
}
