//! Ledger and buckets as one.
//!
//! Owns every change of either. Invariant: the ledger knows the place of every
//! record among the buckets, and of no other.

use smallvec::SmallVec;

use crate::buckets::{AT_ONCE, Buckets, Place};
use crate::ledger::{HashedId, Intake, Ledger};
use crate::room::{PackedId, Room, RoomKey, StoredIdRef};

#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) ledger: Ledger,
    pub(super) buckets: Buckets,
}

/// The id of a change that is applied soon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coming<'a> {
    pub(super) id: HashedId<'a>,
    /// Whether something stands in the index that may be this room.
    pub(super) may_be_known: bool,
}

/// A room that counts, until the next change of any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    place: Place,
    pub(super) room: Room,
}

impl Rooms {
    pub(super) fn get(&self, id: HashedId<'_>) -> Option<Known> {
        let place = self.ledger.find(id, &self.buckets)?;
        Some(Known { place, room: self.buckets.room(place) })
    }

    /// Takes ids of which changes are applied next, [`AT_ONCE`] of them at most, and has what is
    /// known of each fetched: it comes for all at the same time, while for one after the other it
    /// would be waited for.
    pub(super) fn fetch<'a>(
        &self,
        ids: impl Iterator<Item = StoredIdRef<'a>>,
    ) -> SmallVec<[Coming<'a>; AT_ONCE]> {
        let hashed = ids.map(|id| {
            let id = self.ledger.hashed(id);
            self.ledger.fetch(id);
            Coming { id, may_be_known: false }
        });
        let mut coming: SmallVec<_> = hashed.collect();
        for Coming { id, may_be_known } in &mut coming {
            if let Some(place) = self.ledger.guess(*id) {
                *may_be_known = true;
                self.buckets.fetch(place);
            }
        }
        coming
    }

    /// Makes a room count that is not known yet.
    pub(super) fn add(&mut self, id: HashedId<'_>, room: Room) {
        let key = self.ledger.key(id.id());
        let place = self.buckets.add(key, room);
        self.ledger.enter(id, place, &self.buckets);
    }

    pub(super) fn restate(&mut self, id: HashedId<'_>, known: Known, room: Room) {
        if !self.buckets.restate(known.place, room) {
            self.remove(known);
            self.add(id, room);
        }
    }

    /// Makes the room what it is now, or none, whatever was known of it.
    pub(super) fn change(&mut self, id: StoredIdRef<'_>, room: Option<Room>) {
        self.change_hashed(self.ledger.hashed(id), room);
    }

    fn change_hashed(&mut self, id: HashedId<'_>, room: Option<Room>) {
        match (self.get(id), room) {
            (Some(known), Some(room)) => self.restate(id, known, room),
            (Some(known), None) => self.remove(known),
            (None, Some(room)) => self.add(id, room),
            (None, None) => {}
        }
    }

    /// The same for many, in their order.
    pub(super) fn change_all(&mut self, changes: &[(PackedId, Option<Room>)]) {
        for changes in changes.chunks(AT_ONCE) {
            let ids = changes.iter().map(|&(packed, _)| StoredIdRef::Packed(packed));
            let coming = self.fetch(ids);
            coming.iter().zip(changes).for_each(|(coming, &(_, room))| self.change_hashed(coming.id, room));
        }
    }

    /// Makes rooms count, known or not, once they are settled.
    pub(super) fn add_later(&mut self, rooms: &[(RoomKey, Room)], intake: &mut Intake) {
        let Self { ledger, buckets } = self;
        buckets.add_unsummed(rooms, |key, place| intake.enter(ledger, key, place));
        intake.pass_on(ledger, buckets);
    }

    /// Makes all count that was added later, and none twice.
    pub(super) fn settle(&mut self, intake: &mut Intake) {
        let mut outdated = intake.settle(&mut self.ledger, &self.buckets);
        // From the last one on, so that few have a record behind them that moves.
        while let Some(place) = outdated.pop_last() {
            self.ledger.release(self.buckets.key(place));
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
