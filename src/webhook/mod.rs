//! Rocket.Chat's livechat webhook: what a request says of its room, as native events.
//!
//! Owns the meaning of a payload and the door to where its events go. Neither Kafka nor
//! HTTP is known here. Invariant: what goes out has been decoded by the service's own
//! rules, so that whatever is acknowledged is counted.
//!
//! A payload is the room as it is at that moment, in part. Requests of one room overtake
//! each other, and one that failed comes again 20 seconds later; the webhook may also be
//! switched on in the middle of a room's life. So nearly every one brings two events:
//! first the creation, for rooms not known alone, then an update with what it states.
//!
//! | type | creation, if unknown | the update states the department | and the waiting |
//! |---|---|---|---|
//! | `LivechatSessionStart` | yes | – | – |
//! | `LivechatSessionQueued`, `…Taken`, `…Forwarded` | yes | always: not named is none | – |
//! | `LivechatSession` (closed) | yes | always: not named is none | – |
//! | `LivechatEdit`, `LeadCapture` | yes | if it is named | – |
//! | `Message` | yes | if it is named | by an agent: answered; by the visitor: waiting |
//! | any other | – | – | – |
//!
//! The room's department is `departmentId` beside the type, never `visitor.department`.
//! Rocket.Chat names it with the session's types and leaves out what a room has not;
//! with the others, and in some releases with a start, it names none ever. A start that
//! comes late states nothing, so that it undoes no transfer. A created room waits, unless
//! the last message that came with it is an agent's: an edited message, a page that was
//! visited and a closing comment are no messages in this sense.

mod payload;

use std::fmt;
use std::pin::Pin;

use serde_json::error::Category;

use crate::decode::{self, Bump, Decoded, Record, RejectReason, Rules};
use crate::room::Timestamp;

use payload::Payload;

/// What the test button of the administration page sends in the place of a room's id.
const TEST_ID: &str = "fasd6f5a4sd6f8a4sdf";

/// A native event on its way to the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// The room's id, which is its key.
    pub room: String,
    /// The event as JSON.
    pub value: Vec<u8>,
    /// Whether it is for a room not known only.
    pub if_unknown: bool,
}

/// What a payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Something of a room: these events, in this order.
    Room(Vec<RoomEvent>),
    /// Somebody has pressed the test button.
    Test,
    /// Nothing of a room that is counted, with a type such as this.
    Nothing(String),
}

/// What is wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON object, or a field that is read is of another kind. Nothing of its
    /// text is kept: it may hold what a visitor wrote, and the log is no place for that.
    Malformed {
        /// What kind of fault it is.
        what: Category,
        /// Where it is.
        line: usize,
        /// In bytes from the line's beginning.
        column: usize,
    },
    /// It does not say what it is.
    NoType,
    /// The service would refuse its events.
    Rejected(RejectReason),
}

impl Fault {
    fn malformed(error: &serde_json::Error) -> Self {
        Self::Malformed { what: error.classify(), line: error.line(), column: error.column() }
    }
}

impl Fault {
    /// A name for all that are alike.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::NoType => "no_type",
            Self::Rejected(reason) => reason.name(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, line, column } => {
                let what = match what {
                    Category::Data => "a field is of another kind, or there twice",
                    Category::Eof => "it ends too early",
                    Category::Io | Category::Syntax => "its syntax is wrong",
                };
                write!(f, "it is not the JSON of a webhook: {what} (line {line}, column {column})")
            }
            Self::NoType => f.write_str("type is missing"),
            Self::Rejected(RejectReason::NoTs) => f.write_str("createdAt is missing"),
            Self::Rejected(RejectReason::BadTs) => f.write_str("createdAt is not a date"),
            Self::Rejected(RejectReason::TsOutOfRange) => f.write_str(
                "createdAt is before limits.oldest or further in the future than limits.max_future",
            ),
            Self::Rejected(RejectReason::NoId) => f.write_str("_id is missing"),
            Self::Rejected(reason) => write!(f, "{reason}"),
        }
    }
}

/// Why events are not where they belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPublished(pub String);

/// Ends when all events are acknowledged, or one is not.
pub type Publishing = Pin<Box<dyn Future<Output = Result<(), NotPublished>> + Send>>;

/// Where events go.
pub trait Publish: fmt::Debug + Send + Sync {
    /// Sends events, in their order.
    fn publish(&self, events: Vec<RoomEvent>) -> Publishing;
}

/// The way from a payload to the topic.
#[derive(Debug)]
pub struct Webhook {
    rules: Rules,
    door: Box<dyn Publish>,
}

impl Webhook {
    /// Reads payloads by the rules that records are read by, for whoever publishes.
    pub fn new(rules: Rules, door: Box<dyn Publish>) -> Self {
        Self { rules, door }
    }

    /// What a payload says that has arrived at the instant `now`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, payload: &[u8], now: Timestamp) -> Result<Said, Fault> {
        let payload = Payload::parse(payload).map_err(|error| Fault::malformed(&error))?;
        let Some(name) = payload.type_name() else { return Err(Fault::NoType) };
        let Some(kind) = payload.kind() else { return Ok(Said::Nothing(name.to_owned())) };
        if payload.is_test(TEST_ID) {
            return Ok(Said::Test);
        }
        let created = payload.created();
        let mut events = vec![self.event(created, true, now)?];
        if let Some(updated) = payload.updated(kind) {
            events.push(self.event(updated, false, now)?);
        }
        Ok(Said::Room(events))
    }

    /// Sends events, in their order.
    pub fn publish(&self, events: Vec<RoomEvent>) -> Publishing {
        self.door.publish(events)
    }

    /// The event, keyed by the room that the service would find in it.
    fn event(&self, value: Vec<u8>, if_unknown: bool, now: Timestamp) -> Result<RoomEvent, Fault> {
        let memory = Bump::new();
        let record = Record { key: None, value: Some(&value), timestamp: Some(now) };
        let room = match decode::decode(&record, &self.rules, &memory) {
            Ok(Decoded::Change(change)) => change.room.as_str().to_owned(),
            // None of ours is ignored.
            Ok(Decoded::Ignored(_)) => return Err(Fault::NoType),
            Err(reason) => return Err(Fault::Rejected(reason)),
        };
        Ok(RoomEvent { room, value, if_unknown })
    }
}

#[cfg(test)]
mod tests;
