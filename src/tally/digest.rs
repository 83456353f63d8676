//! One number for all that is counted.
//!
//! Owns what goes into it: of each room the text of its id, its instant, its
//! department's name, and whether it waits. Invariant: equal states have equal
//! digests, whatever the order of events, the numbers of the departments and the
//! places of the records; different ones differ but by a chance of 2^-128.

use xxhash_rust::xxh3::xxh3_128;

use crate::buckets::WalkCursor;
use crate::room::MAX_PACKED_BYTES;
use crate::tally::books::Books;

impl Books {
    /// The sum over the rooms' hashes, which no order changes.
    pub(super) fn digest(&self) -> u128 {
        let (mut sum, mut told) = (0_u128, Vec::new());
        self.rooms.buckets.walk(&mut WalkCursor::default(), usize::MAX, |key, room| {
            told.clear();
            let mut letters = [0; MAX_PACKED_BYTES];
            let id = self.rooms.ledger.id(key).text(&mut letters);
            tell(&mut told, Some(id));
            told.extend(room.ts.as_millis().to_le_bytes());
            tell(&mut told, self.departments.name(room.department));
            told.push(room.waiting.into());
            sum = sum.wrapping_add(xxh3_128(&told));
        });
        sum
    }
}

/// The length first, so that no two texts run into one another; none has a
/// length that no text has.
fn tell(told: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    told.extend(length.to_le_bytes());
    told.extend(text.unwrap_or_default().as_bytes());
}
