//! The endpoint against its description, byte for byte, through a socket.
//!
//! One line a case, in the order of `docs/endpoint.md`, so that the tables here
//! and there can be held side by side.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use roomtally::config::{Http, UnauthorizedBody};
use roomtally::log::{NextOffset, Partition, Positions, Stop, StopReason};
use wire::{AS_OF, Answer, CREDENTIALS, PATH, Rooms, Service, instant, rooms, settings};

const NOT_FOUND: &str = r#"{"success":false,"error":"Resource not found"}"#;
const NOT_ALLOWED: &str = r#"{"success":false,"error":"Method Not Allowed"}"#;
const NOT_LOGGED_IN: &str = r#"{"status":"error","message":"You must be logged in to do this."}"#;
const FORBIDDEN: &str = r#"{"success":false,"error":"User does not have the permissions required for this action [error-unauthorized]"}"#;
const NO_START: &str = r#"{"success":false,"error":"must have required property 'start' [invalid-params]","errorType":"invalid-params"}"#;
const NO_END: &str = r#"{"success":false,"error":"must have required property 'end' [invalid-params]","errorType":"invalid-params"}"#;
const NOT_A_STRING: &str =
    r#"{"success":false,"error":"must be string [invalid-params]","errorType":"invalid-params"}"#;
const NOT_A_NUMBER: &str =
    r#"{"success":false,"error":"must be number [invalid-params]","errorType":"invalid-params"}"#;
const NEGATIVE: &str =
    r#"{"success":false,"error":"must be >= 0 [invalid-params]","errorType":"invalid-params"}"#;
const BAD_START: &str = r#"{"success":false,"error":"The \"start\" query parameter must be a valid date."}"#;
const BAD_END: &str = r#"{"success":false,"error":"The \"end\" query parameter must be a valid date."}"#;
const UNAVAILABLE: &str = r#"{"success":false,"error":"Service Unavailable"}"#;

/// All of time, as far as the rooms of these tests are concerned.
const EVER: &str = "start=2000&end=2030";

const TS: &str = "2020-09-09T00:11:22.345Z";

/// Rows in the default order: none 3, "a" 5 (2 of them waiting), "b" 1, "c" 5.
const STOCK: [Rooms; 5] = [
    rooms(Some("c"), TS, 5),
    rooms(Some("a"), TS, 3),
    rooms(Some("a"), TS, 2).waiting(),
    rooms(None, TS, 3),
    rooms(Some("b"), TS, 1).waiting(),
];

