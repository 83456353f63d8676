//! Whether refused records find their topic.
//!
//! Owns what is said of the dead-letter topic. Nothing of it is a failure: without it
//! everything is counted all the same.

use std::io;

use super::Findings;
use crate::config::Config;
use crate::kafka::{Connection, Inspection, OutOfSight, inspect};
use crate::service;

/// Looks at the dead-letter topic, if there is to be one, beside that of the rooms, if that is there.
pub(super) async fn look(
    rooms: Option<&Inspection>,
    config: &Config,
    findings: &mut Findings,
) -> io::Result<()> {
    let topic = &config.dead_letter.topic;
    if topic.is_empty() {
        return Ok(());
    }
    let name = format!("dead-letter topic {topic}");
    let connection = Connection { topic: topic.clone(), ..service::connection(config) };
    match inspect(&connection, service::now()).await {
        Err(OutOfSight::TopicAbsent) => findings.warn(
            &name,
            "is not there, so copies of rejected records are given up; create it, it is never made by itself",
        ),
        Err(OutOfSight::BrokerAway { reason }) => findings.warn(
            &name,
            &format!("cannot be looked at ({reason}); copies of rejected records may be given up"),
        ),
        Ok(found) => tell(&name, &found, rooms, findings),
    }
}

fn tell(
    name: &str,
    found: &Inspection,
    rooms: Option<&Inspection>,
    findings: &mut Findings,
) -> io::Result<()> {
    let records: u64 = found.partitions.iter().map(|bounds| bounds.end.records_since(bounds.begin)).sum();
    findings.fine(name, &format!("{} partitions, {records} offsets", found.partitions.len()))?;
    if let (Some(here), Some(there)) =
        (found.max_message_bytes, rooms.and_then(|rooms| rooms.max_message_bytes))
        && here < there
    {
        findings.warn(
            name,
            &format!(
                "takes records up to {here} bytes (max.message.bytes), and the rooms' topic up to {there}: copies \
                 of the largest are given up; raise it to the same and some KiB for the added headers"
            ),
        )?;
    }
    if found.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact")) {
        findings.warn(
            name,
            "is compacted: it refuses copies of records without a key, and keeps only the last one of a room; set \
             cleanup.policy to delete",
        )?;
    }
    warn_of_retention_ms(name, found, findings)
}

/// What counts is the age of the record, unless the topic puts its own time in the place of
/// the record's.
fn warn_of_retention_ms(name: &str, found: &Inspection, findings: &mut Findings) -> io::Result<()> {
    let has_own_time = found.timestamp_type.as_deref() == Some("LogAppendTime");
    let Some(retention_ms) = found.retention_ms.filter(|ms| *ms >= 0 && !has_own_time) else {
        return Ok(());
    };
    findings.warn(
        name,
        &format!(
            "deletes records by age (retention.ms={retention_ms}), and a copy is as old as the record it is of: \
             copies of older records are deleted at once, though they were acknowledged; set retention.ms to -1"
        ),
    )
}
