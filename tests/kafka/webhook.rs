//! Rocket.Chat's webhook: what is posted comes back in the counts, and what Kafka has not
//! is not said to be taken.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::http::{self, Reply};
use crate::model::{Event, FIRST_TS, Kind, Model, iso};
use crate::node::Node;
use crate::service::{Service, Setup};
use crate::topic::{FOR_EVER, Topic};
use crate::wait::until;

const PATH: &str = "/webhooks/rocketchat";
const SECRET: &str = "s3cret of the suite";
const TOKEN: &str = "X-RocketChat-Livechat-Token";

/// How long a sender would wait.
const SENDER_WAITS: Duration = Duration::from_secs(5);

fn taking(topic: &Topic) -> Setup {
    Setup::new(topic).section(&format!("[webhook]\nsecret = \"{SECRET}\"\n"))
}

fn post_with(service: &Service, headers: &[(&str, &str)], body: &str) -> Reply {
    http::send(service.address(), "POST", PATH, headers, body.as_bytes()).unwrap()
}

/// Posts as Rocket.Chat does.
fn post(service: &Service, payload: &Value) -> Reply {
    let headers = [(TOKEN, SECRET), ("content-type", "application/json")];
    post_with(service, &headers, &payload.to_string())
}

#[track_caller]
fn takes(service: &Service, payload: &Value) {
    let reply = post(service, payload);
    assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{payload}: {reply:?}");
}

/// A payload of this type as Rocket.Chat makes it, with these fields besides.
fn payload(room: &str, kind: &str, fields: &Value) -> Value {
    let mut payload = json!({
        "_id": room, "label": "chat", "createdAt": iso(FIRST_TS), "lastMessageAt": iso(FIRST_TS + 5),
        "tags": ["t"], "customFields": {"departmentId": "no"}, "type": kind, "messages": [],
        "visitor": {"_id": "v", "token": "t", "name": "Guest", "username": "guest-1", "department": "of-visitor"},
        "agent": {"_id": "a", "username": "agent", "name": "Agent", "email": "a@example.org"},
    });
    for (name, value) in fields.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload
}

fn by_visitor() -> Value {
    json!({"messages": [{"_id": "m", "username": "guest-1", "msg": "hi", "ts": iso(FIRST_TS + 1)}]})
}

fn by_agent() -> Value {
    json!({"messages": [{"_id": "n", "username": "agent", "agentId": "a", "msg": "hello", "ts": iso(FIRST_TS + 2)}]})
}

/// How a room stands in the end.
fn room(id: &str, department: Option<&str>, waiting: bool) -> Event {
    let department = department.map(str::to_owned);
    Event { room: id.to_owned(), kind: Kind::Created { ts: FIRST_TS, department, waiting } }
}

#[test]
fn a_chats_life_as_rocket_chat_posts_it_moves_the_numbers_as_upstream_would() {
    let topic = Topic::shared(2);
    let service = taking(&topic).serve();
    let a = json!({"departmentId": "A"});
    let forwarded = json!({"departmentId": "B", "oldDepartmentId": "A"});
    for (payload, department, waiting) in [
        (payload("r", "LivechatSessionStart", &a), Some("A"), true),
        (payload("r", "LivechatSessionQueued", &a), Some("A"), true),
        (payload("r", "Message", &by_visitor()), Some("A"), true),
        (payload("r", "LivechatSessionTaken", &a), Some("A"), true),
        (payload("r", "Message", &by_agent()), Some("A"), false),
        (payload("r", "LeadCapture", &json!({})), Some("A"), false),
        (payload("r", "LivechatSessionForwarded", &forwarded), Some("B"), false),
        (payload("r", "Message", &by_visitor()), Some("B"), true),
        (
            payload("r", "LivechatSession", &json!({"departmentId": "B", "closedAt": iso(FIRST_TS + 9)})),
            Some("B"),
            true,
        ),
        (payload("r", "LivechatEdit", &json!({"topic": "x"})), Some("B"), true),
        (payload("r", "LivechatSessionForwarded", &json!({"oldDepartmentId": "B"})), None, true),
    ] {
        takes(&service, &payload);
        service.agrees_with(&Model::of(&[room("r", department, waiting)]));
    }
    let rejected = service.metric("roomtally_events_total{result=\"rejected\"}");
    assert_eq!(rejected.to_string(), "0", "whatever is taken is counted");
    let answered = format!("{{method=\"POST\",route=\"{PATH}\",status=\"200\"}}");
    let answered = service.metric(&format!("roomtally_http_request_duration_seconds_count{answered}"));
    assert_eq!(answered.to_string(), "11");
    service.ends();
}

