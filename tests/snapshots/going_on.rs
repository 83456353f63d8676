//! Life after life from the same directory.

use roomtally::snapshot::{FileKind, RealFiles};

use crate::campaign;
use crate::rig::{Dice, Life, Model, World};
use crate::steps::wander;

#[test]
fn every_life_goes_on_where_a_generation_was_published() {
    for seed in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let mut dice = Dice::new(seed);
        let world = World::new(seed, 300, 3);
        let mut model = Model::new(&world);
        let (mut kept, mut kinds) = (0, Vec::new());
        for _ in 0..6 {
            let mut life = Life::begin(Box::new(RealFiles::new(dir.path())), &world);
            assert_eq!(life.next, kept);
            assert_eq!(life.reader.digest(), model.digest_at(kept), "seed {seed}");
            for _ in 0..dice.roll(8) {
                life.count(dice.roll(120));
                match dice.roll(4) {
                    0 => life.hand_on(),
                    1 => {
                        kinds.push(life.keep().unwrap().kind);
                        kept = life.next;
                    }
                    2 => {
                        life.cut();
                        life.count(dice.roll(50));
                        life.hand_on();
                        if let Some(published) = life.store.confirm().unwrap() {
                            kinds.push(published.kind);
                            kept = life.cut_at;
                        }
                    }
                    _ => {
                        let _ = life.store.visit().unwrap();
                    }
                }
            }
        }
        assert!(seed > 0 || kinds.contains(&FileKind::Full) && kinds.contains(&FileKind::Changes));
    }
}

#[test]
fn whatever_a_life_does_what_it_publishes_is_the_rooms_of_its_positions() {
    campaign::run("going on", 60, |seed, totals| {
        let mut dice = Dice::new(seed);
        let world = World::small(seed, &mut dice);
        let mut model = Model::new(&world);
        let disk = crate::disk::Disk::default();
        let mut kept = 0;
        for _ in 0..4 {
            let mut life = Life::begin(disk.files(), &world);
            assert_eq!((life.next, life.reader.digest(), life.damaged), (kept, model.digest_at(kept), 0));
            for _ in 0..dice.roll(30) {
                if let Some(published) = wander(&mut life, &mut dice).unwrap() {
                    kept = life.cut_at;
                    totals.add(if published.kind == FileKind::Full { "full" } else { "changes" }, 1);
                    let found = crate::rig::look(disk.files()).unwrap();
                    assert_eq!(found, Some((kept, model.digest_at(kept))));
                }
            }
        }
    });
}
