//! `roomtally replay`: dead letters that are good by now, back into the topic.
//!
//! Each is read as the service would read it, with the timestamp that it had, and sent
//! as it was. What it says is applied at its new place in the log, behind all that came
//! since: so an old update may undo a later one.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{ConfigArgs, Failure, TopicArgs, say};
use crate::config::Config;
use crate::decode::{self, Bump, Decoded, IF_UNKNOWN_HEADER, Record, RejectReason, Rules};
use crate::kafka::{BatchRecord, Headers, Outgoing, Producer, Stored, copied_from, original_headers};
use crate::service;
use crate::telemetry::Progress;

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    topic: TopicArgs,
    /// Apply each only to a room not known: what came later is not undone
    #[arg(long)]
    if_unknown: bool,
}

/// What was found, and what became of it.
#[derive(Debug, Default)]
struct SoFar {
    read: u64,
    sent: u64,
    /// What is still wrong with those that were left, by its name.
    bad: BTreeMap<&'static str, u64>,
    /// They say nothing that is counted.
    ignored: u64,
    /// They are no copies of records of this topic.
    foreign: u64,
}

impl Replay {
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = self.config.load_and_log(self.topic.flags())?.config;
        if config.dead_letter.topic.is_empty() {
            return Err(anyhow!("no dead-letter topic is configured; name it with dead_letter.topic").into());
        }
        let replayed = tokio::task::spawn_blocking(move || self.replay(&config, &stop));
        Ok(replayed.await.context("replaying failed")??)
    }

    fn replay(&self, config: &Config, stop: &CancellationToken) -> anyhow::Result<()> {
        let connection = service::connection(config);
        let letters =
            crate::kafka::Connection { topic: config.dead_letter.topic.clone(), ..connection.clone() };
        let mut stored = Stored::open(&letters, service::now())?;
        let producer = Producer::connect_for_copies(&connection, service::now())?;
        let mut so_far = SoFar::default();
        let ended = self.send_all(&mut stored, &producer, config, stop, &mut so_far);
        // Whatever ended them, what was sent before is waited for.
        let finished = producer.finish(stop);
        so_far.tell(config, producer.acknowledged())?;
        if stop.is_cancelled() {
            say("interrupted: some dead letters were not looked at")?;
        }
        ended?;
        Ok(finished?)
    }

    fn send_all(
        &self,
        stored: &mut Stored,
        producer: &Producer,
        config: &Config,
        stop: &CancellationToken,
        so_far: &mut SoFar,
    ) -> anyhow::Result<()> {
        let rules = service::rules(config);
        let bar = Progress::begin("replaying", "records", stored.offsets());
        while let Some(batch) = stored.next(stop)? {
            for (at, record) in batch.records().enumerate().filter(|(_, record)| stored.has(record)) {
                so_far.read += 1;
                let headers = batch.headers(at);
                if so_far.judge(&headers, &record, &config.kafka.topic, &rules) {
                    producer.send_copy(&self.outgoing(&headers, &record), stop)?;
                    so_far.sent += 1;
                }
            }
            bar.set(so_far.read);
        }
        Ok(())
    }

    /// The record as it was before it was refused.
    fn outgoing<'a>(&self, headers: &'a Headers<'_>, record: &BatchRecord<'a>) -> Outgoing<'a> {
        let BatchRecord { key, value, timestamp, .. } = *record;
        let mut headers = original_headers(headers.iter());
        if self.if_unknown && headers.iter().all(|(name, _)| *name != IF_UNKNOWN_HEADER) {
            headers.push((IF_UNKNOWN_HEADER, Some(b"")));
        }
        Outgoing { key, value, timestamp, headers }
    }
}

impl SoFar {
    /// Whether a letter is good now; counts it among the others if not.
    fn judge(&mut self, headers: &Headers<'_>, record: &BatchRecord<'_>, topic: &str, rules: &Rules) -> bool {
        if !matches!(copied_from(headers.iter()), Some((from, _)) if from == topic) {
            self.foreign += 1;
            return false;
        }
        let BatchRecord { key, value, timestamp, .. } = *record;
        match decode::decode(&Record { key, value, timestamp }, rules, &Bump::new()) {
            Ok(Decoded::Change(_)) => return true,
            Ok(Decoded::Ignored(_)) => self.ignored += 1,
            Err(reason) => *self.bad.entry(RejectReason::name(reason)).or_default() += 1,
        }
        false
    }

    fn tell(&self, config: &Config, acknowledged: u64) -> anyhow::Result<()> {
        let Config { kafka, dead_letter, .. } = config;
        say(format_args!("{} records read from {}", self.read, dead_letter.topic))?;
        say(format_args!(
            "{} good now and sent to {}, {acknowledged} of them acknowledged by Kafka",
            self.sent, kafka.topic
        ))?;
        let bad: u64 = self.bad.values().sum();
        if bad > 0 {
            let each: Vec<_> =
                self.bad.iter().map(|(reason, records)| format!("{records} {reason}")).collect();
            say(format_args!("{bad} still bad and left: {}", each.join(", ")))?;
        }
        if self.ignored > 0 {
            say(format_args!("{} left that say nothing of a livechat room", self.ignored))?;
        }
        if self.foreign > 0 {
            say(format_args!("{} left that are no copies of records of {}", self.foreign, kafka.topic))?;
        }
        Ok(())
    }
}
