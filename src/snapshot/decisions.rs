//! What an operator decided about a stop, left in the data directory for the service.
//!
//! Owns the files of decisions. One is a file without content whose name says
//! everything, so it is there whole or not at all: `gap-2-1500.accept-gap` is the
//! decision `--accept-gap` on the stop `gap-2-1500`.

use std::io;

use crate::log::{Decision, StopId};
use crate::snapshot::directory::Directory;

const UNFINISHED: &str = "decision.unfinished";

impl Directory {
    /// Leaves a decision for the service.
    ///
    /// # Errors
    /// When it cannot be written; then there is none.
    pub fn decide(&self, stop: &StopId, decision: Decision) -> io::Result<()> {
        let files = self.files();
        let _ = files.remove(UNFINISHED);
        files.create(UNFINISHED)?.sync()?;
        files.rename(UNFINISHED, &file_name(stop, decision))?;
        files.sync_names()
    }

    /// The decisions that were left.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn decisions(&self) -> io::Result<Vec<(StopId, Decision)>> {
        let parse = |name: &String| {
            let (stop, decision) = name.split_once('.')?;
            Some((StopId::parse(stop)?, Decision::of(decision)?))
        };
        Ok(self.files().list()?.iter().filter_map(parse).collect())
    }

    /// A decision has been carried out, or was none for any stop.
    ///
    /// # Errors
    /// When it cannot be removed; it would be met again.
    pub fn forget_decision(&self, stop: &StopId, decision: Decision) -> io::Result<()> {
        self.files().remove(&file_name(stop, decision))?;
        self.files().sync_names()
    }
}

fn file_name(stop: &StopId, decision: Decision) -> String {
    format!("{stop}.{}", decision.name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::snapshot::RealFiles;

    #[test]
    fn a_decision_is_there_until_it_is_forgotten_and_other_files_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(Box::new(RealFiles::new(dir.path())));
        for name in ["lock", "000000000001.full", "gap-0-5.adapt", "gap-0-5.adopt.bad", ".adopt", UNFINISHED]
        {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let stop = StopId::parse("gap-0-5").unwrap();
        assert_eq!(directory.decisions().unwrap(), []);
        directory.decide(&stop, Decision::AcceptGap).unwrap();
        assert!(dir.path().join("gap-0-5.accept-gap").exists());
        assert_eq!(directory.decisions().unwrap(), [(stop.clone(), Decision::AcceptGap)]);
        directory.forget_decision(&stop, Decision::AcceptGap).unwrap();
        assert_eq!(directory.decisions().unwrap(), []);
        let again = directory.forget_decision(&stop, Decision::AcceptGap).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::NotFound);
    }
}
