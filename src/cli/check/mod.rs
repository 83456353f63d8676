//! `roomtally check`: everything a start needs, looked at one by one.

mod data_directory;

use std::io;
use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;

use super::{ConfigArgs, Failure, ServiceArgs, say};
use crate::cli::check::data_directory::Kept;
use crate::config::Config;
use crate::decode::{self, Decoded, Record};
use crate::kafka::{Batch, Inspection, OutOfSight, inspect};
use crate::room::Change;
use crate::service;

/// In capitals, to be seen among the others.
const FAIL: &str = "FAIL";

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    service: ServiceArgs,
    /// Only the configuration: reach nothing
    #[arg(long)]
    offline: bool,
}

/// What was found, line by line.
#[derive(Debug, Default)]
struct Findings {
    failed: bool,
}

impl Findings {
    fn fine(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell("ok", what, text)
    }

    fn warn(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell("warn", what, text)
    }

    /// What could not be looked at; its cause has failed.
    fn skip(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell("skip", what, text)
    }

    fn fail(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell(FAIL, what, text)
    }

    fn tell(&mut self, verdict: &str, what: &str, text: &str) -> io::Result<()> {
        self.failed |= verdict == FAIL;
        say(format_args!("{verdict:4}  {what}: {text}"))
    }
}

impl Check {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let loaded = self.config.load_and_log(self.service.flags())?;
        let config = loaded.config;
        let mut findings = Findings::default();
        findings.fine("configuration", "every key is known and valid")?;
        if config.auth.users.is_empty() {
            findings.warn(
                "auth",
                "no user is configured, so every question is refused with 401; see `roomtally token`",
            )?;
        }
        if self.offline {
            return Ok(());
        }
        let kept = Kept::of(&config.snapshot.dir);
        kafka(&config, &kept, &mut findings).await?;
        kept.tell(&config, &mut findings)?;
        address(config.http.listen, &mut findings).await?;
        if findings.failed { Err(Failure::Said) } else { Ok(()) }
    }
}

async fn kafka(config: &Config, kept: &Kept, findings: &mut Findings) -> io::Result<()> {
    let servers = &config.kafka.bootstrap_servers;
    let topic = format!("topic {}", config.kafka.topic);
    match inspect(&service::connection(config), service::now()).await {
        Err(OutOfSight::BrokerAway { reason }) => {
            findings.fail("kafka", &format!("cannot reach {servers}: {reason}"))?;
            findings.skip(&topic, "not looked at, since Kafka cannot be reached")
        }
        Err(OutOfSight::TopicAbsent) => {
            findings.fine("kafka", &format!("{servers} answers"))?;
            findings.fail(&topic, "is not there; create it, or name another with --topic")
        }
        Ok(found) => {
            findings.fine("kafka", &format!("{servers} answers"))?;
            let records: u64 =
                found.partitions.iter().map(|bounds| bounds.end.records_since(bounds.begin)).sum();
            findings.fine(&topic, &format!("{} partitions, {records} offsets", found.partitions.len()))?;
            warn_of_retention(&topic, &found, kept, findings)?;
            warn_of_records(&topic, &found, config, findings)
        }
    }
}

/// Records that are gone before they are needed.
fn warn_of_retention(
    topic: &str,
    found: &Inspection,
    kept: &Kept,
    findings: &mut Findings,
) -> io::Result<()> {
    let deletes = found.cleanup_policy.as_deref().is_none_or(|policy| policy.contains("delete"));
    let retention_ms = found.retention_ms.filter(|&ms| deletes && ms >= 0);
    if let Some(retention_ms) = retention_ms {
        findings.warn(
            topic,
            &format!(
                "records are deleted after {} (retention.ms): a service that is away for longer stops with a \
                 gap, and without its snapshots older rooms are lost; set retention.ms=-1, or keep backups \
                 (roomtally snapshot backup)",
                hours(retention_ms)
            ),
        )?;
        if let Some(age_ms) = kept.age_ms().filter(|age| age * 2 > retention_ms) {
            findings.warn(
                topic,
                &format!(
                    "the newest snapshot is {} old, and records are deleted after {}: start the service soon, or \
                     what came since is lost to it",
                    hours(age_ms),
                    hours(retention_ms)
                ),
            )?;
        }
    }
    if deletes && found.retention_bytes.is_some_and(|bytes| bytes >= 0) {
        findings.warn(
            topic,
            "old records are deleted by size (retention.bytes), however long the service was away; set it to -1",
        )?;
    }
    if kept.state().is_none() && found.partitions.iter().any(|bounds| bounds.begin.as_offset() > 0) {
        findings.warn(topic, "its first records are gone already; what they created is not counted")?;
    }
    Ok(())
}

fn hours(ms: i64) -> String {
    match ms {
        0..3_600_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// Records that will be counted wrong.
fn warn_of_records(
    topic: &str,
    found: &Inspection,
    config: &Config,
    findings: &mut Findings,
) -> io::Result<()> {
    let compacted = found.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact"));
    let limits = service::limits(config);
    let count = |wanted: fn(&Batch, &decode::Limits) -> usize| wanted(&found.sample, &limits);
    if compacted && count(partial_updates) > 0 {
        findings.warn(
            topic,
            "it is compacted and has partial updates (room-updated): compaction keeps only the last record of \
             a room and loses its creation; turn compaction off, or send whole rooms",
        )?;
    }
    if found.partitions.len() > 1 && count(keys_without_room) > 0 {
        findings.warn(
            topic,
            "it has several partitions, and records whose key names no room: changes of one room may be \
             applied in the wrong order; key the records by room id",
        )?;
    }
    Ok(())
}

fn partial_updates(sample: &Batch, limits: &decode::Limits) -> usize {
    let is_update = |record: &crate::kafka::BatchRecord<'_>| {
        let record = Record { key: record.key, value: record.value, timestamp: record.timestamp };
        matches!(decode::decode(&record, limits), Ok(Decoded::Change(room)) if matches!(room.change, Change::Updated(_)))
    };
    sample.records().filter(is_update).count()
}

fn keys_without_room(sample: &Batch, _: &decode::Limits) -> usize {
    // A connector's heartbeat has no value, and no room in its key either.
    let with_value = sample.records().filter(|record| record.value.is_some());
    with_value.filter(|record| !decode::key_names_a_room(record.key)).count()
}

async fn address(listen: SocketAddr, findings: &mut Findings) -> io::Result<()> {
    let name = format!("address {listen}");
    match TcpListener::bind(listen).await {
        Ok(_) => findings.fine(&name, "is free"),
        Err(error) => {
            findings.fail(&name, &format!("cannot listen there: {error}; choose another with http.listen"))
        }
    }
}
