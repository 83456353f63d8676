//! The power goes at any operation; what was synced is there, the rest in any part.

use crate::campaign;
use crate::disk::{Disk, Fault};
use crate::rig::{Dice, Life, Model, World, look};
use crate::steps::wander;

#[test]
fn a_loss_of_power_costs_no_acknowledged_generation_and_brings_no_wrong_state() {
    campaign::run("power loss", 120, |seed, totals| {
        let mut dice = Dice::new(seed);
        let world = World::small(seed, &mut dice);
        let mut model = Model::new(&world);
        let mut disk = Disk::default();
        let (mut acknowledged, mut cuts) = (0, vec![0]);
        for _ in 0..5 {
            let soon = dice.pick(&[20, 100, 400]);
            disk.plan(1 + dice.roll(soon), Fault::End);
            let begun = Life::try_begin(disk.files(), &world);
            if let Ok(mut life) = begun {
                for _ in 0..60 {
                    let published = wander(&mut life, &mut dice);
                    cuts.push(life.cut_at);
                    if let Ok(Some(_)) = published {
                        acknowledged = life.cut_at;
                        totals.add("acknowledged generations", 1);
                    }
                    if disk.has_ended() {
                        break;
                    }
                }
            }
            disk = disk.lose_power(&mut dice);
            totals.add("losses of power", 1);
            let (position, digest) = look(disk.files()).unwrap().unwrap_or((0, 0));
            assert!(position >= acknowledged, "{position} of {acknowledged}");
            assert!(cuts.contains(&position), "{position} was never cut");
            assert_eq!(digest, model.digest_at(position));
            totals.add("unacknowledged ones that were whole", u64::from(position > acknowledged));
            // Whole it was: from now on it is what has to be there.
            acknowledged = position;
            let life = Life::begin(disk.files(), &world);
            assert_eq!((life.next, life.damaged), (position, 0), "a name without its bytes");
        }
    });
}
