//! Every operation on files fails, is short, or is the last one.

use roomtally::snapshot::LoadError;

use crate::campaign::{self, Totals};
use crate::disk::{Disk, EINTR, EIO, ENOSPC, Fault};
use crate::rig::{Dice, Life, Model, World, look};
use crate::steps::wander;

const FAULTS: &[Fault] = &[
    Fault::Error(EIO, 0),
    Fault::Error(ENOSPC, 0),
    Fault::Error(EINTR, 0),
    Fault::Short(1, 0),
    Fault::End,
    Fault::Error(EIO, 3),
    Fault::Error(EINTR, 5),
    Fault::Short(7, 40),
    Fault::Error(ENOSPC, 30),
];

/// Two lives with a damaged file between them, and what they did.
struct Script<'a> {
    world: World,
    disk: Disk,
    model: &'a mut Model,
    acknowledged: i64,
    errors: u64,
}

impl Script<'_> {
    /// A start; one that fails has changed nothing and succeeds the next time.
    fn begin(&mut self) -> Option<Life> {
        loop {
            let before = self.disk.contents();
            match Life::try_begin(self.disk.files(), &self.world) {
                Ok(life) => {
                    assert!(life.next >= self.acknowledged || self.disk.has_ended());
                    return Some(life);
                }
                Err(LoadError::Io { .. }) => {
                    self.errors += 1;
                    assert_eq!(self.disk.contents(), before, "a start that failed has changed something");
                }
                Err(other) => panic!("{other}"),
            }
            if self.disk.has_ended() {
                return None;
            }
        }
    }

    fn live(&mut self, steps: u64, dice: &mut Dice) {
        let Some(mut life) = self.begin() else { return };
        for step in 0..steps {
            // What the script does is the same whatever fails.
            let mut dice = Dice::new(dice.roll(u64::MAX) ^ step);
            let done = wander(&mut life, &mut dice);
            if self.disk.has_ended() {
                return;
            }
            match done {
                Ok(Some(_)) => self.acknowledged = life.cut_at,
                Ok(None) => {}
                Err(_) => {
                    self.errors += 1;
                    self.check();
                }
            }
        }
        // With the fault gone the next attempt succeeds.
        life.count(3);
        if life.keep().is_err() {
            if self.disk.has_ended() {
                return;
            }
            self.errors += 1;
            self.check();
            self.disk.heal();
            life.keep().unwrap();
        }
        self.acknowledged = life.cut_at;
        self.check();
    }

    /// The state on disk is right and not older than what was acknowledged.
    fn check(&mut self) {
        let copy = Disk::with(&self.disk.contents());
        let (position, digest) = look(copy.files()).unwrap().unwrap_or((0, 0));
        assert!(position >= self.acknowledged, "{position} of {}", self.acknowledged);
        assert_eq!(digest, self.model.digest_at(position));
        self.acknowledged = position;
    }

    fn play(&mut self, seed: u64) {
        let mut dice = Dice::new(seed);
        self.live(if campaign::is_long() { 30 } else { 18 }, &mut dice);
        if !self.disk.has_ended() {
            self.damage_the_newest();
            self.live(if campaign::is_long() { 30 } else { 18 }, &mut dice);
        }
    }

    /// One bit of the newest file flips: the next start puts it aside.
    fn damage_the_newest(&mut self) {
        let mut files = self.disk.contents();
        let newest =
            files.iter_mut().rfind(|(name, _)| name.ends_with(".full") || name.ends_with(".changes"));
        let (_, bytes) = newest.unwrap();
        bytes[100] ^= 4;
        let (steps, disk) = (self.disk.steps(), Disk::with(&files));
        disk.continue_from(&self.disk, steps);
        self.disk = disk;
        let copy = Disk::with(&files);
        self.acknowledged = look(copy.files()).unwrap().map_or(0, |(position, _)| position);
    }
}

fn script<'a>(world: &World, model: &'a mut Model) -> Script<'a> {
    Script { world: *world, disk: Disk::default(), model, acknowledged: 0, errors: 0 }
}

fn every_point(seed: u64, totals: &mut Totals) {
    let mut world = World::small(seed, &mut Dice::new(seed));
    world.policy.keep = 2;
    let mut model = Model::new(&world);
    let mut undisturbed = script(&world, &mut model);
    undisturbed.play(seed);
    let (steps, kinds) = (undisturbed.disk.steps(), undisturbed.disk.kinds());
    assert!(kinds.len() >= 9, "{kinds:?}");
    totals.add("points", steps);
    for at in 1..=steps {
        let chosen = usize::try_from(at).unwrap() % FAULTS.len();
        for (number, fault) in FAULTS.iter().enumerate() {
            if !campaign::is_long() && number != chosen {
                continue;
            }
            let mut script = script(&world, &mut model);
            script.disk.plan(at, *fault);
            script.play(seed);
            if script.disk.has_ended() {
                totals.add("lives that ended there", 1);
                script.disk.heal();
                script.check();
                let mut life = script.begin().unwrap();
                life.count(3);
                life.keep().unwrap();
                script.acknowledged = life.cut_at;
                script.check();
            }
            assert!(script.errors < 100);
            totals.add("faults", 1);
            totals.add("errors that were told", script.errors);
        }
    }
}

#[test]
fn no_failing_operation_on_a_file_costs_anything_that_was_acknowledged() {
    campaign::run("faults of file work", 1, every_point);
}
