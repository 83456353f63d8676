//! A client that has stopped delivering and does not know it.

use std::time::Duration;

use crate::behind::Behind;
use crate::proxy::Way;
use crate::wait::within;

/// Longer than the watchdog's patience, and much shorter than the client's here.
const NOTICED: Duration = Duration::from_secs(25);

const REBUILT: [&str; 1] = ["reading on with a new client"];

/// The reader's connection is dead and its client content to wait for minutes;
/// the watching client sees the records that are there.
#[test]
fn a_reader_that_stands_still_in_front_of_records_is_given_a_new_client_and_is_exact() {
    let mut behind = Behind::start(2, "[kafka.properties]\n\"socket.timeout.ms\" = 300000");
    behind.proxy.strand_fetching();
    behind.send(5, 200);
    within(NOTICED, "the watchdog has noticed", || behind.service.logged(&REBUILT).then_some(()));
    behind.recovers();
    behind.is_exact();
    behind.send(6, 200);
    behind.recovers();
    behind.is_exact();
}

/// A fetch's answer that takes longer to come than the client waits for one.
#[test]
fn a_way_too_slow_for_the_first_client_is_not_too_slow_for_ever() {
    let mut behind = Behind::start(1, "");
    behind.proxy.set(Way::Open, Way::Slow(170_000));
    behind.send(7, 6_000);
    within(NOTICED, "the watchdog has noticed", || behind.service.logged(&REBUILT).then_some(()));
    behind.recovers();
    behind.is_exact();
}
