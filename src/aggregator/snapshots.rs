//! When a snapshot is taken, and what becomes of it.
//!
//! Owns the way of one cut at a time: taken between two batches, vouched for by
//! the broker, written, published. Invariant: nothing is written of a cut before
//! the log was found to be the same after it was taken.

use std::time::{Duration, Instant};

use crate::log::{Decision, LogIdentity, Positions, StopId};
use crate::snapshot::{
    Changes, Cut, CutNumber, Decided, Decisions, Keeper, Kept, LoadError, Loaded, State, Told,
};

/// Changes are handed on in parts of so many.
pub(super) const PART: usize = 16 * 1024;

/// After an attempt that failed the next one comes within this time, however long the
/// interval is: nobody can decide on a stop that is not kept.
const RETRY_WITHIN: Duration = Duration::from_secs(10);

/// Which log was counted, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// What the broker had told of the log.
    pub identity: LogIdentity,
    /// How far it had been applied.
    pub positions: Positions,
}

impl Checkpoint {
    /// What a generation says of the log.
    pub fn of(state: &State) -> Self {
        let State { identity, positions, .. } = state;
        Self { identity: identity.clone(), positions: positions.clone() }
    }
}

/// Where snapshots go, and how often.
#[derive(Debug)]
pub struct SnapshotSettings {
    /// Writes them.
    pub keeper: Keeper,
    /// What the operator decides.
    pub decisions: Decisions,
    /// Between two of them.
    pub interval: Duration,
    /// What the newest one says of the log, if there is one.
    pub kept: Option<Checkpoint>,
    /// The decisions that it remembers.
    pub decided: Vec<Decided>,
}

/// Takes snapshots, or none where the log does not outlive the process.
#[derive(Debug)]
pub(super) struct Snapshots {
    settings: Option<SnapshotSettings>,
    /// The last cut, until it is heard what became of it.
    cut: Option<Taken>,
    /// Whether there is a generation, of these positions or others.
    is_any_kept: bool,
    last: Option<Instant>,
    urgent: bool,
    /// Whether the last attempt failed.
    failed: bool,
    /// Carried out or dismissed, and still there.
    carried_out: Vec<(StopId, Decision)>,
}

#[derive(Debug)]
struct Taken {
    number: CutNumber,
    /// The question whose answer vouches for it.
    question: u64,
    checkpoint: Checkpoint,
    confirmed: bool,
}

impl Snapshots {
    pub(super) fn new(settings: Option<SnapshotSettings>) -> Self {
        let is_any_kept = settings.as_ref().is_some_and(|settings| settings.kept.is_some());
        let (cut, last, carried_out) = (None, None, Vec::new());
        Self { settings, cut, is_any_kept, last, urgent: false, failed: false, carried_out }
    }

    /// Whether the log may be read: a first generation, which says which log it is,
    /// comes before its first record, unless the disk does not take it.
    pub(super) fn allow_reading(&self) -> bool {
        self.failed || self.settings.as_ref().is_none_or(|settings| settings.kept.is_some())
    }

    /// Whether a cut is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether a cut waits for somebody to vouch for it.
    pub(super) fn needs_word(&self) -> bool {
        self.cut.as_ref().is_some_and(|cut| !cut.confirmed)
    }

    /// Whether a cut is to be taken of this log at these positions.
    pub(super) fn is_due(&self, identity: &LogIdentity, positions: &Positions, now: Instant) -> bool {
        let Some(settings) = &self.settings else { return false };
        let interval = if self.failed { settings.interval.min(RETRY_WITHIN) } else { settings.interval };
        let rested = self.last.is_none_or(|last| now - last >= interval);
        !self.is_busy() && (self.urgent || rested && !self.has_kept(identity, positions))
    }

    /// Whether the newest generation has these positions, and all that is known of
    /// the log: on a quiet topic that may be learned long after the last record.
    pub(super) fn has_kept(&self, identity: &LogIdentity, positions: &Positions) -> bool {
        let is_it = |kept: &Checkpoint| kept.identity == *identity && kept.positions == *positions;
        self.settings.as_ref().is_none_or(|settings| settings.kept.as_ref().is_some_and(is_it))
    }

    /// The next cut does not wait for its time.
    pub(super) fn hurry(&mut self) {
        self.urgent = true;
    }

