//! One log, read in any order of its partitions, with any ends in between.

use crate::campaign;
use crate::disk::Disk;
use crate::rig::{Dice, Life, World};
use crate::steps::wander_with;

const RECORDS: i64 = 60;

#[test]
fn one_log_comes_to_one_digest_in_any_order_and_with_any_crashes() {
    campaign::run("any order", 60, |seed, totals| {
        let mut dice = Dice::new(seed);
        let mut world = World::small(seed, &mut dice);
        world.partitions = 4;
        let mut digests = Vec::new();
        for _ in 0..3 {
            let disk = Disk::default();
            let mut life = Life::begin(disk.files(), &world);
            loop {
                let mut each = vec![life.next];
                each.extend(&life.others);
                let open: Vec<_> = (0..each.len()).filter(|&of| each[of] < RECORDS).collect();
                if open.is_empty() {
                    break;
                }
                let step = wander_with(&mut life, &mut dice, |life, dice, most| {
                    for _ in 0..2 {
                        let of = dice.pick(&open);
                        let next = if of == 0 { life.next } else { life.others[of - 1] };
                        let left = (RECORDS - next).cast_unsigned();
                        life.count_of(of, dice.roll(most + 1).min(left));
                    }
                });
                step.unwrap();
                if dice.roll(12) == 0 {
                    life = Life::begin(disk.files(), &world);
                    totals.add("crashes", 1);
                }
            }
            digests.push(life.reader.digest());
            totals.add("orders", 1);
        }
        let mut straight = Life::begin(Disk::default().files(), &world);
        (0..4).for_each(|of| straight.count_of(of, RECORDS.cast_unsigned()));
        assert!(digests.iter().all(|digest| *digest == straight.reader.digest()));
    });
}
