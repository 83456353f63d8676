//! How far bytes of one kind reach, eight at a time.
//!
//! Eight bytes are one number, first byte lowest, and a few steps of arithmetic set the
//! highest bit of each byte that is looked for (see "Hacker's Delight", 6-1, for the idea).
//! Invariant: the lowest bit set is right; a borrow may set bits above it, never below.

/// A one, and the highest bit, in each of eight bytes.
const ONES: u64 = u64::MAX / 255;
const HIGHEST: u64 = ONES << 7;

/// How many bytes a text goes on with until there is a quote, a backslash, a control
/// character or the end.
#[inline(always)]
pub(super) fn plain(bytes: &[u8]) -> usize {
    length(bytes, is_plain, |eight| {
        // With this bit turned over, a quote comes right behind the control characters, and
        // those stay among themselves.
        let quotes_and_controls = (eight ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
        let backslashes = (eight ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        (quotes_and_controls | backslashes) & !eight & HIGHEST
    })
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// How many digits there are.
#[inline(always)]
pub(super) fn digits(bytes: &[u8]) -> usize {
    length(
        bytes,
        |byte| byte.is_ascii_digit(),
        |eight| {
            let digits = eight ^ (ONES * u64::from(b'0'));
            (((digits & !HIGHEST) + ONES * (0x80 - 10)) | digits) & HIGHEST
        },
    )
}

/// How many bytes go on, of which `ends` marks in eight those that do not.
#[inline(always)]
fn length(bytes: &[u8], goes_on: fn(u8) -> bool, ends: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let found = ends(u64::from_le_bytes(*eight));
        if found != 0 {
            return bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + one_by_one(rest, goes_on)
}

#[inline(never)]
fn one_by_one(bytes: &[u8], goes_on: fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|&&byte| goes_on(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(bytes: &[u8]) {
        for at in 0..=bytes.len() {
            let bytes = &bytes[at..];
            assert_eq!(plain(bytes), one_by_one(bytes, is_plain), "{bytes:?}");
            assert_eq!(digits(bytes), one_by_one(bytes, |byte| byte.is_ascii_digit()), "{bytes:?}");
        }
    }

    #[test]
    fn every_byte_ends_a_run_or_does_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for filling in *b"a0\xff" {
                    let mut bytes = vec![filling; length];
                    check(&bytes);
                    for at in 0..length {
                        bytes[at] = byte;
                        check(&bytes);
                        bytes[at] = filling;
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_run_ends_where_going_byte_by_byte_ends_it(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), 0x1e..0x24_u8, b'/'..=b':'], 0..40),
        ) {
            check(&bytes);
        }
    }
}
