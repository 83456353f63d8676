//! `roomtally produce`: room events and documents from a file into the topic.
//!
//! Every one is read as the service would read it, before it is sent, so that
//! what is acknowledged is what counts.

mod documents;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{ConfigArgs, Failure, TopicArgs, say};
use crate::decode::{self, Bump, Decoded, Ignored, Record, RejectReason, Rules};
use crate::kafka::{ProduceError, Producer};
use crate::room::Change;
use crate::service;
use crate::telemetry::Progress;

use documents::{At, Document, read_documents};

/// How many skipped ones are told one by one.
const SKIPPED_TOLD: u64 = 10;

/// How soon a stop is seen while nothing comes.
const STOP_LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Produce {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    topic: TopicArgs,
    /// Events, or rooms as mongoexport writes them; - is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Apply each only to a room not known: history leaves rooms that count as they are
    #[arg(long)]
    if_unknown: bool,
    /// Go on behind a bad line or element instead of ending there
    #[arg(long)]
    skip_invalid: bool,
}

/// What has become of the documents so far.
#[derive(Debug, Default)]
struct SoFar {
    /// Those that were read, blank lines aside.
    read: u64,
    sent: u64,
    skipped: u64,
    /// Rooms of another type than livechat's.
    left_out: u64,
    /// Those that are parts of a document.
    parts: u64,
    /// Where the last one stood.
    last: Option<At>,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// An event, or a whole room.
    Whole,
    /// What changed in a room, without an envelope.
    Part,
    /// Not sent: a room of another type.
    LeftOut,
}

/// What ended the documents before their end.
#[derive(Debug)]
enum Ended {
    /// One that says nothing of a room, and why.
    BadDocument(String),
    /// The file cannot be read on, or Kafka takes no more.
    Failed(anyhow::Error),
}

