//! Damaged and forged files: refused, or what they say.

use std::collections::{BTreeMap, BTreeSet};

use roomtally::snapshot::LoadError;
use roomtally::tally::Question;

use crate::allocator::{self, Memory};
use crate::campaign::{self, Totals};
use crate::combinations::{Contents, directory, newest_whole, number};
use crate::disk::Disk;
use crate::rig::{Dice, Life, Model, World, look};
use crate::sealer::{Parts, digest};

/// What these small directories need at most: the first page of records is the largest piece.
/// A length that was believed would take more. So few rooms are loaded by this thread alone,
/// whose memory is counted.
const PEAK_MAX: usize = 4 << 20;
const LARGEST_MAX: usize = 1 << 20;

/// Numbers at the edges of what a field can hold.
const EDGES: &[u64] =
    &[0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 63, u64::MAX];

struct Corpus {
    world: World,
    contents: Contents,
    positions: BTreeMap<String, i64>,
    model: Model,
}

impl Corpus {
    fn new(seed: u64) -> Self {
        let (world, contents, positions) = directory(seed);
        Self { model: Model::new(&world), world, contents, positions }
    }
}

fn overwrite(bytes: &mut [u8], dice: &mut Dice) {
    let at = dice.index(bytes.len());
    let width = dice.pick(&[1, 4, 8]).min(bytes.len() - at);
    let edge = dice.pick(EDGES).to_le_bytes();
    bytes[at..at + width].copy_from_slice(&edge[..width]);
}

/// Changes some bytes of a file, or how many there are.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    if bytes.is_empty() {
        return bytes.push(0);
    }
    let at = dice.index(bytes.len());
    match dice.roll(9) {
        0..3 => bytes[at] ^= 1 << dice.roll(8),
        3 => overwrite(bytes, dice),
        4 => bytes.truncate(at),
        5 => bytes.extend(other.iter().take(dice.index(60) + 1)),
        6 => {
            let end = (at / 512 * 512 + 512).min(bytes.len());
            bytes[at / 512 * 512..end].fill(0);
        }
        7 => {
            let length = dice.index(40).min(bytes.len() - at);
            bytes.drain(at..at + length);
        }
        _ => {
            let from = dice.index(other.len().max(1));
            let piece: Vec<u8> = other.iter().skip(from).take(dice.index(80) + 1).copied().collect();
            bytes.splice(at..(at + piece.len()).min(bytes.len()), piece);
        }
    }
}

/// Loads a mutant; nothing may panic or take much memory.
fn load(contents: &Contents, totals: &mut Totals) -> Result<Option<(i64, u128)>, LoadError> {
    let disk = Disk::with(contents);
    let (found, Memory { peak, largest, .. }) = allocator::of(|| look(disk.files()));
    assert!(peak < PEAK_MAX && largest < LARGEST_MAX, "{peak} bytes, {largest} at once");
    totals.add("mutants", 1);
    found
}

/// One mutant with checks that are not right any more.
fn damaged(corpus: &mut Corpus, dice: &mut Dice, totals: &mut Totals) {
    let names: Vec<&String> = corpus.contents.keys().collect();
    let name = names[names.len() - 1 - dice.index(names.len()).min(dice.index(names.len()))];
    let other = names[dice.index(names.len())];
    let mut contents = corpus.contents.clone();
    let mut expected = BTreeSet::from([name]);
    match dice.roll(12) {
        // Another file under its name; or under a new name too, whatever number.
        0 => {
            contents.insert(name.clone(), corpus.contents[other].clone());
        }
        1 => {
            let place = dice.pick(&[number(name), number(name) + 1, 0, u64::MAX, number(other)]);
            let new = format!("{place:012}.{}", dice.pick(&["full", "changes"]));
            contents.entry(new).or_insert_with(|| corpus.contents[other].clone());
            expected.clear();
        }
        // A frame of one file in the place of one in another.
        2 => {
            let mut parts = Parts::of(&corpus.contents[name]);
            let from = Parts::of(&corpus.contents[other]);
            let at = dice.index(parts.frames.len());
            let before = parts.seal();
            parts.frames[at] = from.frames[at.min(from.frames.len() - 1)].clone();
            let mut spliced = parts.seal();
            // With the old footer: only the digest can tell.
            let end = spliced.len();
            spliced[end - 16..].copy_from_slice(&before[before.len() - 16..]);
            contents.insert(name.clone(), spliced);
        }
        _ => {
            let bytes = contents.get_mut(name).unwrap();
            for _ in 0..=dice.roll(2) {
                mutate(bytes, &corpus.contents[other], dice);
            }
        }
    }
    if contents == corpus.contents || contents.get(name) == corpus.contents.get(name) {
        expected.clear();
    }
    let newest = newest_whole(&corpus.contents, &expected);
    let found = load(&contents, totals).unwrap();
    let position = newest.map(|name| corpus.positions[name]);
    assert_eq!(found.map(|(position, _)| position), position, "{name}");
    assert!(found.is_none_or(|(position, digest)| digest == corpus.model.digest_at(position)));
    totals.add("damaged: exact fallback", 1);
}

