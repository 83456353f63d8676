//! The names that the forms read, picked out of an object in one walk.
//!
//! Owns which names those are. Names that no form reads are passed over, whatever
//! they hold; the last of duplicate names wins.

use crate::decode::json::{Json, Object};

/// What stands under each name, if it is there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fields<'a> {
    /// What an object says of a room.
    pub(super) room: RoomFields<'a>,
    /// `event`: a native event.
    pub(super) event: Option<Json<'a>>,
    /// `op`, `before`, `after`, `source`: Debezium's envelope.
    pub(super) op: Option<Json<'a>>,
    pub(super) before: Option<Json<'a>>,
    pub(super) after: Option<Json<'a>>,
    pub(super) source: Option<Json<'a>>,
    /// `operationType`, `documentKey`, `fullDocument`, `ns`: a change event of MongoDB's.
    pub(super) operation: Option<Json<'a>>,
    pub(super) document_key: Option<Json<'a>>,
    pub(super) full_document: Option<Json<'a>>,
    pub(super) namespace: Option<Json<'a>>,
    /// `collection`, `coll`: what the two name under `source` and `ns`.
    pub(super) collection: Option<Json<'a>>,
    pub(super) coll: Option<Json<'a>>,
    /// `updateDescription`: in both of them.
    pub(super) update: Option<Json<'a>>,
    /// `status`, `id`: a marker of Debezium's that a transaction begins or ends.
    pub(super) status: Option<Json<'a>>,
    pub(super) id: Option<Json<'a>>,
    /// `ts_ms`: alone it is a heartbeat of Debezium's.
    pub(super) ts_ms: Option<Json<'a>>,
}

/// What an object says of a room.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoomFields<'a> {
    /// `_id`.
    pub(super) id: Option<Json<'a>>,
    /// `t`, the room's type.
    pub(super) kind: Option<Json<'a>>,
    /// `ts`, the instant of its creation.
    pub(super) ts: Option<Json<'a>>,
    /// `departmentId`.
    pub(super) department: Option<Json<'a>>,
    /// `waitingResponse`.
    pub(super) waiting: Option<Json<'a>>,
    /// `__deleted`, which Debezium's flattening adds.
    pub(super) deleted: Option<Json<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(object: Object<'a>) -> Self {
        let mut fields = Self::default();
        for (name, value) in object.members() {
            // A name that is no Unicode is none of these.
            let Ok(name) = name.read() else { continue };
            let field = match name.as_ref() {
                "_id" => &mut fields.room.id,
                "t" => &mut fields.room.kind,
                "ts" => &mut fields.room.ts,
                "departmentId" => &mut fields.room.department,
                "waitingResponse" => &mut fields.room.waiting,
                "__deleted" => &mut fields.room.deleted,
                "event" => &mut fields.event,
                "op" => &mut fields.op,
                "before" => &mut fields.before,
                "after" => &mut fields.after,
                "source" => &mut fields.source,
                "operationType" => &mut fields.operation,
                "documentKey" => &mut fields.document_key,
                "fullDocument" => &mut fields.full_document,
                "ns" => &mut fields.namespace,
                "collection" => &mut fields.collection,
                "coll" => &mut fields.coll,
                "updateDescription" => &mut fields.update,
                "status" => &mut fields.status,
                "id" => &mut fields.id,
                "ts_ms" => &mut fields.ts_ms,
                _ => continue,
            };
            *field = Some(value);
        }
        fields
    }
}

/// A value that is there and not null.
pub(super) fn present(value: Option<Json<'_>>) -> Option<Json<'_>> {
    value.filter(|value| !matches!(value, Json::Null))
}
