//! One record on its way from bytes to a change.
//!
//! Owns the opening of strings that hold JSON. What is unescaped lives as long as the
//! record's bytes do, so a change may borrow from either.

use bumpalo::Bump;

use crate::decode::fields::present;
use crate::decode::json::{self, Json, Object};
use crate::decode::name::Name;
use crate::decode::{Record, RejectReason, Rules};

/// A record, and what it is read with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) record: Record<'a>,
    pub(super) rules: &'a Rules,
    pub(super) memory: &'a Bump,
}

impl<'a> Reading<'a> {
    /// The value; where it is a string, the JSON in it.
    pub(super) fn opened(&self, value: Json<'a>) -> Result<Json<'a>, RejectReason> {
        match value {
            Json::Text(text) => json::read(text.as_json(), self.memory).map_err(|_| RejectReason::NotJson),
            Json::Quoted(object) => Ok(Json::Object(object)),
            value => Ok(value),
        }
    }

    /// The object that is expected here, if it is there and not null.
    pub(super) fn object(&self, value: Option<&'a Json<'a>>) -> Result<Option<Object<'a>>, RejectReason> {
        let Some(value) = present(value) else { return Ok(None) };
        match self.opened(*value)? {
            Json::Object(object) => Ok(Some(object)),
            Json::Null => Ok(None),
            _ => Err(RejectReason::NotObject),
        }
    }

    /// Whether an event names another collection under `name` than that of the rooms.
    pub(super) fn is_other_collection(
        &self,
        of: Option<&'a Json<'a>>,
        name: Name,
    ) -> Result<bool, RejectReason> {
        let collection = self.object(of)?.and_then(|object| present(object.get(name)));
        let is_ours =
            |collection: &Json<'_>| matches!(collection, Json::Text(text) if text.is(&self.rules.collection));
        Ok(collection.is_some_and(|collection| !is_ours(collection)))
    }
}
