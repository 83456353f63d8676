//! How many livechat rooms were created between two instants, per department.
//!
//! Owns the endpoint's answer. Invariant: an answer is given only from complete
//! counts, and `x-roomtally-as-of` is no later than what the counts hold: it is
//! read before them.

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};

use crate::tally::{Question, Row};

use super::credentials;
use super::peer::Peer;
use super::query::Query;
use super::refusal::Refusal;
use super::{Api, JSON, NO_CACHE, NO_STORE, to_json};

/// Where Rocket.Chat has it.
pub(super) const PATH: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";

const AS_OF: HeaderName = HeaderName::from_static("x-roomtally-as-of");

/// The body; its fields stand in the order of the documentation.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(serialize_with = "departments")]
    departments: &'a [Row<'a>],
    /// Rows on this page.
    count: usize,
    offset: u64,
    /// Rows without paging.
    total: usize,
    success: bool,
}

#[derive(Serialize)]
struct Department<'a> {
    rooms: u64,
    #[serde(rename = "_id")]
    id: Option<&'a str>,
}

fn departments<S: Serializer>(rows: &[Row<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| Department { rooms: row.rooms, id: row.department }))
}

/// Answers the question of a request that has come this far.
pub(super) async fn answer(State(api): State<Api>, request: Request) -> Result<Response, Refusal> {
    let (api, peer) = (&api.0, Peer::of(&request));
    credentials::check(request.headers(), peer, api).await?;
    let query = Query::read(request.uri().query().unwrap_or_default())?;
    let as_of = api.status.complete_as_of().ok_or(Refusal::Unavailable)?;
    let answer = api.tally.count(&Question {
        from: query.from,
        to: query.to,
        answered: query.answered,
        department: query.department.as_deref(),
    });
    // A stop noticed in between makes these counts doubtful.
    api.status.complete_as_of().ok_or(Refusal::Unavailable)?;
    let rows = api.limits.cut(&answer, query.page);
    let body = to_json(&Body {
        departments: &rows,
        count: rows.len(),
        offset: query.page.offset,
        total: answer.len(),
        success: true,
    });
    Ok(([JSON, NO_STORE, NO_CACHE], [(AS_OF, as_of.to_string())], body).into_response())
}