#[test]
fn a_room_begins_to_be_known_by_any_type_and_repeats_count_once() {
    let topic = Topic::shared(2);
    let service = taking(&topic).serve();
    let a = json!({"departmentId": "A"});
    let closed = json!({"departmentId": "A", "messages": by_agent()["messages"]});
    let mut expected = Vec::new();
    for (kind, fields, department, waiting) in [
        ("LivechatSessionStart", &a, Some("A"), true),
        ("LivechatSessionQueued", &a, Some("A"), true),
        ("LivechatSessionTaken", &a, Some("A"), true),
        ("LivechatSessionForwarded", &a, Some("A"), true),
        ("LivechatSession", &closed, Some("A"), false),
        ("LivechatEdit", &json!({}), None, true),
        ("LeadCapture", &json!({}), None, true),
        ("Message", &by_visitor(), None, true),
    ] {
        let payload = payload(kind, kind, fields);
        takes(&service, &payload);
        takes(&service, &payload);
        expected.push(room(kind, department, waiting));
    }
    service.agrees_with(&Model::of(&expected));

    // What comes late undoes nothing: a start behind a message, behind its answer and behind a transfer.
    takes(&service, &payload("Message", "Message", &by_agent()));
    takes(&service, &payload("Message", "LivechatSessionStart", &a));
    expected.push(room("Message", None, false));
    service.agrees_with(&Model::of(&expected));
    takes(&service, &payload("Message", "LivechatSessionTaken", &a));
    takes(&service, &payload("LivechatEdit", "LivechatSessionForwarded", &json!({"departmentId": "B"})));
    takes(&service, &payload("LivechatEdit", "LivechatSessionStart", &a));
    expected.extend([room("Message", Some("A"), false), room("LivechatEdit", Some("B"), true)]);
    service.agrees_with(&Model::of(&expected));
    service.ends();
}

#[test]
fn the_test_button_and_types_without_a_room_are_taken_and_written_nowhere() {
    let topic = Topic::shared(1);
    let service = taking(&topic).serve();
    takes(&service, &payload("fasd6f5a4sd6f8a4sdf", "LivechatSession", &json!({})));
    takes(&service, &json!({"type": "LivechatOfflineMessage", "visitor": {}, "message": "x"}));
    assert!(service.logged(&["INFO", "test of the webhook", "works"]));
    assert_eq!(topic.bounds(), [(0, 0)]);
    service.agrees_with(&Model::default());
    service.ends();
}

#[test]
fn what_is_refused_has_no_body_and_a_line_that_says_why() {
    let topic = Topic::shared(1);
    let service = taking(&topic).serve();
    let good = payload("r", "LivechatSessionStart", &json!({}));
    let text = good.to_string();
    for headers in [&[][..], &[(TOKEN, "wrong")], &[(TOKEN, "")], &[(TOKEN, SECRET), (TOKEN, SECRET)]] {
        let reply = post_with(&service, headers, &text);
        assert_eq!((reply.status, reply.body.as_str()), (401, ""), "{headers:?}");
    }
    let without = |field: &str| {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(field);
        payload.to_string()
    };
    for body in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        without("_id"),
        without("createdAt"),
        without("type"),
    ] {
        let reply = post_with(&service, &[(TOKEN, SECRET)], &body);
        assert_eq!((reply.status, reply.body.as_str()), (400, ""), "{body}");
    }
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(9 << 20));
    let head = http::send_head_of(service.address(), "POST", PATH, &[(TOKEN, SECRET)], large.len());
    assert_eq!(head, Some(413), "before it is sent");
    assert!(service.logged(&["WARN", "webhook.secret", "Secret Token"]));
    // Each fault is told, though they come at once.
    for fault in ["not the JSON", "_id is missing", "createdAt is missing", "type is missing"] {
        assert!(service.logged(&["WARN", "webhook request was refused", fault]), "{fault}");
    }
    assert!(!service.log().contains(SECRET) && !service.log().contains("wrong"));
    for method in ["GET", "HEAD", "PUT"] {
        let reply = http::send(service.address(), method, PATH, &[], b"").unwrap();
        assert_eq!((reply.status, reply.header("allow")), (405, Some("post")), "{method}");
    }
    assert_eq!(topic.bounds(), [(0, 0)]);
    service.ends();
}

