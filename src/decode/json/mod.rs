//! JSON as change capture really writes it: read tolerantly, copied never.
//!
//! Owns the grammar. It is JSON's, with what connectors add to it: bare `NaN`,
//! `Infinity` and `-Infinity`, and escapes of lone surrogates; the last of
//! duplicate names wins. Invariant: whatever [`read`] lets through has been checked
//! to its last byte in one walk, which keeps what stands under the names that the
//! forms know. Nothing is allocated for the rest of it.

#![allow(
    clippy::inline_always,
    reason = "a token is a few instructions; without it a native event takes a quarter longer"
)]

mod quotes;
mod run;
mod scanner;
mod unescape;
mod walk;

use bumpalo::Bump;

use crate::decode::name::{Name, Names};
use walk::Walk;

/// The text is not JSON, or nests too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// The text escapes half of a surrogate pair, so it is no Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

/// A value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// The digits as they stand.
    Number(&'a str),
    /// `NaN`, `Infinity` or `-Infinity`.
    NonFinite,
    Text(Text<'a>),
    Array(Array),
    Object(Object<'a>),
    /// A text that holds an object, where one is expected.
    Quoted(Object<'a>),
}

/// A text without its escapes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    text: &'a str,
    unicode: Unicode,
}

/// Whether a text is Unicode. As wide as a word, so that a value has no padding: to
/// copy that byte by byte just after it was written stalls a processor, and took a quarter
/// of the time of a native event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
enum Unicode {
    Whole,
    /// Half a surrogate pair still stands in it as an escape.
    Broken,
}

/// What was kept of an object: the members whose names are known, last one first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Object<'a> {
    last: Option<&'a Member<'a>>,
    names: Names,
}

#[derive(Debug)]
struct Member<'a> {
    name: Name,
    value: Json<'a>,
    earlier: Option<&'a Member<'a>>,
}

/// What was kept of an array: which known names stand in it as texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Array {
    names: Names,
}

/// Reads a whole text as one value. What is kept of it and what has to be unescaped is put
/// into `memory`.
pub(super) fn read<'a>(text: &'a str, memory: &'a Bump) -> Result<Json<'a>, NotJson> {
    Walk::over(text, memory).whole(false)
}

/// Reads a whole text of which an object is expected, be it in a text of its own.
pub(super) fn read_object<'a>(text: &'a str, memory: &'a Bump) -> Result<Json<'a>, NotJson> {
    Walk::over(text, memory).whole(true)
}

impl<'a> Object<'a> {
    /// The members that were kept, from the last to the first.
    fn members(self) -> impl Iterator<Item = &'a Member<'a>> {
        std::iter::successors(self.last, |member| member.earlier)
    }

    /// The value under a name, the last one if there are several.
    #[inline(always)]
    pub(super) fn get(self, name: Name) -> Option<&'a Json<'a>> {
        if !self.names.has(name) {
            return None;
        }
        self.members().find(|member| member.name == name).map(|member| &member.value)
    }

    /// Which names it has.
    pub(super) fn names(self) -> Names {
        self.names
    }

    /// The value of the only name that the object has, if it is this one.
    pub(super) fn sole(self, name: &str) -> Option<&'a Json<'a>> {
        let name = Name::of(name.as_bytes()).filter(|&name| self.names == Names::none().and(name))?;
        self.get(name)
    }

    /// The same with one more member behind all.
    fn with(self, name: Name, value: Json<'a>, memory: &'a Bump) -> Self {
        let member = memory.alloc(Member { name, value, earlier: self.last });
        Self { last: Some(member), names: self.names.and(name) }
    }
}

impl Array {
    /// The names that stand in it as texts.
    pub(super) fn names(self) -> Names {
        self.names
    }
}

impl<'a> Text<'a> {
    /// Whether it says this.
    pub(super) fn is(self, expected: &str) -> bool {
        self.unicode == Unicode::Whole && self.text == expected
    }

    /// What it says.
    pub(super) fn read(self) -> Result<&'a str, LoneSurrogate> {
        match self.unicode {
            Unicode::Whole => Ok(self.text),
            Unicode::Broken => Err(LoneSurrogate),
        }
    }

    /// What it says, as JSON of its own: half a surrogate pair stays an escape,
    /// for in there it may stand in a field that nobody reads.
    pub(super) fn as_json(self) -> &'a str {
        self.text
    }

    /// The known name that it says, if any.
    fn name(self) -> Option<Name> {
        Name::of(self.read().ok()?.as_bytes())
    }
}

