//! Records as a connector wrote them, on the wire and in files.
//!
//! Owns the files: one for each variant in `records/`, one record a line, by partition
//! and then in the order of the log, which is the order that each room's records have.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use roomtally::decode::{Bump, Decoded, Ignored, Limits, Record, RejectReason, Rules, decode};
use roomtally::room::Timestamp;
use serde::{Deserialize, Serialize};

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) partition: i32,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Written {
    /// Reads it as the service does.
    pub(crate) fn decoded<'a>(
        &'a self,
        rules: &'a Rules,
        memory: &'a Bump,
    ) -> Result<Decoded<'a>, RejectReason> {
        let (key, value) = (self.key.as_deref().map(str::as_bytes), self.value.as_deref().map(str::as_bytes));
        decode(&Record { key, value, timestamp: None }, rules, memory)
    }

    /// What it says to us, in words; nothing for a heartbeat, which comes as often as time
    /// has it.
    pub(crate) fn meaning(&self) -> Option<String> {
        let (rules, memory) = (rules(), Bump::new());
        match self.decoded(&rules, &memory) {
            Ok(Decoded::Ignored(Ignored::Heartbeat)) => None,
            decoded => Some(format!("{} {decoded:?}", self.partition)),
        }
    }
}

/// As they are without a configuration.
pub(crate) fn rules() -> Rules {
    let oldest = Timestamp::from_millis(946_684_800_000);
    let limits = Limits { record_bytes: 1 << 20, oldest, max_future_ms: 86_400_000 };
    Rules { limits, collection: "rocketchat_room".to_owned() }
}

/// Those that were recorded of a variant.
pub(crate) fn recorded(variant: &str) -> Vec<Written> {
    let path = path(variant);
    let lines = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    lines.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

/// Records those of a variant, one heartbeat at most among them.
pub(crate) fn record(variant: &str, records: &[Written]) {
    let mut heartbeats = 0;
    let mut lines = String::new();
    for record in records {
        heartbeats += usize::from(record.meaning().is_none());
        if record.meaning().is_some() || heartbeats == 1 {
            lines.push_str(&serde_json::to_string(record).unwrap());
            lines.push('\n');
        }
    }
    fs::write(path(variant), lines).unwrap();
}

fn path(variant: &str) -> PathBuf {
    let below = format!("tests/connectors/records/{variant}.jsonl");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below)
}
