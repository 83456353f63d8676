//! How many livechat rooms were created between two instants, per department.
//!
//! Owns the endpoint's answer. Invariant: an answer is given only from complete
//! counts, and `x-roomtally-as-of` is no later than what the counts hold: it is
//! read before them.

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::response::{IntoResponse, Response};

use crate::tally::Question;

use super::credentials;
use super::peer::Peer;
use super::query::Query;
use super::refusal::Refusal;
use super::{Api, JSON, NO_CACHE, NO_STORE};

/// Where Rocket.Chat has it.
pub(super) const PATH: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";

const AS_OF: HeaderName = HeaderName::from_static("x-roomtally-as-of");

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
    let body = api.limits.page(&answer, query.page);
    Ok(([JSON, NO_STORE, NO_CACHE], [(AS_OF, as_of.to_string())], body).into_response())
}
