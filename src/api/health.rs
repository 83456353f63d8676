//! Whether the process lives, and whether it may be asked.
//!
//! Owns the two health endpoints and the body of readiness. Invariant: `ready`
//! says 200 exactly when the counts' endpoint would answer.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::log::{NextOffset, Stop};
use crate::status::{PartitionStatus, Readiness};

use super::{Api, JSON, NO_STORE, to_json};

/// Answers as long as anything does.
pub(super) const LIVE: &str = "/health/live";
/// Answers 200 as long as counts are complete.
pub(super) const READY: &str = "/health/ready";

#[derive(Serialize)]
struct Body {
    ready: bool,
    partitions: Vec<Partition>,
    kafka: Kafka,
    snapshot: Snapshot,
}

#[derive(Serialize)]
struct Partition {
    #[serde(rename = "partition")]
    number: i32,
    state: &'static str,
    #[serde(flatten)]
    reading: Option<Reading>,
    #[serde(flatten)]
    stopped: Option<Stopped>,
}

#[derive(Serialize)]
struct Reading {
    /// The next offset to apply.
    position: i64,
    /// The end of what can be read.
    end: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    begins_at: Option<i64>,
}

#[derive(Serialize)]
struct Stopped {
    /// The id by which an operator names the stop.
    stop: String,
    reason: &'static str,
    from: i64,
    to: i64,
    /// Offsets between the two.
    records: u64,
}

#[derive(Serialize)]
struct Kafka {
    state: &'static str,
}

#[derive(Serialize)]
struct Snapshot {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The process answers.
pub(super) async fn live() -> Response {
    ([JSON, NO_STORE], r#"{"live":true}"#).into_response()
}

/// The counts are complete, or what is missing.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let readiness = api.0.status.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [JSON, NO_STORE], to_json(&Body::from(readiness))).into_response()
}

impl From<Readiness> for Body {
    fn from(readiness: Readiness) -> Self {
        Self {
            ready: readiness.ready,
            partitions: readiness.partitions.into_iter().map(Partition::from).collect(),
            kafka: Kafka { state: readiness.kafka.name() },
            snapshot: Snapshot {
                state: readiness.snapshot.name(),
                generation: readiness.snapshot.generation,
                written_at: readiness.snapshot.written_at.map(|at| at.to_string()),
                error: readiness.snapshot.problem().map(str::to_owned),
            },
        }
    }
}

impl From<PartitionStatus> for Partition {
    fn from(of: PartitionStatus) -> Self {
        Self {
            number: of.partition.0,
            state: match (&of.stop, of.current) {
                (Some(_), _) => "stopped",
                (None, true) => "current",
                (None, false) => "catching_up",
            },
            reading: of.stop.is_none().then(|| Reading {
                position: of.position.as_offset(),
                end: of.end.as_offset(),
                begins_at: of.begins_at.map(NextOffset::as_offset),
            }),
            stopped: of.stop.map(Stopped::from),
        }
    }
}

impl From<Stop> for Stopped {
    fn from(Stop { id, reason, from, to }: Stop) -> Self {
        Self {
            stop: id.to_string(),
            reason: reason.name(),
            from: from.as_offset(),
            to: to.as_offset(),
            records: to.records_since(from),
        }
    }
}
