//! The names under which the forms find what they read.
//!
//! Owns the list. A text is told from all of them by one look at a table, whose places
//! its length, its first and its last byte tell. Invariant: no two names share a place,
//! or the table does not compile.

#![allow(clippy::inline_always, reason = "a look at the table is a few instructions, made for every member")]

/// Defines the names and what they are called in JSON.
macro_rules! names {
    ($($(#[$about:meta])* $name:ident = $text:literal,)*) => {
        /// A name that some form reads.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name {
            $($(#[$about])* $name,)*
        }

        /// All of them.
        pub(super) const ALL: &[(Name, &str)] = &[$((Name::$name, $text),)*];
    };
}

names! {
    /// What an object says of a room.
    Id = "_id",
    Kind = "t",
    Ts = "ts",
    Department = "departmentId",
    Waiting = "waitingResponse",
    /// Debezium's flattening adds it.
    Deleted = "__deleted",
    /// A native event.
    Event = "event",
    /// Debezium's envelope.
    Op = "op",
    Before = "before",
    After = "after",
    Source = "source",
    /// What the envelope has under `source`.
    Collection = "collection",
    /// A change event of MongoDB's.
    Operation = "operationType",
    DocumentKey = "documentKey",
    FullDocument = "fullDocument",
    Namespace = "ns",
    /// What the event has under `ns`.
    Coll = "coll",
    /// In both of them, with the two below it.
    Update = "updateDescription",
    UpdatedFields = "updatedFields",
    RemovedFields = "removedFields",
    /// A marker of Debezium's that a transaction begins or ends; a key.
    Status = "status",
    PlainId = "id",
    /// Alone it is a heartbeat of Debezium's.
    TsMs = "ts_ms",
    /// The wrapper.
    Schema = "schema",
    Payload = "payload",
    /// A resume token.
    Data = "_data",
    /// Extended JSON.
    Date = "$date",
    Oid = "$oid",
    NumberLong = "$numberLong",
}

const PLACES: usize = 64;
const TABLE: [Entry; PLACES] = table();

/// A name as it is compared: by its length and by its two ends, which meet in the middle
/// of all names but those longer than 16 bytes.
#[derive(Clone, Copy)]
struct Entry {
    name: Option<Name>,
    written: &'static [u8],
    ends: (u64, u64),
}

/// The place of a text in the table. The factors are found by trial.
const fn place(length: usize, first: u8, last: u8) -> usize {
    (length * 34 + first as usize * 62 + last as usize * 12) / 16 % PLACES
}

/// The first and the last eight bytes, or four, or two, or the only one.
#[inline(always)]
const fn ends(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<2>(), text.last_chunk::<2>()) {
        (u16::from_le_bytes(*first) as u64, u16::from_le_bytes(*last) as u64)
    } else if let [only] = text {
        (*only as u64, *only as u64)
    } else {
        (0, 0)
    }
}

const fn table() -> [Entry; PLACES] {
    let mut table = [Entry { name: None, written: b"", ends: (0, 0) }; PLACES];
    let mut at = 0;
    while at < ALL.len() {
        let (name, written) = (ALL[at].0, ALL[at].1.as_bytes());
        let place = place(written.len(), written[0], written[written.len() - 1]);
        assert!(table[place].name.is_none(), "two names share a place");
        table[place] = Entry { name: Some(name), written, ends: ends(written) };
        at += 1;
    }
    table
}

/// Some names, and whether there are others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Names(u64);

impl Names {
    const OTHERS: u64 = 1 << 63;

    pub(super) const fn none() -> Self {
        Self(0)
    }

    pub(super) const fn and(self, name: Name) -> Self {
        Self(self.0 | 1 << name as u32)
    }

    pub(super) const fn and_others(self) -> Self {
        Self(self.0 | Self::OTHERS)
    }

    /// These and a name, if it is known, or others.
    pub(super) const fn and_maybe(self, name: Option<Name>) -> Self {
        match name {
            Some(name) => self.and(name),
            None => self.and_others(),
        }
    }

    pub(super) const fn has(self, name: Name) -> bool {
        self.0 & 1 << name as u32 != 0
    }
}

// The last place is that of the others.
const _: () = assert!(ALL.len() < 64, "too many names for one number");

impl Name {
    /// The name that is written so, if it is one of these.
    #[inline(always)]
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let (Some(&first), Some(&last)) = (text.first(), text.last()) else { return None };
        let entry = &TABLE[place(text.len(), first, last)];
        let is_same = entry.written.len() == text.len()
            && entry.ends == ends(text)
            && (text.len() <= 16 || entry.written == text);
        if is_same { entry.name } else { None }
    }

    /// Whether an object may stand under it as JSON in a text.
    pub(super) fn may_quote(self) -> bool {
        matches!(
            self,
            Self::Before
                | Self::After
                | Self::Source
                | Self::DocumentKey
                | Self::FullDocument
                | Self::Namespace
                | Self::Update
                | Self::UpdatedFields
                | Self::Payload
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_all_other_texts() {
        for &(name, text) in ALL {
            assert_eq!(Name::of(text.as_bytes()), Some(name));
            for other in [
                text[1..].to_owned(),
                text[..text.len() - 1].to_owned(),
                text.to_uppercase(),
                format!("{text}{text}"),
            ] {
                let named = ALL.iter().find(|(_, text)| *text == other).map(|&(name, _)| name);
                assert_eq!(Name::of(other.as_bytes()), named, "{other}");
            }
        }
    }
}
