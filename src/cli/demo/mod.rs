//! `roomtally demo`: the whole service with nothing installed.
//!
//! The broker is librdkafka's own, inside this process; everything behind it is
//! the service as it is. Nothing is written to disk, so nothing is left behind.

mod rooms;

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::serve::{listen, reachable};
use super::{Failure, say};
use crate::config::{Config, Sources, TokenHash, User, load};
use crate::kafka::{EmbeddedBroker, Producer};
use crate::service::{self, Durability, Service};
use crate::status::Status;
use crate::telemetry;

use rooms::{LiveChats, RoomEvent, documented_rooms};

const TOPIC: &str = "livechat.rooms";
const PARTITIONS: i32 = 3;
const USER: &str = "myuser-name";
const TOKEN: &str = "myauth-token";

/// How long the embedded broker may take until everything is counted.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A few chats a second, so that a dashboard moves.
const LIVE_INTERVAL: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Address and port to answer on
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:3000")]
    listen: String,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: String,
    /// The least important log lines shown: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log_level: String,
}

impl Demo {
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let mut config = self.config()?;
        telemetry::init_log(config.log.format, &config.log.level);
        let listener = listen(config.http.listen).await?;
        let address = reachable(listener.local_addr().map_err(anyhow::Error::from)?);
        let broker = EmbeddedBroker::start(TOPIC, PARTITIONS).context("cannot start the embedded broker")?;
        config.kafka.bootstrap_servers = broker.bootstrap_servers();
        let connection = service::connection(&config);
        let producer = Producer::connect(&connection, service::now()).map_err(anyhow::Error::from)?;
        for event in documented_rooms() {
            send(&producer, &event, &stop)?;
        }
        producer.finish(&stop).map_err(anyhow::Error::from)?;
        let service = Service::start(&config, listener, Durability::None)?;
        if until_ready(service.status(), &stop).await? {
            say(greeting(&format!("http://{address}")))?;
        }
        let live = tokio::spawn(keep_chats_coming(producer, stop.clone()));
        let ended = service.run(stop).await;
        live.abort();
        drop(broker);
        Ok(ended?)
    }

    /// Built-in defaults and the demonstration's own user; neither files nor
    /// variables of the environment play a part.
    fn config(&self) -> Result<Config, Failure> {
        let flags = vec![
            ("http.listen", self.listen.clone()),
            ("log.format", self.log_format.clone()),
            ("log.level", self.log_level.clone()),
            ("kafka.topic", TOPIC.to_owned()),
        ];
        let mut config = load(&Sources { flags, ..Sources::default() })?.config;
        config.auth.users.push(User {
            id: USER.to_owned(),
            token_hash: TokenHash::of(TOKEN.as_bytes()),
            permissions: vec!["view-livechat-manager".to_owned()],
        });
        Ok(config)
    }
}

/// Waits until every record is counted; false when told to stop meanwhile.
async fn until_ready(status: &Status, stop: &CancellationToken) -> anyhow::Result<bool> {
    let deadline = Instant::now() + START_TIMEOUT;
    while status.complete_as_of().is_none() {
        if stop.is_cancelled() {
            return Ok(false);
        }
        if Instant::now() > deadline {
            return Err(anyhow!(
                "the embedded broker's records were not read within {} s; try again with --log-level debug",
                START_TIMEOUT.as_secs()
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(true)
}

async fn keep_chats_coming(producer: Producer, stop: CancellationToken) {
    let mut chats = LiveChats::default();
    let mut due = tokio::time::interval(LIVE_INTERVAL);
    while !stop.is_cancelled() {
        due.tick().await;
        for event in chats.next(service::now()) {
            if let Err(error) = send(&producer, &event, &stop) {
                tracing::error!("no more live chats: {error:#}");
                return;
            }
        }
    }
}

fn send(producer: &Producer, event: &RoomEvent, stop: &CancellationToken) -> anyhow::Result<()> {
    let value = serde_json::to_vec(event)?;
    Ok(producer.send(&event.id, &value, false, stop)?)
}

fn greeting(address: &str) -> String {
    let question = "/api/v1/livechat/analytics/departments/amount-of-chats\
                    ?start=2020-01-10T23:59:22.345Z&end=2021-02-10T23:59:22.345Z";
    format!(
        "roomtally demo: the whole service on an embedded broker; nothing is written to disk.\n\n  \
         address  {address}\n  user     {USER}\n  token    {TOKEN}\n\n\
         The documented example, ready to paste:\n\n  \
         curl -s -H 'X-User-Id: {USER}' -H 'X-Auth-Token: {TOKEN}' '{address}{question}'\n\n\
         New chats keep coming for the same departments, a few a second; Ctrl-C ends it all."
    )
}
