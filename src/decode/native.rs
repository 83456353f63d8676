//! The native form: `{"event":"room-created","_id":…,"departmentId":…,"ts":…}`.
//!
//! Owns the three events `room-created`, `room-updated` and `room-removed`;
//! events of another name are none of ours.

use crate::decode::date::date;
use crate::decode::json::{Json, Object};
use crate::decode::{Decoded, Ignored, Limits, Record, RejectReason, id};
use crate::room::{Change, RoomChange, Timestamp, Update};

/// The fields that are read; the last of duplicate names wins.
#[derive(Default)]
struct Fields<'a> {
    event: Option<Json<'a>>,
    id: Option<Json<'a>>,
    department: Option<Json<'a>>,
    ts: Option<Json<'a>>,
    waiting: Option<Json<'a>>,
}

/// Reads a native event; none if the object is of another form.
pub(super) fn decode<'a>(
    object: Object<'a>,
    record: &Record<'a>,
    limits: &Limits,
) -> Option<Result<Decoded<'a>, RejectReason>> {
    let fields = Fields::of(object);
    let Json::Text(event) = fields.event? else { return Some(Ok(Decoded::Ignored(Ignored::OtherEvent))) };
    let change = match event {
        _ if event.is("room-created") => fields.created(record, limits),
        _ if event.is("room-updated") => fields.updated(record, limits),
        _ if event.is("room-removed") => fields.removed(record),
        _ => return Some(Ok(Decoded::Ignored(Ignored::OtherEvent))),
    };
    Some(change.map(Decoded::Change))
}

impl<'a> Fields<'a> {
    fn of(object: Object<'a>) -> Self {
        let mut fields = Self::default();
        for (name, value) in object.members() {
            let field = match name {
                _ if name.is("event") => &mut fields.event,
                _ if name.is("_id") => &mut fields.id,
                _ if name.is("departmentId") => &mut fields.department,
                _ if name.is("ts") => &mut fields.ts,
                _ if name.is("waitingResponse") => &mut fields.waiting,
                _ => continue,
            };
            *field = Some(value);
        }
        fields
    }

    fn created(&self, record: &Record<'a>, limits: &Limits) -> Result<RoomChange<'a>, RejectReason> {
        let room = id::room(self.id, record.key)?;
        let ts = match self.ts {
            None | Some(Json::Null) => return Err(RejectReason::NoTs),
            Some(value) => creation(value, record, limits)?,
        };
        let department = id::department(self.department)?;
        let waiting = matches!(self.waiting, Some(Json::Bool(true)));
        Ok(RoomChange { room, change: Change::Stated { ts, department, waiting } })
    }

    fn updated(&self, record: &Record<'a>, limits: &Limits) -> Result<RoomChange<'a>, RejectReason> {
        let room = id::room(self.id, record.key)?;
        let ts = self.ts.map(|value| creation(value, record, limits)).transpose()?;
        let department = match self.department {
            None => None,
            some => Some(id::department(some)?),
        };
        let waiting = self.waiting.map(|value| matches!(value, Json::Bool(true)));
        Ok(RoomChange { room, change: Change::Updated(Update { ts, department, waiting }) })
    }

    fn removed(&self, record: &Record<'a>) -> Result<RoomChange<'a>, RejectReason> {
        Ok(RoomChange { room: id::room(self.id, record.key)?, change: Change::Removed })
    }
}

/// A room's creation time, inside what the limits allow.
fn creation(value: Json<'_>, record: &Record<'_>, limits: &Limits) -> Result<Timestamp, RejectReason> {
    let ts = date(value).map_err(|_| RejectReason::BadTs)?;
    if limits.allow(ts, record.timestamp) { Ok(ts) } else { Err(RejectReason::TsOutOfRange) }
}
