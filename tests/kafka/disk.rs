//! Disks that hang or are full, under the built program.
//!
//! A library that the linker puts before the system's holds up or refuses what the
//! program does with the files of its data directory, for as long as a test says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::model::{Event, Model, workload};
use crate::node;
use crate::service::{Service, Setup};
use crate::topic::{FOR_EVER, Topic};
use crate::wait::until;

/// What stands before the system's functions. A file beside the data directory, named
/// as that with the fault's name behind, is there while the fault is.
const FAULTS: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is(const char *fault, int fd) {
    const char *data = getenv("FAULTS_OF");
    char link[64], path[4096];
    if (data == NULL) return 0;
    snprintf(path, sizeof path, "%s.%s", data, fault);
    if (access(path, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, data, strlen(data)) == 0 && strchr("/", path[strlen(data)]) != NULL;
}

int fsync(int fd) {
    while (is("hangs", fd)) usleep(10000);
    return syscall(SYS_fsync, fd);
}

ssize_t read(int fd, void *bytes, size_t count) {
    while (is("hangs", fd)) usleep(10000);
    if (is("unreadable", fd)) { errno = EIO; return -1; }
    return syscall(SYS_read, fd, bytes, count);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (is("full", fd)) {
        char path[4096];
        snprintf(path, sizeof path, "%s.refused", getenv("FAULTS_OF"));
        int refused = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        syscall(SYS_write, refused, ".", 1);
        close(refused);
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}
"#;

/// In which a service that was told to stop has ended.
const ENDS: Duration = Duration::from_secs(10);

/// A disk that does what a test says.
pub(crate) struct Disk {
    data: PathBuf,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// What is written or read is so when the disk goes on.
    Hangs,
    /// Nothing more can be written.
    Full,
    /// Nothing can be read.
    Unreadable,
}

impl Disk {
    /// The disk under a data directory, and the library that makes it one.
    pub(crate) fn under(data: &Path) -> (Self, PathBuf) {
        let (source, library) = (data.with_extension("c"), data.with_extension("so"));
        fs::write(&source, FAULTS).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status()
            .expect("a C compiler");
        assert!(compiled.success(), "{compiled}");
        (Self { data: data.to_owned() }, library)
    }

    pub(crate) fn begins(&self, fault: Fault) {
        fs::write(self.path(fault), "").unwrap();
    }

    pub(crate) fn is_well(&self, fault: Fault) {
        fs::remove_file(self.path(fault)).unwrap();
    }

    /// How often something could not be written because it is full.
    pub(crate) fn refused(&self) -> u64 {
        fs::read(self.data.with_extension("refused")).map_or(0, |refused| refused.len() as u64)
    }

    fn path(&self, fault: Fault) -> PathBuf {
        self.data.with_extension(match fault {
            Fault::Hangs => "hangs",
            Fault::Full => "full",
            Fault::Unreadable => "unreadable",
        })
    }
}

/// A service that has counted and kept some events.
fn counted(topic: &Topic, setup: &Setup, seed: u64) -> (Service, Vec<Event>) {
    let events = workload(seed, 50);
    topic.send(&events);
    let service = setup.serve();
    service.agrees_with(&Model::of(&events));
    let end = i64::try_from(events.len()).unwrap();
    until("all of it is kept", || (setup.kept() == [end]).then_some(()));
    (service, events)
}

/// Ends in time, with 0, and says what it gave up.
#[track_caller]
fn is_ended_in_time(mut service: Service, given_up: &str) {
    service.signal(Signal::TERM);
    let ended = service.ends_within(ENDS);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(service.logged(&["given up, to end in time", given_up]), "{given_up}");
}

#[test]
fn a_service_whose_disk_hangs_ends_in_time_and_loses_nothing_that_was_kept() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let (setup, disk) = Setup::new(&topic).often().with_disk();
    let (service, events) = counted(&topic, &setup, 120);
    let kept = setup.kept();
    disk.begins(Fault::Hangs);
    let more = workload(121, 50);
    topic.send(&more);
    let model = Model::of(&[events, more.clone()].concat());
    service.agrees_with(&model);
    is_ended_in_time(service, "writing a snapshot");

    // Nor does a start wait that cannot read.
    let service = setup.serve();
    is_ended_in_time(service, "reading the last snapshot");
    disk.is_well(Fault::Hangs);
    assert_eq!(setup.command(&["snapshot", "verify"]).code, Some(0));
    assert_eq!(setup.kept(), kept, "what was not finished has no name");
    let service = setup.serve();
    service.agrees_with(&model);
    assert_eq!(service.consumed(), more.len() as u64);
}

#[test]
fn a_service_that_cannot_go_back_because_its_disk_hangs_ends_in_time() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let (setup, disk) = Setup::new(&topic).often().with_disk();
    let (service, _) = counted(&topic, &setup, 122);
    disk.begins(Fault::Hangs);
    topic.delete();
    until("the name is free", || topic.try_create(1, &[FOR_EVER]).ok());
    until("what was counted is in doubt", || (service.ready().0 == 503).then_some(()));
    is_ended_in_time(service, "going back to the last snapshot");
    disk.is_well(Fault::Hangs);
    let service = setup.serve();
    assert_eq!(service.stops(&[0])[0]["reason"], "recreated");
}