/// Reads a text with memory of its own.
#[cfg(test)]
pub(super) fn parse(text: &str) -> Result<Json<'_>, NotJson> {
    read(text, Box::leak(Box::default()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    #[cfg(feature = "service")]
    use crate::decode::name::ALL;
    use proptest::prelude::*;

    #[track_caller]
    fn refused(text: &str) {
        assert!(parse(text).is_err(), "{text}");
    }

    #[track_caller]
    fn accepted(text: &str) {
        assert!(parse(text).is_ok(), "{text}");
    }

    #[track_caller]
    fn reads(text: &str, expected: Result<&str, LoneSurrogate>) {
        let Ok(Json::Text(found)) = parse(text) else { panic!("no text: {text}") };
        assert_eq!(found.read().as_deref(), expected.as_deref(), "{text}");
    }

    #[test]
    fn what_connectors_add_to_json_does_no_harm() {
        for text in [
            r#"{"a":NaN,"b":Infinity,"c":-Infinity}"#,
            r#"{"a":"\ud800","b":1e999,"a":2}"#,
            " \n\t\r{ \"a\" : [ 1 , -0.5e-7 , true , null , { } , [ ] ] } ",
        ] {
            accepted(text);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{,}",
            r#"{"a":1,}"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1 "b":2}"#,
            "{a:1}",
            "{'a':1}",
            "{}{}",
            "{} x",
            "\u{feff}{}",
            "\0{}",
            r#""a"#,
            r#""\x""#,
            r#""\u12g4""#,
            r#""\u12""#,
            "\"\n\"",
            "\"\t\"",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "--1",
            "0x1",
            "nul",
            "truex",
            "nan",
            "-NaN",
            "+Infinity",
            "Infinit",
            "1,",
            "// c\n{}",
        ] {
            refused(text);
        }
    }

    #[test]
    fn nesting_is_followed_128_deep_and_no_deeper() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2));
        accepted(&nested(128));
        refused(&nested(130));
        refused(&format!("[{}]", nested(128)));
        refused(&"[".repeat(1 << 20));
    }

    #[test]
    fn what_is_kept_and_what_is_passed_over_nest_as_deep() {
        for depth in [127, 128, 129] {
            for name in ["after", "x"] {
                let open = format!(r#"{{"{name}":"#);
                let objects = format!("{}1{}", open.repeat(depth), "}".repeat(depth));
                let arrays = format!("{open}{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
                for text in [objects, arrays] {
                    assert_eq!(parse(&text).is_ok(), depth <= 128, "{depth} {name}");
                    let quoted = format!(r#"{{"after":"{}"}}"#, text.replace('"', "\\\""));
                    let Ok(Json::Object(object)) = parse(&quoted) else { panic!("no object: {quoted}") };
                    let is_read = matches!(object.get(Name::After), Some(Json::Quoted(_)));
                    assert_eq!(is_read, depth <= 128, "{depth} {name} in a text");
                }
            }
        }
    }

    /// Whether the text that holds `inside` is read in passing; and it is read as it would
    /// be without its escapes, if at all.
    #[track_caller]
    fn is_read_in_passing(inside: &str) -> bool {
        let text = format!("\"{inside}\"");
        let (memory, unread) = (Bump::new(), parse(&text));
        match (read_object(&text, &memory), unread) {
            (Ok(Json::Quoted(found)), Ok(Json::Text(unread))) => {
                let Ok(Json::Object(expected)) = parse(unread.as_json()) else { panic!("no object: {text}") };
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{text}");
                true
            }
            (Ok(Json::Text(text)), Ok(Json::Text(unread))) => {
                assert_eq!(text.as_json(), unread.as_json());
                false
            }
            (found, expected) => {
                assert!(found.is_err() && expected.is_err(), "{text}: {found:?} {expected:?}");
                false
            }
        }
    }

    #[test]
    fn an_object_in_a_text_is_read_in_passing_where_its_escapes_are_usual() {
        for inside in [
            "{}",
            r#"{\"_id\": \"é\", \"t\" :[{ },[ ],1.5e7,NaN], \"x\":{\"_id\":null}} "#,
            r#"{\"x\":\"\\\"q\\\" \\\\ \\/ \\b\\f\\n\\r\\t \\ud83d\\ude00 \\ud83d\",\"_id\":\"r\"}"#,
        ] {
            assert!(is_read_in_passing(inside), "{inside}");
        }
        for inside in [
            "",
            "null",
            " {}",
            "{",
            "{}{}",
            r#"{\"_id\":\"\\n\"}"#,
            r#"{\"\\u005fid\":1}"#,
            r#"{\u0022_id\":1}"#,
            r"{\n}",
            "{\n}",
            r#"{\"x\":\"\n\"}"#,
            r#"{\"x\":\"\\"}"#,
            r#"{\"x\":\"\\x\"}"#,
            r#"{\"x\":\"\\\x\"}"#,
            r#"{\"x\":\"\\u12g4\"}"#,
            r#"{"x":1}"#,
        ] {
            assert!(!is_read_in_passing(inside), "{inside}");
        }
    }

    #[test]
    fn escapes_are_read() {
        reads(r#""plain é""#, Ok("plain é"));
        reads(r#""\"\\\/\b\f\n\r\t""#, Ok("\"\\/\u{8}\u{c}\n\r\t"));
        reads(r#""\u00e9\ud83d\ude00x""#, Ok("é😀x"));
        reads(r#""\ud83d""#, Err(LoneSurrogate));
        reads(r#""\ude00\ud83d""#, Err(LoneSurrogate));
        reads(r#""\ud83dé""#, Err(LoneSurrogate));
        reads(r#""\ud83d\u0041""#, Err(LoneSurrogate));
    }

    #[test]
    fn half_a_pair_in_json_within_json_stays_an_escape() {
        let Ok(Json::Text(text)) = parse(r#""{\"a\":\"\ud800\",\"b\":\"\\ud800\"}""#) else {
            panic!("no text")
        };
        assert_eq!(text.as_json(), r#"{"a":"\ud800","b":"\ud800"}"#);
    }

    #[test]
    fn a_name_is_compared_by_what_it_says() {
        let Ok(Json::Object(object)) = parse(r#"{"\u005fid":"x"}"#) else { panic!("no object") };
        assert!(matches!(object.sole("_id"), Some(Json::Text(text)) if text.is("x")));
        assert!(object.sole("id").is_none());
    }

    /// Any JSON, with names that are known and others.
    #[cfg(feature = "service")]
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let name = prop_oneof![
            proptest::sample::select(ALL).prop_map(|(_, name)| name.to_owned()),
            any::<String>(),
            r#"["\\\\/\\n\t\u{7f}é😀]{0,9}"#,
        ];
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<i32>().prop_map(|number| (f64::from(number) / 64.0).into()),
            name.clone().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::vec((name.clone(), inner), 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    /// Whether all that was kept of a value is as `serde_json` has it, and nothing is missing.
    #[cfg(feature = "service")]
    fn is_kept(found: &Json<'_>, expected: &serde_json::Value) -> bool {
        use serde_json::Value;
        match (found, expected) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(found), Value::Bool(expected)) => found == expected,
            (Json::Number(found), Value::Number(expected)) => *found == expected.to_string(),
            (Json::Text(found), Value::String(expected)) => found.read() == Ok(expected),
            (Json::Quoted(found), Value::String(text)) => {
                serde_json::from_str(text).is_ok_and(|expected| is_kept(&Json::Object(*found), &expected))
            }
            (Json::Array(found), Value::Array(expected)) => {
                let names = expected.iter().map(|value| Name::of(value.as_str().unwrap_or("x").as_bytes()));
                found.names == names.fold(Names::default(), Names::and_maybe)
            }
            (Json::Object(found), Value::Object(expected)) => {
                let names = expected.keys().map(|name| Name::of(name.as_bytes()));
                found.names == names.fold(Names::default(), Names::and_maybe)
                    && expected.iter().all(|(name, value)| match Name::of(name.as_bytes()) {
                        Some(name) => found.get(name).is_some_and(|found| is_kept(found, value)),
                        None => true,
                    })
            }
            _ => false,
        }
    }

    #[cfg(feature = "service")]
    proptest! {
        #[test]
        fn every_value_is_kept_as_serde_json_reads_it(json in any_json(), blanks in any::<bool>()) {
            let written = if blanks { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
            let written = written.unwrap();
            let found = parse(&written).unwrap();
            prop_assert!(is_kept(&found, &json), "{found:?}");
            is_read_in_passing(serde_json::to_string(&written).unwrap().trim_matches('"'));
            let envelope = serde_json::json!({ "after": written }).to_string();
            let Json::Object(envelope) = parse(&envelope).unwrap() else { panic!("no object") };
            let quoted = Json::Object(envelope);
            prop_assert!(is_kept(&quoted, &serde_json::json!({ "after": written })), "{quoted:?}");
        }

        /// serde_json is the second opinion wherever JSON is strict.
        #[test]
        fn strict_json_is_told_from_other_text_as_serde_json_does(
            text in r#"([ \{\}\[\],:"\\untrefalsbN0-9eE.+-]|"[a-z]*"|\\u[0-9a-f]{4}|true|false|null|-?[0-9]+){0,24}"#,
        ) {
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(parse(&text).is_ok(), expected);
        }

        #[test]
        fn every_text_is_read_as_serde_json_reads_it(text in any::<String>(), ascii in any::<bool>()) {
            let mut written = serde_json::to_string(&text).unwrap();
            if ascii {
                let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
                written = format!("\"{}\"", units.collect::<String>());
            }
            let Ok(Json::Text(found)) = parse(&written) else { panic!("no text: {written}") };
            prop_assert_eq!(found.read().unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_read_in_passing_is_read_as_without_its_escapes(
            inside in r#"\{([ \{\}\[\]:,1n\\]|\\\\"|\\\\"_id\\\\"|\\\\"x\\\\":|\\[\\"nu]|\\\\\\[\\"n]|\\u00[25]c|null){0,12}\}?"#,
        ) {
            is_read_in_passing(&inside);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            if let Ok(Json::Object(object)) = parse(&text) {
                prop_assert!(object.members().count() <= text.len());
            }
        }
    }
}
