//! `roomtally produce`: room events from a file into the topic.
//!
//! Every line is read as the service would read it, before it is sent, so that
//! what is acknowledged is what counts.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{ConfigArgs, Failure, TopicArgs, say};
use crate::decode::{self, Decoded, Ignored, Record};
use crate::kafka::{ProduceError, Producer};
use crate::service;
use crate::telemetry::Progress;

/// How many skipped lines are told one by one.
const SKIPPED_LINES_TOLD: u64 = 10;

/// Lines read ahead of the one that is sent; each may be `limits.record_bytes` long.
const LINES_AHEAD: usize = 64;

/// How soon a stop is seen while no line comes.
const STOP_LOOK: Duration = Duration::from_millis(100);

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
        limits: &decode::Limits,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let bar = Progress::begin("sending", "bytes", bytes);
        let mut lines = Lines::default();
        let ended =
            self.send_lines(&lines_of(input, limits.record_bytes), producer, limits, stop, &mut lines, &bar);
        // Whatever ended the lines, what was sent before is waited for.
        let finished = producer.finish(stop);
        drop(bar);
        say(format_args!(
            "{} records acknowledged by Kafka, of {} lines read",
            producer.acknowledged(),
            lines.read
        ))?;
        if lines.skipped > 0 {
            say(format_args!("{} invalid lines skipped", lines.skipped))?;
        }
        if stop.is_cancelled() {
            say(format_args!("interrupted: what follows line {} was not sent", lines.read))?;
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
        input: &Receiver<io::Result<Vec<u8>>>,
        producer: &Producer,
        limits: &decode::Limits,
        stop: &CancellationToken,
        lines: &mut Lines,
        bar: &Progress,
    ) -> Result<(), Ended> {
        let mut bytes = 0;
        while !stop.is_cancelled() {
            let line = match input.recv_timeout(STOP_LOOK) {
                Ok(line) => line.with_context(|| format!("cannot read {}", self.at(lines.read + 1))),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let line = line.map_err(Ended::Failed)?;
            lines.read += 1;
            bytes += u64::try_from(line.len() + 1).unwrap_or(0);
            let value = line.trim_ascii();
            if value.is_empty() {
                continue;
            }
            match self.send_line(value, producer, limits, stop).map_err(Ended::Failed)? {
                Ok(()) => lines.sent += 1,
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

    /// Sends one event, or says what is wrong with it.
    fn send_line(
        &self,
        value: &[u8],
        producer: &Producer,
        limits: &decode::Limits,
        stop: &CancellationToken,
    ) -> anyhow::Result<Result<(), String>> {
        let key = match key_of(value, limits) {
            Ok(key) => key,
            Err(problem) => return Ok(Err(problem)),
        };
        match producer.send(&key, value, self.if_unknown, stop) {
            Ok(()) => Ok(Ok(())),
            Err(error @ ProduceError::TooLarge) => Ok(Err(error.to_string())),
            Err(error) => Err(error.into()),
        }
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

/// The lines, read by a thread of their own: a read of standard input may wait
/// for ever, and a stop must not wait for it. Of a line that is longer than any
/// record may be, only so much is kept that it is found too large.
fn lines_of(input: Box<dyn Read + Send>, record_bytes: usize) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        let mut input = BufReader::new(input);
        loop {
            let line = next_line(&mut input, record_bytes + 1);
            let failed = line.is_err();
            let Some(line) = line.transpose() else { return };
            if sender.send(line).is_err() || failed {
                return;
            }
        }
    });
    lines
}

/// The next line without its end, cut to `longest` bytes; none at the end.
fn next_line(input: &mut impl BufRead, longest: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > longest {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
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
