//! Cases that are carried out at the same time.
//!
//! Invariant: a case that fails keeps no other one waiting, and fails the test with its
//! own message. Nothing that comes after all of them is begun then.

use std::panic;
use std::thread;

/// Does the same for every case, on a thread each; what came of them, in order. Whatever
/// they share can be changed between two of these.
pub(crate) fn side_by_side<C: Send, T: Send>(
    cases: impl IntoIterator<Item = C>,
    work: impl Fn(C) -> T + Sync,
) -> Vec<T> {
    let work = &work;
    let ended = thread::scope(|scope| {
        let threads: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || work(case))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let (mut done, mut failure) = (Vec::new(), None);
    for case in ended {
        match case {
            Ok(came) => done.push(came),
            Err(message) => failure = failure.or(Some(message)),
        }
    }
    if let Some(message) = failure {
        // Before the panic: what ends with it prints more than anybody can read.
        drop(done);
        panic::resume_unwind(message);
    }
    done
}

#[test]
fn what_came_of_cases_is_in_their_order() {
    assert_eq!(side_by_side(0..20, |case| case * 2), (0..20).map(|case| case * 2).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "case 3 is wrong")]
fn a_case_that_fails_fails_all_with_its_message() {
    side_by_side(0..20, |case| assert_ne!(case, 3, "case 3 is wrong"));
}
