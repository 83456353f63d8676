//! Where two answers differ.
//!
//! Owns the comparison, department by department, and how it is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::counts::Counts;

/// The numbers that differ, and how many were compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Differences {
    rows: BTreeMap<Place, Numbers>,
    departments: usize,
    /// Rooms that Rocket.Chat counts.
    rooms: u64,
}

/// Whose rooms, and which of them.
type Place = (Option<String>, &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    theirs: u64,
    ours: u64,
}

/// What the two questions were about, in their order.
const KINDS: [&str; 2] = ["answered", "waiting"];

impl Differences {
    /// Compares Rocket.Chat's counts with ours: answered rooms, then waiting ones.
    pub(super) fn between(theirs: &[Counts; 2], ours: &[Counts; 2]) -> Self {
        let mut rows = BTreeMap::new();
        for ((kind, theirs), ours) in KINDS.into_iter().zip(theirs).zip(ours) {
            for department in theirs.keys().chain(ours.keys()) {
                let number = |of: &Counts| of.get(department).copied().unwrap_or(0);
                let numbers = Numbers { theirs: number(theirs), ours: number(ours) };
                if numbers.theirs != numbers.ours {
                    rows.insert((department.clone(), kind), numbers);
                }
            }
        }
        let departments: BTreeSet<_> = theirs.iter().chain(ours).flat_map(BTreeMap::keys).collect();
        let rooms = theirs.iter().flat_map(BTreeMap::values).sum();
        Self { departments: departments.len(), rooms, rows }
    }

    /// Those that were there before, too, if anything was compared before.
    pub(super) fn that_were_in(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            self.rows.retain(|place, _| before.rows.contains_key(place));
        }
        self
    }

    /// Whether nothing differs.
    pub(super) fn are_none(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, departments, rooms } = self;
        if rows.is_empty() && *departments == 0 {
            return f.write_str("no difference: neither has a room in the range");
        }
        if rows.is_empty() {
            return write!(f, "no difference: {rooms} rooms in {departments} departments");
        }
        let names = rows.keys().map(|(department, _)| name(department.as_deref()).chars().count());
        let width = names.max().unwrap_or(0).max("department".len());
        writeln!(
            f,
            "{:width$}  rooms     {:>12} {:>12} {:>12}",
            "department", "Rocket.Chat", "roomtally", "difference"
        )?;
        for ((department, kind), Numbers { theirs, ours }) in rows {
            let (name, difference) = (name(department.as_deref()), i128::from(*ours) - i128::from(*theirs));
            writeln!(f, "{name:width$}  {kind:8}  {theirs:>12} {ours:>12} {difference:>+12}")?;
        }
        let different: BTreeSet<_> = rows.keys().map(|(department, _)| department).collect();
        write!(f, "{} of {departments} departments differ, each time they were compared", different.len())
    }
}

/// A department as it is shown: its id, without what a terminal would take for orders.
fn name(department: Option<&str>) -> String {
    match department {
        None => "null".to_owned(),
        Some("") => "\"\"".to_owned(),
        Some(id) => id.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(Option<&str>, u64)]) -> Counts {
        rows.iter().map(|&(id, rooms)| (id.map(str::to_owned), rooms)).collect()
    }

    fn compared(theirs: [&[(Option<&str>, u64)]; 2], ours: [&[(Option<&str>, u64)]; 2]) -> Differences {
        Differences::between(&theirs.map(counts), &ours.map(counts))
    }

    #[test]
    fn equal_counts_have_no_difference_and_a_row_without_rooms_is_none() {
        let same =
            compared([&[(None, 1), (Some("a"), 2)], &[(Some("b"), 0)]], [&[(None, 1), (Some("a"), 2)], &[]]);
        assert!(same.are_none());
        assert_eq!(same.to_string(), "no difference: 3 rooms in 3 departments");
    }

    #[test]
    fn each_difference_is_a_line() {
        let found = compared(
            [&[(None, 1), (Some("a"), 2)], &[(Some("a"), 7)]],
            [&[(Some("a"), 2), (Some("b\u{1b}"), 5)], &[(Some("a"), 6)]],
        );
        let lines: Vec<_> = found.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "department  rooms      Rocket.Chat    roomtally   difference",
                "null        answered             1            0           -1",
                "a           waiting              7            6           -1",
                "b\u{fffd}          answered             0            5           +5",
                "3 of 3 departments differ, each time they were compared",
            ]
        );
    }

    #[test]
    fn what_differs_once_only_is_no_difference() {
        let first = compared([&[(Some("a"), 1)], &[(Some("b"), 1)]], [&[], &[]]);
        let second = compared([&[(Some("b"), 1)], &[(Some("b"), 1)]], [&[], &[]]);
        let lasting = second.that_were_in(Some(&first));
        assert_eq!(lasting.rows.keys().collect::<Vec<_>>(), [&(Some("b".to_owned()), "waiting")]);
    }
}
