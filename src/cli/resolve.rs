//! `roomtally resolve`: the operator's decision on an integrity stop.
//!
//! Owns what is refused before anything is changed: an id that no stop has, and a
//! decision that does not fit the reason. What fits is left in the data directory,
//! where the service finds it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::{ConfigArgs, Failure, say};
use crate::log::{Decision, StopId, StopReason};
use crate::snapshot;

/// A stop is shown a moment before it is on disk.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The stop's id, as `/health/ready` and the log show it
    #[arg(value_name = "STOP")]
    stop: String,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    config: ConfigArgs,
    /// The data directory of the service
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

#[derive(Debug, Args)]
#[allow(clippy::doc_markdown, reason = "a terminal shows backticks as they are")]
#[group(required = true, multiple = false)]
struct Choice {
    /// Count on behind the lost records (`gap`, `bad_batch`)
    #[arg(long)]
    accept_gap: bool,
    /// Keep the rooms, and read the present log from its beginning on top of them (`recreated`, `beyond_end`)
    #[arg(long)]
    adopt: bool,
    /// Forget all rooms, and read the log from its beginning (any)
    #[arg(long)]
    rebuild: bool,
}

impl Choice {
    fn decision(&self) -> Decision {
        match (self.accept_gap, self.adopt) {
            (true, _) => Decision::AcceptGap,
            (_, true) => Decision::Adopt,
            _ => Decision::Rebuild,
        }
    }
}

impl Resolve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let flags = vec![("snapshot.dir", self.data_dir.clone())];
        let config = self.config.load_and_log(flags)?.config;
        let (dir, decision) = (&config.snapshot.dir, self.choice.decision());
        let directory = snapshot::look(dir).map_err(anyhow::Error::from)?;
        let (id, reason) = self.find(dir)?;
        if !reason.decisions().contains(&decision) {
            let fitting: Vec<_> =
                reason.decisions().iter().map(|fits| format!("--{}", fits.name())).collect();
            return Err(Failure::Run(anyhow!(
                "--{} does not fit {id}, whose reason is {}; what fits: {}",
                decision.name(),
                reason.name(),
                fitting.join(", ")
            )));
        }
        let decided = directory.decisions().context("cannot look for decisions in the data directory")?;
        if let Some((_, other)) = decided.iter().find(|(of, other)| *of == id && *other != decision) {
            return Err(Failure::Run(anyhow!(
                "{id} is decided on already: --{}; the service takes that within 5 s, or at its next start",
                other.name()
            )));
        }
        directory.decide(&id, decision).context("cannot leave the decision in the data directory")?;
        let when = if snapshot::is_taken(dir) { "takes it within 5 s" } else { "takes it at its next start" };
        say(format_args!("decided on {id}: {}; the service {when}", decision.name()))?;
        Ok(())
    }

    /// The stop of this id.
    fn find(&self, dir: &Path) -> anyhow::Result<(StopId, StopReason)> {
        let began = Instant::now();
        loop {
            let directory = snapshot::look(dir)?;
            let state = snapshot::newest_state(&directory)?;
            let stops: Vec<_> =
                state.iter().flat_map(|state| state.positions.stops()).map(|(_, stop)| stop).collect();
            if let Some(stop) = stops.iter().find(|stop| stop.id.as_str() == self.stop) {
                return Ok((stop.id.clone(), stop.reason));
            }
            if began.elapsed() >= PATIENCE || !snapshot::is_taken(dir) {
                let mut ids: Vec<_> = stops.iter().map(|stop| stop.id.to_string()).collect();
                ids.dedup();
                let open = if ids.is_empty() {
                    "nothing is stopped".to_owned()
                } else {
                    format!("stopped: {}", ids.join(", "))
                };
                let (id, dir) = (&self.stop, dir.display());
                return Err(anyhow!(
                    "no stop has the id {id} in {dir}; {open} there. If /health/ready shows it, no snapshot has it \
                     yet: where `snapshot` there says failing, free space or give the right back, as its error \
                     says; within 10 s the service writes the stop by itself, and then this can be decided. Or \
                     name the service's directory with --data-dir"
                ));
            }
            std::thread::sleep(PAUSE);
        }
    }
}
