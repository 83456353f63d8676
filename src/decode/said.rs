//! What a record says, in the words in which the tests of all forms expect it.

use crate::decode::{Bump, Decoded, Limits, Record, RejectReason, Rules, decode};
use crate::room::{Change, RoomChange, Timestamp};

/// From 2000 on, to a day behind the record.
const LIMITS: Limits = Limits {
    record_bytes: 1_000,
    oldest: Timestamp::from_millis(946_684_800_000),
    max_future_ms: 86_400_000,
};

/// These limits, and the rooms' collection.
pub(super) fn rules() -> Rules {
    Rules { limits: LIMITS, collection: "rocketchat_room".to_owned() }
}

/// What a record of 2020-09-13T12:26:40Z with this value says.
pub(super) fn said(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<String, RejectReason> {
    let timestamp = Some(Timestamp::from_millis(1_600_000_000_000));
    decode(&Record { key, value, timestamp }, &rules(), &Bump::new()).map(|decoded| match decoded {
        Decoded::Ignored(why) => format!("{why:?}"),
        Decoded::Change(RoomChange { room, change }) => match change {
            Change::Stated { ts, department, waiting } => {
                let department = department.map(|id| id.as_str().to_owned());
                format!("{room} created {} {department:?} {waiting}", ts.as_millis())
            }
            Change::Updated(update) => {
                let department = update.department.map(|id| id.map(|id| id.as_str().to_owned()));
                let ts = update.ts.map(Timestamp::as_millis);
                format!("{room} updated {ts:?} {department:?} {:?}", update.waiting)
            }
            Change::Removed => format!("{room} removed"),
            Change::OtherKind => format!("{room} of another type"),
            Change::Tombstone => format!("{room} tombstone"),
        },
    })
}

/// Reads a value under the key `k`.
#[track_caller]
pub(super) fn check(value: &str, expected: Result<&str, RejectReason>) {
    assert_eq!(said(Some(b"k"), Some(value.as_bytes())), expected.map(str::to_owned), "{value}");
}
