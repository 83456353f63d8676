//! Many runs, each from its own seed, within a budget; a line with the totals.
//!
//! One convention for all: `ROOMTALLY_SEED` is the first seed, `ROOMTALLY_MINUTES`
//! how long to go on, `ROOMTALLY_RUNS` how many runs at most. Without them a short
//! form of always the same runs. A run that fails names its seed.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails with the reason")]

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

/// What was done, by name.
#[derive(Debug, Default)]
pub(crate) struct Totals(BTreeMap<&'static str, u64>);

impl Totals {
    pub(crate) fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }
}

/// Random numbers that are the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed ^ 0x9e37_79b9_7f4a_7c15);
        dice.0 = dice.roll(u64::MAX);
        dice
    }

    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    pub(crate) fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.roll(below as u64)).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }
}

struct NameSeed<'a>(&'a str, u64);

impl Drop for NameSeed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed with ROOMTALLY_SEED={} ROOMTALLY_RUNS=1", self.0, self.1);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Whether more is asked for than the short form.
pub(crate) fn is_long() -> bool {
    ["ROOMTALLY_MINUTES", "ROOMTALLY_RUNS"].iter().any(|name| env::var_os(name).is_some())
}

/// Runs `each` with one seed after the other; `short` of them if nothing is asked.
pub(crate) fn run(name: &str, short: u64, mut each: impl FnMut(u64, &mut Totals)) {
    let began = Instant::now();
    let end = number("ROOMTALLY_MINUTES").map(|minutes| began + Duration::from_secs(60 * minutes));
    let runs = number("ROOMTALLY_RUNS").unwrap_or(if end.is_some() { u64::MAX } else { short });
    let first = number("ROOMTALLY_SEED").unwrap_or(1);
    let (mut totals, mut done) = (Totals::default(), 0);
    while done < runs && end.is_none_or(|end| Instant::now() < end) {
        let seed = NameSeed(name, first + done);
        each(seed.1, &mut totals);
        done += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let told: Vec<_> = totals.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
    println!("{name}: {done} runs from seed {first} in {seconds:.1} s: {}", told.join(", "));
}