/// The body of a result: `-` stands for no department.
fn result(rows: &[(&str, u64)], offset: u64, total: usize) -> String {
    let id = |id: &str| if id == "-" { "null".to_owned() } else { format!("\"{id}\"") };
    let rows: Vec<_> =
        rows.iter().map(|&(dep, rooms)| format!(r#"{{"rooms":{rooms},"_id":{}}}"#, id(dep))).collect();
    let (rows, count) = (rows.join(","), rows.len());
    format!(r#"{{"departments":[{rows}],"count":{count},"offset":{offset},"total":{total},"success":true}}"#)
}

#[track_caller]
fn check(answer: &Answer, status: u16, body: &str, case: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, body), "{case}");
}

#[test]
fn the_documented_example_gets_the_documented_answer() {
    let within = "2020-06-01T00:00:00Z";
    let service = Service::ready(&[
        rooms(Some("GgYvrkAF63aeQmsh4"), within, 486),
        rooms(Some("qajzu7WaBRoQBpq6Z"), within, 13),
        rooms(Some("Z2KWYBJQFR7AzfmQL"), within, 2),
        rooms(Some("BiqbQav59HD2LzXEY"), within, 61),
        rooms(Some("NJaMpSvZFZ4NAXm3j"), within, 1),
        rooms(Some("CAJioQNAvLnYWTy8i"), within, 181),
        rooms(Some("YiWdMkdbFhk3o9daf"), within, 6),
        rooms(Some("8MGLTfaKLCbE9CqR8"), within, 10),
        rooms(Some("MpAiP9PMyHwBcmALx"), within, 4),
        rooms(Some("Yi87Ju7eTHiZQ7CJt"), within, 51),
        rooms(None, within, 30),
        rooms(None, "2020-01-10T23:59:22.344Z", 7),
        rooms(Some("GgYvrkAF63aeQmsh4"), "2021-02-10T23:59:22.346Z", 7),
    ]);
    let answer = service.ask("start=2020-01-10T23:59:22.345Z&end=2021-02-10T23:59:22.345Z");
    let expected = [
        ("-", 30),
        ("8MGLTfaKLCbE9CqR8", 10),
        ("BiqbQav59HD2LzXEY", 61),
        ("CAJioQNAvLnYWTy8i", 181),
        ("GgYvrkAF63aeQmsh4", 486),
        ("MpAiP9PMyHwBcmALx", 4),
        ("NJaMpSvZFZ4NAXm3j", 1),
        ("Yi87Ju7eTHiZQ7CJt", 51),
        ("YiWdMkdbFhk3o9daf", 6),
        ("Z2KWYBJQFR7AzfmQL", 2),
        ("qajzu7WaBRoQBpq6Z", 13),
    ];
    check(&answer, 200, &result(&expected, 0, 11), "the example");
    assert_eq!(answer.status_line, "HTTP/1.1 200 OK");
    let shape = r#"{"departments":[{"rooms":30,"_id":null},{"rooms":10,"_id":"8MGLTfaKLCbE9CqR8"},"#;
    assert!(
        answer.body.starts_with(shape)
            && answer.body.ends_with(r#""count":11,"offset":0,"total":11,"success":true}"#)
    );
}

#[test]
fn both_ends_are_included_to_the_millisecond() {
    let service = Service::ready(&[rooms(Some("a"), TS, 1)]);
    let (before, at, after) =
        ("2020-09-09T00:11:22.344Z", "2020-09-09T00:11:22.345Z", "2020-09-09T00:11:22.346Z");
    for (start, end, counted) in [
        (at, at, true),
        (before, at, true),
        (at, after, true),
        (before, after, true),
        (before, before, false),
        (after, after, false),
        ("2020-09-08", before, false),
        (after, "2020-09-10", false),
        // Upside down is no fault, and matches nothing.
        (after, before, false),
        ("2030", "2000", false),
    ] {
        let expected = if counted { result(&[("a", 1)], 0, 1) } else { result(&[], 0, 0) };
        check(&service.ask(&format!("start={start}&end={end}")), 200, &expected, start);
    }
}

/// Every accepted form beside the instant that it names, encoded for a URL.
const DATES: [(&str, &str); 31] = [
    ("2020-09-09T00:11:22.345Z", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09T00:11:22.345%2B02:00", "2020-09-08T22:11:22.345Z"),
    ("2020-09-09T00:11:22.345%2B0200", "2020-09-08T22:11:22.345Z"),
    ("2020-09-09T00:11:22.345-02:00", "2020-09-09T02:11:22.345Z"),
    ("2020-09-09T00:11:22.345-00:00", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09T00:11:22.345%2B23:59", "2020-09-08T00:12:22.345Z"),
    ("2020-09-09T00:11:22.345-23:59", "2020-09-10T00:10:22.345Z"),
    // A plus sign sent as it is arrives as a blank.
    ("2020-09-09T00:11:22.345+02:00", "2020-09-08T22:11:22.345Z"),
    ("2020-09-09T00:11:22.345+0200", "2020-09-08T22:11:22.345Z"),
    ("2020-09-09T00:11:22.345%2002:00", "2020-09-08T22:11:22.345Z"),
    ("2020-09-09", "2020-09-09T00:00:00.000Z"),
    ("2020-09", "2020-09-01T00:00:00.000Z"),
    ("2020", "2020-01-01T00:00:00.000Z"),
    ("2020-09-09T00:11:22.345", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09+00:11:22.345Z", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09%2000:11:22.345Z", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09t00:11:22.345z", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09T00:11Z", "2020-09-09T00:11:00.000Z"),
    ("2020-09-09T00:11", "2020-09-09T00:11:00.000Z"),
    ("2020-09-09T00:11:22Z", "2020-09-09T00:11:22.000Z"),
    ("2020-09-09T00:11:22.3Z", "2020-09-09T00:11:22.300Z"),
    ("2020-09-09T00:11:22.34Z", "2020-09-09T00:11:22.340Z"),
    ("2020-09-09T00:11:22.3459Z", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09T00:11:22.34599999999999999999999999Z", "2020-09-09T00:11:22.345Z"),
    ("2020-09-09T24:00:00Z", "2020-09-10T00:00:00.000Z"),
    ("2020-09-09T24:00Z", "2020-09-10T00:00:00.000Z"),
    ("2020-12-31T24:00Z", "2021-01-01T00:00:00.000Z"),
    ("2020-02-29", "2020-02-29T00:00:00.000Z"),
    ("2020-09T00:00Z", "2020-09-01T00:00:00.000Z"),
    ("2020T10:00Z", "2020-01-01T10:00:00.000Z"),
    ("2020-09-09T00%3A11%3A22.345Z", "2020-09-09T00:11:22.345Z"),
];

#[test]
fn every_accepted_date_names_its_instant() {
    let instants: BTreeSet<_> = DATES.iter().map(|&(_, named)| named).collect();
    let stock: Vec<_> = instants.into_iter().map(|ts| rooms(None, ts, 1)).collect();
    let service = Service::ready(&stock);
    for (text, named) in DATES {
        assert_eq!(instant(named).to_string(), named);
        let answer = service.ask(&format!("start={text}&end={text}"));
        check(&answer, 200, &result(&[("-", 1)], 0, 1), text);
        check(&service.ask(&format!("start={text}&end={named}")), 200, &answer.body, text);
        check(&service.ask(&format!("start={named}&end={text}")), 200, &answer.body, text);
    }
}

#[test]
fn every_refused_date_is_refused_at_both_ends() {
    let service = Service::ready(&[]);
    for text in [
        "",
        "+",
        "now",
        "undefined",
        "null",
        "1600000000000",
        "1600000000",
        "20200909",
        "2020-13-01",
        "2020-00-01",
        "2020-02-30",
        "2021-02-29",
        "2020-04-31",
        "2020-09-00",
        "2020-01-01x",
        "2020-x01-02",
        "2020-09-09T00Z",
        "2020-09-09T00:60Z",
        "2020-09-09T00:00:60Z",
        "2020-09-09T24:00:01Z",
        "2020-09-09T24:00:00.001Z",
        "2020-09-09T24:01Z",
        "2020-09-09T25:00Z",
        "2020-09-09T00:11:22,345Z",
        "2020-09-09T00:11:22.Z",
        "2020-09-09T00:11:22%2B25:00",
        "2020-09-09T00:11:22%2B24:00",
        "2020-09-09T00:11:22%2B02",
        "2020-09-09T00:11:22%2B02:60",
        "2020-W01",
        "2020-09-09Z",
        "2020-09-09%2B02:00",
        "2020-09-09-02:00",
        "2020-09-09T00:11:22+%2B0200",
        "2020-09-09T00:11:22+-0200",
        "2020-09-09T00:11:22++0200",
        "+2020-09-09",
        "2020-09-09+",
        "%202020-09-09",
        "2020-09-09T00:11:22Z%0A",
        "2020-9-9",
        "2020-09-9",
        "2020-09-09T0:11Z",
        "%2B2020-09-09",
        "-2020-09-09",
        "%2B002020-09-09T00:00:00Z",
        "-002020-09-09T00:00:00Z",
        "12020-09-09",
        "Sep+9+2020",
        "Wed,+09+Sep+2020+00:11:22+GMT",
        "09/09/2020",
        "2020-09-09T00:11:22Z%00",
        "%EF%BC%92020",
        "%FF",
        "2020-09-09%",
        "2020%-09",
    ] {
        check(&service.ask(&format!("start={text}&end=2021")), 400, BAD_START, text);
        check(&service.ask(&format!("start=2020&end={text}")), 400, BAD_END, text);
        check(&service.ask(&format!("start={text}&end={text}")), 400, BAD_START, text);
    }
}

#[test]
fn the_department_filter_leaves_one_row() {
    let service = Service::ready(&[
        rooms(None, TS, 1),
        rooms(Some(""), TS, 2),
        rooms(Some("a b"), TS, 3),
        rooms(Some("null"), TS, 4),
        rooms(Some("\u{fffd}"), TS, 5),
        rooms(Some("50%"), TS, 6),
        rooms(Some("a+b"), TS, 7),
        rooms(Some("ü"), TS, 8),
    ]);
    let all = [("-", 1), ("", 2), ("50%", 6), ("a b", 3), ("a+b", 7), ("null", 4), ("ü", 8), ("\u{fffd}", 5)];
    let none = result(&[], 0, 0);
    let one = |id, rooms| result(&[(id, rooms)], 0, 1);
    for (filter, expected) in [
        ("", result(&all, 0, 8)),
        ("&departmentId", result(&all, 0, 8)),
        ("&departmentId=", result(&all, 0, 8)),
        ("&departmentId=undefined", result(&all, 0, 8)),
        ("&departmentId=null", one("null", 4)),
        ("&departmentId=unknown", none.clone()),
        ("&departmentId=NULL", none.clone()),
        ("&departmentid=unknown", result(&all, 0, 8)),
        ("&departmentId=a+b", one("a b", 3)),
        ("&departmentId=a%20b", one("a b", 3)),
        ("&departmentId=a%2Bb", one("a+b", 7)),
        // An escape that is none stays as it is.
        ("&departmentId=50%", one("50%", 6)),
        ("&departmentId=50%25", one("50%", 6)),
        ("&departmentId=50%2", none.clone()),
        ("&departmentId=50%zz", none.clone()),
        // Bytes that are no UTF-8 become U+FFFD.
        ("&departmentId=%FF", one("\u{fffd}", 5)),
        ("&departmentId=%C3", one("\u{fffd}", 5)),
        ("&departmentId=%EF%BF%BD", one("\u{fffd}", 5)),
        ("&departmentId=%C3%BC", one("ü", 8)),
        ("&departmentId=%c3%bc", one("ü", 8)),
        ("&departmentId=ü", one("ü", 8)),
        ("&department%49d=null", one("null", 4)),
        ("&departmentId=a=b", none.clone()),
        ("&departmentId=%00", none),
    ] {
        check(&service.ask(&format!("{EVER}{filter}")), 200, &expected, filter);
    }
    let long = "x".repeat(1_000);
    check(&service.ask(&format!("{EVER}&departmentId={long}")), 200, &result(&[], 0, 0), "a long id");
}

#[test]
fn answered_means_not_waiting_and_anything_but_true_means_waiting() {
    let service = Service::ready(&STOCK);
    let all = result(&[("-", 3), ("a", 5), ("b", 1), ("c", 5)], 0, 4);
    let answered = result(&[("-", 3), ("a", 3), ("c", 5)], 0, 3);
    let waiting = result(&[("a", 2), ("b", 1)], 0, 2);
    for (filter, expected) in [
        ("", &all),
        ("&answered=true", &answered),
        ("&answered=false", &waiting),
        ("&answered=", &waiting),
        ("&answered", &waiting),
        ("&answered=TRUE", &waiting),
        ("&answered=1", &waiting),
        ("&answered=true+", &waiting),
        ("&answered=undefined", &waiting),
        ("&answered=%74rue", &answered),
    ] {
        check(&service.ask(&format!("{EVER}{filter}")), 200, expected, filter);
    }
    let one = result(&[("a", 2)], 0, 1);
    check(&service.ask(&format!("{EVER}&answered=no&departmentId=a")), 200, &one, "both filters");
    let none = result(&[], 0, 0);
    check(&service.ask(&format!("{EVER}&answered=true&departmentId=b")), 200, &none, "both filters");
}

#[test]
fn a_page_is_cut_by_offset_and_count() {
    let service = Service::ready(&STOCK);
    let all = [("-", 3), ("a", 5), ("b", 1), ("c", 5)];
    for (page, rows, offset) in [
        ("", &all[..], 0),
        ("&count=2", &all[..2], 0),
        ("&count=2&offset=0", &all[..2], 0),
        ("&count=2&offset=1", &all[1..3], 1),
        ("&count=2&offset=3", &all[3..], 3),
        ("&count=0", &all[..], 0),
        ("&count=0&offset=1", &all[1..], 1),
        ("&count=-0", &all[..], 0),
        ("&offset=-0", &all[..], 0),
        ("&offset=-000&count=1", &all[..1], 0),
        ("&count=007&offset=0001", &all[1..], 1),
        ("&offset=4", &[], 4),
        ("&offset=9007199254740992", &[], 9_007_199_254_740_992),
        ("&count=9007199254740992", &all[..], 0),
        ("&count=%32", &all[..2], 0),
    ] {
        check(&service.ask(&format!("{EVER}{page}")), 200, &result(rows, offset, 4), page);
    }
}

/// Departments `d000` to `d119`, one room each.
fn many() -> Vec<Rooms> {
    let id = |number| -> &'static str { Box::leak(format!("d{number:03}").into_boxed_str()) };
    (0..120).map(|number| rooms(Some(id(number)), TS, 1)).collect()
}

#[test]
fn the_settings_bound_a_page() {
    let set = |default_count, upper_count_limit, allow_infinite_count| Http {
        default_count,
        upper_count_limit,
        allow_infinite_count,
        ..settings()
    };
    for (http, page, count) in [
        (set(50, 100, true), "", 50),
        (set(50, 100, true), "&count=99", 99),
        (set(50, 100, true), "&count=100", 100),
        (set(50, 100, true), "&count=101", 100),
        (set(50, 100, true), "&count=9007199254740992", 100),
        (set(50, 100, true), "&count=0", 120),
        (set(50, 100, true), "&offset=115", 5),
        (set(50, 100, false), "&count=0", 50),
        (set(50, 100, false), "&count=-0", 50),
        (set(50, 100, false), "&count=1", 1),
        (set(7, 100, true), "", 7),
        (set(7, 20, true), "&count=30", 20),
        (set(30, 20, true), "", 20),
        (set(30, 20, false), "&count=0", 20),
        (set(30, 20, true), "&count=0", 120),
    ] {
        let answer = Service::with(&many(), &http).ask(&format!("{EVER}{page}"));
        let case = format!("{page} with {http:?}");
        assert!(answer.body.contains(&format!(r#"],"count":{count},"#)), "{case}: {}", answer.body);
        assert!(answer.body.ends_with(r#","total":120,"success":true}"#), "{case}");
        assert_eq!(answer.body.matches("_id").count(), count, "{case}");
    }
}

#[test]
fn pages_put_together_are_the_whole() {
    let service = Service::ready(&many());
    for sort in ["", "&sort=%7B%22rooms%22%3A-1%7D", "&sort=%7B%22_id%22%3A-1%7D"] {
        let whole = service.ask(&format!("{EVER}&count=0{sort}")).body;
        let rows = |body: &str| body.split(['[', ']']).nth(1).unwrap().to_owned();
        let pages: Vec<_> = (0..120)
            .step_by(17)
            .map(|offset| rows(&service.ask(&format!("{EVER}&count=17&offset={offset}{sort}")).body))
            .collect();
        assert_eq!(pages.join(","), rows(&whole), "{sort}");
    }
}

#[test]
fn rows_are_sorted_when_asked_in_a_known_way() {
    let service = Service::ready(&STOCK);
    let by_id = [("-", 3), ("a", 5), ("b", 1), ("c", 5)];
    let by_id_backwards = [("c", 5), ("b", 1), ("a", 5), ("-", 3)];
    let by_rooms = [("b", 1), ("-", 3), ("a", 5), ("c", 5)];
    let by_rooms_backwards = [("a", 5), ("c", 5), ("-", 3), ("b", 1)];
    for (sort, rows) in [
        ("", by_id),
        (r#"&sort={"rooms":1}"#, by_rooms),
        (r#"&sort={"rooms":-1}"#, by_rooms_backwards),
        (r#"&sort={"_id":1}"#, by_id),
        (r#"&sort={"_id":-1}"#, by_id_backwards),
        ("&sort=%7B%22rooms%22%3A-1%7D", by_rooms_backwards),
        (r#"&sort={+"rooms"+:+-1+}"#, by_rooms_backwards),
        (r#"&sort={"rooms":-1,"_id":1}"#, by_id),
        (r#"&sort={"rooms":"-1"}"#, by_id),
        (r#"&sort={"rooms":0}"#, by_id),
        (r#"&sort={"name":-1}"#, by_id),
        ("&sort=", by_id),
        ("&sort=rooms", by_id),
        ("&sort=[]", by_id),
        ("&sort={", by_id),
        (r#"&sort={"rooms":-1}&sort={"rooms":-1}"#, by_id),
        (r#"&sort[]={"rooms":-1}"#, by_id),
        ("&sort[rooms]=-1", by_id),
    ] {
        let sort = sort.replace('"', "%22");
        check(&service.ask(&format!("{EVER}{sort}")), 200, &result(&rows, 0, 4), &sort);
    }
    let most = format!("{EVER}&sort={{%22rooms%22:-1}}&count=1&offset=1");
    check(&service.ask(&most), 200, &result(&[("c", 5)], 1, 4), "sorted before it is cut");
}

#[test]
fn what_is_unknown_is_ignored() {
    let service = Service::ready(&STOCK);
    let all = result(&[("-", 3), ("a", 5), ("b", 1), ("c", 5)], 0, 4);
    for more in [
        "&_=1600000000000",
        "&x=1&x=2",
        "&x[]=1&x[y][z]=2",
        "&Start=x&END=y",
        "&start[=x",
        "&count[=x",
        "&offset%5B=x",
        "&end]=x",
        "&startx[]=x",
        "&departmentId[$ne=x",
        "&=",
        "&&&",
        "&[]=x",
        "&[start]=x",
        "&%00=x",
        "&%FF=%FF",
        "&%",
    ] {
        check(&service.ask(&format!("{EVER}{more}")), 200, &all, more);
        check(&service.ask(&format!("{}&{EVER}", &more[1..])), 200, &all, more);
    }
}

#[test]
fn bad_parameters_are_refused_and_the_first_fault_in_order_is_told() {
    let service = Service::ready(&STOCK);
    for (query, body) in [
        // Missing.
        ("", NO_START),
        ("&", NO_START),
        ("start=2020", NO_END),
        ("end=2021", NO_START),
        ("Start=2020&end=2021", NO_START),
        ("start[=2020&end=2021", NO_START),
        ("start", NO_END),
        ("end", NO_START),
        // Missing comes before everything else.
        ("end=x&count=x&departmentId[]=x", NO_START),
        ("start=x&count=x", NO_END),
        ("start=a&start=b", NO_END),
        ("start[]=a", NO_END),
        ("end[]=a", NO_START),
        // Repeated or nested: there, and no text.
        ("start=2020&start=2020&end=2021", NOT_A_STRING),
        ("start=2020&end=2021&start=2020", NOT_A_STRING),
        ("start[]=2020&end=2021", NOT_A_STRING),
        ("start[x]=2020&end=2021", NOT_A_STRING),
        ("start%5B%5D=2020&end=2021", NOT_A_STRING),
        ("start%5b0%5d=2020&end=2021", NOT_A_STRING),
        ("start=2020&start[]=2020&end=2021", NOT_A_STRING),
        ("start[x][y]=2020&end=2021", NOT_A_STRING),
        ("start=2020&end[]=2021", NOT_A_STRING),
        ("start=2020&end=2021&end=2021", NOT_A_STRING),
        ("start[]=2020&end[]=2021", NOT_A_STRING),
        ("start=2020&end=2021&departmentId[$ne]=x", NOT_A_STRING),
        ("start=2020&end=2021&departmentId[]=x", NOT_A_STRING),
        ("start=2020&end=2021&departmentId=a&departmentId=a", NOT_A_STRING),
        ("start=2020&end=2021&departmentId=&departmentId=", NOT_A_STRING),
        ("start=2020&end=2021&answered=true&answered=true", NOT_A_STRING),
        ("start=2020&end=2021&answered[x]=true", NOT_A_STRING),
        // No text comes before numbers and dates.
        ("start=x&end=2021&answered[]=true&count=x", NOT_A_STRING),
        ("start=x&end=x&departmentId[]=x&offset=-1", NOT_A_STRING),
        // Numbers.
        ("start=2020&end=2021&count=", NOT_A_NUMBER),
        ("start=2020&end=2021&count", NOT_A_NUMBER),
        ("start=2020&end=2021&count=x", NOT_A_NUMBER),
        ("start=2020&end=2021&count=1e2", NOT_A_NUMBER),
        ("start=2020&end=2021&count=0x10", NOT_A_NUMBER),
        ("start=2020&end=2021&count=+5", NOT_A_NUMBER),
        ("start=2020&end=2021&count=%2B5", NOT_A_NUMBER),
        ("start=2020&end=2021&count=5+", NOT_A_NUMBER),
        ("start=2020&end=2021&count=1.0", NOT_A_NUMBER),
        ("start=2020&end=2021&count=-1.0", NOT_A_NUMBER),
        ("start=2020&end=2021&count=-", NOT_A_NUMBER),
        ("start=2020&end=2021&count=--1", NOT_A_NUMBER),
        ("start=2020&end=2021&count=1_000", NOT_A_NUMBER),
        ("start=2020&end=2021&count=NaN", NOT_A_NUMBER),
        ("start=2020&end=2021&count=Infinity", NOT_A_NUMBER),
        ("start=2020&end=2021&count=%D9%A3", NOT_A_NUMBER),
        ("start=2020&end=2021&count=9007199254740993", NOT_A_NUMBER),
        ("start=2020&end=2021&count=99999999999999999999999999", NOT_A_NUMBER),
        ("start=2020&end=2021&count=1&count=1", NOT_A_NUMBER),
        ("start=2020&end=2021&count[]=1", NOT_A_NUMBER),
        ("start=2020&end=2021&count[x]=1", NOT_A_NUMBER),
        ("start=2020&end=2021&count=-1", NEGATIVE),
        ("start=2020&end=2021&count=-007", NEGATIVE),
        ("start=2020&end=2021&count=-99999999999999999999999999", NEGATIVE),
        ("start=2020&end=2021&offset=x", NOT_A_NUMBER),
        ("start=2020&end=2021&offset=", NOT_A_NUMBER),
        ("start=2020&end=2021&offset=9007199254740993", NOT_A_NUMBER),
        ("start=2020&end=2021&offset=1&offset=1", NOT_A_NUMBER),
        ("start=2020&end=2021&offset[]=1", NOT_A_NUMBER),
        ("start=2020&end=2021&offset=-1", NEGATIVE),
        // Count comes before offset, numbers before dates.
        ("start=2020&end=2021&offset=x&count=-1", NEGATIVE),
        ("start=2020&end=2021&offset=-1&count=x", NOT_A_NUMBER),
        ("start=x&end=x&offset=-1", NEGATIVE),
        ("start=&end=2021&count=x", NOT_A_NUMBER),
        // Dates, start first.
        ("start=x&end=x", BAD_START),
        ("start=2020&end=x", BAD_END),
        ("start&end", BAD_START),
        ("end&start=2020", BAD_END),
        ("start=%22%3Cscript%3E&end=2020", BAD_START),
    ] {
        let answer = service.ask(query);
        check(&answer, 400, body, query);
        assert_eq!(answer.status_line, "HTTP/1.1 400 Bad Request");
    }
    check(&service.request(&format!("GET {PATH}"), CREDENTIALS), 400, NO_START, "no query at all");
}

#[test]
fn both_credentials_are_needed_once_and_right() {
    let service = Service::ready(&STOCK);
    let other = "RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f";
    let two = |id: &str, token: &str| format!("X-User-Id: {id}\r\nX-Auth-Token: {token}\r\n");
    for (headers, status) in [
        (two("myuser-name", "myauth-token"), 200),
        ("x-user-id: myuser-name\r\nx-auth-token: myauth-token\r\n".to_owned(), 200),
        ("X-USER-ID:myuser-name\r\nX-AUTH-TOKEN:   myauth-token  \r\n".to_owned(), 200),
        ("X-Auth-Token: myauth-token\r\nX-User-Id: myuser-name\r\n".to_owned(), 200),
        // A token is hashed as the bytes that came.
        (two("ünï", "tökén"), 200),
        // Any entry of a user will do.
        (two("two-tokens", other), 200),
        (two("two-tokens", "myauth-token"), 403),
        (two("agent", other), 403),
        (String::new(), 401),
        ("X-User-Id: myuser-name\r\n".to_owned(), 401),
        ("X-Auth-Token: myauth-token\r\n".to_owned(), 401),
        (two("", "myauth-token"), 401),
        (two("myuser-name", ""), 401),
        (two("", ""), 401),
        (two("myuser-name", "wrong"), 401),
        (two("nobody", "myauth-token"), 401),
        (two("myuser-nam", "myauth-token"), 401),
        (two("myuser-name2", "myauth-token"), 401),
        (two("MYUSER-NAME", "myauth-token"), 401),
        (two("myuser-name", "MYAUTH-TOKEN"), 401),
        (two("myuser-name", other), 401),
        (two("agent", "myauth-token"), 401),
        (two("myuser-name", "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="), 401),
        (format!("{CREDENTIALS}X-User-Id: myuser-name\r\n"), 401),
        (format!("{CREDENTIALS}X-Auth-Token: myauth-token\r\n"), 401),
        (format!("{CREDENTIALS}x-auth-token: \r\n"), 401),
        (format!("X-User-Id: nobody\r\n{CREDENTIALS}"), 401),
        (two("myuser-name, myuser-name", "myauth-token"), 401),
        ("Authorization: Bearer myauth-token\r\n".to_owned(), 401),
        ("Cookie: rc_uid=myuser-name; rc_token=myauth-token\r\n".to_owned(), 401),
    ] {
        let answer = service.request(&format!("GET {PATH}?{EVER}"), &headers);
        assert_eq!(answer.status, status, "{headers}");
        match status {
            401 => check(&answer, 401, "", &headers),
            403 => check(&answer, 403, FORBIDDEN, &headers),
            _ => {}
        }
        // Who may not ask does not learn what was wrong with the question.
        let bad = service.request(&format!("GET {PATH}?count=x"), &headers);
        assert_eq!(bad.status, if status == 200 { 400 } else { status }, "{headers}");
    }
    let in_query = format!("GET {PATH}?{EVER}&X-User-Id=myuser-name&X-Auth-Token=myauth-token");
    check(&service.request(&in_query, ""), 401, "", "credentials in the query");
}

#[test]
fn an_address_has_so_many_failed_sign_ins_a_minute_and_right_ones_pass() {
    let http = Http { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..settings() };
    let service = Service::with(&STOCK, &http);
    let ask = |credentials: &str, address: &str| {
        let headers = format!("{credentials}X-Forwarded-For: {address}\r\n");
        service.request(&format!("GET {PATH}?{EVER}"), &headers)
    };
    let wrong = "X-User-Id: myuser-name\r\nX-Auth-Token: guess\r\n";
    for failure in 0..100 {
        check(&ask(wrong, "192.0.2.1"), 401, "", &format!("failure {failure}"));
    }
    for (credentials, address, status) in [
        (wrong, "192.0.2.1", 429),
        ("", "192.0.2.1", 429),
        (CREDENTIALS, "192.0.2.1", 200),
        ("X-User-Id: two-tokens\r\nX-Auth-Token: myauth-token\r\n", "192.0.2.1", 403),
        (wrong, "192.0.2.2", 401),
        ("", "192.0.2.2", 401),
    ] {
        assert_eq!(ask(credentials, address).status, status, "{credentials}{address}");
    }
    let answer = ask(wrong, "192.0.2.1");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{answer:?}");
    let body = format!(
        r#"{{"success":false,"error":"Error, too many requests. Please slow down. You must wait {wait} seconds before trying this endpoint again. [error-too-many-requests]"}}"#
    );
    check(&answer, 429, &body, "over the limit");
    let reset: i64 = answer.header("x-ratelimit-reset").unwrap().parse().unwrap();
    let left = reset - roomtally::service::now().as_millis();
    assert!((0..=60_000).contains(&left), "{left}");
    let fixed = ["x-ratelimit-limit: 100", "x-ratelimit-remaining: 0"].map(str::to_owned);
    let told = ["retry-after", "x-ratelimit-reset"];
    let headers = answer.own_headers().into_iter();
    let headers: Vec<_> = headers.filter(|line| !told.iter().any(|name| line.starts_with(name))).collect();
    let expected: Vec<_> = JSON_HEADERS.map(str::to_owned).into_iter().chain(fixed).collect();
    assert_eq!(headers, expected);
}

#[test]
fn nobody_but_a_trusted_proxy_says_where_a_request_comes_from() {
    let service = Service::ready(&STOCK);
    let ask = |address: u8| {
        let headers = format!("X-User-Id: a\r\nX-Auth-Token: b\r\nX-Forwarded-For: 192.0.2.{address}\r\n");
        service.request(&format!("GET {PATH}?{EVER}"), &headers).status
    };
    let refused: Vec<_> = (0..101).map(ask).collect();
    assert_eq!(refused, [vec![401; 100], vec![429]].concat());
}

#[test]
fn the_body_of_a_401_can_be_that_of_upstream() {
    let http = Http { unauthorized_body: UnauthorizedBody::Json, ..settings() };
    let answer = Service::with(&STOCK, &http).request(&format!("GET {PATH}?{EVER}"), "");
    check(&answer, 401, NOT_LOGGED_IN, "unauthorized_body = json");
    assert_eq!(answer.own_headers(), JSON_HEADERS);
}

#[test]
fn an_unknown_path_is_refused_before_anything_else() {
    let service = Service::ready(&STOCK);
    for path in [
        "/",
        "/api",
        "/api/v1/livechat/analytics/departments",
        "/api/v1/livechat/analytics/departments/amount-of-chats/",
        "/api/v1/livechat/analytics/departments/amount-of-chats//",
        "//api/v1/livechat/analytics/departments/amount-of-chats",
        "/api//v1/livechat/analytics/departments/amount-of-chats",
        "/api/v1/livechat/analytics/departments/amount-of-chat%73",
        "/api/v1/livechat/analytics/departments%2Famount-of-chats",
        "/api/v1/livechat/analytics/departments/amount-of-chats%20",
        "/api/v1/livechat/analytics/departments/Amount-of-chats",
        "/api/v1/livechat/analytics/departments/../departments/amount-of-chats",
        "/api/v1/livechat/analytics/departments/amount-of-chats;x",
        "/x/api/v1/livechat/analytics/departments/amount-of-chats",
        "/api/v1/livechat/analytics/departments/amount-of-charts",
        "/api/v2/livechat/analytics/departments/amount-of-chats",
        "/health",
        "/health/",
        "/health/live/",
        "/health/%6Cive",
        "/metrics/",
        "//metrics",
        "/openapi.json",
        "http://test/x",
    ] {
        for method in ["GET", "POST", "OPTIONS", "BREW"] {
            let answer = service.request(&format!("{method} {path}?{EVER}"), CREDENTIALS);
            check(&answer, 404, NOT_FOUND, path);
            check(&service.request(&format!("{method} {path}"), ""), 404, NOT_FOUND, path);
        }
        assert_eq!(service.request(&format!("HEAD {path}"), "").body, "");
    }
    check(&service.request("OPTIONS *", ""), 404, NOT_FOUND, "*");
    check(&service.request("CONNECT test:80", ""), 404, NOT_FOUND, "CONNECT");
    let absolute = format!("GET http://test{PATH}?{EVER}&count=1");
    check(&service.request(&absolute, CREDENTIALS), 200, &result(&[("-", 3)], 0, 4), "absolute form");
}

#[test]
fn other_methods_are_refused_before_credentials_are_looked_at() {
    let service = Service::catching_up(&[], &settings());
    for path in [PATH, "/health/live", "/health/ready", "/metrics"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"] {
            let answer = service.request(&format!("{method} {path}"), "");
            check(&answer, 405, NOT_ALLOWED, method);
            assert_eq!(answer.status_line, "HTTP/1.1 405 Method Not Allowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
    let preflight = "Origin: https://desk.example\r\nAccess-Control-Request-Method: GET\r\n";
    let answer = service.request(&format!("OPTIONS {PATH}"), preflight);
    check(&answer, 405, NOT_ALLOWED, "a preflight without configured origins");
    assert_eq!(answer.own_headers(), NOT_ALLOWED_HEADERS);
}

const JSON_HEADERS: [&str; 3] =
    ["cache-control: no-store", "content-type: application/json", "pragma: no-cache"];
const NOT_ALLOWED_HEADERS: [&str; 4] =
    ["allow: GET, HEAD", "cache-control: no-store", "content-type: application/json", "pragma: no-cache"];

#[test]
fn every_answer_has_its_headers_and_no_others() {
    let service = Service::ready(&STOCK);
    let behind = Service::catching_up(&STOCK, &settings());
    let as_of = format!("x-roomtally-as-of: {AS_OF}");
    let with = |more: &str| -> Vec<String> {
        let mut headers: Vec<_> = JSON_HEADERS.iter().map(|&line| line.to_owned()).collect();
        headers.push(more.to_owned());
        headers.sort();
        headers
    };
    let json = JSON_HEADERS.map(str::to_owned).to_vec();
    let origin = "Origin: https://desk.example\r\n";
    for (service, line, headers, status, expected) in [
        (&service, format!("GET {PATH}?{EVER}"), CREDENTIALS, 200, with(&as_of)),
        (&service, format!("GET {PATH}?{EVER}"), &format!("{CREDENTIALS}{origin}"), 200, with(&as_of)),
        (&service, "GET /".to_owned(), "", 404, json.clone()),
        (&service, format!("PUT {PATH}"), CREDENTIALS, 405, with("allow: GET, HEAD")),
        (&service, format!("GET {PATH}"), "", 401, vec![JSON_HEADERS[0].into(), JSON_HEADERS[2].into()]),
        (&service, format!("GET {PATH}?start=x&end=x"), CREDENTIALS, 400, json),
        (&behind, format!("GET {PATH}?{EVER}"), CREDENTIALS, 503, with("retry-after: 1")),
    ] {
        for line in [line.clone(), line.replacen("GET", "HEAD", 1)] {
            let answer = service.request(&line, headers);
            assert_eq!((answer.status, answer.own_headers()), (status, expected.clone()), "{line}");
        }
    }
}

#[test]
fn head_has_the_status_and_headers_of_get_and_no_body() {
    let service = Service::ready(&STOCK);
    let behind = Service::catching_up(&STOCK, &settings());
    let long = Service::ready(&many());
    for (service, target, headers) in [
        (&service, format!("{PATH}?{EVER}"), CREDENTIALS),
        (&long, format!("{PATH}?{EVER}&count=0"), CREDENTIALS),
        (&service, format!("{PATH}?start=x"), CREDENTIALS),
        (&service, format!("{PATH}?{EVER}"), ""),
        (&behind, format!("{PATH}?{EVER}"), CREDENTIALS),
        (&service, "/nowhere".to_owned(), ""),
        (&service, "/health/live".to_owned(), ""),
        (&service, "/health/ready".to_owned(), ""),
        (&behind, "/health/ready".to_owned(), ""),
    ] {
        let mut get = service.request(&format!("GET {target}"), headers);
        let mut head = service.request(&format!("HEAD {target}"), headers);
        assert_eq!(get.header("content-length"), Some(get.body.len().to_string().as_str()), "{target}");
        for answer in [&mut get, &mut head] {
            answer.headers.retain(|(name, _)| name != "date");
            answer.headers.sort();
        }
        assert_eq!(head.body, "", "{target}");
        get.body.clear();
        assert_eq!(head, get, "{target}");
    }
}

#[test]
fn an_answer_waits_for_the_counts_to_be_complete_but_a_refusal_does_not() {
    let service = Service::catching_up(&STOCK, &settings());
    let line = format!("GET {PATH}?{EVER}");
    let answer = service.request(&line, CREDENTIALS);
    check(&answer, 503, UNAVAILABLE, "catching up");
    assert_eq!(answer.status_line, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("x-roomtally-as-of"), None);
    check(&service.ask(""), 400, NO_START, "bad input");
    check(&service.ask("start=2020&end=x"), 400, BAD_END, "bad input");
    check(&service.ask(&format!("{EVER}&count=-1")), 400, NEGATIVE, "bad input");
    check(&service.request(&line, ""), 401, "", "no credentials");
    service.complete();
    let answer = service.ask(EVER);
    assert_eq!((answer.status, answer.header("x-roomtally-as-of")), (200, Some(AS_OF)));
    let stop = Stop::of_partition(StopReason::Gap, Partition(0), NextOffset::at(0), NextOffset::at(7));
    service.status.stop(Partition(0), stop);
    check(&service.ask(EVER), 503, UNAVAILABLE, "stopped");
}

#[test]
fn odd_department_ids_are_escaped() {
    let service = Service::ready(&[
        rooms(None, TS, 1),
        rooms(Some(""), TS, 2),
        rooms(Some("\u{1}\u{1f}"), TS, 3),
        rooms(Some("\t\n\r"), TS, 4),
        rooms(Some("\""), TS, 5),
        rooms(Some("/\\"), TS, 6),
        rooms(Some("</script>"), TS, 7),
        rooms(Some("\u{7f}\u{2028}"), TS, 8),
        rooms(Some("ä€😀"), TS, 9),
    ]);
    let expected = [
        r#"{"departments":[{"rooms":1,"_id":null},{"rooms":2,"_id":""},"#,
        r#"{"rooms":3,"_id":"\u0001\u001f"},{"rooms":4,"_id":"\t\n\r"},{"rooms":5,"_id":"\""},"#,
        r#"{"rooms":6,"_id":"/\\"},{"rooms":7,"_id":"</script>"},"#,
        "{\"rooms\":8,\"_id\":\"\u{7f}\u{2028}\"},{\"rooms\":9,\"_id\":\"ä€😀\"}],",
        r#""count":9,"offset":0,"total":9,"success":true}"#,
    ];
    check(&service.ask(EVER), 200, &expected.concat(), "in the order of the ids' bytes");
}

#[test]
fn configured_origins_may_read_answers_and_others_are_not_named() {
    let set = |origins: &[&str]| Http {
        cors_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        ..settings()
    };
    let two = ["https://desk.example", "http://localhost:8080"];
    for (origins, headers, expected) in [
        (&two[..], "Origin: https://desk.example\r\n", Some("https://desk.example")),
        (&two, "Origin: http://localhost:8080\r\n", Some("http://localhost:8080")),
        (&two, "", None),
        (&two, "Origin: https://other.example\r\n", None),
        (&two, "Origin: https://desk.example:444\r\n", None),
        (&two, "Origin: https://desk.example.other\r\n", None),
        (&two, "Origin: http://desk.example\r\n", None),
        (&two, "Origin: null\r\n", None),
        (&two, "Origin: https://desk.example\r\nOrigin: https://desk.example\r\n", None),
        (&["*"], "Origin: https://any.example\r\n", Some("*")),
        (&["*"], "Origin: null\r\n", Some("*")),
        (&["*"], "", None),
    ] {
        let service = Service::with(&STOCK, &set(origins));
        for (line, credentials, status) in [
            (format!("GET {PATH}?{EVER}"), CREDENTIALS, 200),
            (format!("HEAD {PATH}?{EVER}"), CREDENTIALS, 200),
            (format!("GET {PATH}"), CREDENTIALS, 400),
            (format!("GET {PATH}"), "", 401),
            (format!("POST {PATH}"), "", 405),
            (format!("OPTIONS {PATH}"), "", 405),
        ] {
            let answer = service.request(&line, &format!("{headers}{credentials}"));
            assert_eq!(answer.status, status, "{line} {headers}");
            assert_eq!(answer.header("access-control-allow-origin"), expected, "{line} {headers}");
            assert_eq!(answer.header("vary"), expected.map(|_| "Origin"), "{line} {headers}");
            let exposed = expected.map(|_| {
                "x-roomtally-as-of, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
            });
            assert_eq!(answer.header("access-control-expose-headers"), exposed, "{line} {headers}");
        }
        let asks = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: x-auth-token,x-user-id\r\n";
        let preflight = service.request(&format!("OPTIONS {PATH}"), &format!("{headers}{asks}"));
        assert_eq!(preflight.header("access-control-allow-origin"), expected, "{headers}");
        if let Some(origin) = expected {
            check(&preflight, 204, "", headers);
            assert_eq!(preflight.header("content-length"), None);
            let expected = [
                "access-control-allow-headers: x-user-id, x-auth-token, content-type".to_owned(),
                "access-control-allow-methods: GET, HEAD".to_owned(),
                "access-control-max-age: 600".to_owned(),
                "allow: GET, HEAD".to_owned(),
                format!("access-control-allow-origin: {origin}"),
                "vary: Origin".to_owned(),
            ];
            let sorted: BTreeSet<_> = expected.into_iter().collect();
            assert_eq!(preflight.own_headers(), Vec::from_iter(sorted));
        } else {
            check(&preflight, 405, NOT_ALLOWED, headers);
            assert_eq!(preflight.own_headers(), NOT_ALLOWED_HEADERS);
        }
    }
}

#[test]
fn health_says_whether_the_counts_can_be_asked_for() {
    let service = Service::catching_up(&[], &settings());
    let ready = || service.request("GET /health/ready", "");
    let live = service.request("GET /health/live", "");
    check(&live, 200, r#"{"live":true}"#, "always");
    let headers = ["cache-control: no-store", "content-type: application/json"];
    assert_eq!(live.own_headers(), headers);
    let nothing =
        r#"{"ready":false,"partitions":[],"kafka":{"state":"connecting"},"snapshot":{"state":"off"}}"#;
    check(&ready(), 503, nothing, "before the broker is reached");
    service.complete();
    let (p1, begin, end) = (Partition(1), NextOffset::at(90), NextOffset::at(118));
    let first = r#"{"partition":0,"state":"current","position":0,"end":0}"#;
    let rest = r#""kafka":{"state":"connected"},"snapshot":{"state":"off"}"#;
    let body = format!(r#"{{"ready":true,"partitions":[{first}],{rest}}}"#);
    check(&ready(), 200, &body, "complete");
    assert_eq!(ready().own_headers(), headers);
    let mut positions = Positions::default();
    positions.begin(p1, begin);
    service.status.follow(&positions, [(p1, end)].into_iter());
    let second = r#"{"partition":1,"state":"catching_up","position":90,"end":118,"begins_at":90}"#;
    let body = format!(r#"{{"ready":true,"partitions":[{first},{second}],{rest}}}"#);
    check(&ready(), 200, &body, "a partition was added");
    let stop = Stop::of_partition(StopReason::Gap, p1, NextOffset::at(1000), NextOffset::at(1500));
    service.status.stop(p1, stop);
    let second = r#"{"partition":1,"state":"stopped","stop":"gap-1-1500","reason":"gap","from":1000,"to":1500,"records":500}"#;
    let stopped = |rest: &str| format!(r#"{{"ready":false,"partitions":[{first},{second}],{rest}}}"#);
    check(&ready(), 503, &stopped(rest), "stopped");
    let with_snapshot =
        |snapshot: &str| stopped(&format!(r#""kafka":{{"state":"connected"}},"snapshot":{snapshot}"#));
    service.status.snapshots_begin(None);
    check(&ready(), 503, &with_snapshot(r#"{"state":"none"}"#), "nothing kept yet");
    let written_at = instant("2026-11-22T10:00:00.000Z");
    service.status.snapshot_kept(12, written_at, 4_096);
    let kept = r#""generation":12,"written_at":"2026-11-22T10:00:00.000Z""#;
    check(&ready(), 503, &with_snapshot(&format!(r#"{{"state":"ok",{kept}}}"#)), "kept");
    service.status.snapshot_failed("No space left on device".to_owned());
    let failing = format!(r#"{{"state":"failing",{kept},"error":"No space left on device"}}"#);
    check(&ready(), 503, &with_snapshot(&failing), "failing");
    service.status.snapshots_unvouched(true);
    check(&ready(), 503, &with_snapshot(&failing), "the disk's words come first");
    service.status.snapshot_kept(12, written_at, 4_096);
    let answer = ready();
    assert!(
        answer.body.contains(r#""state":"failing""#) && answer.body.contains("has not shown"),
        "{answer:?}"
    );
    service.status.snapshots_unvouched(false);
    check(&ready(), 503, &with_snapshot(&format!(r#"{{"state":"ok",{kept}}}"#)), "shown again");
    check(&service.request("GET /health/live", ""), 200, r#"{"live":true}"#, "always");
}

/// Whatever letters a URL may hold, in pieces that come close to what means
/// something; the generator is seeded, so a failure comes again.
#[test]
fn no_query_gives_an_error_of_the_server() {
    const PIECES: [&str; 48] = [
        "start",
        "end",
        "departmentId",
        "answered",
        "count",
        "offset",
        "sort",
        "=",
        "=",
        "=",
        "&",
        "&",
        "[",
        "]",
        "[]",
        "%5B",
        "%5D",
        "%",
        "%F",
        "%FF",
        "%00",
        "%C3%BC",
        "ü",
        "+",
        "-",
        ":",
        ".",
        "T",
        "Z",
        "2020",
        "2020-09-09",
        "T24:00:00",
        "9999",
        "0000",
        "99999999999999999999",
        "-1",
        "0",
        "1",
        "{%22rooms%22:-1}",
        "{%22_id%22:",
        "}",
        "'",
        "%22",
        "null",
        "undefined",
        "true",
        "&start=2020",
        "&end=9999-12-31T23:59:59.999-23:59",
    ];
    let service = Service::ready(&STOCK);
    let mut connection = service.connect();
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut below = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % limit as u64).unwrap()
    };
    let (mut answered, mut refused) = (0, 0);
    for round in 0..5_000 {
        let begin = ["", EVER, "start=2020&end=", "start=0000&end=9999&"][below(4)];
        let length = below(16);
        let query: String = (0..length).map(|_| PIECES[below(PIECES.len())]).collect();
        let head = format!("GET {PATH}?{begin}{query} HTTP/1.1\r\nHost: test\r\n{CREDENTIALS}\r\n");
        connection.write(head.as_bytes());
        let answer = connection.read_one();
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let success = match answer.status {
            200 => true,
            400 => false,
            status => panic!("{status} in round {round} to {begin}{query}"),
        };
        assert_eq!(body["success"], success, "{begin}{query}");
        *(if success { &mut answered } else { &mut refused }) += 1;
    }
    assert!(answered > 500 && refused > 500, "{answered} answered, {refused} refused");
}

/// What the grammar of URLs leaves out never reaches the endpoint.
#[test]
fn a_request_line_that_holds_no_url_is_a_bad_request() {
    let service = Service::ready(&STOCK);
    for query in ["sort={\"rooms\":1}", "departmentId=<a>", "departmentId=a b"] {
        let answer = service.request(&format!("GET {PATH}?{EVER}&{query}"), CREDENTIALS);
        check(&answer, 400, "", query);
    }
    let raw = [format!("GET {PATH}?{EVER}&departmentId=").as_bytes(), b"\xff HTTP/1.1\r\n\r\n"].concat();
    check(&service.send(&raw), 400, "", "a byte that is no UTF-8");
}

#[test]
fn requests_on_one_connection_are_answered_in_their_order() {
    let service = Service::ready(&STOCK);
    let mut connection = service.connect();
    let line = |query: &str| format!("GET {PATH}?{query} HTTP/1.1\r\nHost: test\r\n{CREDENTIALS}\r\n");
    connection.write([line(EVER), line(""), line("start=2020&end=x")].concat().as_bytes());
    assert_eq!(connection.read_one().status, 200);
    check(&connection.read_one(), 400, NO_START, "second");
    check(&connection.read_one(), 400, BAD_END, "third");
}

#[test]
fn a_connection_over_the_limit_waits_for_a_place() {
    let http = Http { max_connections: 1, ..settings() };
    let service = Service::with(&STOCK, &http);
    let head = "GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n";
    let mut first = service.connect();
    first.write(head.as_bytes());
    assert_eq!(first.read_one().status, 200);
    let mut second = service.connect();
    second.write(head.as_bytes());
    assert!(second.is_silent_for(Duration::from_millis(100)));
    drop(first);
    assert_eq!(second.read_one().status, 200);
}

#[test]
fn a_stop_ends_at_once_when_nothing_was_begun() {
    let mut service = Service::ready(&STOCK);
    let mut fresh = service.connect();
    let mut idle = service.connect();
    idle.write(b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(idle.read_one().status, 200);
    let began = Instant::now();
    service.stop();
    service.join();
    // Less than what a request in flight would be given.
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(idle.has_ended() && fresh.has_ended());
}

#[test]
fn a_stop_waits_only_so_long_for_a_request_that_was_begun() {
    let mut service = Service::ready(&STOCK);
    let mut halfway = service.connect();
    halfway.write(b"GET /health/live HT");
    // Connections are accepted in order, so the half one is by now.
    assert_eq!(service.request("GET /health/live", "").status, 200);
    service.stop();
    service.join();
    assert!(halfway.has_ended());
    assert!(std::net::TcpStream::connect(service.addr).is_err());
}