#[test]
fn without_a_secret_there_is_no_webhook() {
    let service = Setup::new(&Topic::shared(1)).serve();
    let reply = post_with(&service, &[(TOKEN, "")], "{}");
    assert_eq!((reply.status, reply.json()["error"].as_str()), (404, Some("Resource not found")));
    service.ends();
}

/// A refusal that makes Rocket.Chat try again, while it still waits.
#[track_caller]
fn is_put_off(service: &Service, payload: &Value) {
    let began = Instant::now();
    let reply = post(service, payload);
    assert_eq!((reply.status, reply.body.as_str()), (503, ""), "{reply:?}");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert!(began.elapsed() < SENDER_WAITS, "{:?}", began.elapsed());
}

#[test]
fn while_kafka_does_not_acknowledge_it_is_503_and_the_retry_counts_once() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 1);
    let service = taking(&topic).serve();
    let (first, second) = [("first", "A"), ("second", "B")]
        .map(|(id, department)| payload(id, "LivechatSessionStart", &json!({"departmentId": department})))
        .into();
    takes(&service, &first);
    let mut expected = vec![room("first", Some("A"), true)];
    service.agrees_with(&Model::of(&expected));
    for (away, back) in [(Node::pause as fn(&Node), Node::resume as fn(&Node)), (Node::kill, Node::run)] {
        away(&node);
        is_put_off(&service, &second);
        assert_eq!(service.get("/health/live").status, 200);
        back(&node);
        until("the retry is taken", || (post(&service, &second).status == 200).then_some(()));
        expected.push(room("second", Some("B"), true));
        // A node that stood still has no leader for a moment: it is not asked where it ends.
        until("it is counted", || (service.metric("roomtally_rooms") >= 2.0).then_some(()));
        service.answers(&Model::of(&expected));
    }
    assert!(service.logged(&["WARN", "Kafka has not acknowledged it"]));
    service.ends();
}

#[test]
fn an_absent_topic_is_503_and_taken_once_it_is_there() {
    let shared = Topic::shared(1);
    let topic = Topic::absent(&shared.servers);
    let service = taking(&topic).serve();
    let start = payload("r", "LivechatSessionStart", &json!({}));
    is_put_off(&service, &start);
    assert!(!topic.all_topics().contains(&topic.name), "nobody has made it");
    topic.create(1, &[FOR_EVER]);
    until("the retry is taken", || (post(&service, &start).status == 200).then_some(()));
    service.agrees_with(&Model::of(&[room("r", None, true)]));
    service.ends();
}

#[test]
fn a_request_that_is_being_answered_gets_its_answer_at_the_end() {
    let node = Node::start();
    let topic = Topic::new(&node.servers(), 1);
    let mut service = taking(&topic).serve();
    service.reads_to_the_end();
    node.pause();
    let start = payload("r", "LivechatSessionStart", &json!({}));
    thread::scope(|scope| {
        let posted = scope.spawn(|| post(&service, &start));
        // The other one is the question itself.
        until("it is being answered", || {
            (service.metric("roomtally_http_requests_in_flight") > 1.0).then_some(())
        });
        service.signal(Signal::TERM);
        assert_eq!(posted.join().unwrap().status, 503);
    });
    let ended = service.ends_within(Duration::from_secs(10));
    assert_eq!(ended.code(), Some(0), "{ended}");
    node.resume();
}
