//! Rooms of very many departments, and an hour in which few of them have one.
//!
//! Owns which rooms there are: every department has one, a thousand of them every hour from
//! 1970 on, and long after the last of those hours is the quiet one.
#![allow(dead_code, unreachable_pub, reason = "each program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a program that cannot go on fails with the reason")]

use roomtally::room::{DepartmentSlot, Room, StoredIdRef, Timestamp};
use roomtally::tally::{Loading, TallyReader, tally};

const HOUR_MS: i64 = 3_600_000;
const QUIET_HOUR_MS: i64 = 1_000 * HOUR_MS;

/// The quiet hour, from its first instant to its last.
pub const QUIET_HOUR: (Timestamp, Timestamp) =
    (Timestamp::from_millis(QUIET_HOUR_MS), Timestamp::from_millis(QUIET_HOUR_MS + HOUR_MS - 1));

/// All there is.
pub const EVER: (Timestamp, Timestamp) = (Timestamp::MIN, Timestamp::MAX);

/// A tally of so many departments, of which so many, far from one another, have a room in
/// the quiet hour.
pub fn counts(departments: u32, in_quiet_hour: u32) -> TallyReader {
    let (mut writer, reader) = tally(departments as usize);
    let mut loading = Loading::new(departments as usize);
    for number in 0..departments {
        loading.department(&format!("department-{number:06}")).unwrap();
    }
    let mut put = |id: String, ms, department| {
        let ts = Timestamp::from_millis(ms);
        let room = Room { ts, department: DepartmentSlot(department + 1), waiting: false };
        loading.put(StoredIdRef::of(&id), room).unwrap();
    };
    for number in 0..departments {
        put(format!("room-{number:06}"), i64::from(number / 1_000) * HOUR_MS, number);
    }
    for number in 0..in_quiet_hour {
        put(format!("quiet-{number:06}"), QUIET_HOUR_MS, number * (departments / in_quiet_hour));
    }
    writer.replace(loading);
    reader
}
