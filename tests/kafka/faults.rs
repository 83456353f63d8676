//! A campaign of faults between the service and its broker.
//!
//! Each round injects one fault while records are sent, ends it, and measures
//! the time from the instant at which the broker answers again until nothing
//! lags; then every answer is compared with the model's. A seed decides order
//! and lengths. By itself each fault comes once; `docs/reliability.md` tells of
//! the long form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::behind::Behind;
use crate::budget::Budget;
use crate::model::Random;
use crate::node::Node;
use crate::proxy::Way;

/// What happens to the broker or to the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// It is stopped in order, and started again.
    Restart,
    /// It is killed, and started again.
    Kill,
    /// It stands still, and runs on.
    Pause,
    /// All connections are reset and others refused, for a while.
    Cut,
    /// Connections are cut again and again in the middle of what is sent.
    CutWithin,
    /// Nothing comes through in one direction or both; then all of it does.
    Stall,
    /// Nothing comes through the old connections any more, new ones work.
    Strand,
    /// Nothing comes through; then it does on new connections, and those that were
    /// made until then stay dead.
    StallAndStrand,
    /// The way is slow.
    Slow,
}

const FAULTS: [Fault; 9] = [
    Fault::Restart,
    Fault::Kill,
    Fault::Pause,
    Fault::Cut,
    Fault::CutWithin,
    Fault::Stall,
    Fault::Strand,
    Fault::StallAndStrand,
    Fault::Slow,
];

/// Rooms whose changes are sent in a round.
const ROOMS: u64 = 150;

/// How long a fault lasts: from a moment, which the client may not even notice,
/// up to this, in short and in long campaigns.
const SHORT_MS: u64 = 2_500;
const LONG_MS: u64 = 15_000;

/// In which 99 % of the rounds are to be current again; what takes longer is worth a
/// look at the log.
const LATE: Duration = Duration::from_secs(5);

struct Campaign {
    behind: Behind,
    random: Random,
    lasts_ms_max: u64,
    took: BTreeMap<Fault, Vec<Duration>>,
}

impl Campaign {
    fn round(&mut self, fault: Fault) {
        let lasts = Duration::from_millis(200 + self.random.below(self.lasts_ms_max - 200) as u64);
        let seed = self.random.below(u64::from(u32::MAX)) as u64;
        eprintln!("{fault:?} for {lasts:?}");
        match fault {
            Fault::Restart | Fault::Kill => self.restart(fault, seed),
            Fault::Pause => {
                self.behind.node.pause();
                // The producer waits for the broker as the service does.
                self.behind.send_during(seed, ROOMS, |behind| {
                    last(lasts);
                    behind.node.resume();
                });
            }
            _ => self.on_the_way(fault, lasts, seed),
        }
        let took = self.behind.recovers();
        eprintln!("{fault:?}: current again after {took:?}");
        if took > LATE {
            eprintln!("--- that is late; the service's log ---\n{}---", self.behind.service.log());
        }
        self.behind.is_exact();
        self.took.entry(fault).or_default().push(took);
    }

    fn restart(&mut self, fault: Fault, seed: u64) {
        self.behind.send(seed, ROOMS / 2);
        // The way is closed while nobody answers, as it is where the broker's port is.
        let node = &self.behind.node;
        let end = if fault == Fault::Kill { Node::kill } else { Node::stop };
        end(node);
        self.behind.proxy.cut();
        self.behind.node.run();
        self.behind.proxy.open();
        self.behind.send(seed + 1, ROOMS / 2);
    }

    /// The broker is well, and gets records by another way.
    fn on_the_way(&mut self, fault: Fault, lasts: Duration, seed: u64) {
        let began = Instant::now();
        let ways = self.ways(fault);
        let proxy = &self.behind.proxy;
        match fault {
            Fault::Cut => proxy.cut(),
            Fault::Strand => proxy.strand(),
            _ => proxy.set(ways[0], ways[1]),
        }
        self.behind.send(seed, ROOMS);
        if fault != Fault::Strand {
            last(lasts.saturating_sub(began.elapsed()));
        }
        if fault == Fault::StallAndStrand {
            self.behind.proxy.strand();
        }
        self.behind.proxy.open();
    }

    fn ways(&mut self, fault: Fault) -> [Way; 2] {
        let direction = self.random.below(3_u64);
        let rate = 2_000 + self.random.below(100_000_u64);
        let bytes = 50 + self.random.below(20_000_u64);
        match (fault, direction) {
            (Fault::CutWithin, 0) => [Way::CutAfter(bytes), Way::Open],
            (Fault::CutWithin, _) => [Way::Open, Way::CutAfter(bytes)],
            (Fault::Stall, 0) => [Way::Stalled, Way::Open],
            (Fault::Stall, 1) => [Way::Open, Way::Stalled],
            (Fault::Stall | Fault::StallAndStrand, _) => [Way::Stalled, Way::Stalled],
            (Fault::Slow, 0) => [Way::Slow(rate), Way::Slow(rate)],
            (Fault::Slow, _) => [Way::Open, Way::Slow(rate)],
            _ => [Way::Open, Way::Open],
        }
    }

    /// How long each round took to be current again.
    fn all(&self) -> Vec<Duration> {
        self.took.values().flatten().copied().collect()
    }

    /// The totals, in lines that can be pasted.
    fn totals(&self, seed: u64) -> String {
        let all = self.all();
        let mut text = format!("seed {seed}: {} rounds, lost 0, double 0\n", all.len());
        let faults = self.took.iter().map(|(fault, took)| (format!("{fault:?}"), took));
        for (name, took) in faults.chain([("all".to_owned(), &all)]) {
            let [p50, p99, max] = [50, 99, 100].map(|part| percentile(took, part).as_secs_f64());
            let rounds = took.len();
            writeln!(text, "| {name} | {rounds} | {p50:.2} s | {p99:.2} s | {max:.2} s |").unwrap();
        }
        text
    }
}

/// The least time that so many of a hundred do not exceed.
fn percentile(took: &[Duration], part: usize) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    took[(took.len() * part).div_ceil(100) - 1]
}

/// Lets a fault last. This is no wait for a condition: the length is the fault's.
fn last(time: Duration) {
    thread::sleep(time);
}

#[test]
fn nothing_is_lost_counted_twice_or_late_whatever_happens_to_the_broker_and_the_way_to_it() {
    let budget = Budget::told();
    let behind = Behind::start(3, "");
    let lasts_ms_max = if budget.is_long { LONG_MS } else { SHORT_MS };
    let mut campaign = Campaign { behind, random: Random(budget.seed), lasts_ms_max, took: BTreeMap::new() };
    let only = std::env::var("ROOMTALLY_FAULTS").unwrap_or_default();
    loop {
        let mut faults = FAULTS.to_vec();
        faults.retain(|fault| only.is_empty() || only.split(',').any(|name| name == format!("{fault:?}")));
        assert!(!faults.is_empty(), "ROOMTALLY_FAULTS names some of {FAULTS:?}");
        while !faults.is_empty() {
            let next = campaign.random.below(faults.len());
            campaign.round(faults.swap_remove(next));
        }
        if budget.is_spent() {
            break;
        }
    }
    eprintln!("{}", campaign.totals(budget.seed));
    // The short form runs beside other tests, and what it takes says little.
    let p99 = percentile(&campaign.all(), 99);
    assert!(!budget.is_long || p99 <= LATE, "99 % are current again within {p99:?}, not {LATE:?}");
}