    /// Hands changes on.
    pub(super) fn changed(&mut self, changes: Changes) {
        if let Some(settings) = &mut self.settings {
            settings.keeper.changed(changes);
        }
    }

    /// Hands on what waits.
    pub(super) fn hand_on(&mut self) {
        if let Some(settings) = &mut self.settings {
            settings.keeper.hand_on();
        }
    }

    /// A cut behind all changes handed on so far; the answer to `question` vouches
    /// for it.
    pub(super) fn cut(&mut self, cut: Cut, question: u64, now: Instant) {
        let Some(settings) = &mut self.settings else { return };
        let checkpoint = Checkpoint::of(&cut.state);
        let number = settings.keeper.cut(cut);
        self.cut = Some(Taken { number, question, checkpoint, confirmed: false });
        (self.last, self.urgent) = (Some(now), false);
    }

    /// The question of this number was answered well.
    pub(super) fn vouch(&mut self, question: u64) {
        if let (Some(settings), Some(cut)) = (&mut self.settings, &mut self.cut)
            && question >= cut.question
            && !std::mem::replace(&mut cut.confirmed, true)
        {
            settings.keeper.confirm(cut.number);
        }
    }

    /// What the keeper has told, the oldest first.
    pub(super) fn told(&self) -> Option<Kept> {
        self.settings.as_ref()?.keeper.hear()
    }

    /// The cut that is on its way is not to be kept; what becomes of it after all
    /// is no news.
    pub(super) fn reject(&mut self) {
        if let (Some(settings), Some(_)) = (&mut self.settings, self.cut.take()) {
            settings.keeper.reject();
        }
    }

    /// Whether there is a generation.
    pub(super) fn is_any_kept(&self) -> bool {
        self.is_any_kept
    }

    /// Hears what the keeper has to say; the positions of the last cut, if it is on
    /// disk now.
    pub(super) fn hear(&mut self, kept: &Kept) -> Option<Positions> {
        match kept {
            Kept::Published(number, ..) => {
                self.is_any_kept = true;
                let cut = self.cut.take_if(|cut| cut.number == *number)?;
                self.failed = false;
                let positions = cut.checkpoint.positions.clone();
                self.settings.as_mut()?.kept = Some(cut.checkpoint);
                self.forget_decisions();
                Some(positions)
            }
            Kept::NotYet(number) | Kept::Failed(number, _) => {
                self.cut.take_if(|cut| cut.number == *number)?;
                self.failed = matches!(kept, Kept::Failed(..));
                None
            }
            Kept::Stumbled(_) => {
                self.failed = true;
                None
            }
            Kept::Visited(_) => {
                self.hurry();
                None
            }
            Kept::Ended => None,
        }
    }

    /// Throws away all that is not on disk, and reads the newest generation again.
    /// Decisions that it does not remember are to be met again.
    pub(super) fn go_back(&mut self, departments: usize) -> Option<Result<Loaded, LoadError>> {
        let settings = self.settings.as_mut()?;
        (self.cut, self.urgent) = (None, false);
        self.carried_out.clear();
        let loaded = settings.keeper.go_back(departments);
        if let Ok(Loaded { found: Some(found), .. }) = &loaded {
            settings.decided.clone_from(&found.state.decisions);
            settings.kept = Some(Checkpoint::of(&found.state));
        }
        Some(loaded)
    }

