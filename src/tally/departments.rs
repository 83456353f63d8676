//! Every department that was ever seen.
//!
//! Owns their slots and how many there may be. Invariant: a department once seen
//! keeps its slot, with rooms or without, so that a slot means the same for as
//! long as the tally lives, and a limit refuses the same ones in every replay.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use crate::buckets::{Buckets, Rank, Totals};
use crate::room::{DepartmentIdRef, DepartmentSlot, Timestamp};
use crate::tally::names::Names;

/// Every department that was ever seen, and how many rooms each has now.
#[derive(Debug)]
pub(super) struct Departments {
    limit: usize,
    /// By slot, without none.
    texts: Vec<Arc<str>>,
    /// By slot; the first is none.
    rooms: Vec<u64>,
    slots: HashMap<Arc<str>, DepartmentSlot>,
    /// None first, then in the order of the ids' bytes.
    by_name: Vec<DepartmentSlot>,
    /// The same for answers; made when it is asked for, since many may come before that.
    names: OnceLock<Arc<Names>>,
    /// How many departments have a room now, none aside.
    inhabited: usize,
}

impl Departments {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            texts: Vec::new(),
            rooms: vec![0],
            slots: HashMap::new(),
            by_name: vec![DepartmentSlot::NONE],
            names: OnceLock::new(),
            inhabited: 0,
        }
    }

    pub(super) fn known(&self, name: &str) -> Option<DepartmentSlot> {
        self.slots.get(name).copied()
    }

    /// The slot of a department that has one.
    pub(super) fn of(&self, id: Option<DepartmentIdRef<'_>>) -> Option<DepartmentSlot> {
        id.map_or(Some(DepartmentSlot::NONE), |id| self.known(id.as_str()))
    }

    pub(super) fn name(&self, slot: DepartmentSlot) -> Option<&str> {
        self.text(slot).map(|text| &**text)
    }

    fn text(&self, DepartmentSlot(slot): DepartmentSlot) -> Option<&Arc<str>> {
        self.texts.get((slot as usize).checked_sub(1)?)
    }

    /// The names in the order of answers, which share them.
    pub(super) fn names(&self) -> &Arc<Names> {
        self.names.get_or_init(|| Arc::new(Names::of(&self.by_name, |slot| self.text(slot))))
    }

    /// The slot of a department; a new one takes a place, if one is left.
    pub(super) fn slot(&mut self, id: Option<DepartmentIdRef<'_>>) -> Option<DepartmentSlot> {
        if let Some(slot) = self.of(id) {
            return Some(slot);
        }
        let id = id?;
        if self.slots.len() >= self.limit {
            return None;
        }
        let place = self.by_name.partition_point(|&other| self.name(other) < Some(id.as_str()));
        let slot = self.push(id.as_str())?;
        self.by_name.insert(place, slot);
        Some(slot)
    }

    /// Gives the next slot to a department, whatever the limit; false if it has
    /// one. The order of names waits for [`Self::sort`].
    pub(super) fn load(&mut self, name: &str) -> bool {
        self.known(name).is_none() && self.push(name).map(|slot| self.by_name.push(slot)).is_some()
    }

    /// How many have a slot, none aside.
    pub(super) fn named(&self) -> usize {
        self.slots.len()
    }

    /// Puts the names in order, once instead of for each that was loaded.
    pub(super) fn sort(&mut self) {
        let mut by_name = std::mem::take(&mut self.by_name);
        by_name.sort_unstable_by_key(|&slot| self.name(slot));
        self.by_name = by_name;
        self.names.take();
    }

    fn push(&mut self, name: &str) -> Option<DepartmentSlot> {
        let slot = DepartmentSlot(u32::try_from(self.slots()).ok()?);
        let name: Arc<str> = name.into();
        self.texts.push(Arc::clone(&name));
        self.names.take();
        self.rooms.push(0);
        self.slots.insert(name, slot);
        Some(slot)
    }

    /// How many slots are taken, that of none among them.
    pub(super) fn slots(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn has(&self, slot: DepartmentSlot) -> bool {
        (slot.0 as usize) < self.slots()
    }

    /// The names in the order of their slots, without the first `known` of them.
    pub(super) fn since(&self, known: usize) -> Vec<Arc<str>> {
        self.texts.iter().skip(known).cloned().collect()
    }

    /// All slots, none first and then in the order of the ids' bytes.
    pub(super) fn by_name(&self) -> &[DepartmentSlot] {
        &self.by_name
    }

    /// How many departments have a room now.
    pub(super) fn inhabited(&self) -> usize {
        self.inhabited
    }

    pub(super) fn enter(&mut self, slot: DepartmentSlot) {
        let rooms = &mut self.rooms[slot.0 as usize];
        *rooms += 1;
        if *rooms == 1 && slot != DepartmentSlot::NONE {
            self.inhabited += 1;
        }
    }

    pub(super) fn leave(&mut self, slot: DepartmentSlot) {
        let rooms = &mut self.rooms[slot.0 as usize];
        *rooms -= 1;
        if *rooms == 0 && slot != DepartmentSlot::NONE {
            self.inhabited -= 1;
        }
    }

    /// Counts the rooms of each anew, for rooms that did not enter and leave one by one; the
    /// names are in order.
    pub(super) fn recount(&mut self, buckets: &Buckets) {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let mut totals = Totals::default();
        buckets.count(from, to, self.slots(), |sum| sum.rooms, &mut totals);
        let mut rooms = vec![0; self.slots()];
        let rank_of = |slot| self.names().rank_of(slot);
        for (Rank(rank), total) in totals.take(&self.by_name, rank_of) {
            rooms[self.by_name[rank as usize].0 as usize] = total.into();
        }
        self.rooms = rooms;
        let rooms = &self.rooms;
        self.inhabited = rooms[1..].iter().filter(|&&rooms| rooms > 0).count();
    }
}
