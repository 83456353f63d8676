//! The whole service put together: its threads, and the order in which they stop.
//!
//! Owns the life of the parts. Invariant: a part that ends before it is told to
//! ends the service with an error, so no half of it goes on alone. On a stop
//! the reader stops reading, the aggregator applies what is on its way, and the
//! server closes last.

use std::collections::BTreeMap;
use std::sync::mpsc;

use anyhow::{Context as _, anyhow};
use chrono::Utc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::aggregator::{Aggregator, Counting, Settings};
use crate::api::{self, Api};
use crate::config::{ClientFault, Config, Property};
use crate::decode;
use crate::kafka::{Connection, LogEvent, Properties, PropertyFault, Reader, Watch};
use crate::room::Timestamp;
use crate::status::Status;
use crate::tally;
use crate::telemetry::metrics::Metrics;

/// Batches on their way from the reader to the aggregator; each holds up to
/// about a thousand records.
const BATCHES_ON_THE_WAY: usize = 16;

/// A running service.
#[derive(Debug)]
pub struct Service {
    status: Status,
    counting: JoinHandle<bool>,
    serving: JoinHandle<()>,
    stop_counting: CancellationToken,
    stop_serving: CancellationToken,
}

impl Service {
    /// Starts everything. Requests are answered from now on, with 503 until the
    /// log has been read.
    ///
    /// # Errors
    /// When a thread or the Kafka client cannot be made.
    pub fn start(config: &Config, listener: TcpListener) -> anyhow::Result<Self> {
        let status = Status::default();
        let (writer, reader) = tally::tally(config.limits.departments);
        let counting = Counting::new(writer, limits(config));
        let api = Api::new(reader, status.clone(), Metrics::new(), now, &config.http, &config.auth);
        let (stop_counting, stop_serving) = (CancellationToken::new(), CancellationToken::new());
        let serving = tokio::spawn(api::serve(listener, api, stop_serving.clone()));
        let counting = count(config, counting, status.clone(), &stop_counting)?;
        Ok(Self { status, counting, serving, stop_counting, stop_serving })
    }

    /// What the service knows of itself.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Runs until `stop`, then ends every part in order.
    ///
    /// # Errors
    /// When a part ended by itself.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            _ = &mut self.counting => Some("the counting thread"),
            _ = &mut self.serving => Some("the HTTP server"),
        };
        if let Some(part) = ended {
            return Err(anyhow!("{part} ended unexpectedly; see the log above"));
        }
        self.stop_counting.cancel();
        let ended_well = self.counting.await.context("the counting thread failed")?;
        self.stop_serving.cancel();
        self.serving.await.context("the HTTP server failed")?;
        if ended_well { Ok(()) } else { Err(anyhow!("the reading thread failed; see the log above")) }
    }
}

/// Starts the threads towards Kafka and the one that counts; its end says
/// whether the reader ended well.
fn count(
    config: &Config,
    counting: Counting,
    status: Status,
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<bool>> {
    let (sender, events) = mpsc::sync_channel::<LogEvent>(BATCHES_ON_THE_WAY);
    let connection = connection(config);
    let settings = Settings {
        topic: connection.topic.clone(),
        bootstrap_servers: connection.bootstrap_servers.clone(),
        unavailable_after: config.kafka.unavailable_after,
        now,
    };
    let cannot = "cannot make the Kafka client";
    let reader = Reader::start(connection.clone(), sender.clone(), stop.clone()).context(cannot)?;
    Watch::start(connection, sender, stop.clone(), now).context(cannot)?;
    let aggregator = Aggregator::new(counting, status, settings);
    Ok(tokio::task::spawn_blocking(move || {
        aggregator.run(&events, &reader);
        reader.join()
    }))
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

/// What records the configuration lets in.
pub fn limits(config: &Config) -> decode::Limits {
    decode::Limits {
        record_bytes: config.limits.record_bytes,
        oldest: Timestamp::from_millis(config.limits.oldest),
        max_future_ms: i64::try_from(config.limits.max_future.as_millis()).unwrap_or(i64::MAX),
    }
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
