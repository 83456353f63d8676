//! What is in the data directory, and whether a service can use it.
//!
//! Owns what is said of it. Nothing in it is changed.

use std::io;
use std::path::Path;

use super::Findings;
use crate::config::Config;
use crate::log::{NextOffset, Partition};
use crate::service;
use crate::snapshot::{self, Directory, Inventory, LoadError, PlaceError, State};

/// What is in the data directory.
pub(super) struct Kept {
    dir: Result<Directory, PlaceError>,
    found: Inventory,
    problem: Option<LoadError>,
}

impl Kept {
    pub(super) fn of(dir: &Path) -> Self {
        let dir = snapshot::look(dir);
        let (found, problem) = match dir.as_ref().map(snapshot::take_inventory) {
            Ok(Ok(found)) => (found, None),
            Ok(Err(error)) => (Inventory::default(), Some(error)),
            Err(_) => (Inventory::default(), None),
        };
        Self { dir, found, problem }
    }

    /// The newest one.
    pub(super) fn state(&self) -> Option<&State> {
        self.found.newest.as_ref()
    }

    /// How old the newest snapshot is.
    pub(super) fn age_ms(&self) -> Option<i64> {
        let written_at = self.state()?.written_at;
        Some((service::now().as_millis() - written_at.as_millis()).max(0))
    }

    /// Whether it was taken before the end of a partition that it follows.
    pub(super) fn is_behind(&self, partition: Partition, end: NextOffset) -> bool {
        let next = self.state().and_then(|state| state.positions.get(partition));
        next.is_some_and(|next| next < end)
    }

    pub(super) fn tell(&self, config: &Config, findings: &mut Findings) -> io::Result<()> {
        let dir = &config.snapshot.dir;
        let name = format!("data directory {}", dir.display());
        if let Err(error) = &self.dir {
            return findings.fail(&name, &error.to_string());
        }
        if let Some(error) = &self.problem {
            return findings.fail(&name, &error.to_string());
        }
        // A file made and removed again is the only sure sign.
        let probe = dir.join(format!(".roomtally-check-{}", std::process::id()));
        let tried = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe);
        if let Err(error) = tried.and_then(|_| std::fs::remove_file(&probe)) {
            return findings.fail(&name, &format!("cannot be written to: {error}"));
        }
        match self.state() {
            None => findings.fine(&name, "can be written to, and holds no whole snapshot yet")?,
            Some(state) if state.topic != config.kafka.topic => findings.fail(
                &name,
                &format!(
                    "holds rooms of the topic {}; name that with --topic, or another directory with --data-dir",
                    state.topic
                ),
            )?,
            Some(State { generation, rooms, written_at, .. }) => {
                let text = format!("generation {generation}, {rooms} rooms, written at {written_at}");
                findings.fine(&name, &format!("can be written to, and holds {text}"))?;
            }
        }
        if snapshot::is_taken(dir) {
            findings.warn(&name, "a service runs on it; another one cannot use it at the same time")?;
        }
        self.warn_of_damage(&name, findings)?;
        self.warn_of_stops(&name, findings)
    }

    fn warn_of_damage(&self, name: &str, findings: &mut Findings) -> io::Result<()> {
        for damaged in &self.found.damaged {
            let (file, why) = (damaged.name, damaged.why);
            findings.warn(
                name,
                &format!(
                    "{file} is damaged ({why}): a start keeps it under another name and does not count on from \
                     it; look at the disk, and at the others with `roomtally snapshot verify`"
                ),
            )?;
        }
        if !self.found.put_aside.is_empty() {
            findings.warn(
                name,
                &format!(
                    "damaged snapshots were put aside before: {}; look at the disk, and remove them once nobody \
                     needs them",
                    self.found.put_aside.join(", ")
                ),
            )?;
        }
        Ok(())
    }

    fn warn_of_stops(&self, name: &str, findings: &mut Findings) -> io::Result<()> {
        let stops = self.state().into_iter().flat_map(|state| state.positions.stops());
        let mut ids: Vec<_> = stops.map(|(_, stop)| stop.id.as_str()).collect();
        ids.dedup();
        for id in ids {
            findings.warn(
                name,
                &format!("counting is stopped ({id}) until somebody decides; see `roomtally resolve`"),
            )?;
        }
        Ok(())
    }
}
