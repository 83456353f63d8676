//! How long a campaign goes on, and from which seed.
//!
//! One convention for every campaign: `ROOMTALLY_SEED` is the first seed and
//! `ROOMTALLY_MINUTES` the time to go on; without them a short form of always the same
//! rounds is part of the suite.

use std::str::FromStr;
use std::time::{Duration, Instant};

/// What a campaign was given.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) seed: u64,
    /// It was given a time.
    pub(crate) is_long: bool,
    ends: Instant,
}

impl Budget {
    /// As the environment says.
    pub(crate) fn told() -> Self {
        let minutes = told::<f64>("ROOMTALLY_MINUTES");
        let ends = Instant::now() + Duration::from_secs_f64(minutes.unwrap_or(0.0) * 60.0);
        Self { seed: told("ROOMTALLY_SEED").unwrap_or(1), is_long: minutes.is_some(), ends }
    }

    pub(crate) fn is_spent(&self) -> bool {
        Instant::now() >= self.ends
    }
}

fn told<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}
