//! The newest generations damaged in every combination that leaves one whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::campaign::{self, Totals};
use crate::disk::Disk;
use crate::rig::{Dice, Life, Model, World, look};

pub(crate) type Contents = BTreeMap<String, Vec<u8>>;

/// What a file builds upon; 0 for nothing.
fn previous(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[16..24].try_into().unwrap())
}

pub(crate) fn number(name: &str) -> u64 {
    name.split('.').next().unwrap().parse().unwrap()
}

/// A directory with generations in several chains, the position of each, and its world.
pub(crate) fn directory(seed: u64) -> (World, Contents, BTreeMap<String, i64>) {
    let mut dice = Dice::new(seed);
    let mut world = World::small(seed, &mut dice);
    world.policy.keep = 7;
    world.policy.sealed_changes_min = 20;
    world.policy.changes_percent_max = 100;
    world.policy.kept_changes_max = 1_000;
    let disk = Disk::default();
    let (mut life, mut positions) = (Life::begin(disk.files(), &world), BTreeMap::new());
    loop {
        life.count(5 + dice.roll(25));
        let published = life.keep().unwrap();
        positions.insert(published.name().to_string(), life.cut_at);
        // Changes follow while all rooms are being visited.
        while life.store.is_visiting() {
            let _ = life.store.visit().unwrap();
        }
        let contents = disk.contents();
        let chains = contents.keys().filter(|name| name.ends_with(".full")).count();
        if (6..=8).contains(&contents.len()) && (2..=3).contains(&chains) && dice.roll(3) == 0 {
            let contents: Contents =
                contents.into_iter().filter(|(name, _)| !name.ends_with(".unfinished")).collect();
            return (world, contents, positions);
        }
    }
}

/// The files that a file builds upon, none if one is missing.
fn bases<'a>(contents: &'a Contents, name: &str) -> Option<Vec<&'a String>> {
    let (mut bases, mut link) = (Vec::new(), previous(&contents[name]));
    while link != 0 {
        let base = contents.keys().find(|name| number(name) == link)?;
        link = previous(&contents[base]);
        bases.push(base);
    }
    Some(bases)
}

/// Whether all that a file builds upon is there and whole.
fn stands_on_whole_ones(contents: &Contents, damaged: &BTreeSet<&String>, name: &str) -> bool {
    bases(contents, name).is_some_and(|bases| bases.iter().all(|base| !damaged.contains(base)))
}

/// The newest file that is whole with all that it builds upon.
pub(crate) fn newest_whole<'a>(contents: &'a Contents, damaged: &BTreeSet<&String>) -> Option<&'a String> {
    let is_whole = |name: &&String| !damaged.contains(*name) && stands_on_whole_ones(contents, damaged, name);
    contents.keys().rev().find(is_whole)
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.index(bytes.len());
    match dice.roll(6) {
        0 => bytes[at] ^= 1 << dice.roll(8),
        1 => bytes.truncate(at),
        2 => bytes.clear(),
        3 => {
            bytes[at / 512 * 512..].iter_mut().take(512).for_each(|byte| *byte = 0);
        }
        4 => bytes.push(0),
        _ => {
            let long = bytes.len();
            bytes.fill(0);
            bytes.truncate(long - dice.index(2));
        }
    }
}

fn every_subset(seed: u64, totals: &mut Totals) {
    let (world, contents, positions) = directory(seed);
    let mut model = Model::new(&world);
    let names: Vec<_> = contents.keys().collect();
    for subset in 1_u32..1 << names.len() {
        let mut dice = Dice::new(seed << 16 | u64::from(subset));
        let chosen = names.iter().enumerate().filter(|(number, _)| subset & 1 << number != 0);
        let damaged: BTreeSet<&String> = chosen.map(|(_, name)| *name).collect();
        let mut files = contents.clone();
        for name in &damaged {
            let bytes = files.get_mut(*name).unwrap();
            while *bytes == contents[*name] {
                damage(bytes, &mut dice);
            }
        }
        let expected = newest_whole(&contents, &damaged);
        let position = expected.map_or(0, |name| positions[name]);
        let disk = Disk::with(&files);
        let mut life = Life::begin(disk.files(), &world);
        assert_eq!((life.next, life.reader.digest()), (position, model.digest_at(position)));
        for _ in 0..4 {
            life.count(dice.roll(30));
            let published = life.keep().unwrap();
            assert!(published.generation > number(names[names.len() - 1]), "a number was used again");
            assert_eq!(look(disk.files()).unwrap(), Some((life.cut_at, model.digest_at(life.cut_at))));
        }
        let after = disk.contents();
        for name in &damaged {
            let kept =
                [(*name).clone(), format!("{name}.bad")].into_iter().filter_map(|name| after.get(&name));
            let same = kept.filter(|bytes| **bytes == files[*name]).count();
            // One that nobody looked at may be removed: behind the one that was taken, or on
            // top of another that is damaged.
            let was_looked_at = expected.is_none_or(|taken| *name > taken);
            let must_be_kept = was_looked_at && stands_on_whole_ones(&contents, &damaged, name);
            assert!(same == 1 || !must_be_kept, "{name} is gone: {disk:?}");
            totals.add("damaged files that must be kept", u64::from(must_be_kept));
            if previous(&contents[*name]) != 0 {
                totals.add("those of changes", u64::from(must_be_kept));
            }
        }
        totals.add(if expected.is_some() { "subsets that leave one" } else { "subsets that leave none" }, 1);
        totals.add("files put aside", after.keys().filter(|name| name.ends_with(".bad")).count() as u64);
    }
}

#[test]
fn the_newest_whole_generation_is_taken_whatever_others_are_damaged() {
    campaign::run("damaged in every combination", 1, every_subset);
}
