//! One server's answer to a question, whole.
//!
//! Owns how the endpoint is asked, page by page where a server gives no more at once, and
//! what its refusals mean.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::http_client;
use crate::room::Timestamp;

const PATH: &str = "api/v1/livechat/analytics/departments/amount-of-chats";

/// What only roomtally's answers have.
const AS_OF: &str = "x-roomtally-as-of";
/// What else there is to try where roomtally knows nobody.
const OWN_USERS: &str = "; where it has users of its own, name one with --own-user-id and --own-token-file";

/// Rooms by department; none is a department too.
pub(super) type Counts = BTreeMap<Option<String>, u64>;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// The first instant.
    pub(super) from: Timestamp,
    /// The last one.
    pub(super) to: Timestamp,
    /// Answered rooms, or waiting ones.
    pub(super) answered: bool,
}

/// A server that has the endpoint.
#[derive(Debug)]
pub(super) struct Server {
    name: &'static str,
    is_upstream: bool,
    url: Url,
    client: Client,
    credentials: HeaderMap,
}

#[derive(Debug, Deserialize)]
struct Page {
    departments: Vec<Row>,
    total: u64,
}

#[derive(Debug, Deserialize)]
struct Row {
    rooms: u64,
    #[serde(rename = "_id", default)]
    id: Option<String>,
}

impl Server {
    /// Rocket.Chat or roomtally at this address, asked by the user of this id and token.
    pub(super) fn new(
        is_upstream: bool,
        url: Url,
        client: Client,
        (user_id, token): &(String, String),
    ) -> anyhow::Result<Self> {
        let name = if is_upstream { "Rocket.Chat" } else { "roomtally" };
        let mut credentials = HeaderMap::new();
        for (header, what, value) in [("x-user-id", "user id", user_id), ("x-auth-token", "token", token)] {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| anyhow!("the {what} for {name} has letters that no header can carry"))?;
            value.set_sensitive(true);
            credentials.insert(HeaderName::from_static(header), value);
        }
        Ok(Self { name, is_upstream, url, client, credentials })
    }

    /// All rows of the answer, those of one department added up: Rocket.Chat gives two for
    /// none, where the field is missing in some rooms and null in others.
    pub(super) async fn ask(&self, question: Question) -> anyhow::Result<Counts> {
        let (mut counts, mut read) = (Counts::new(), 0);
        loop {
            let Page { departments, total } = self.page(question, read).await?;
            let is_last = departments.is_empty();
            for Row { rooms, id } in departments {
                read += 1;
                let is_department = id.is_some();
                let before = counts.insert(id.clone(), rooms);
                match before {
                    None => {}
                    Some(before) if !is_department => {
                        counts.insert(id, before + rooms);
                    }
                    Some(_) => bail!(
                        "{} gives {} twice: its rows moved while they were read page by page; try again, or \
                         allow it to give all at once (API_Allow_Infinite_Count)",
                        self.name,
                        id.unwrap_or_default()
                    ),
                }
            }
            if read >= total || is_last {
                return Ok(counts);
            }
        }
    }

    async fn page(&self, Question { from, to, answered }: Question, offset: u64) -> anyhow::Result<Page> {
        let (name, at) = (self.name, &self.url);
        let mut url = self.url.join(PATH)?;
        url.query_pairs_mut()
            .append_pair("start", &from.to_string())
            .append_pair("end", &to.to_string())
            .append_pair("answered", if answered { "true" } else { "false" })
            .append_pair("count", "0")
            .append_pair("offset", &offset.to_string());
        let failed = |error| anyhow!("cannot ask {name} at {at}: {}", http_client::cause(&error));
        let answer = self.client.get(url).headers(self.credentials.clone()).send().await.map_err(failed)?;
        let status = answer.status();
        if status != StatusCode::OK {
            let own = if self.is_upstream { "" } else { OWN_USERS };
            let own = if status == StatusCode::UNAUTHORIZED { own } else { "" };
            bail!("{name} at {at} answers {status}{}{own}", meaning(status));
        }
        if self.is_upstream && answer.headers().contains_key(AS_OF) {
            bail!(
                "{at} leads to roomtally, not to Rocket.Chat; name Rocket.Chat's own address, behind the proxy"
            );
        }
        let body = answer.bytes().await.map_err(failed)?;
        serde_json::from_slice(&body).with_context(|| {
            format!("{name} at {at} gives an answer that is not understood; is the address right?")
        })
    }
}

/// What to do about it.
fn meaning(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => ": the user id or the token is wrong",
        StatusCode::FORBIDDEN => ": the user does not hold the permission view-livechat-manager",
        StatusCode::NOT_FOUND => ": it has no such endpoint; is the address right?",
        StatusCode::TOO_MANY_REQUESTS => ": it was asked too often; try again in a minute",
        StatusCode::SERVICE_UNAVAILABLE => ": it cannot answer yet; /health/ready of roomtally says why",
        _ if status.is_redirection() => ": it sends the request elsewhere; name the address behind that",
        _ => "",
    }
}
