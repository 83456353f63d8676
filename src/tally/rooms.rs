//! Ledger and buckets as one.
//!
//! Owns every change of either. Invariant: the ledger knows the place of every
//! record among the buckets, and of no other.

use crate::buckets::{Buckets, Place, Shares};
use crate::ledger::{Intake, Ledger};
use crate::room::{Room, RoomKey, StoredIdRef};

#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) ledger: Ledger,
    pub(super) buckets: Buckets,
}

/// A room that counts, until the next change of any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    place: Place,
    pub(super) room: Room,
}

impl Rooms {
    pub(super) fn get(&self, id: StoredIdRef<'_>) -> Option<Known> {
        let place = self.ledger.find(id, &self.buckets)?;
        Some(Known { place, room: self.buckets.room(place) })
    }

    /// Makes a room count that is not known yet.
    pub(super) fn add(&mut self, id: StoredIdRef<'_>, room: Room) {
        let key = self.ledger.key(id);
        let place = self.buckets.add(key, room);
        self.ledger.enter(key, place, &self.buckets);
    }

    pub(super) fn restate(&mut self, id: StoredIdRef<'_>, known: Known, room: Room) {
        if !self.buckets.restate(known.place, room) {
            self.remove(known);
            self.add(id, room);
        }
    }

    /// Makes rooms count, known or not, once they are settled.
    pub(super) fn add_later(&mut self, rooms: &[(RoomKey, Room)], shares: &mut Shares, intake: &mut Intake) {
        let Self { ledger, buckets } = self;
        buckets.add_all(rooms, shares, |key, place| intake.enter(ledger, key, place));
        intake.pass_on(ledger, buckets);
    }

    /// Makes all count that was added later, and none twice; `gone` is told of each
    /// that was added in vain.
    pub(super) fn settle(&mut self, intake: &mut Intake, mut gone: impl FnMut(Room)) {
        let mut outdated = intake.settle(&mut self.ledger, &self.buckets);
        while let Some(place) = outdated.pop_first() {
            let (key, room) = (self.buckets.key(place), self.buckets.room(place));
            self.ledger.release(key);
            gone(room);
            match self.buckets.take_back(place) {
                Some(moved) if outdated.remove(&moved.from) => drop(outdated.insert(moved.to)),
                Some(moved) => self.ledger.follow(moved),
                None => {}
            }
        }
    }

    pub(super) fn remove(&mut self, known: Known) {
        self.ledger.forget(self.buckets.key(known.place), known.place);
        if let Some(moved) = self.buckets.take_back(known.place) {
            self.ledger.follow(moved);
        }
    }
}
