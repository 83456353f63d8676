//! What Rocket.Chat's own end-to-end tests expect of the endpoint, expected of ours: with a
//! server's users and its documents, through a real Kafka.
//!
//! Theirs are in its repository under `tests/end-to-end/api/livechat`, "analytics".

use serde_json::{Value, json};

use crate::http::{self, Reply};
use crate::rocketchat::RocketChat;
use crate::service::{Service, Setup};
use crate::topic::{Record, Topic};
use crate::wait::until;

const PATH: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";
const TOKEN: &str = "RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f";

/// A workspace with an administrator, and roomtally beside it.
struct Workspace {
    server: RocketChat,
    topic: Topic,
    service: Service,
}

impl Workspace {
    fn start() -> Self {
        let (server, topic) = (RocketChat::start(), Topic::shared(2));
        server.sign_in("admin", TOKEN, &["admin", "user"]);
        let service = Setup::new(&topic).of_rocketchat(&server.url()).serve();
        service.reads_to_the_end();
        Self { server, topic, service }
    }

    fn ask(&self, query: &str) -> Reply {
        let headers = [("x-user-id", "admin"), ("x-auth-token", TOKEN)];
        http::send(self.service.address(), "GET", &format!("{PATH}?{query}"), &headers, b"").unwrap()
    }

    /// The body of a good answer.
    #[track_caller]
    fn answer(&self, query: &str) -> Value {
        let reply = self.ask(query);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/json")),
            "{reply:?}"
        );
        serde_json::from_str(&reply.body).unwrap()
    }

    /// How many rooms a department has, asked with these parameters besides.
    fn rooms(&self, department: Option<&str>, more: &str) -> u64 {
        let body = self.answer(&format!("start=2020-01-01&end=2030-01-01{more}"));
        let rows = body["departments"].as_array().unwrap().iter();
        rows.filter(|row| row["_id"].as_str() == department).map(|row| row["rooms"].as_u64().unwrap()).sum()
    }

    /// Waits until it has so many.
    #[track_caller]
    fn until_rooms(&self, department: Option<&str>, more: &str, rooms: u64) {
        let what = format!("{rooms} rooms of {department:?} {more}");
        until(&what, || (self.rooms(department, more) == rooms).then_some(()));
    }

    /// The database has this document of a room from now on.
    fn has(&self, room: &Value) {
        let value =
            json!({ "op": "u", "after": room.to_string(), "source": { "collection": "rocketchat_room" } });
        let key = json!({ "id": room["_id"].to_string() });
        let bytes = |value: &Value| Some(value.to_string().into_bytes());
        self.topic.send_with(&[], [Record { key: bytes(&key), value: bytes(&value), ..Record::default() }]);
    }
}

fn room(id: &str, department: Option<&str>, waiting: bool) -> Value {
    let mut room = json!({
        "_id": id, "t": "l", "ts": { "$date": 1_600_000_000_000_i64 }, "open": true,
        "v": { "_id": "visitor", "token": "t", "username": "guest-1", "status": "online" },
    });
    if let Some(department) = department {
        room["departmentId"] = department.into();
    }
    if waiting {
        room["waitingResponse"] = true.into();
    }
    room
}

#[test]
fn a_user_without_the_permission_is_refused_with_403() {
    let workspace = Workspace::start();
    workspace.server.allow(&[]);
    let reply = workspace.ask("start=2020-01-01&end=2020-01-02");
    assert_eq!((reply.status, reply.header("content-type")), (403, Some("application/json")), "{reply:?}");
}

#[test]
fn dates_that_are_missing_or_wrong_are_refused_with_400() {
    let workspace = Workspace::start();
    for query in [
        "end=2020-01-02",
        "start=2020-01-01",
        "start=2020-01-01x&end=2026-01-01T00:00:00.000Z",
        "start=2026-01-01T00:00:00.000Z&end=2020-x01-02",
    ] {
        let reply = workspace.ask(query);
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, &body["success"]), (400, &Value::Bool(false)), "{query}: {reply:?}");
    }
}

#[test]
fn the_answer_is_a_list_of_departments_with_numbers() {
    let workspace = Workspace::start();
    workspace.has(&room("r1", Some("sales"), false));
    workspace.until_rooms(Some("sales"), "", 1);
    let body = workspace.answer("start=2020-01-01&end=2026-01-01T00:00:00.000Z");
    assert_eq!(body["success"], true);
    for name in ["offset", "total", "count"] {
        assert!(body[name].is_u64(), "{name}: {body}");
    }
    let departments = body["departments"].as_array().unwrap();
    assert!(!departments.is_empty(), "{body}");
    for department in departments {
        assert!(department["rooms"].is_u64(), "{body}");
        assert!(department.get("_id").is_some_and(|id| id.is_string() || id.is_null()), "{body}");
    }
}

#[test]
fn a_new_room_raises_its_departments_number_and_no_others() {
    let workspace = Workspace::start();
    workspace.has(&room("r1", Some("sales"), true));
    workspace.has(&room("r2", None, true));
    workspace.until_rooms(Some("sales"), "", 1);
    workspace.until_rooms(None, "", 1);
    workspace.has(&room("r3", Some("sales"), true));
    workspace.until_rooms(Some("sales"), "", 2);
    assert_eq!(workspace.rooms(None, ""), 1);
    assert_eq!(workspace.rooms(Some("sales"), "&departmentId=sales"), 2);
    assert_eq!(workspace.rooms(None, "&departmentId=sales"), 0);
}

#[test]
fn answered_asks_for_rooms_in_which_nobody_waits() {
    let workspace = Workspace::start();
    workspace.has(&room("r1", Some("sales"), true));
    workspace.has(&room("r2", Some("sales"), true));
    workspace.until_rooms(Some("sales"), "&answered=false", 2);
    assert_eq!(workspace.rooms(Some("sales"), "&answered=true"), 0);
    workspace.has(&room("r2", Some("sales"), false));
    workspace.until_rooms(Some("sales"), "&answered=true", 1);
    assert_eq!(workspace.rooms(Some("sales"), "&answered=false"), 1);
    assert_eq!(workspace.rooms(Some("sales"), ""), 2);
}
