//! `roomtally snapshot`: what is on disk, checked, shown, copied and brought back.
//!
//! Owns how it is printed. Everything but `restore` only reads, beside a running
//! service too.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::{ConfigArgs, Failure, say};
use crate::room::Timestamp;
use crate::snapshot::{self, Directory, Place, State};
use crate::tally::{Question, TallyReader};

#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every generation, as strictly as a start would
    Verify(Where),
    /// Print departments, rooms, offsets and sizes of the newest whole generation
    Show(Where),
    /// Copy the newest whole state into one file
    Backup {
        /// The file, which must not be there yet
        file: PathBuf,
        #[command(flatten)]
        at: Where,
    },
    /// Bring a backup back, into a data directory without snapshots
    Restore {
        /// The file that `backup` wrote
        file: PathBuf,
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Debug, Args)]
struct Where {
    #[command(flatten)]
    config: ConfigArgs,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl Where {
    fn dir(&self) -> Result<PathBuf, Failure> {
        let flags = vec![("snapshot.dir", self.data_dir.clone())];
        Ok(self.config.load_and_log(flags)?.config.snapshot.dir)
    }

    fn directory(&self) -> Result<Directory, Failure> {
        Ok(snapshot::look(&self.dir()?).map_err(anyhow::Error::from)?)
    }
}

impl Snapshot {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Verify(at) => verify(&at.directory()?),
            Command::Show(at) => show(&at.directory()?),
            Command::Backup { file, at } => {
                let state = snapshot::backup(&at.directory()?, &file).map_err(anyhow::Error::from)?;
                Ok(say(format_args!("{} holds {}", file.display(), summary(&state)))?)
            }
            Command::Restore { file, at } => {
                // A service that started meanwhile would count into the same directory.
                let place = Place::take(&at.dir()?).map_err(anyhow::Error::from)?;
                let state = snapshot::restore(&file, &place.directory()).map_err(anyhow::Error::from)?;
                Ok(say(format_args!("restored {}", summary(&state)))?)
            }
        }
    }
}

fn verify(directory: &Directory) -> Result<(), Failure> {
    let checked = snapshot::verify(directory).map_err(anyhow::Error::from)?;
    let mut damaged = 0;
    for one in &checked {
        match &one.result {
            Ok(state) => say(format_args!("ok    {}: {}", one.name, summary(state)))?,
            Err(why) => {
                damaged += 1;
                say(format_args!("FAIL  {}: {why}", one.name))?;
            }
        }
    }
    match (checked.len(), damaged) {
        (0, _) => Err(Failure::Run(anyhow!("there is no snapshot in the data directory"))),
        (_, 0) => Ok(()),
        (all, damaged) => Err(Failure::Run(anyhow!(
            "{damaged} of {all} generations cannot be used; a start goes on from the newest whole one and keeps \
             the damaged files"
        ))),
    }
}

fn show(directory: &Directory) -> Result<(), Failure> {
    let (found, rooms) = snapshot::newest(directory).map_err(anyhow::Error::from)?;
    let State { topic, identity, positions, decisions, .. } = &found.state;
    say(summary(&found.state))?;
    say(format_args!("files: {} bytes", found.bytes))?;
    let none = || "not told by the broker".to_owned();
    say(format_args!("topic: {topic}, id {}", identity.topic.map_or_else(none, |id| id.to_string())))?;
    say(format_args!("cluster: {}", identity.cluster.clone().unwrap_or_else(none)))?;
    for (partition, position) in positions.all() {
        let (begin, next) = (position.begin, position.next);
        let stop = position.stop.as_ref().map(|stop| format!(", stopped: {}", stop.id)).unwrap_or_default();
        say(format_args!("partition {partition}: counted from offset {begin} up to {next}{stop}"))?;
    }
    for decided in decisions {
        say(format_args!("decided on {} at {}: {}", decided.stop, decided.at, decided.decision.name()))?;
    }
    departments(&rooms)
}

fn departments(rooms: &TallyReader) -> Result<(), Failure> {
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    let answer = rooms.count(&Question { from, to, answered: None, department: None });
    say(format_args!("departments: {}", rooms.departments()))?;
    for row in answer.rows() {
        match row.department {
            None => say(format_args!("{:>12}  (none)", row.rooms))?,
            Some("") => say(format_args!("{:>12}  (the empty id)", row.rooms))?,
            Some(id) => say(format_args!("{:>12}  {id}", row.rooms))?,
        }
    }
    Ok(())
}

fn summary(state: &State) -> String {
    let State { generation, rooms, written_at, .. } = state;
    format!("generation {generation}, {rooms} rooms, written at {written_at}")
}