impl Produce {
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = self.config.load_and_log(self.topic.flags())?.config;
        let rules = service::rules(&config);
        let connection = service::connection(&config);
        let sent = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
            let (input, bytes) = self.open()?;
            let producer = Producer::connect(&connection, service::now())?;
            self.send(input, bytes, &producer, &rules, &stop)
        });
        Ok(sent.await.context("sending failed")??)
    }

    /// The lines, and how many bytes they are if that is known.
    fn open(&self) -> anyhow::Result<(Box<dyn Read + Send>, u64)> {
        if self.file.as_os_str() == "-" {
            return Ok((Box::new(io::stdin()), 0));
        }
        let name = self.file.display();
        let file = File::open(&self.file).with_context(|| format!("cannot open {name}"))?;
        let found = file.metadata().with_context(|| format!("cannot look at {name}"))?;
        if found.is_dir() {
            return Err(anyhow!("{name} is a directory; name a file of events, one JSON object a line"));
        }
        Ok((Box::new(file), found.len()))
    }

    fn send(
        &self,
        input: Box<dyn Read + Send>,
        bytes: u64,
        producer: &Producer,
        rules: &Rules,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let bar = Progress::begin("sending", "bytes", bytes);
        let mut so_far = SoFar::default();
        let documents = read_documents(input, rules.limits.record_bytes);
        let ended = self.send_documents(&documents, producer, rules, stop, &mut so_far, &bar);
        // Whatever ended them, what was sent before is waited for.
        let finished = producer.finish(stop);
        drop(bar);
        say(format_args!(
            "{} records acknowledged by Kafka, of {} events and rooms read",
            producer.acknowledged(),
            so_far.read
        ))?;
        if so_far.left_out > 0 {
            say(format_args!("{} rooms of other types left out", so_far.left_out))?;
        }
        if so_far.parts > 0 {
            let what = if self.if_unknown { "with --if-unknown they do nothing" } else { "they add no room" };
            say(format_args!(
                "{} are parts of documents, without t or ts: {what}; to load rooms, export whole documents \
                 (mongoexport without --fields)",
                so_far.parts
            ))?;
        }
        if so_far.skipped > 0 {
            say(format_args!("{} invalid ones skipped", so_far.skipped))?;
        }
        if stop.is_cancelled() {
            let last = so_far.last.map_or_else(|| "the beginning".to_owned(), |at| at.to_string());
            say(format_args!("interrupted: what follows {last} was not sent"))?;
        }
        match ended {
            Err(Ended::BadDocument(problem)) => Err(anyhow!(
                "{problem}; nothing from there on was sent, {} records before it were. \
                 Mend it, or leave such ones out with --skip-invalid",
                so_far.sent
            )),
            Err(Ended::Failed(error)) => Err(error),
            Ok(()) => Ok(finished?),
        }
    }

    fn send_documents(
        &self,
        documents: &Receiver<io::Result<Document>>,
        producer: &Producer,
        rules: &Rules,
        stop: &CancellationToken,
        so_far: &mut SoFar,
        bar: &Progress,
    ) -> Result<(), Ended> {
        while !stop.is_cancelled() {
            let document = match documents.recv_timeout(STOP_LOOK) {
                Ok(document) => document.with_context(|| format!("cannot read {}", self.name())),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let Document { text, at, bytes } = document.map_err(Ended::Failed)?;
            if text.is_empty() {
                continue;
            }
            so_far.read += 1;
            so_far.last = Some(at);
            match self.send_one(&text, producer, rules, stop).map_err(Ended::Failed)? {
                Ok(Sent::Whole) => so_far.sent += 1,
                Ok(Sent::Part) => {
                    so_far.sent += 1;
                    so_far.parts += 1;
                }
                Ok(Sent::LeftOut) => so_far.left_out += 1,
                Err(problem) if self.skip_invalid => {
                    so_far.skipped += 1;
                    if so_far.skipped <= SKIPPED_TOLD {
                        tracing::warn!("{}, {at}: {problem}; skipped", self.name());
                    }
                }
                Err(problem) => return Err(Ended::BadDocument(format!("{}, {at}: {problem}", self.name()))),
            }
            bar.set(bytes);
        }
        Ok(())
    }

    /// Sends one, unless it is a room of another type, or says what is wrong with it.
    fn send_one(
        &self,
        value: &[u8],
        producer: &Producer,
        rules: &Rules,
        stop: &CancellationToken,
    ) -> anyhow::Result<Result<Sent, String>> {
        let key = match key_of(value, rules) {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(Ok(Sent::LeftOut)),
            Err(problem) => return Ok(Err(problem)),
        };
        match producer.send(&key, value, self.if_unknown, stop) {
            Ok(()) if is_part(value, rules) => Ok(Ok(Sent::Part)),
            Ok(()) => Ok(Ok(Sent::Whole)),
            Err(error @ ProduceError::TooLarge) => Ok(Err(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    fn name(&self) -> String {
        if self.file.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        }
    }
}

/// The room that a document speaks of, none if it is one of another type, or what is
/// wrong with it.
fn key_of(value: &[u8], rules: &Rules) -> Result<Option<String>, String> {
    match decode::decode(&record(value), rules, &Bump::new()) {
        Ok(Decoded::Ignored(Ignored::OtherKind)) => Ok(None),
        Ok(Decoded::Change(change)) if change.change == Change::OtherKind => Ok(None),
        Ok(Decoded::Change(change)) => Ok(Some(change.room.as_str().to_owned())),
        Ok(Decoded::Ignored(Ignored::OtherEvent)) => {
            Err("its event is none of room-created, room-updated and room-removed".to_owned())
        }
        Ok(Decoded::Ignored(_)) => Err("it says nothing of a room".to_owned()),
        Err(reason) => Err(format!("{reason} ({}){}", reason.name(), hint(reason))),
    }
}

fn is_part(value: &[u8], rules: &Rules) -> bool {
    decode::is_part_of_document(&record(value), rules)
}

/// The value as the service will read it.
fn record(value: &[u8]) -> Record<'_> {
    Record { key: None, value: Some(value), timestamp: Some(service::now()) }
}

/// What a file that is of another shape than ours mostly comes to.
fn hint(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::NotJson | RejectReason::NotObject => {
            "; a file has one JSON object a line, or all of them in one array (mongoexport --jsonArray)"
        }
        _ => "",
    }
}