/// Another instant, department, answer or id in one record: as good a file.
fn restate(payload: &mut [u8], kind: u32, dice: &mut Dice) {
    let (head, record) = if kind == 2 { (16, 24) } else { (8, 28) };
    let records = payload.len().saturating_sub(head) / record;
    if (2..4).contains(&kind) && records > 0 {
        let at = head + record * dice.index(records.min(4));
        let field = dice.pick(&[0, 16, 16, 17, 18, record - 4, record - 4]);
        payload[at + field] ^= 1 << dice.roll(7);
    }
}

fn forge(parts: &mut Parts, from: &Parts, dice: &mut Dice) {
    let at = dice.index(parts.frames.len());
    let of = dice.index(from.frames.len());
    match dice.roll(14) {
        0 => {
            let last = parts.frames.len() - 1;
            parts.frames.swap(at, of.min(last));
        }
        1 => parts.frames.insert(at, from.frames[of].clone()),
        2 => drop(parts.frames.remove(at)),
        3 => parts.frames[at].0 = u32::try_from(dice.pick(EDGES) & 0xffff_ffff).unwrap(),
        4 => parts.previous = dice.pick(&[from.previous, (0, 0), (0, 1), (u64::MAX, 0), (1, 7)]),
        5 => parts.frames[at] = from.frames[of].clone(),
        6..10 => {
            let (kind, payload) = &mut parts.frames[at];
            restate(payload, *kind, dice);
        }
        _ => {
            let other = &from.frames[of].1;
            mutate(&mut parts.frames[at].1, other, dice);
        }
    }
}

/// One mutant whose checks are right: refused, or a state that is in order.
fn forged(corpus: &mut Corpus, dice: &mut Dice, totals: &mut Totals) {
    let names: Vec<&String> = corpus.contents.keys().collect();
    let (name, other) =
        (names[names.len() - 1 - dice.index(4).min(dice.index(3))], names[dice.index(names.len())]);
    let mut contents = corpus.contents.clone();
    let mut parts = Parts::of(&contents[name]);
    for _ in 0..=dice.roll(2) {
        if !parts.frames.is_empty() {
            forge(&mut parts, &Parts::of(&corpus.contents[other]), dice);
        }
    }
    if dice.roll(50) == 0 {
        parts.version = dice.pick(&[0, 2, u32::MAX]);
    }
    contents.insert(name.clone(), parts.seal());
    // What builds upon it names its new digest, so that the chain is tried further.
    for later in names.iter().filter(|later| number(later) > number(name)) {
        let mut parts = Parts::of(&contents[*later]);
        if parts.previous.0 == number(name) && parts.version == 1 {
            parts.previous.1 = digest(&contents[name]);
            contents.insert((*later).clone(), parts.seal());
        }
    }
    let found = load(&contents, totals);
    match &found {
        Err(LoadError::Newer { version, .. }) => {
            assert!(*version > 1);
            return totals.add("forged: newer", 1);
        }
        Err(LoadError::OtherTopic { .. }) => return totals.add("forged: another topic", 1),
        Err(LoadError::Io { .. }) => panic!("{found:?}"),
        Ok(None) => totals.add("forged: refused, nothing left", 1),
        Ok(Some((position, digest))) => {
            // Positions that nobody ever had are nothing that the model knows.
            let known = corpus.positions.values().any(|of| of == position);
            let taken = !known || *digest != corpus.model.digest_at(*position);
            totals.add(if taken { "forged: taken over" } else { "forged: refused or the same" }, 1);
        }
    }
    if dice.roll(16) == 0 {
        go_on(corpus, &contents, totals);
    }
}

/// A life on top of what a forged file says keeps and finds its own state.
fn go_on(corpus: &Corpus, contents: &Contents, totals: &mut Totals) {
    let disk = Disk::with(contents);
    let mut life = Life::begin(disk.files(), &corpus.world);
    let everything = Question {
        from: roomtally::room::Timestamp::MIN,
        to: roomtally::room::Timestamp::MAX,
        answered: None,
        department: None,
    };
    let counted: u64 = life.reader.count(&everything).rows().map(|row| row.rooms).sum();
    assert_eq!(counted, life.reader.rooms() as u64);
    if life.next > 1 << 40 {
        return;
    }
    for _ in 0..3 {
        life.count(9);
        life.keep().unwrap();
        assert_eq!(look(disk.files()).unwrap(), Some((life.next, life.reader.digest())));
    }
    totals.add("forged: went on", 1);
}

#[test]
fn a_damaged_file_is_refused_and_a_forged_one_is_in_order_or_refused() {
    campaign::run("damaged and forged files", 12, |seed, totals| {
        let mut corpus = Corpus::new(seed);
        let mut dice = Dice::new(seed);
        for _ in 0..100 {
            damaged(&mut corpus, &mut dice, totals);
            forged(&mut corpus, &mut dice, totals);
        }
    });
}

#[test]
fn the_sealer_writes_the_bytes_that_the_program_writes() {
    for seed in 0..3 {
        for (name, bytes) in &Corpus::new(seed).contents {
            assert_eq!(Parts::of(bytes).seal(), *bytes, "{name}");
        }
    }
}
