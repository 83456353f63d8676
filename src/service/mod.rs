//! The whole service put together: its threads, and the order in which they stop.
//!
//! Owns the life of the parts. Invariant: a part that ends before it is told to
//! ends the service with an error, so no half of it goes on alone. On a stop
//! the reader stops reading, the aggregator applies what is on its way, and the
//! server closes last: a webhook that is being answered is answered.

mod counting;
mod published;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use chrono::Utc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::aggregator::Ending;
use crate::api::{self, Api};
use crate::config::{ClientFault, Config, Property};
use crate::decode::{Limits, Rules};
use crate::kafka::{Connection, Properties, PropertyFault};
use crate::room::Timestamp;
use crate::service::counting::Start;
use crate::snapshot::Place;
use crate::status::Status;
use crate::tally;
use crate::telemetry::metrics::Metrics;

/// How long the server may take to close when counting has used up all its time.
const SERVER_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A running service.
#[derive(Debug)]
pub struct Service {
    status: Status,
    ending: Ending,
    counting: oneshot::Receiver<anyhow::Result<()>>,
    serving: JoinHandle<()>,
    stop_reading: CancellationToken,
    stop_watching: CancellationToken,
    stop_serving: CancellationToken,
}

/// Whether what is counted outlives the process.
#[derive(Debug)]
pub enum Durability {
    /// In this data directory.
    Kept(Place),
    /// Not at all: neither does the log.
    None,
}

impl Service {
    /// Starts everything. Requests are answered from now on, with 503 until the
    /// log has been read.
    ///
    /// # Errors
    /// When the webhook's client of Kafka cannot be made.
    pub fn start(config: &Config, listener: TcpListener, durability: Durability) -> anyhow::Result<Self> {
        let (status, ending) = (Status::default(), Ending::default());
        let (writer, reader) = tally::tally(config.limits.departments);
        let metrics = Metrics::new();
        let mut api =
            Api::new(reader.clone(), status.clone(), metrics.clone(), now, &config.http, &config.auth);
        if let Some(secret) = &config.webhook.secret {
            api = api.with_webhook(secret.clone(), published::webhook(config)?);
        }
        let (stop_watching, stop_serving) = (CancellationToken::new(), CancellationToken::new());
        // Whatever ends the watch ends the reader too, and with it the service.
        let stop_reading = stop_watching.child_token();
        let serving = tokio::spawn(api::serve(listener, api, stop_serving.clone()));
        let start = Start {
            config: config.clone(),
            durability,
            status: status.clone(),
            ending: ending.clone(),
            metrics,
            writer,
            reader,
            stop_reading: stop_reading.clone(),
            stop_watching: stop_watching.clone(),
        };
        let counting = start.spawn().context("cannot start the thread that counts")?;
        Ok(Self { status, ending, counting, serving, stop_reading, stop_watching, stop_serving })
    }

    /// What the service knows of itself.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Runs until `stop`, then ends every part in order: no more records, the last
    /// snapshot, the answers. It returns within 9 seconds of that whatever a part
    /// waits for, and says what it gave up; the process is to end then.
    ///
    /// # Errors
    /// When a part ended by itself, or the snapshots cannot be used.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => {}
            counted = &mut self.counting => {
                counted.context("the counting thread failed")??;
                return Err(anyhow!("the counting thread ended unexpectedly; see the log above"));
            }
            _ = &mut self.serving => {
                return Err(anyhow!("the HTTP server ended unexpectedly; see the log above"));
            }
        }
        let by = self.ending.begin();
        self.stop_reading.cancel();
        let counted = if let Ok(counted) = timeout_at(by.into(), self.counting).await {
            counted.context("the counting thread failed")?
        } else {
            let unfinished = self.ending.at();
            tracing::warn!(
                "given up, to end in time: {unfinished}; what no snapshot has is read again at the next start"
            );
            Ok(())
        };
        self.stop_watching.cancel();
        self.stop_serving.cancel();
        let by = by.max(Instant::now()) + SERVER_ENDS_WITHIN;
        if let Ok(served) = timeout_at(by.into(), self.serving).await {
            served.context("the HTTP server failed")?;
        } else {
            tracing::warn!("given up, to end in time: answers that take too long");
        }
        counted
    }
}

/// The wall clock: the one place where it is read.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::from_millis(Utc::now().timestamp_millis())
}

/// How the configuration says to reach the topic.
pub fn connection(config: &Config) -> Connection {
    Connection {
        bootstrap_servers: config.kafka.bootstrap_servers.clone(),
        topic: config.kafka.topic.clone(),
        properties: properties(&config.kafka.properties),
    }
}

/// What the configuration says of records.
pub fn rules(config: &Config) -> Rules {
    let limits = Limits {
        record_bytes: config.limits.record_bytes,
        oldest: Timestamp::from_millis(config.limits.oldest),
        max_future_ms: i64::try_from(config.limits.max_future.as_millis()).unwrap_or(i64::MAX),
    };
    Rules { limits, collection: config.kafka.collection.clone() }
}

/// What the Kafka client of this build has against the properties.
pub fn check_client(given: &BTreeMap<String, Property>) -> Vec<ClientFault> {
    let connection =
        Connection { bootstrap_servers: String::new(), topic: String::new(), properties: properties(given) };
    let faults = connection.faults().into_iter();
    let fault = |fault: PropertyFault| ClientFault {
        property: fault.property,
        problem: fault.problem,
        remedy: fault.remedy,
    };
    faults.map(fault).collect()
}

fn properties(given: &BTreeMap<String, Property>) -> Properties {
    Properties(given.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect())
}
