//! What the fields of a room say, whichever form they came in.
//!
//! Owns the reading of type, creation time, department and waiting. Faults come in
//! the order of [`RejectReason`].

use crate::decode::date::date;
use crate::decode::fields::{RoomFields, present};
use crate::decode::json::Json;
use crate::decode::{Reading, RejectReason, id};
use crate::room::{Change, RoomId, Timestamp, Update};

impl<'a> RoomFields<'a> {
    /// Whose room, by the value or else by the key.
    pub(super) fn room(&self, reading: &Reading<'a>) -> Result<RoomId<'a>, RejectReason> {
        id::room(self.id, reading.record.key, reading.memory)
    }

    /// Whether its type is there and not that of livechat rooms.
    pub(super) fn is_other_kind(&self) -> bool {
        present(self.kind()).is_some_and(|kind| !matches!(kind, Json::Text(text) if text.is("l")))
    }

    /// The whole room as it is now.
    pub(super) fn stated(&self, reading: &Reading<'a>) -> Result<Change<'a>, RejectReason> {
        self.stated_since(self.ts(), reading)
    }

    /// The same where the value says of itself that it is whole: then null is a missing
    /// creation time, and not a wrong one.
    pub(super) fn created(&self, reading: &Reading<'a>) -> Result<Change<'a>, RejectReason> {
        self.stated_since(present(self.ts()), reading)
    }

    fn stated_since(
        &self,
        ts: Option<&'a Json<'a>>,
        reading: &Reading<'a>,
    ) -> Result<Change<'a>, RejectReason> {
        let ts = reading.creation(ts.ok_or(RejectReason::NoTs)?)?;
        let department = id::department(self.department())?;
        let waiting = self.waiting().is_some_and(is_true);
        Ok(Change::Stated { ts, department, waiting })
    }

    /// Those fields that are there.
    pub(super) fn updated(&self, reading: &Reading<'a>) -> Result<Update<'a>, RejectReason> {
        let ts = self.ts().map(|value| reading.creation(value)).transpose()?;
        let department = match self.department() {
            None => None,
            some => Some(id::department(some)?),
        };
        Ok(Update { ts, department, waiting: self.waiting().map(is_true) })
    }
}

impl Reading<'_> {
    /// A room's creation time, inside what the limits allow.
    fn creation(&self, value: &Json<'_>) -> Result<Timestamp, RejectReason> {
        let ts = date(value).map_err(|_| RejectReason::BadTs)?;
        if self.rules.limits.allow(ts, self.record.timestamp) {
            Ok(ts)
        } else {
            Err(RejectReason::TsOutOfRange)
        }
    }
}

fn is_true(value: &Json<'_>) -> bool {
    matches!(value, Json::Bool(true))
}