#[test]
fn a_service_that_cannot_go_back_because_its_disk_cannot_be_read_stays_up_and_goes_back_once_it_can() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let (setup, disk) = Setup::new(&topic).often().with_disk();
    let (service, events) = counted(&topic, &setup, 127);
    disk.begins(Fault::Unreadable);
    topic.delete();
    until("the name is free", || topic.try_create(1, &[FOR_EVER]).ok());
    let said = ["ERROR", "cannot go back to the last snapshot yet", "no answer is given"];
    until("the service says so", || service.logged(&said).then_some(()));
    service.refuses_to_answer();
    assert_eq!((service.ready().0, service.get("/health/live").status), (503, 200));
    disk.is_well(Fault::Unreadable);
    let stopped = service.stops(&[0]);
    assert_eq!((&stopped[0]["reason"], &stopped[0]["to"]), (&"recreated".into(), &events.len().into()));
    until("the stop is kept", || setup.state().filter(|state| state.positions.stops().count() == 1));
    service.ends();
}

#[test]
fn a_stop_that_a_full_disk_does_not_take_can_be_decided_on_once_there_is_space() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let (setup, disk) = Setup::new(&topic).often().with_disk();
    let (service, events) = counted(&topic, &setup, 123);
    service.ends();
    let (lost, left) = (workload(124, 50), workload(125, 50));
    topic.send(&lost);
    topic.send(&left);
    topic.trim(0, i64::try_from(events.len() + lost.len()).unwrap());
    disk.begins(Fault::Full);
    let mut service = setup.serve();
    let stopped = service.stops(&[0]);
    let stop = stopped[0]["stop"].as_str().unwrap();
    let is_failing = |service: &Service| service.ready().1["snapshot"]["state"] == "failing";
    until("the stop cannot be kept", || is_failing(&service).then_some(()));
    let refused = setup.command(&["resolve", stop, "--accept-gap"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for words in [stop, "failing", "free space", "writes the stop by itself"] {
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
    }

    // Neither an end nor a start needs space, and what was seen is seen again.
    service.signal(Signal::TERM);
    assert_eq!(service.ends_within(ENDS).code(), Some(0));
    let service = setup.serve();
    assert_eq!(service.stops(&[0]), stopped);
    until("the stop cannot be kept", || is_failing(&service).then_some(()));
    disk.is_well(Fault::Full);
    until("the stop is kept", || setup.state().filter(|state| state.positions.stops().count() == 1));
    setup.resolve(stop, "--accept-gap");
    service.agrees_with(&Model::of(&[events, left].concat()));
}

#[test]
fn each_attempt_that_a_full_disk_refuses_is_counted_and_nothing_else() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let (setup, disk) = Setup::new(&topic).often().with_disk();
    let (service, mut events) = counted(&topic, &setup, 128);
    let failures = || service.metric("roomtally_snapshot_failures_total");
    assert_eq!((failures().to_string(), disk.refused()), ("0".to_owned(), 0));
    disk.begins(Fault::Full);
    // So small a file is written at once, or not at all.
    for seed in 129..132 {
        let (more, before) = (workload(seed, 50), disk.refused());
        topic.send(&more);
        events.extend(more);
        service.agrees_with(&Model::of(&events));
        until("another attempt fails", || (disk.refused() > before).then_some(()));
    }
    until("it is shown", || (service.ready().1["snapshot"]["state"] == "failing").then_some(()));
    disk.is_well(Fault::Full);
    let end = i64::try_from(events.len()).unwrap();
    let is_ok = || setup.kept() == [end] && service.ready().1["snapshot"]["state"] == "ok";
    until("all of it is kept", || is_ok().then_some(()));
    let refused = disk.refused();
    assert!(refused >= 3);
    assert_eq!(failures().to_string(), refused.to_string());
    service.answers(&Model::of(&events));
    service.ends();
    let service = setup.serve();
    service.agrees_with(&Model::of(&events));
    assert_eq!(service.consumed(), 0, "nothing is read again");
}

#[test]
fn a_first_start_whose_log_is_trimmed_before_anything_is_kept_counts_what_is_there() {
    let node = node::shared();
    let topic = Topic::new(&node.servers(), 1);
    let (setup, disk) = Setup::new(&topic).with_disk();
    let events = workload(126, 50);
    topic.send(&events);
    disk.begins(Fault::Hangs);
    let service = setup.serve();
    until("the log is seen", || (service.partition(0)["end"] == events.len()).then_some(()));
    for begin in [30, 40] {
        topic.trim(0, begin);
        until("it follows the beginning", || (service.partition(0)["begins_at"] == begin).then_some(()));
    }
    assert_eq!(
        (service.consumed(), service.ready().0),
        (0, 503),
        "nothing is read before a generation is there"
    );
    disk.is_well(Fault::Hangs);
    service.agrees_with(&Model::of(&events[40..]));
    assert_eq!(service.partition(0)["begins_at"], 40);
}
