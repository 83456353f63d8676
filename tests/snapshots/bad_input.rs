//! Directories and files that are not for this service: said so, and not touched.

use std::collections::BTreeMap;
use std::fs;

use roomtally::snapshot::{Directory, LoadError, Place, PlaceError, RealFiles, is_taken, load, look};

use crate::combinations::directory;
use crate::disk::Disk;
use crate::rig::{DEPARTMENTS, Life, Model, World};
use crate::sealer::Parts;

fn untouched(contents: &BTreeMap<String, Vec<u8>>, topic: &str) -> LoadError {
    let disk = Disk::with(contents);
    let error = load(&Directory::new(disk.files()), DEPARTMENTS, Some(topic)).unwrap_err();
    assert_eq!(disk.contents(), *contents);
    error
}

#[test]
fn rooms_of_another_topic_end_the_start() {
    let (_, mut contents, _) = directory(1);
    // Even where a damaged file would be put aside otherwise.
    contents.values_mut().next_back().unwrap()[60] ^= 1;
    let error = untouched(&contents, "other").to_string();
    assert!(error.contains("the topic livechat.rooms, and the configured topic is other"), "{error}");
}

#[test]
fn a_newer_format_ends_the_start_whatever_else_is_there() {
    let (_, contents, _) = directory(1);
    for place in [0, contents.len() / 2, contents.len() - 1] {
        for only_opening in [false, true] {
            let mut contents = contents.clone();
            contents.values_mut().for_each(|bytes| bytes[60] ^= 1);
            let name = contents.keys().nth(place).unwrap().clone();
            let newer = Parts { version: 2, previous: (7, 7), frames: Vec::new() };
            let mut bytes = newer.seal();
            if only_opening {
                bytes.truncate(16);
                bytes.extend([0xff; 9]);
            }
            contents.insert(name.clone(), bytes);
            let error = untouched(&contents, "livechat.rooms").to_string();
            assert!(
                error.starts_with(&format!("{name} has format version 2, and this roomtally reads up to 1"))
            );
        }
    }
}

#[test]
fn files_of_other_names_are_nobodys_generations() {
    let (world, mut contents, positions) = directory(1);
    let position = *positions.values().max().unwrap();
    let strangers = [
        "1.full",
        "000000000001.FULL",
        "000000000001.full.bad",
        "+00000000001.full",
        "lock",
        "full.unfinished",
        "x",
    ];
    strangers.iter().for_each(|name| drop(contents.insert((*name).to_owned(), vec![1, 2, 3])));
    let disk = Disk::with(&contents);
    let mut life = Life::begin(disk.files(), &world);
    assert_eq!((life.next, life.damaged), (position, 0));
    life.count(4);
    life.keep().unwrap();
    for name in strangers.iter().filter(|name| !name.contains("unfinished")) {
        assert_eq!(disk.contents()[*name], [1, 2, 3]);
    }
}

#[test]
fn the_last_number_there_is_ends_no_life_and_is_told() {
    let world = World::new(3, 20, 3);
    for name in ["18446744073709551615.full", "18446744073709551615.txt"] {
        let disk = Disk::with(&[(name.to_owned(), vec![0; 200])].into());
        let mut life = Life::begin(disk.files(), &world);
        life.count(30);
        let error = life.keep().unwrap_err().to_string();
        assert!(error.contains("the last number there is"), "{error}");
        assert_eq!(life.reader.digest(), Model::new(&world).digest_at(30));
    }
}

#[test]
fn a_place_that_cannot_be_used_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    // Whoever is root may write everywhere, but not a file that is a directory.
    let locked = dir.path().join("locked");
    fs::create_dir_all(locked.join("lock")).unwrap();
    assert!(matches!(Place::take(&dir.path().join("none")), Err(PlaceError::Missing(_))));
    assert!(matches!(Place::take(&file), Err(PlaceError::NoDirectory(_))));
    assert!(matches!(Place::take(&file.join("below")), Err(PlaceError::Refused { .. })));
    assert!(matches!(Place::take(&locked), Err(PlaceError::Refused { .. })));
    assert!(matches!(look(&dir.path().join("none")), Err(PlaceError::Missing(_))));
    for error in [Place::take(&dir.path().join("none")), Place::take(&file), Place::take(&locked)] {
        assert!(error.unwrap_err().to_string().contains("--data-dir"));
    }
}

#[test]
fn a_place_is_one_processs_alone_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!is_taken(dir.path()));
    let place = Place::take(dir.path()).unwrap();
    assert!(is_taken(dir.path()));
    assert!(matches!(Place::take(dir.path()), Err(PlaceError::InUse(_))));
    // Looking is allowed meanwhile.
    assert!(look(dir.path()).unwrap().generations().unwrap().is_empty());
    drop(place);
    assert!(!is_taken(dir.path()));
    assert!(Place::take(dir.path()).is_ok());
}

#[test]
fn a_directory_under_a_generations_name_is_no_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("000000000001.full")).unwrap();
    let directory = Directory::new(Box::new(RealFiles::new(dir.path())));
    assert!(matches!(load(&directory, 1, None), Err(LoadError::Io { .. })));
}
