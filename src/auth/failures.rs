//! Failed sign-ins, address by address.
//!
//! Owns how many an address may have in a minute. The minute begins with the first of
//! them. Invariant: the table is bounded; addresses that find no place in it share one
//! minute among them, so that nobody gets around the limit by having many.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// So long failures are held against an address.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are told apart at one time; each takes about 50 bytes.
const ADDRESSES_MAX: usize = 65_536;
/// Between two searches for addresses whose minute is over.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Who failed how often.
#[derive(Debug)]
pub(super) struct Failures {
    limit: u64,
    minutes: DashMap<Client, Minute>,
    addresses_max: usize,
    swept: Mutex<Option<Instant>>,
}

/// Whom failures are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// One address, or one /64 network of IPv6, which is what one subscriber has.
    Of(IpAddr),
    /// All who find no place in the table.
    Others,
}

#[derive(Debug, Clone, Copy)]
struct Minute {
    began: Instant,
    failures: u64,
}

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Of(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl Failures {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, minutes: DashMap::new(), addresses_max: ADDRESSES_MAX, swept: Mutex::new(None) }
    }

    /// How many an address may have in a minute.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// How long an address has to wait until one more failure is let through; none if
    /// it need not.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let client = Client::of(address);
        let minute = self.minutes.get(&client).or_else(|| {
            if self.minutes.len() < self.addresses_max { None } else { self.minutes.get(&Client::Others) }
        })?;
        minute.wait(self.limit, now)
    }

    /// Counts a failure, unless the address has to wait: then how long.
    pub(super) fn add(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let client = self.place_for(Client::of(address), now);
        let mut minute = self.minutes.entry(client).or_insert(Minute { began: now, failures: 0 });
        if minute.is_over(now) {
            *minute = Minute { began: now, failures: 0 };
        }
        let wait = minute.wait(self.limit, now);
        if wait.is_none() {
            minute.failures += 1;
        }
        wait
    }

    /// Under whom this client is counted.
    fn place_for(&self, client: Client, now: Instant) -> Client {
        if self.minutes.contains_key(&client) || self.minutes.len() < self.addresses_max {
            return client;
        }
        self.sweep(now);
        if self.minutes.len() < self.addresses_max { client } else { Client::Others }
    }

    fn sweep(&self, now: Instant) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL) {
            *swept = Some(now);
            self.minutes.retain(|_, minute| !minute.is_over(now));
        }
    }
}

impl Minute {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }

    fn wait(&self, limit: u64, now: Instant) -> Option<Duration> {
        let left = WINDOW.saturating_sub(now.saturating_duration_since(self.began));
        (self.failures >= limit && !left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_has_so_many_failures_in_a_minute() {
        let (failures, began) = (Failures::new(2), Instant::now());
        let second = |second| began + Duration::from_secs(second);
        assert_eq!(failures.wait(address(1), began), None);
        assert_eq!(failures.add(address(1), began), None);
        assert_eq!(failures.add(address(1), second(10)), None);
        assert_eq!(failures.wait(address(1), second(10)), Some(Duration::from_secs(50)));
        assert_eq!(failures.add(address(1), second(20)), Some(Duration::from_secs(40)));
        assert_eq!(failures.add(address(2), second(20)), None);
        assert_eq!(failures.wait(address(1), second(60)), None);
        assert_eq!(failures.add(address(1), second(60)), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        for (one, other, same) in [
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let client = |text: &str| text.parse().map(Client::of);
            assert_eq!(client(one) == client(other), same, "{one} {other}");
        }
    }

    #[test]
    fn addresses_without_a_place_share_one_minute() {
        let failures = Failures { addresses_max: 2, ..Failures::new(1) };
        let began = Instant::now();
        for last in 1..=3 {
            assert_eq!(failures.add(address(last), began), None, "{last}");
        }
        let a_minute = Some(WINDOW);
        assert_eq!(failures.add(address(4), began), a_minute);
        assert_eq!(failures.wait(address(5), began), a_minute);
        let later = began + WINDOW;
        assert_eq!(failures.add(address(4), later), None);
        assert_eq!(failures.minutes.len(), 1, "the minutes that are over are forgotten");
    }
}
