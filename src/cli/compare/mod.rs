//! `roomtally compare`: the same question to Rocket.Chat and to roomtally, and where the
//! answers differ.
//!
//! Answered and waiting rooms are asked for one by one: some releases of Rocket.Chat take
//! a question without `answered` for one about waiting rooms.

mod counts;
mod difference;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::serve::reachable;
use super::{ConfigArgs, Failure, say};
use crate::http_client;
use crate::room::Timestamp;

use counts::{Counts, Question, Server};
use difference::Differences;

/// How often both are asked before a difference is one: rooms change between two answers.
const ROUNDS: usize = 3;
/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(3);
/// Rocket.Chat's own query goes through all rooms of the range.
const TIMEOUT: Duration = Duration::from_mins(2);

#[derive(Debug, Args)]
pub(super) struct Compare {
    #[command(flatten)]
    config: ConfigArgs,
    /// Address of the Rocket.Chat server
    #[arg(long, value_parser = server_url)]
    url: Url,
    /// First instant of the range, such as 2026-01-01 or 2026-01-01T00:00:00.000Z
    #[arg(long, value_name = "DATE", value_parser = date)]
    start: Timestamp,
    /// Last instant of the range; choose one that is past
    #[arg(long, value_name = "DATE", value_parser = date)]
    end: Timestamp,
    /// Address of roomtally, if not the configured one on this machine
    #[arg(long, value_name = "URL", value_parser = server_url)]
    server: Option<Url>,
    /// Id of the user who asks
    #[arg(long, env = "ROOMTALLY_USER_ID", value_name = "ID")]
    user_id: String,
    /// The user's token; safer in the environment or a file
    #[arg(
        long,
        env = "ROOMTALLY_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        required_unless_present = "token_file"
    )]
    token: Option<String>,
    /// A file with the token, which goes before the one in the environment
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// Id of roomtally's user, where it has users of its own
    #[arg(long, value_name = "ID", requires = "own_token_file")]
    own_user_id: Option<String>,
    /// A file with that user's token
    #[arg(long, value_name = "FILE", requires = "own_user_id")]
    own_token_file: Option<String>,
}

impl Compare {
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = self.config.load(Vec::new())?.config;
        if self.start > self.end {
            return Err(
                anyhow!("--start {} lies after --end {}: the range is empty", self.start, self.end).into()
            );
        }
        let ours = match &self.server {
            Some(url) => url.clone(),
            None => {
                Url::parse(&format!("http://{}/", reachable(config.http.listen))).context("http.listen")?
            }
        };
        let compared = async {
            let (theirs, ours) = self.servers(ours)?;
            compare(&theirs, &ours, self.start, self.end).await
        };
        let differences = stop.run_until_cancelled(compared).await;
        let Some(differences) = differences else { return Ok(()) };
        let differences = differences?;
        say(&differences)?;
        if differences.are_none() { Ok(()) } else { Err(Failure::Said) }
    }

    /// Rocket.Chat, and ourselves at this address.
    fn servers(&self, ours: Url) -> anyhow::Result<(Server, Server)> {
        let client = http_client::client(TIMEOUT).map_err(|why| anyhow!("cannot ask anybody: {why}"))?;
        let token = match (&self.token_file, &self.token) {
            (Some(file), _) => read_token(file)?,
            (None, token) => token.clone().unwrap_or_default(),
        };
        if token.is_empty() {
            return Err(anyhow!("the token is empty; set ROOMTALLY_TOKEN, or name a file with --token-file"));
        }
        let own = match (&self.own_user_id, &self.own_token_file) {
            (Some(id), Some(file)) => (id.clone(), read_token(file)?),
            _ => (self.user_id.clone(), token.clone()),
        };
        let theirs = (self.user_id.clone(), token);
        Ok((
            Server::new(true, self.url.clone(), client.clone(), &theirs)?,
            Server::new(false, ours, client, &own)?,
        ))
    }
}

/// Asks both until nothing differs, or something does each time.
async fn compare(
    theirs: &Server,
    ours: &Server,
    from: Timestamp,
    to: Timestamp,
) -> anyhow::Result<Differences> {
    let mut found: Option<Differences> = None;
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let ask = async |server: &Server| -> anyhow::Result<[Counts; 2]> {
            let question = |answered| Question { from, to, answered };
            Ok([server.ask(question(true)).await?, server.ask(question(false)).await?])
        };
        let now = Differences::between(&ask(theirs).await?, &ask(ours).await?);
        let lasting = now.that_were_in(found.as_ref());
        if lasting.are_none() {
            return Ok(lasting);
        }
        found = Some(lasting);
    }
    found.context("nothing was asked")
}

fn date(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .map_err(|_| "write a date such as 2026-01-01 or 2026-01-01T00:00:00.000Z".to_owned())
}

fn server_url(text: &str) -> Result<Url, String> {
    crate::config::base_url(text)
}

fn read_token(file: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the token in {file}"))?;
    Ok(text.trim_end().to_owned())
}
