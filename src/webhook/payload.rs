//! The body of a webhook request, as far as it is read.
//!
//! Owns its fields and what they mean for the two events. Invariant: only what names the
//! room and its department can be wrong. The sender does not repeat what was refused, so
//! whatever else is odd is passed over: messages that are no list are none, and those in
//! it that are no objects are left out.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The types that speak of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A room has begun, which says nothing of one that is known.
    Start,
    /// Types that name the room's department where it has one.
    Session,
    /// Types that name none, or not in every release.
    Other,
    /// Somebody has written.
    Message,
}

#[derive(Debug, Deserialize)]
pub(super) struct Payload<'a> {
    #[serde(rename = "type")]
    kind: Option<Value>,
    #[serde(rename = "_id")]
    id: Option<Value>,
    #[serde(rename = "createdAt")]
    created_at: Option<Value>,
    /// None where it is not named at all.
    #[serde(rename = "departmentId", default, deserialize_with = "named")]
    department: Option<Value>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Message {
    /// Who is not the visitor has one.
    #[serde(rename = "agentId")]
    agent: Option<IgnoredAny>,
    #[serde(rename = "editedAt")]
    edited_at: Option<IgnoredAny>,
    navigation: Option<IgnoredAny>,
    #[serde(rename = "closingMessage")]
    closing: Option<IgnoredAny>,
}

/// A native event; what is none is not stated.
#[derive(Serialize)]
struct Native<'a> {
    event: &'static str,
    #[serde(rename = "_id")]
    id: &'a Option<Value>,
    #[serde(rename = "departmentId", skip_serializing_if = "Option::is_none")]
    department: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a Value>,
    /// Null is answered.
    #[serde(rename = "waitingResponse", skip_serializing_if = "Option::is_none")]
    waiting: Option<Value>,
}

fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'a> Payload<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(payload)
    }

    pub(super) fn type_name(&self) -> Option<&str> {
        self.kind.as_ref()?.as_str()
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        match self.type_name()? {
            "LivechatSession"
            | "LivechatSessionQueued"
            | "LivechatSessionTaken"
            | "LivechatSessionForwarded" => Some(Kind::Session),
            "LivechatSessionStart" => Some(Kind::Start),
            "LivechatEdit" | "LeadCapture" => Some(Kind::Other),
            "Message" => Some(Kind::Message),
            _ => None,
        }
    }

    pub(super) fn is_test(&self, id: &str) -> bool {
        self.type_name() == Some("LivechatSession") && self.id.as_ref().and_then(Value::as_str) == Some(id)
    }

    /// The room as it would begin to be known by this.
    pub(super) fn created(&self) -> Vec<u8> {
        let waits = self.is_answered().is_none_or(|answered| !answered);
        to_json(&Native {
            event: "room-created",
            id: &self.id,
            department: self.department.as_ref(),
            ts: self.created_at.as_ref(),
            waiting: waits.then_some(Value::Bool(true)),
        })
    }

    /// What is stated of a known room, if anything is.
    pub(super) fn updated(&self, kind: Kind) -> Option<Vec<u8>> {
        let none = (kind == Kind::Session).then_some(&Value::Null);
        let department = self.department.as_ref().filter(|_| kind != Kind::Start).or(none);
        let answered = if kind == Kind::Message { self.is_answered() } else { None };
        let waiting = answered.map(|answered| if answered { Value::Null } else { Value::Bool(true) });
        if department.is_none() && waiting.is_none() {
            return None;
        }
        Some(to_json(&Native { event: "room-updated", id: &self.id, department, ts: None, waiting }))
    }

    /// Whether the last message is an agent's; none where there is no message.
    fn is_answered(&self) -> Option<bool> {
        let messages: Vec<&RawValue> = serde_json::from_str(self.messages?.get()).ok()?;
        let mut messages = messages.into_iter().rev().filter_map(Message::parse);
        let last = messages.find(|message| {
            message.edited_at.is_none() && message.navigation.is_none() && message.closing.is_none()
        })?;
        Some(last.agent.is_some())
    }
}

impl Message {
    fn parse(message: &RawValue) -> Option<Self> {
        // The fields alone, in their order, would be taken for one, too.
        let object = Some(message.get()).filter(|text| text.starts_with('{'))?;
        serde_json::from_str(object).ok()
    }
}

#[allow(clippy::expect_used, reason = "values that came of JSON always have a JSON form")]
fn to_json(event: &Native<'_>) -> Vec<u8> {
    serde_json::to_vec(event).expect("an event of JSON values")
}
