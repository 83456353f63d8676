//! The data directory beside a running service: looked at, copied, brought back,
//! and guarded.

use std::fs;

use crate::load::{is_busy, under_load};
use crate::model::{Model, workload};
use crate::node;
use crate::program::Ended;
use crate::service::{Service, Setup};
use crate::topic::Topic;
use crate::wait::until;

/// A command is refused with these words.
#[track_caller]
fn is_refused(ended: &Ended, words: &str) {
    assert!(ended.code == Some(1) && ended.stderr.contains(words), "{words:?}: {ended:?}");
}

#[test]
fn a_state_copied_beside_a_busy_service_and_brought_back_elsewhere_goes_on_exactly() {
    let topic = Topic::shared(3);
    let (setup, restored) = (Setup::new(&topic).often(), Setup::new(&topic));
    let (backup, other) = (setup.beside("backup"), setup.beside("no-backup"));
    let (backup, other) = (backup.to_str().unwrap(), other.to_str().unwrap());
    let (service, events) = under_load(&topic, || {
        let service = setup.serve();
        is_busy(&service);
        until("rooms are kept", || setup.state().filter(|state| state.rooms > 0));
        let begun = setup.state().unwrap().generation;
        until("some generations have come and gone", || {
            for command in ["verify", "show"] {
                let ended = setup.command(&["snapshot", command]);
                assert_eq!(ended.code, Some(0), "{ended:?}");
            }
            (setup.state().unwrap().generation > begun + 2).then_some(())
        });
        let copied = setup.command(&["snapshot", "backup", backup]);
        assert_eq!(copied.code, Some(0), "{copied:?}");
        is_refused(&setup.command(&["snapshot", "backup", backup]), "is there already");
        // A state that is there, and a service that counts, are in the way.
        is_refused(&setup.command(&["snapshot", "restore", backup]), "is in use by another process");
        service
    });
    let model = Model::of(&events);
    service.agrees_with(&model);
    service.ends();
    is_refused(&setup.command(&["snapshot", "restore", backup]), "restore into an empty one");
    fs::write(other, "no backup").unwrap();
    is_refused(&restored.command(&["snapshot", "restore", other]), "is no backup");
    assert!(restored.files().iter().all(|name| name == "lock"), "{:?}", restored.files());

    let brought = restored.command(&["snapshot", "restore", backup]);
    assert_eq!(brought.code, Some(0), "{brought:?}");
    let kept = restored.kept().iter().sum::<i64>().unsigned_abs();
    assert!(kept > 0);
    let service = restored.serve();
    service.agrees_with(&model);
    assert_eq!(service.consumed(), events.len() as u64 - kept, "what the backup has is not read again");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_refused_with_what_to_do_and_left_alone() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    topic.send(&workload(830, 20));
    let setup = Setup::new(&topic);
    let service = setup.serve();
    service.reads_to_the_end();
    let refused = setup.serve_is_refused();
    let data = setup.data();
    assert!(refused.contains("in use by another process") && refused.contains(data.to_str().unwrap()));
    service.reads_to_the_end();
    service.ends();

    // The rooms of another topic.
    let other = Topic::new(&node.servers(), 1);
    let before = (setup.files(), setup.state());
    let refused = setup.of(&other).serve_is_refused();
    for words in [&topic.name, &other.name, "--topic", "--data-dir"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert_eq!((setup.files(), setup.state()), before, "nothing is touched");

    fs::remove_dir_all(&data).unwrap();
    let refused = setup.serve_is_refused();
    assert!(
        refused.contains("is not there; name the one that is meant")
            && refused.contains(data.to_str().unwrap())
    );
    assert!(!data.exists());
    fs::write(&data, "a file").unwrap();
    let refused = setup.serve_is_refused();
    assert!(refused.contains("is no directory") && refused.contains("--data-dir"), "{refused}");
    assert_eq!(fs::read_to_string(&data).unwrap(), "a file");
}

/// Leaves a decision that no stop is there for; it is told, and gone.
#[track_caller]
fn is_too_late(setup: &Setup, service: &Service, stop: &str, stopped_now: &str) {
    let file = setup.data().join(format!("{stop}.accept-gap"));
    fs::write(&file, "").unwrap();
    until("the decision is met", || (!file.exists()).then_some(()));
    let stopped_now = format!("stopped_now=\"{stopped_now}\"");
    let said = ["WARN", stop, "accept-gap", &stopped_now, "not there any more"];
    assert!(service.logged(&said), "{said:?}");
}

#[test]
fn a_decision_on_a_stop_that_is_another_one_by_now_is_told_to_have_come_too_late() {
    let topic = Topic::shared(1);
    let events = workload(831, 50);
    topic.send(&events[..30]);
    let setup = Setup::new(&topic);
    let service = setup.serve();
    service.agrees_with(&Model::of(&events[..30]));
    is_too_late(&setup, &service, "gap-0-10", "nothing");
    service.ends();
    topic.send(&events[30..]);
    topic.trim(0, 40);
    let service = setup.serve();
    assert_eq!(service.stops(&[0])[0]["stop"], "gap-0-40");
    is_too_late(&setup, &service, "gap-0-35", "gap-0-40");
    assert_eq!(service.stops(&[0])[0]["stop"], "gap-0-40");
}
