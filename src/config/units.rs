//! Durations and sizes, which carry their unit: `"10s"`, `"64MiB"`.
//!
//! Owns the two grammars: a whole number and a unit, nothing between them.
//! Invariant: what is written by [`show_duration`] or [`show_size`] is read back
//! as the same value.

use std::time::Duration;

use super::mistake::Problem;

/// Milliseconds in each unit, small to large.
const DURATION_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Bytes in each unit; those that are powers of 1024 first, small to large.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Reads a duration such as `"250ms"`.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    quantity(text, DURATION_UNITS, "time", "10s").map(Duration::from_millis)
}

/// Reads a size in bytes such as `"64KiB"`.
pub(super) fn size(text: &str) -> Result<u64, Problem> {
    quantity(text, SIZE_UNITS, "size", "64KiB")
}

/// What to say of a number without a unit, quoted or not.
pub(super) fn no_unit(number: &str, example: &str) -> Problem {
    Problem::new(format!("{number} has no unit"))
        .remedy(format!("write the unit with the number, in quotes, such as \"{example}\""))
}

/// The duration in the largest unit that holds it in whole numbers.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show(millis, DURATION_UNITS, "0s")
}

/// The size in the largest binary unit that holds it in whole numbers.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE_UNITS[..4], "0B")
}

fn quantity(text: &str, units: &[(&str, u64)], of: &str, example: &str) -> Result<u64, Problem> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if text.is_empty() {
        return Err(Problem::new("is empty"));
    }
    if number.is_empty() {
        return Err(Problem::new(format!("{text:?} does not begin with a whole number")));
    }
    if unit.is_empty() {
        return Err(no_unit(&format!("{text:?}"), example));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let known: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        return Err(Problem::new(format!("{unit:?} in {text:?} is not a unit of {of}"))
            .remedy(format!("write a whole number and one of {}, such as \"{example}\"", known.join(", "))));
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(*factor))
        .ok_or_else(|| Problem::new(format!("{text:?} is too large")))
}

fn show(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    if amount == 0 {
        return zero.to_owned();
    }
    units
        .iter()
        .rev()
        .find(|(_, factor)| amount.is_multiple_of(*factor))
        .map(|(unit, factor)| format!("{}{unit}", amount / factor))
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_duration(text: &str, expected: Result<u64, &str>) {
        let read = duration(text).map(|d| u64::try_from(d.as_millis()).unwrap());
        assert_eq!(read.map_err(|p| p.wrong), expected.map_err(str::to_owned));
    }

    #[track_caller]
    fn check_size(text: &str, expected: Result<u64, &str>) {
        let read = size(text).map_err(|p| p.wrong);
        assert_eq!(read, expected.map_err(str::to_owned));
    }

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        check_duration("10s", Ok(10_000));
        check_duration("250ms", Ok(250));
        check_duration("5m", Ok(300_000));
        check_duration("24h", Ok(86_400_000));
        check_duration("7d", Ok(604_800_000));
        check_duration("0s", Ok(0));
    }

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        check_size("512B", Ok(512));
        check_size("64KiB", Ok(65_536));
        check_size("1MiB", Ok(1_048_576));
        check_size("10MB", Ok(10_000_000));
        check_size("1kB", Ok(1_000));
        check_size("2GiB", Ok(2_147_483_648));
    }

    #[test]
    fn a_number_without_a_unit_is_told_so() {
        check_duration("10", Err("\"10\" has no unit"));
        check_size("1048576", Err("\"1048576\" has no unit"));
        let remedy = duration("10").unwrap_err().remedy.unwrap();
        assert!(remedy.contains("such as \"10s\""), "{remedy}");
    }

    #[test]
    fn other_units_and_forms_are_refused() {
        check_duration("10x", Err("\"x\" in \"10x\" is not a unit of time"));
        check_duration("10 s", Err("\" s\" in \"10 s\" is not a unit of time"));
        check_duration("1.5s", Err("\".5s\" in \"1.5s\" is not a unit of time"));
        check_duration("1MiB", Err("\"MiB\" in \"1MiB\" is not a unit of time"));
        check_size("10s", Err("\"s\" in \"10s\" is not a unit of size"));
        check_size("1mib", Err("\"mib\" in \"1mib\" is not a unit of size"));
        check_duration("-1s", Err("\"-1s\" does not begin with a whole number"));
        check_duration("s", Err("\"s\" does not begin with a whole number"));
        check_duration("", Err("is empty"));
    }

    #[test]
    fn what_does_not_fit_is_too_large_and_no_overflow() {
        check_duration("213503982335d", Err("\"213503982335d\" is too large"));
        check_size("99999999999999999999B", Err("\"99999999999999999999B\" is too large"));
    }

    #[test]
    fn what_is_shown_is_read_back_as_the_same() {
        for text in ["0s", "1ms", "1500ms", "90s", "2m", "36h", "7d"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["0B", "1000B", "1KiB", "64MiB", "3GiB"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
    }
}
