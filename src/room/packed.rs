//! Room ids in 128 bits, without a hash.
//!
//! Owns the packing. Invariant: two texts never share a packing and a text has
//! one packing at most, because the number of its bytes alone selects the form;
//! so packed ids are compared in the place of their texts, and what does not fit
//! its form is not packed at all.

/// The longest text that is packed: a UUID with its dashes.
pub const MAX_PACKED_BYTES: usize = 36;

/// A room's id in 128 bits and the number of bytes of its text:
///
/// | bytes | form |
/// |---|---|
/// | 1 to 16 | the text itself, first byte lowest |
/// | 17 to 21 | six bits a letter of `A-Z a-z 0-9 _ -` (Rocket.Chat's ids have 17) |
/// | 22 to 32 | lower-case hexadecimal digits (an `ObjectId` has 24) |
/// | 36 | a lower-case UUID |
///
/// Letters and digits stand with the last one lowest; bits not used are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackedId {
    bits: [u64; 2],
    letters: u8,
}

/// How a text of so many bytes is packed.
#[derive(Clone, Copy)]
enum Form {
    Raw,
    SixBits,
    Hex,
    Uuid,
}

impl Form {
    fn of(letters: usize) -> Option<Self> {
        match letters {
            1..=16 => Some(Self::Raw),
            17..=21 => Some(Self::SixBits),
            22..=32 => Some(Self::Hex),
            MAX_PACKED_BYTES => Some(Self::Uuid),
            _ => None,
        }
    }
}

const SIX_BIT_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const HEX_LETTERS: &[u8; 16] = b"0123456789abcdef";
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

/// No digit has this bit.
const NO_DIGIT: u8 = 0x80;
const SIX_BIT_DIGITS: [u8; 256] = digits_of(SIX_BIT_LETTERS);
const HEX_DIGITS: [u8; 256] = digits_of(HEX_LETTERS);

const fn digits_of(letters: &[u8]) -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let (mut at, mut digit) = (0, 0);
    while at < letters.len() {
        digits[letters[at] as usize] = digit;
        at += 1;
        digit += 1;
    }
    digits
}

