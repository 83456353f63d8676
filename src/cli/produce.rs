//! `roomtally produce`: room events from a file into the topic.
//!
//! Every line is read as the service would read it, before it is sent, so that
//! what is acknowledged is what counts.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{ConfigArgs, Failure, TopicArgs};
use crate::decode::{self, Decoded, Ignored, Record};
use crate::kafka::Producer;
use crate::service;
use crate::telemetry::Progress;

/// How many skipped lines are told one by one.
const SKIPPED_LINES_TOLD: u64 = 10;

#[derive(Debug, Args)]
pub(super) struct Produce {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    topic: TopicArgs,
    /// File of events, one JSON object a line; - is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Apply each only to a room not known, so that loading history undoes nothing
    #[arg(long)]
    if_unknown: bool,
    /// Go on behind a bad line instead of ending there
    #[arg(long)]
    skip_invalid: bool,
}

/// What has become of the lines so far.
#[derive(Debug, Default)]
struct Lines {
    read: u64,
    sent: u64,
    skipped: u64,
}

/// What ended the lines before their end.
#[derive(Debug)]
enum Ended {
    /// A line that is no room event, and why.
    BadLine(String),
    /// The file cannot be read on, or Kafka takes no more.
    Failed(anyhow::Error),
}

impl Produce {
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = self.config.load_and_log(self.topic.flags())?.config;
        let limits = service::limits(&config);
        let connection = service::connection(&config);
        let sent = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
            let (input, bytes) = self.open()?;
            let producer = Producer::connect(&connection, service::now())?;
            self.send(input, bytes, &producer, &limits, &stop)
        });
        Ok(sent.await.context("sending failed")??)
    }

    /// The lines, and how many bytes they are if that is known.
    fn open(&self) -> anyhow::Result<(Box<dyn Read>, u64)> {
        if self.file.as_os_str() == "-" {
            return Ok((Box::new(io::stdin()), 0));
        }
        let name = self.file.display();
        let file = File::open(&self.file).with_context(|| format!("cannot open {name}"))?;
        let bytes = file.metadata().with_context(|| format!("cannot look at {name}"))?.len();
        Ok((Box::new(file), bytes))
    }

    fn send(
        &self,
        input: Box<dyn Read>,
        bytes: u64,
        producer: &Producer,
        limits: &decode::Limits,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let bar = Progress::begin("sending", "bytes", bytes);
        let mut lines = Lines::default();
        let ended = self.send_lines(&mut BufReader::new(input), producer, limits, stop, &mut lines, &bar);
        // Whatever ended the lines, what was sent before is waited for.
        let finished = producer.finish();
        drop(bar);
        println!("{} records acknowledged by Kafka, of {} lines read", producer.acknowledged(), lines.read);
        if lines.skipped > 0 {
            println!("{} invalid lines skipped", lines.skipped);
        }
        if stop.is_cancelled() {
            println!("interrupted: what follows line {} was not sent", lines.read);
        }
        match ended {
            Err(Ended::BadLine(problem)) => Err(anyhow!(
                "{problem}; nothing from this line on was sent, {} records before it were. \
                 Mend the line, or leave such lines out with --skip-invalid",
                lines.sent
            )),
            Err(Ended::Failed(error)) => Err(error),
            Ok(()) => Ok(finished?),
        }
    }

    fn send_lines(
        &self,
        input: &mut dyn BufRead,
        producer: &Producer,
        limits: &decode::Limits,
        stop: &CancellationToken,
        lines: &mut Lines,
        bar: &Progress,
    ) -> Result<(), Ended> {
        let (mut line, mut bytes) = (Vec::new(), 0);
        while !stop.is_cancelled() {
            line.clear();
            let read = input.read_until(b'\n', &mut line).with_context(|| self.at(lines.read + 1));
            let length = read.map_err(Ended::Failed)?;
            if length == 0 {
                break;
            }
            lines.read += 1;
            bytes += u64::try_from(length).unwrap_or(0);
            let value = line.trim_ascii();
            if value.is_empty() {
                continue;
            }
            match key_of(value, limits) {
                Ok(key) => {
                    let sent = producer.send(&key, value, self.if_unknown);
                    sent.map_err(|error| Ended::Failed(error.into()))?;
                    lines.sent += 1;
                }
                Err(problem) if self.skip_invalid => {
                    lines.skipped += 1;
                    if lines.skipped <= SKIPPED_LINES_TOLD {
                        tracing::warn!("{}: {problem}; skipped", self.at(lines.read));
                    }
                }
                Err(problem) => return Err(Ended::BadLine(format!("{}: {problem}", self.at(lines.read)))),
            }
            bar.set(bytes);
        }
        Ok(())
    }

    fn at(&self, line: u64) -> String {
        let name = if self.file.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        };
        format!("{name}, line {line}")
    }
}

/// The room that an event speaks of, or what is wrong with it.
fn key_of(value: &[u8], limits: &decode::Limits) -> Result<String, String> {
    let record = Record { key: None, value: Some(value), timestamp: Some(service::now()) };
    match decode::decode(&record, limits) {
        Ok(Decoded::Change(change)) => Ok(change.room.as_str().to_owned()),
        Ok(Decoded::Ignored(Ignored::OtherEvent)) => {
            Err("its event is none of room-created, room-updated and room-removed".to_owned())
        }
        Ok(Decoded::Ignored(_)) => {
            Err("it is no native event, which has an \"event\" of room-created, room-updated or \
                 room-removed; this version sends no other form"
                .to_owned())
        }
        Err(reason) => Err(format!("{reason} ({})", reason.name())),
    }
}
