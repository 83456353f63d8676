//! What an operator decided about a stop, left in the data directory for the service.
//!
//! Owns the files of decisions, and the thread that looks for them. One is a file
//! without content whose name says everything, so it is there whole or not at all:
//! `gap-2-1500.accept-gap` is the decision `--accept-gap` on the stop `gap-2-1500`.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::thread;
use std::time::Duration;

use crate::log::{Decision, StopId};
use crate::snapshot::directory::Directory;

const UNFINISHED: &str = "decision.unfinished";

/// Between two looks: a decision is to be taken within 5 s.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Decisions that are to be forgotten and may wait for the disk.
const ON_THE_WAY: usize = 64;

/// What is told and not heard yet. It is told in its order, so one look is enough.
const TOLD_MAX: usize = 1;

/// Looks for decisions on a thread of its own, so that nobody waits for the disk.
#[derive(Debug)]
pub struct Decisions {
    told: Receiver<Told>,
    forget: SyncSender<(StopId, Decision)>,
}

/// What the thread has to tell.
#[derive(Debug)]
pub enum Told {
    /// The decisions that are there, one or more.
    Left(Vec<(StopId, Decision)>),
    /// This one is there no more. What is told of it later was left anew.
    Forgotten(StopId, Decision),
    /// The directory could not be read.
    Failed(io::Error),
    /// The thread has ended, though this is still there.
    Ended,
}

impl Decisions {
    /// Starts the thread, which ends when this is dropped.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn watch(directory: Directory) -> io::Result<Self> {
        let (tell, told) = mpsc::sync_channel(TOLD_MAX);
        let (forget, orders) = mpsc::sync_channel(ON_THE_WAY);
        let watch = move || while look(&directory, &tell) && obey(&directory, &tell, &orders) {};
        thread::Builder::new().name("decisions".to_owned()).spawn(watch)?;
        Ok(Self { told, forget })
    }

    /// What the thread has told, the oldest first.
    pub fn hear(&self) -> Option<Told> {
        match self.told.try_recv() {
            Ok(told) => Some(told),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Told::Ended),
        }
    }

    /// This one has been carried out, or was none for any stop. When the disk cannot
    /// follow, or the file cannot be removed, it is told of again.
    pub fn forget(&self, stop: &StopId, decision: Decision) {
        let _ = self.forget.try_send((stop.clone(), decision));
    }
}

/// Tells what is there; says whether anybody hears it.
fn look(directory: &Directory, tell: &SyncSender<Told>) -> bool {
    match directory.decisions() {
        Ok(left) if left.is_empty() => true,
        Ok(left) => tell.send(Told::Left(left)).is_ok(),
        Err(error) => tell.send(Told::Failed(error)).is_ok(),
    }
}

/// Waits for the next look, and forgets meanwhile; says whether to go on.
fn obey(directory: &Directory, tell: &SyncSender<Told>, orders: &Receiver<(StopId, Decision)>) -> bool {
    match orders.recv_timeout(LOOK_EVERY) {
        Ok((stop, decision)) => {
            let is_there_still = directory
                .forget_decision(&stop, decision)
                .is_err_and(|error| error.kind() != io::ErrorKind::NotFound);
            is_there_still || tell.send(Told::Forgotten(stop, decision)).is_ok()
        }
        Err(RecvTimeoutError::Timeout) => true,
        Err(RecvTimeoutError::Disconnected) => false,
    }
}

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

    /// The decisions that were left and not forgotten.
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

    /// Removes a decision.
    ///
    /// # Errors
    /// When it cannot be removed; it would be met again.
    fn forget_decision(&self, stop: &StopId, decision: Decision) -> io::Result<()> {
        self.files().remove(&file_name(stop, decision))?;
        self.files().sync_names()
    }
}

/// The name says it all.
pub(super) fn file_name(stop: &StopId, decision: Decision) -> String {
    format!("{stop}.{}", decision.name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;
    use std::time::Instant;

    use super::*;
    use crate::snapshot::{Files, NewFile, RealFiles};

    /// A mistake in the program, wherever it is looked at.
    #[derive(Debug)]
    struct Panics;

    impl Files for Panics {
        fn list(&self) -> io::Result<Vec<String>> {
            panic!("as the test wants it")
        }

        fn open(&self, _: &str) -> io::Result<(u64, Box<dyn Read + Send>)> {
            unreachable!()
        }

        fn create(&self, _: &str) -> io::Result<Box<dyn NewFile>> {
            unreachable!()
        }

        fn rename(&self, _: &str, _: &str) -> io::Result<()> {
            unreachable!()
        }

        fn remove(&self, _: &str) -> io::Result<()> {
            unreachable!()
        }

        fn sync_names(&self) -> io::Result<()> {
            unreachable!()
        }
    }

    #[test]
    fn that_the_thread_has_ended_is_told() {
        let decisions = Decisions::watch(Directory::new(Box::new(Panics))).unwrap();
        let began = Instant::now();
        let told = loop {
            if let Some(told) = decisions.hear() {
                break told;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "nothing is told");
            thread::yield_now();
        };
        assert!(matches!(told, Told::Ended), "{told:?}");
    }

    /// The next thing that is told.
    fn told(decisions: &Decisions) -> Told {
        decisions.told.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    #[test]
    fn a_decision_is_told_until_it_is_forgotten_and_then_only_when_it_is_left_anew() {
        let dir = tempfile::tempdir().unwrap();
        let directory = || Directory::new(Box::new(RealFiles::new(dir.path())));
        let (stop, other) = (StopId::parse("gap-0-5").unwrap(), StopId::parse("gap-1-5").unwrap());
        let decisions = Decisions::watch(directory()).unwrap();
        for _ in 0..2 {
            directory().decide(&stop, Decision::Rebuild).unwrap();
            let Told::Left(left) = told(&decisions) else { panic!("no decision is told") };
            assert_eq!(left, [(stop.clone(), Decision::Rebuild)]);
            decisions.forget(&stop, Decision::Rebuild);
            loop {
                match told(&decisions) {
                    Told::Forgotten(forgotten, Decision::Rebuild) if forgotten == stop => break,
                    Told::Left(again) => assert_eq!(again, left),
                    unexpected => panic!("{unexpected:?}"),
                }
            }
            assert_eq!(directory().decisions().unwrap(), []);
        }
        // Nothing of the first one was told since: the next one comes next.
        directory().decide(&other, Decision::Adopt).unwrap();
        let next = told(&decisions);
        assert!(matches!(&next, Told::Left(left) if *left == [(other, Decision::Adopt)]), "{next:?}");
    }

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
