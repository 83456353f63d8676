//! Payloads of every type, and what becomes of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::decode::Limits;

const CREATED: &str = "2026-11-22T10:00:00.000Z";
const NOW: i64 = 1_795_341_600_000 + 60_000;

#[derive(Debug)]
struct Nowhere;

impl Publish for Nowhere {
    fn publish(&self, _: Vec<RoomEvent>) -> Publishing {
        Box::pin(async { Ok(()) })
    }
}

fn read(payload: &str) -> Result<Said, Fault> {
    let limits = Limits {
        record_bytes: 1 << 20,
        oldest: Timestamp::from_millis(946_684_800_000),
        max_future_ms: 86_400_000,
    };
    let rules = Rules { limits, collection: "rocketchat_room".to_owned() };
    Webhook::new(rules, Box::new(Nowhere)).read(payload.as_bytes(), Timestamp::from_millis(NOW))
}

/// A payload as Rocket.Chat makes it, with these fields besides.
fn payload(kind: &str, fields: &str) -> String {
    format!(
        r#"{{"_id":"r","label":"x","createdAt":"{CREATED}","lastMessageAt":"{CREATED}","visitor":{{"_id":"v",
        "department":"visitors","username":"guest-1"}},"agent":{{"_id":"a"}},"type":"{kind}"{fields}}}"#
    )
}

