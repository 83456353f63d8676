//! What will hurt of the topic as it is set up and filled.
//!
//! Owns the warnings about retention, compaction and keys.

use std::io;
use std::time::Duration;

use super::Findings;
use super::data_directory::Kept;
use crate::config::Config;
use crate::decode::{self, Bump, Decoded, Record, Rules};
use crate::kafka::{Batch, BatchRecord, Inspection};
use crate::room::Change;
use crate::service;

/// Records that are gone before they are needed.
pub(super) fn warn_of_retention(
    topic: &str,
    found: &Inspection,
    kept: &Kept,
    config: &Config,
    findings: &mut Findings,
) -> io::Result<()> {
    let deletes = found.cleanup_policy.as_deref().is_none_or(|policy| policy.contains("delete"));
    let retention_ms = found.retention_ms.filter(|&ms| deletes && ms >= 0);
    if let Some(retention_ms) = retention_ms {
        warn_of_retention_ms(topic, retention_ms, found, kept, config, findings)?;
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

/// Why the next start would stop, if anything says so by now.
pub(super) fn warn_of_stop(
    topic: &str,
    found: &Inspection,
    kept: &Kept,
    findings: &mut Findings,
) -> io::Result<()> {
    let Some(state) = kept.state() else { return Ok(()) };
    let next = |partition| state.positions.get(partition);
    let mut problem = None;
    for bounds in &found.partitions {
        match next(bounds.partition) {
            Some(next) if next < bounds.begin => {
                problem = Some("records were deleted that it has not read (a gap)");
            }
            Some(next) if next > bounds.end => problem = Some("it has fewer records than were counted"),
            _ => {}
        }
    }
    if !state.identity.may_be(&found.identity) {
        problem = Some("it is another one than was counted: it was made anew, or the cluster is another one");
    }
    let Some(problem) = problem else { return Ok(()) };
    let text = format!("{problem}: a start stops, until somebody decides with `roomtally resolve`");
    findings.warn(topic, &text)
}

/// A service goes on from its newest snapshot, so what came since has to be there.
fn warn_of_retention_ms(
    topic: &str,
    retention_ms: i64,
    found: &Inspection,
    kept: &Kept,
    config: &Config,
    findings: &mut Findings,
) -> io::Result<()> {
    let retention = hours(retention_ms);
    findings.warn(
        topic,
        &format!(
            "records are deleted after {retention} (retention.ms): a service that is away for longer stops with \
             a gap, and without its snapshots older rooms are lost; set retention.ms=-1, or keep backups \
             (roomtally snapshot backup)"
        ),
    )?;
    let interval_ms = whole_ms(config.snapshot.interval);
    if interval_ms.saturating_mul(2) > retention_ms {
        findings.warn(
            topic,
            &format!(
                "snapshots are taken every {} (snapshot.interval), and records are deleted after {retention}: \
                 after a crash some may be gone that no snapshot has; take snapshots more often",
                hours(interval_ms)
            ),
        )?;
    }
    let is_behind = found.partitions.iter().any(|bounds| kept.is_behind(bounds.partition, bounds.end));
    if let Some(age_ms) = kept.age_ms().filter(|age| is_behind && age.saturating_mul(2) > retention_ms) {
        findings.warn(
            topic,
            &format!(
                "the newest snapshot is {} old and lacks records that are deleted after {retention}: start the \
                 service soon, or they are lost to it",
                hours(age_ms)
            ),
        )?;
    }
    Ok(())
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn hours(ms: i64) -> String {
    match ms {
        ..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// Records that will be counted wrong.
pub(super) fn warn_of_records(
    topic: &str,
    found: &Inspection,
    config: &Config,
    findings: &mut Findings,
) -> io::Result<()> {
    let compacted = found.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact"));
    let rules = service::rules(config);
    let count = |wanted: fn(&Batch, &Rules) -> usize| wanted(&found.sample, &rules);
    if compacted && count(partial_updates) > 0 {
        findings.warn(
            topic,
            "it is compacted and has partial updates (room-updated): compaction keeps only the last record of \
             a room and loses its creation; turn compaction off, or send whole rooms",
        )?;
    }
    if count(parts_of_documents) > 0 {
        findings.warn(
            topic,
            "it has parts of documents without an envelope, as Debezium's ExtractNewDocumentState over \
             capture.mode=change_streams writes them: what is unset in a room (its department when that is \
             deleted, waiting when an agent answers) is not in them and is counted wrong; set \
             capture.mode=change_streams_update_full, or leave the transformation out",
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

fn partial_updates(sample: &Batch, rules: &Rules) -> usize {
    let memory = Bump::new();
    let is_update = |record: &BatchRecord<'_>| matches!(decode::decode(&as_record(record), rules, &memory), Ok(Decoded::Change(room)) if matches!(room.change, Change::Updated(_)));
    sample.records().filter(is_update).count()
}

fn parts_of_documents(sample: &Batch, rules: &Rules) -> usize {
    let is_part = |record: &BatchRecord<'_>| decode::is_part_of_document(&as_record(record), rules);
    // Whatever loaded history did not flatten a stream.
    let streamed = sample.records().enumerate().filter(|&(at, _)| !sample.is_if_unknown(at));
    streamed.filter(|(_, record)| is_part(record)).count()
}

fn as_record<'a>(record: &BatchRecord<'a>) -> Record<'a> {
    Record { key: record.key, value: record.value, timestamp: record.timestamp }
}

fn keys_without_room(sample: &Batch, _: &Rules) -> usize {
    // A connector's heartbeat has no value, and no room in its key either.
    let with_value = sample.records().filter(|record| record.value.is_some());
    with_value.filter(|record| !decode::key_names_a_room(record.key)).count()
}
