//! The metrics as Prometheus reads them.
//!
//! Owns the endpoint only; the series are the telemetry's.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::room::Timestamp;

use super::{Api, NO_STORE, StaticHeader};

/// Where Prometheus looks unless told otherwise.
pub(super) const PATH: &str = "/metrics";

const PROMETHEUS_TEXT: StaticHeader = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");

/// Renders all series as they are now.
pub(super) async fn scrape(State(api): State<Api>) -> Response {
    let text = api.0.metrics.render(&api.0.status, &api.0.tally, now());
    ([PROMETHEUS_TEXT, NO_STORE], text).into_response()
}

/// The clock's time; one that stands before the epoch counts as the epoch.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