/// The events after their names: a creation with department and waiting, an update with
/// what it states.
#[track_caller]
fn check(kind: &str, fields: &str, created: &str, updated: Option<&str>) {
    let Ok(Said::Room(events)) = read(&payload(kind, fields)) else { panic!("{kind} {fields}") };
    let text = |event: &RoomEvent| String::from_utf8(event.value.clone()).unwrap();
    let created = format!(r#"{{"event":"room-created","_id":"r",{created}"#)
        .replace("TS", &format!(r#""ts":"{CREATED}""#));
    let updated = updated.map(|updated| format!(r#"{{"event":"room-updated","_id":"r",{updated}}}"#));
    let expected: Vec<_> = [(created + "}", true)].into_iter().chain(updated.map(|u| (u, false))).collect();
    let found: Vec<_> = events.iter().map(|event| (text(event), event.if_unknown)).collect();
    assert_eq!(found, expected, "{kind} {fields}");
    assert!(events.iter().all(|event| event.room == "r"));
}

const WAITS: &str = r#"TS,"waitingResponse":true"#;
const WAITS_IN_A: &str = r#""departmentId":"A",TS,"waitingResponse":true"#;
const IN_A: &str = r#""departmentId":"A""#;
const IN_NONE: &str = r#""departmentId":null"#;

#[test]
fn types_of_a_session_state_the_department_and_one_that_is_not_named_is_none() {
    for kind in
        ["LivechatSessionQueued", "LivechatSessionTaken", "LivechatSessionForwarded", "LivechatSession"]
    {
        check(kind, r#","departmentId":"A","oldDepartmentId":"B""#, WAITS_IN_A, Some(IN_A));
        check(
            kind,
            r#","departmentId":null"#,
            r#""departmentId":null,TS,"waitingResponse":true"#,
            Some(IN_NONE),
        );
        check(kind, r#","oldDepartmentId":"B""#, WAITS, Some(IN_NONE));
    }
}

#[test]
fn other_types_state_the_department_only_where_they_name_it_and_a_start_never() {
    check("LivechatSessionStart", r#","departmentId":"A""#, WAITS_IN_A, None);
    check("LivechatSessionStart", "", WAITS, None);
    for kind in ["LivechatEdit", "LeadCapture", "Message"] {
        check(kind, r#","departmentId":"A""#, WAITS_IN_A, Some(IN_A));
        check(kind, "", WAITS, None);
    }
}

#[test]
fn a_message_of_an_agent_answers_and_one_of_the_visitor_waits_again() {
    for (messages, created, stated) in [
        (r#"{"msg":"x","agentId":"a"}"#, "TS", Some(r#""waitingResponse":null"#)),
        (r#"{"msg":"x"}"#, WAITS, Some(r#""waitingResponse":true"#)),
        (r#"{"msg":"x","agentId":null,"editedAt":null}"#, WAITS, Some(r#""waitingResponse":true"#)),
        // What is no message in this sense says nothing.
        (r#"{"msg":"x","agentId":"a","editedAt":"2026-11-22T10:00:01Z"}"#, WAITS, None),
        (r#"{"msg":"x","agentId":"a","closingMessage":true}"#, WAITS, None),
        (r#"{"msg":"x","navigation":{"page":{}}}"#, WAITS, None),
        ("", WAITS, None),
    ] {
        check("Message", &format!(r#","messages":[{messages}]"#), created, stated);
    }
}

#[test]
fn an_unknown_room_of_another_type_waits_unless_its_last_message_is_an_agents() {
    let closing = r#"{"msg":"bye","agentId":"a","closingMessage":true}"#;
    let talk = format!(r#","messages":[{{"msg":"hi"}},{{"msg":"hello","agentId":"a"}},{closing}]"#);
    check("LivechatSession", &talk, "TS", Some(IN_NONE));
    let unanswered = format!(r#","messages":[{{"msg":"x","agentId":"a"}},{{"msg":"y"}},{closing}]"#);
    check("LivechatSession", &unanswered, WAITS, Some(IN_NONE));
    check("LivechatEdit", &talk, "TS", None);
}

#[test]
fn the_test_button_is_known() {
    let button = payload("LivechatSession", "").replace(r#""_id":"r""#, r#""_id":"fasd6f5a4sd6f8a4sdf""#);
    assert_eq!(read(&button), Ok(Said::Test));
    assert!(matches!(read(&button.replace("LivechatSession", "Message")), Ok(Said::Room(_))));
}

#[test]
fn other_types_say_nothing_whatever_else_they_have() {
    for payload in [
        r#"{"type":"LivechatOfflineMessage","sentAt":5,"visitor":{},"message":"x"}"#,
        r#"{"type":"LivechatSomething","_id":5}"#,
    ] {
        assert!(matches!(read(payload), Ok(Said::Nothing(_))), "{payload}");
    }
}

#[test]
fn what_is_not_read_may_be_of_any_kind() {
    let odd = format!(
        r#"{{"type":"Message","_id":"r","createdAt":"{CREATED}","visitor":"\ud800","agent":5,"tags":{{}},
        "messages":[{{"msg":"\udc00","ts":[],"u":null,"_id":7}}]}}"#
    );
    assert!(matches!(read(&odd), Ok(Said::Room(_))), "{:?}", read(&odd));
}

#[test]
fn odd_messages_are_left_out_and_the_rest_is_read() {
    let agents = r#"{"msg":"x","agentId":"a"}"#;
    let answered = Some(r#""departmentId":"A","waitingResponse":null"#);
    for (messages, is_answered) in [
        ("5".to_owned(), false),
        ("{}".to_owned(), false),
        (r#""my words""#.to_owned(), false),
        ("[null]".to_owned(), false),
        (r#"[["a",null,null,null]]"#.to_owned(), false),
        (format!(r#"[{agents},null,5,"\ud800",[],["a"],true]"#), true),
        (format!("[null,{agents}]"), true),
        (r#"[{"agentId":{"_id":"\ud800"},"msg":[]}]"#.to_owned(), true),
        (r#"[{"agentId":5,"u":"\udc00"}]"#.to_owned(), true),
        (format!(r#"[{agents},{{"agentId":7,"editedAt":false}},{{"navigation":"\ud800"}}]"#), true),
    ] {
        let fields = format!(r#","departmentId":"A","messages":{messages}"#);
        let created = if is_answered { r#""departmentId":"A",TS"# } else { WAITS_IN_A };
        check("Message", &fields, created, if is_answered { answered } else { Some(IN_A) });
    }
}

#[test]
fn every_fault_says_what_is_wrong() {
    let valid = payload("LivechatSessionStart", "");
    for (payload, said) in [
        (String::new(), "not the JSON"),
        ("[]".to_owned(), "not the JSON"),
        (valid.replace('}', ""), "not the JSON"),
        ("{}".to_owned(), "type is missing"),
        (valid.replace(r#""LivechatSessionStart""#, "5"), "type is missing"),
        (valid.replace(r#""_id":"r","#, ""), "_id is missing"),
        (valid.replace(r#""_id":"r""#, r#""_id":"""#), "_id is not a text"),
        (valid.replace(r#""createdAt""#, r#""created""#), "createdAt is missing"),
        (
            valid.replace(&format!(r#""createdAt":"{CREATED}""#), r#""createdAt":"now""#),
            "createdAt is not a date",
        ),
        (
            valid.replace(&format!(r#""createdAt":"{CREATED}""#), r#""createdAt":"1999-01-01T00:00:00Z""#),
            "limits.oldest",
        ),
        (self::payload("LivechatSession", r#","departmentId":5"#), "departmentId is not a text"),
    ] {
        let fault = read(&payload).expect_err(&payload).to_string();
        assert!(fault.contains(said), "{fault}: {payload}");
    }
}

#[test]
fn a_fault_tells_where_it_is_and_nothing_of_what_was_written() {
    for (payload, said) in [
        ("\n \"my secret\"", "a field is of another kind, or there twice (line 2, column 12)"),
        ("[\"my secret\"]", "a field is of another kind, or there twice (line 1, column 13)"),
        ("{\"type\":\"my secret", "it ends too early (line 1, column 18)"),
        ("{\"_id\":my secret}", "its syntax is wrong (line 1, column 8)"),
        (
            "{\"type\":1,\"type\":\"my secret\"}",
            "a field is of another kind, or there twice (line 1, column 16)",
        ),
    ] {
        let fault = read(payload).expect_err(payload).to_string();
        assert_eq!(fault, format!("it is not the JSON of a webhook: {said}"), "{payload}");
    }
}