impl PackedId {
    /// Packs a text, if it has a packing.
    pub fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let bits = match Form::of(bytes.len())? {
            Form::Raw => {
                let mut raw = [0; 16];
                raw[..bytes.len()].copy_from_slice(bytes);
                u128::from_le_bytes(raw)
            }
            Form::SixBits => number::<6>(bytes, &SIX_BIT_DIGITS)?,
            Form::Hex => number::<4>(bytes, &HEX_DIGITS)?,
            Form::Uuid => {
                let mut digits = [0; 32];
                let mut free = digits.iter_mut();
                for (at, &byte) in bytes.iter().enumerate() {
                    if UUID_DASHES.contains(&at) {
                        if byte != b'-' {
                            return None;
                        }
                    } else if let Some(digit) = free.next() {
                        *digit = byte;
                    }
                }
                number::<4>(&digits, &HEX_DIGITS)?
            }
        };
        Some(Self { bits: halves(bits), letters: u8::try_from(bytes.len()).ok()? })
    }

    /// The packing that consists of these parts, if some text has it: what a
    /// file holds is not believed unchecked.
    pub fn from_parts(bits: [u64; 2], letters: u8) -> Option<Self> {
        let packed = Self { bits, letters };
        let used_bits = match Form::of(packed.len())? {
            Form::Raw => {
                std::str::from_utf8(&packed.number().to_le_bytes()[..packed.len()]).ok()?;
                8 * u32::from(letters)
            }
            Form::SixBits => 6 * u32::from(letters),
            Form::Hex => 4 * u32::from(letters),
            Form::Uuid => u128::BITS,
        };
        (packed.number().checked_shr(used_bits).unwrap_or(0) == 0).then_some(packed)
    }

    /// Takes parts as they are that an id was taken apart into; 0 letters are no
    /// id's.
    pub(crate) fn trusted(bits: [u64; 2], letters: u8) -> Option<Self> {
        (letters > 0).then_some(Self { bits, letters })
    }

    /// The 128 bits, low half first.
    pub const fn bits(self) -> [u64; 2] {
        self.bits
    }

    /// The number of bytes of the text: 1 to [`MAX_PACKED_BYTES`].
    pub const fn letters(self) -> u8 {
        self.letters
    }

    /// Writes the text into `into` and returns it.
    pub fn write(self, into: &mut [u8; MAX_PACKED_BYTES]) -> &str {
        let mut rest = self.number();
        let text = &mut into[..self.len()];
        match Form::of(text.len()) {
            Some(Form::Raw) => text.copy_from_slice(&rest.to_le_bytes()[..text.len()]),
            Some(Form::SixBits) => {
                for letter in text.iter_mut().rev() {
                    *letter = SIX_BIT_LETTERS[(rest & 0x3f) as usize];
                    rest >>= 6;
                }
            }
            Some(Form::Hex | Form::Uuid) => {
                let is_uuid = text.len() == MAX_PACKED_BYTES;
                for (at, letter) in text.iter_mut().enumerate().rev() {
                    if is_uuid && UUID_DASHES.contains(&at) {
                        *letter = b'-';
                    } else {
                        *letter = HEX_LETTERS[(rest & 0xf) as usize];
                        rest >>= 4;
                    }
                }
            }
            None => {}
        }
        // Both constructors let nothing pass that is no text.
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The text.
    pub fn text(self) -> String {
        self.write(&mut [0; MAX_PACKED_BYTES]).to_owned()
    }

    fn len(self) -> usize {
        usize::from(self.letters)
    }

    fn number(self) -> u128 {
        u128::from(self.bits[1]) << 64 | u128::from(self.bits[0])
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

/// The number whose digits of `BITS` bits the letters are, first one highest.
fn number<const BITS: usize>(letters: &[u8], digits: &[u8; 256]) -> Option<u128> {
    let (mut number, mut seen) = (0, 0);
    // Eight letters at a time fit one word, which shifts faster than the number.
    let (eights, rest) = letters.as_chunks::<8>();
    for letters in eights {
        let word = word::<BITS>(letters, digits, &mut seen);
        number = number << (8 * BITS) | u128::from(word);
    }
    number = number << (BITS * rest.len()) | u128::from(word::<BITS>(rest, digits, &mut seen));
    (seen & NO_DIGIT == 0).then_some(number)
}

/// The same for a few letters; `seen` collects their digits' bits.
#[inline]
fn word<const BITS: usize>(letters: &[u8], digits: &[u8; 256], seen: &mut u8) -> u64 {
    let mut word = 0;
    for &letter in letters {
        let digit = digits[usize::from(letter)];
        *seen |= digit;
        word = word << BITS | u64::from(digit & !NO_DIGIT);
    }
    word
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_as_they_are_written_are_packed_and_other_spellings_are_not() {
        for (text, is_packed) in [
            ("", false),
            ("a", true),
            ("\0", true),
            ("é", true),
            ("sixteen bytes ok", true),
            ("BtS3XkqN8mY2cQwZr", true),
            ("BtS3XkqN8mY2cQwZ+", false),
            ("éééééééééé", false),
            ("abcdefghijklmnopqrstu", true),
            ("abcdefghijklmnopqrstuv", false),
            ("507f1f77bcf86cd799439011", true),
            ("507F1F77BCF86CD799439011", false),
            ("507f1f77bcf86cd79943901g", false),
            ("0123456789abcdef0123456789abcdef", true),
            ("0123456789abcdef0123456789abcdef0", false),
            ("123e4567-e89b-12d3-a456-426614174000", true),
            ("123E4567-E89B-12D3-A456-426614174000", false),
            ("123e4567-e89b-12d3-a456_426614174000", false),
            ("123e4567ee89b-12d3-a456-426614174000", false),
            ("123e4567-e89b-12d3-a456-4266141740-0", false),
        ] {
            let packed = PackedId::of(text);
            assert_eq!(packed.is_some(), is_packed, "{text:?}");
            if let Some(packed) = packed {
                assert_eq!(packed.text(), text);
                assert_eq!(PackedId::from_parts(packed.bits(), packed.letters()), Some(packed));
            }
        }
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z0-9_-]{0,40}",
            "[0-9a-f]{15,40}",
            "[0-9a-fA]{20,36}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9a-fA-F-]{36}",
            "\\PC{0,12}",
            any::<[u8; 16]>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ]
    }

    proptest! {
        #[test]
        fn a_packed_text_comes_back(text in texts()) {
            if let Some(packed) = PackedId::of(&text) {
                prop_assert_eq!(packed.text(), text);
                prop_assert_eq!(PackedId::from_parts(packed.bits(), packed.letters()), Some(packed));
            }
        }

        #[test]
        fn no_two_texts_share_a_packing(one in texts(), change in any::<(prop::sample::Index, u8)>()) {
            let mut other = one.clone().into_bytes();
            if !other.is_empty() {
                *change.0.get_mut(&mut other[..]) = change.1;
            }
            let other = String::from_utf8_lossy(&other).into_owned();
            if let (Some(one_packed), Some(other_packed)) = (PackedId::of(&one), PackedId::of(&other)) {
                prop_assert_eq!(one_packed == other_packed, one == other);
            }
        }

        #[test]
        fn parts_are_taken_exactly_when_a_text_packs_to_them(
            mut bits in any::<[u64; 2]>(),
            cut in 0..=128_u32,
            letters in 0..=64_u8,
        ) {
            let number = (u128::from(bits[1]) << 64 | u128::from(bits[0])).checked_shr(cut).unwrap_or(0);
            bits = halves(number);
            let unchecked = PackedId { bits, letters };
            let told = (1..=MAX_PACKED_BYTES).contains(&unchecked.len()).then(|| unchecked.text());
            let expected = told.and_then(|text| PackedId::of(&text)).filter(|packed| *packed == unchecked);
            prop_assert_eq!(PackedId::from_parts(bits, letters), expected);
        }
    }
}
