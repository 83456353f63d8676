//! The metrics as Prometheus reads them.
//!
//! Owns the endpoint only; the series are the telemetry's.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{Api, NO_STORE, StaticHeader};

/// Where Prometheus looks unless told otherwise.
pub(super) const PATH: &str = "/metrics";

const PROMETHEUS_TEXT: StaticHeader = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");

/// Renders all series as they are now.
pub(super) async fn scrape(State(api): State<Api>) -> Response {
    let text = api.0.metrics.render(&api.0.status, &api.0.tally, (api.0.now)());
    ([PROMETHEUS_TEXT, NO_STORE], text).into_response()
}
