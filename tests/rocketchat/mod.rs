//! A stand-in for a Rocket.Chat server, as far as roomtally speaks with one.
//!
//! Owns the two answers about users and the endpoint's own, in the shapes of Rocket.Chat's
//! public API, and every way in which a server can fail to give them. It counts what it is
//! asked.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

pub const ME: &str = "/api/v1/me";
pub const PERMISSIONS: &str = "/api/v1/permissions.listAll";
pub const COUNTS: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";

/// The roles that hold the permission in a workspace as it is installed.
pub const MANAGERS: [&str; 3] = ["livechat-manager", "livechat-monitor", "admin"];

const DEADLINE: Duration = Duration::from_secs(20);

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    Well,
    /// It takes requests and answers none until it is well again.
    Hanging,
    /// The same for requests to this path.
    HangingAt(&'static str),
    /// It answers every request to this path with this.
    Answering(&'static str, u16, &'static str),
    /// It says 429, and for how many seconds if anything.
    Limiting(Option<u64>),
    /// It sends everybody elsewhere.
    Redirecting(String),
}

struct World {
    mood: Mood,
    /// By id and token: the roles.
    users: BTreeMap<(String, String), Vec<String>>,
    allowed: Vec<String>,
    asked: Vec<String>,
    rooms: Vec<Room>,
    rows_at_once: Option<usize>,
}

/// A room as the database has it.
#[derive(Debug, Clone)]
pub struct Room {
    pub department: Department,
    /// In the form that instants compare in as texts.
    pub ts: &'static str,
    pub waiting: bool,
}

/// None is stored in two ways, which make two rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Department {
    Missing,
    Null,
    Of(String),
}

#[derive(Clone)]
struct Shared {
    world: Arc<Mutex<World>>,
    well: Arc<Notify>,
}

/// A running server; it is away when dropped.
pub struct RocketChat {
    pub addr: SocketAddr,
    scheme: &'static str,
    shared: Shared,
    runtime: Option<Runtime>,
}

impl RocketChat {
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub fn start_at(addr: SocketAddr) -> Self {
        Self::start_with(addr, |listener| listener, "http")
    }

    /// Over TLS; also its certificate, which nobody but it has signed.
    pub fn start_over_tls() -> (Self, String) {
        let mut certificate = String::new();
        let over_tls = |listener| {
            let (listener, pem) = tls::Tls::over(listener);
            certificate = pem;
            listener
        };
        let server = Self::start_with(SocketAddr::from(([127, 0, 0, 1], 0)), over_tls, "https");
        (server, certificate)
    }

    fn start_with<L>(addr: SocketAddr, over: impl FnOnce(TcpListener) -> L, scheme: &'static str) -> Self
    where
        L: Listener<Addr = SocketAddr>,
    {
        let world = World {
            mood: Mood::Well,
            users: BTreeMap::new(),
            allowed: MANAGERS.map(str::to_owned).to_vec(),
            asked: Vec::new(),
            rooms: Vec::new(),
            rows_at_once: None,
        };
        let shared = Shared { world: Arc::new(Mutex::new(world)), well: Arc::new(Notify::new()) };
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind(addr)).unwrap();
        let addr = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let listener = over(listener);
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { addr, scheme, shared, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("{}://{}/", self.scheme, self.addr)
    }

    /// Knows a user with this token.
    pub fn sign_in(&self, id: &str, token: &str, roles: &[&str]) {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        self.world().users.insert((id.to_owned(), token.to_owned()), roles);
    }

    /// Has a room more.
    pub fn has(&self, room: Room) {
        self.world().rooms.push(room);
    }

    /// Gives no more rows at once, whatever it is asked for.
    pub fn gives_at_once(&self, rows: usize) {
        self.world().rows_at_once = Some(rows);
    }

    /// Knows the token no more.
    pub fn sign_out(&self, id: &str, token: &str) {
        self.world().users.remove(&(id.to_owned(), token.to_owned()));
    }

    /// These roles hold the permission from now on.
    pub fn allow(&self, roles: &[&str]) {
        self.world().allowed = roles.iter().map(|&role| role.to_owned()).collect();
    }

    pub fn is(&self, mood: Mood) {
        self.world().mood = mood;
        self.shared.well.notify_waiters();
    }

    /// How often this path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.world().asked.iter().filter(|asked| *asked == path).count()
    }

