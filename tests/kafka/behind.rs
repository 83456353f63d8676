//! A service that reaches its broker through a proxy, and a test that does not.
//!
//! Owns what was sent, and the model of it: every comparison is with the whole.

use std::thread;
use std::time::{Duration, Instant};

use crate::model::{Event, workload};
use crate::node::Node;
use crate::proxy::Proxy;
use crate::sent::Sent;
use crate::service::{Service, Setup};
use crate::topic::Topic;
use crate::wait::within;

/// Nothing heals by itself after so long: it hangs.
const HANG: Duration = Duration::from_secs(30);

/// A node of one's own, and another way to it that can be disturbed.
pub(crate) fn node_behind_a_proxy() -> (Proxy, Node) {
    let mut proxy = Proxy::new();
    let node = Node::behind(proxy.port());
    node.run();
    proxy.lead_to(node.behind_port());
    (proxy, node)
}

pub(crate) struct Behind {
    pub(crate) service: Service,
    pub(crate) proxy: Proxy,
    pub(crate) node: Node,
    topic: Topic,
    partitions: usize,
    sent: Sent,
    batches: u64,
}

impl Behind {
    /// A service with these lines in its section `[kafka]`, current.
    pub(crate) fn start(partitions: i32, kafka: &str) -> Self {
        let (proxy, node) = node_behind_a_proxy();
        let topic = Topic::new(&node.servers(), partitions);
        let service = Setup::new(&topic).through(&proxy.servers()).kafka(kafka).serve();
        let partitions = usize::try_from(partitions).unwrap();
        let mut behind = Self { service, proxy, node, topic, partitions, sent: Sent::default(), batches: 0 };
        behind.send(1, 100);
        behind.recovers();
        behind
    }

    /// Sends the changes of so many rooms, and returns when all are acknowledged.
    /// Rooms come back, so that a long campaign does not have ever more of them.
    pub(crate) fn send(&mut self, seed: u64, rooms: u64) {
        let events = self.next(seed, rooms);
        self.topic.send(&events);
    }

    /// Sends the same while something else is done.
    pub(crate) fn send_during(&mut self, seed: u64, rooms: u64, work: impl FnOnce(&Self)) {
        let events = self.next(seed, rooms);
        let topic = self.topic.clone();
        thread::scope(|scope| {
            scope.spawn(|| topic.send(&events));
            work(self);
        });
    }

    fn next(&mut self, seed: u64, rooms: u64) -> Vec<Event> {
        let mut events = workload(seed, rooms);
        for event in &mut events {
            let (_, id) = event.room.split_once('-').unwrap();
            event.room = format!("{}-{id}", self.batches % 8);
        }
        self.batches += 1;
        self.sent.take(&events);
        events
    }

    /// Waits until everything is applied and nothing lags; says how long it took.
    #[track_caller]
    pub(crate) fn recovers(&self) -> Duration {
        let began = Instant::now();
        let ends: Vec<_> = self.topic.bounds().into_iter().map(|(_, end)| end).collect();
        within(HANG, "everything is applied and nothing lags", || {
            let (status, body) = self.service.ready();
            let of = |name: &str| -> Vec<_> {
                let partitions = body["partitions"].as_array().unwrap();
                partitions.iter().map(|partition| partition[name].as_i64().unwrap()).collect()
            };
            let known = status == 200 && body["kafka"]["state"] == "connected" && of("end") == ends;
            (known && of("position") == ends && self.lag() == 0.0).then(|| began.elapsed())
        })
    }

    /// Records that wait in front of the positions, by the metrics.
    fn lag(&self) -> f64 {
        let series = |of| format!("roomtally_consumer_lag_records{{partition=\"{of}\"}}");
        (0..self.partitions).map(|partition| self.service.metric(&series(partition))).sum()
    }

    /// Every answer is the model's, and every record was consumed once.
    #[track_caller]
    pub(crate) fn is_exact(&self) {
        self.sent.is_exact(&self.service, "it was disturbed");
    }
}