    /// Whether the thread that writes and reads them is there.
    pub(super) fn are_kept(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| settings.keeper.is_running())
    }

    /// The positions of the newest generation.
    pub(super) fn kept(&self) -> Option<&Positions> {
        self.settings.as_ref()?.kept.as_ref().map(|kept| &kept.positions)
    }

    /// All rooms are forgotten: nothing that is on disk is built upon.
    pub(super) fn start_over(&mut self) {
        if let Some(settings) = &mut self.settings {
            self.cut = None;
            settings.keeper.start_over();
        }
        self.begin_anew();
    }

    /// Another log is to be read: a generation that says so comes first.
    pub(super) fn begin_anew(&mut self) {
        if let Some(settings) = &mut self.settings {
            (settings.kept, self.last, self.urgent) = (None, None, true);
        }
    }

    /// What is told of decisions, those that were met already left out.
    pub(super) fn told_of_decisions(&mut self) -> Option<Told> {
        let mut told = self.settings.as_ref()?.decisions.hear()?;
        match &mut told {
            Told::Left(left) => left.retain(|decision| !self.carried_out.contains(decision)),
            Told::Forgotten(stop, decision) => {
                self.carried_out.retain(|(of, met)| (of, met) != (&*stop, &*decision));
            }
            Told::Failed(_) | Told::Ended => {}
        }
        Some(told)
    }

    /// What was decided, for the next generation.
    pub(super) fn decided(&self) -> Vec<Decided> {
        self.settings.as_ref().map(|settings| settings.decided.clone()).unwrap_or_default()
    }

    /// A decision was carried out; it is forgotten once a generation remembers it.
    pub(super) fn carry_out(&mut self, decided: Decided) {
        if let Some(settings) = &mut self.settings {
            self.carried_out.push((decided.stop.clone(), decided.decision));
            settings.decided.push(decided);
            let surplus = settings.decided.len().saturating_sub(Decided::REMEMBERED_MAX);
            settings.decided.drain(..surplus);
            self.urgent = true;
        }
    }

    /// A decision that does not fit any stop is not met again.
    pub(super) fn dismiss(&mut self, stop: StopId, decision: Decision) {
        if let Some(settings) = &self.settings {
            settings.decisions.forget(&stop, decision);
            self.carried_out.push((stop, decision));
        }
    }

    fn forget_decisions(&mut self) {
        let Some(settings) = &self.settings else { return };
        for (stop, decision) in &self.carried_out {
            settings.decisions.forget(stop, *decision);
        }
    }

    /// Ends the thread that writes; says whether it ended well.
    pub(super) fn end(self) -> bool {
        self.settings.is_none_or(|settings| settings.keeper.end())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::log::{NextOffset, Partition};
    use crate::room::Timestamp;
    use crate::snapshot::{Directory, Policy, RealFiles, Store, load};
    use crate::tally;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn directory(dir: &Path) -> Directory {
        Directory::new(Box::new(RealFiles::new(dir)))
    }

    fn snapshots(dir: &Path) -> Snapshots {
        let (_, rooms) = tally::tally(0);
        let loaded = load(&directory(dir), 0, None).unwrap();
        // Only the first file has all rooms.
        let policy = Policy { changes_percent_max: u64::MAX, ..Policy::default() };
        let keeper = Keeper::start(Store::new(directory(dir), rooms, policy, &loaded)).unwrap();
        let interval = Duration::from_hours(1);
        let decisions = Decisions::watch(directory(dir)).unwrap();
        Snapshots::new(Some(SnapshotSettings {
            keeper,
            decisions,
            interval,
            kept: None,
            decided: Vec::new(),
        }))
    }

    fn positions(next: i64) -> Positions {
        let mut positions = Positions::default();
        positions.begin(Partition(0), NextOffset::at(next));
        positions
    }

    fn cut(next: i64) -> Cut {
        let state = State {
            generation: 0,
            topic: "rooms".to_owned(),
            identity: LogIdentity::default(),
            positions: positions(next),
            decisions: Vec::new(),
            written_at: Timestamp::from_millis(0),
            rooms: 0,
        };
        Cut { state, departments: 0, visited: 0 }
    }

    /// The next thing that is told.
    fn told(snapshots: &Snapshots) -> Kept {
        let began = Instant::now();
        loop {
            if let Some(kept) = snapshots.told() {
                return kept;
            }
            assert!(began.elapsed() < PATIENCE, "nothing is told");
            std::thread::yield_now();
        }
    }

    /// With a generation of offset 1 behind all rooms, so that each cut is kept at once.
    fn with_a_generation(dir: &Path) -> Snapshots {
        let mut snapshots = snapshots(dir);
        snapshots.cut(cut(1), 1, Instant::now());
        snapshots.vouch(1);
        for expected in ["NotYet", "Visited"] {
            let kept = told(&snapshots);
            assert!(format!("{kept:?}").starts_with(expected), "{kept:?}");
            assert_eq!(snapshots.hear(&kept), None);
        }
        snapshots.cut(cut(1), 2, Instant::now());
        snapshots.vouch(2);
        assert_eq!(snapshots.hear(&told(&snapshots)), Some(positions(1)));
        snapshots
    }

    #[test]
    fn what_became_of_a_cut_that_was_given_up_is_not_taken_for_the_next_ones() {
        let dir = tempfile::tempdir().unwrap();
        let mut snapshots = with_a_generation(dir.path());
        snapshots.cut(cut(2), 3, Instant::now());
        snapshots.vouch(3);
        snapshots.reject();
        assert!(!snapshots.is_busy() && !snapshots.needs_word());
        snapshots.cut(cut(3), 4, Instant::now());
        assert!(snapshots.needs_word());
        let given_up = told(&snapshots);
        assert!(matches!(given_up, Kept::Published(..)), "{given_up:?}");
        assert_eq!(snapshots.hear(&given_up), None);
        assert!(snapshots.is_busy() && !snapshots.has_kept(&LogIdentity::default(), &positions(2)));
        snapshots.vouch(3);
        assert!(snapshots.needs_word(), "the question was asked before the cut");
        snapshots.vouch(4);
        assert!(!snapshots.needs_word() && snapshots.is_busy());
        assert_eq!(snapshots.hear(&told(&snapshots)), Some(positions(3)));
        assert!(!snapshots.is_busy() && snapshots.has_kept(&LogIdentity::default(), &positions(3)));
        assert!(snapshots.end());
    }

    #[test]
    fn what_is_learned_of_the_log_is_kept_though_no_record_comes() {
        let dir = tempfile::tempdir().unwrap();
        let mut snapshots = with_a_generation(dir.path());
        let later = Instant::now() + Duration::from_hours(2);
        let named = LogIdentity { cluster: Some("c".to_owned()), ..LogIdentity::default() };
        assert!(!snapshots.is_due(&LogIdentity::default(), &positions(1), later));
        assert!(snapshots.is_due(&named, &positions(1), later));
        let mut learned = cut(1);
        learned.state.identity = named.clone();
        snapshots.cut(learned, 3, later);
        snapshots.vouch(3);
        assert_eq!(snapshots.hear(&told(&snapshots)), Some(positions(1)));
        assert!(!snapshots.is_due(&named, &positions(1), later + Duration::from_hours(2)));
        assert!(snapshots.end());
        let loaded = load(&directory(dir.path()), 0, None).unwrap();
        assert_eq!(loaded.found.unwrap().state.identity, named);
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_tried_again_soon() {
        let dir = tempfile::tempdir().unwrap();
        let (mut snapshots, now) = (with_a_generation(dir.path()), Instant::now());
        std::fs::remove_dir_all(dir.path()).unwrap();
        snapshots.cut(cut(2), 3, now);
        snapshots.vouch(3);
        let failed = told(&snapshots);
        assert!(matches!(failed, Kept::Failed(..)), "{failed:?}");
        assert_eq!(snapshots.hear(&failed), None);
        let is_due =
            |snapshots: &Snapshots, now| snapshots.is_due(&LogIdentity::default(), &positions(2), now);
        assert!(!is_due(&snapshots, now) && is_due(&snapshots, now + RETRY_WITHIN));
        std::fs::create_dir(dir.path()).unwrap();
        snapshots.cut(cut(2), 4, now);
        snapshots.vouch(4);
        assert_eq!(snapshots.hear(&told(&snapshots)), Some(positions(2)));
        assert!(snapshots.end());
    }

    #[test]
    fn what_is_found_damaged_when_the_service_goes_back_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut snapshots = with_a_generation(dir.path());
        snapshots.cut(cut(2), 3, Instant::now());
        snapshots.vouch(3);
        assert_eq!(snapshots.hear(&told(&snapshots)), Some(positions(2)));
        let newest = directory(dir.path()).generations().unwrap().pop().unwrap().to_string();
        let aside = dir.path().join(format!("{newest}.bad"));
        std::fs::write(dir.path().join(&newest), "damaged").unwrap();
        let loaded = snapshots.go_back(0).unwrap().unwrap();
        assert_eq!(loaded.found.unwrap().state.positions, positions(1));
        assert_eq!(std::fs::read_to_string(aside).unwrap(), "damaged");
        assert!(snapshots.end());
    }
}