    /// Waits until this path was asked for so often.
    #[track_caller]
    pub fn wait_asked(&self, path: &str, times: usize) {
        let by = Instant::now() + DEADLINE;
        while self.asked(path) < times {
            assert!(Instant::now() < by, "{path} was asked for {} times, not {times}", self.asked(path));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }
}

impl Drop for RocketChat {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    shared.world.lock().unwrap().asked.push(path.clone());
    loop {
        let well = shared.well.notified();
        let mood = shared.world.lock().unwrap().mood.clone();
        match mood {
            Mood::Hanging => well.await,
            Mood::HangingAt(at) if at == path => well.await,
            Mood::Answering(at, status, body) if at == path => {
                return (StatusCode::from_u16(status).unwrap(), body).into_response();
            }
            Mood::Limiting(Some(seconds)) => {
                let headers = [(header::RETRY_AFTER, seconds.to_string())];
                return (StatusCode::TOO_MANY_REQUESTS, headers, "{}").into_response();
            }
            Mood::Limiting(None) => return (StatusCode::TOO_MANY_REQUESTS, "{}").into_response(),
            Mood::Redirecting(to) => {
                return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response();
            }
            Mood::Well | Mood::HangingAt(_) | Mood::Answering(..) => {
                let query = request.uri().query().unwrap_or_default();
                return answer_well(&shared.world.lock().unwrap(), &path, query, request.headers());
            }
        }
    }
}

fn answer_well(world: &World, path: &str, query: &str, headers: &HeaderMap) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, token) = (header("x-user-id"), header("x-auth-token"));
    let Some(roles) = world.users.get(&(id.to_owned(), token.to_owned())) else {
        let body = r#"{"status":"error","message":"You must be logged in to do this."}"#;
        return (StatusCode::UNAUTHORIZED, body).into_response();
    };
    let body = match path {
        ME => serde_json::json!({
            "_id": id, "name": "A name", "emails": [{ "address": "a@example.org", "verified": true }],
            "status": "online", "statusConnection": "online", "username": "a.name", "utcOffset": 0,
            "active": true, "roles": roles, "settings": { "preferences": {} }, "success": true
        }),
        PERMISSIONS => serde_json::json!({
            "update": [
                { "_id": "access-permissions", "roles": ["admin"], "_updatedAt": "2020-01-01T00:00:00.000Z" },
                { "_id": "view-livechat-manager", "roles": world.allowed, "_updatedAt": "2020-01-01T00:00:00.000Z" },
                { "_id": "view-livechat-rooms", "roles": ["livechat-agent"], "_updatedAt": "2020-01-01T00:00:00.000Z" }
            ],
            "remove": [],
            "success": true
        }),
        COUNTS => world.counts(query),
        _ => return (StatusCode::NOT_FOUND, "{}").into_response(),
    };
    (StatusCode::OK, body.to_string()).into_response()
}

impl World {
    /// The endpoint's answer. Like releases since 6.0, it takes a question without
    /// `answered` for one about waiting rooms.
    fn counts(&self, query: &str) -> serde_json::Value {
        let given: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        let given = |name: &str| given.get(name).map(AsRef::as_ref).unwrap_or_default();
        let number = |name: &str| given(name).parse::<usize>().unwrap();
        let mut rows: BTreeMap<&Department, u64> = BTreeMap::new();
        for room in &self.rooms {
            let is_in = (given("start")..=given("end")).contains(&room.ts);
            if is_in && room.waiting != (given("answered") == "true") {
                *rows.entry(&room.department).or_default() += 1;
            }
        }
        let (offset, total) = (number("offset"), rows.len());
        let at_once = self.rows_at_once.unwrap_or(total);
        let id = |department: &Department| match department {
            Department::Missing | Department::Null => None,
            Department::Of(id) => Some(id.clone()),
        };
        let rows = rows.into_iter().rev().skip(offset).take(at_once);
        let rows =
            rows.map(|(department, rooms)| serde_json::json!({ "rooms": rooms, "_id": id(department) }));
        let rows: Vec<_> = rows.collect();
        serde_json::json!({
            "count": rows.len(), "departments": rows, "offset": offset, "total": total, "success": true
        })
    }
}
