//! A server on a port of its own and a client that sees every byte.
//!
//! Owns how the tests reach the library: through its public doors and a socket.
//! Nothing waits for time to pass; every read has a deadline and fails at it.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roomtally::api::{Api, serve};
use roomtally::config::{Auth, Config, Http, TokenHash, UnauthorizedBody, User};
use roomtally::log::{NextOffset, Partition, Positions};
use roomtally::room::{Change, DepartmentId, RoomChange, RoomId, Timestamp};
use roomtally::status::{Ends, KafkaState, Status};
use roomtally::tally::{Apply, Outcome, TallyReader, tally};
use roomtally::telemetry::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const PATH: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";
pub const CREDENTIALS: &str = "X-User-Id: myuser-name\r\nX-Auth-Token: myauth-token\r\n";
pub const AS_OF: &str = "2026-11-22T10:00:00.000Z";

const DEADLINE: Duration = Duration::from_secs(20);
const MYAUTH_TOKEN: &str = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY=";
const OTHER_TOKEN: &str = "mKvHbpuMqYlkjo15nA68sXqlJ4hvDUDKrQL+ffChrE8=";
/// SHA-256 of `tökén` in UTF-8.
const ACCENTED_TOKEN: &str = "xhpwXjKROoWJIf7APH3AJZJQeD8349gjQee9pv5+eDM=";

/// So many rooms of one department, created at one instant.
#[derive(Clone, Copy)]
pub struct Rooms {
    pub department: Option<&'static str>,
    pub ts: &'static str,
    pub waiting: bool,
    pub number: u64,
}

pub const fn rooms(department: Option<&'static str>, ts: &'static str, number: u64) -> Rooms {
    Rooms { department, ts, waiting: false, number }
}

impl Rooms {
    pub const fn waiting(self) -> Self {
        Self { waiting: true, ..self }
    }
}

/// The built-in settings.
pub fn settings() -> Http {
    Http {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        unauthorized_body: UnauthorizedBody::Empty,
        cors_origins: Vec::new(),
        default_count: 50,
        upper_count_limit: 100,
        allow_infinite_count: true,
        max_connections: 1024,
        trusted_proxies: Vec::new(),
    }
}

/// A running server; dropping it stops it.
pub struct Service {
    pub addr: SocketAddr,
    pub status: Status,
    pub tally: TallyReader,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl Service {
    /// With these rooms, complete as of [`AS_OF`].
    pub fn ready(stock: &[Rooms]) -> Self {
        Self::with(stock, &settings())
    }

    pub fn with(stock: &[Rooms], http: &Http) -> Self {
        let service = Self::catching_up(stock, http);
        service.complete();
        service
    }

    /// The same for other users.
    pub fn of_users(stock: &[Rooms], http: &Http, auth: &Auth) -> Self {
        let service = Self::start(stock, http, auth, |api| api);
        service.complete();
        service
    }

    /// With these rooms, and a log whose end is not reached yet.
    pub fn catching_up(stock: &[Rooms], http: &Http) -> Self {
        Self::catching_up_as(stock, http, |api| api)
    }

    /// The same with something added to what it serves.
    pub fn catching_up_as(stock: &[Rooms], http: &Http, add: impl FnOnce(Api) -> Api) -> Self {
        Self::start(stock, http, &users(), add)
    }

    fn start(stock: &[Rooms], http: &Http, auth: &Auth, add: impl FnOnce(Api) -> Api) -> Self {
        let (status, metrics) = (Status::default(), Metrics::new());
        let tally = filled(stock);
        let now = roomtally::service::now;
        let stop = CancellationToken::new();
        let runtime = Runtime::new().unwrap();
        // Whatever the service begins belongs to the runtime that it runs on.
        let entered = runtime.enter();
        let api = add(Api::new(tally.clone(), status.clone(), metrics, now, http, auth));
        drop(entered);
        let listener = runtime.block_on(TcpListener::bind(http.listen)).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = runtime.spawn(serve(listener, api, stop.clone()));
        Self { addr, status, tally, stop, server: Some(server), runtime }
    }

    /// The broker said the log is empty, a while ago.
    pub fn complete(&self) {
        let (partition, start) = (Partition(0), NextOffset::START);
        self.status.set_kafka(KafkaState::Connected);
        let mut positions = Positions::default();
        positions.begin(partition, start);
        self.status.follow(&positions, [(partition, start)].into_iter());
        self.status.trust();
        self.status.heard_ends(Ends { at: instant(AS_OF), ends: [(partition, start)].into() });
    }

    /// One request on a connection of its own: the server's bytes to their end.
    #[track_caller]
    pub fn send(&self, head: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.write(head);
        connection.read_to_end()
    }

    /// A request with this first line (without version) and these header lines.
    #[track_caller]
    pub fn request(&self, line: &str, headers: &str) -> Answer {
        self.send(format!("{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n").as_bytes())
    }

    /// The endpoint, asked by one who may ask.
    #[track_caller]
    pub fn ask(&self, query: &str) -> Answer {
        self.request(&format!("GET {PATH}?{query}"), CREDENTIALS)
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Connection { stream, unread: Vec::new() }
    }

    /// How many requests are being answered beside the one that asks.
    #[track_caller]
    pub fn in_flight(&self) -> usize {
        let metrics = self.request("GET /metrics", "").body;
        let line = metrics.lines().find_map(|line| line.strip_prefix("roomtally_http_requests_in_flight "));
        line.and_then(|number| number.parse::<usize>().ok()).expect("the gauge") - 1
    }

    /// Tells the server to stop without waiting for it.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the server has returned.
    pub fn join(&mut self) {
        let server = self.server.take().unwrap();
        let ended = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, server).await });
        ended.expect("the server ends").unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn instant(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn filled(stock: &[Rooms]) -> TallyReader {
    let (mut writer, reader) = tally(100_000);
    let mut batch = writer.batch();
    let mut ids = (0..).map(|number| format!("room-{number}"));
    for of in stock {
        for _ in 0..of.number {
            let change = Change::Stated {
                ts: instant(of.ts),
                department: of.department.map(|id| DepartmentId::new(id).unwrap()),
                waiting: of.waiting,
            };
            let room = RoomChange { room: RoomId::new(ids.next().unwrap()).unwrap(), change };
            assert_eq!(batch.apply(&room, Apply::Always), Outcome::Counted);
        }
    }
    drop(batch);
    reader
}

fn users() -> Auth {
    let user = |id: &str, hash: &str, permissions: &[&str]| User {
        id: id.to_owned(),
        token_hash: TokenHash::new(STANDARD.decode(hash).unwrap().try_into().unwrap()),
        permissions: permissions.iter().map(|&held| held.to_owned()).collect(),
    };
    let manager = ["edit-room", "view-livechat-manager"];
    let users = vec![
        user("two-tokens", MYAUTH_TOKEN, &["edit-room"]),
        user("myuser-name", MYAUTH_TOKEN, &manager),
        user("agent", OTHER_TOKEN, &["view-livechat-rooms"]),
        user("two-tokens", OTHER_TOKEN, &manager),
        user("ünï", ACCENTED_TOKEN, &manager),
    ];
    Auth { users, ..Config::default().auth }
}

/// An open connection.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Whether nothing arrives for so long.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let silent = self.read_more().is_none();
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        silent
    }

    /// Whether the server has closed it and sent nothing before.
    pub fn has_ended(&mut self) -> bool {
        self.read_more() == Some(0)
    }

    /// Everything up to the end of the connection as one answer.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Answer {
        while self.read_more().expect("the connection ends") > 0 {}
        Answer::of(&self.unread)
    }

    /// One answer whose length is stated; more may follow.
    #[track_caller]
    pub fn read_one(&mut self) -> Answer {
        loop {
            if let Some(length) = Answer::stated_length(&self.unread)
                && length <= self.unread.len()
            {
                let answer = Answer::of(&self.unread[..length]);
                self.unread.drain(..length);
                return answer;
            }
            let read = self.read_more().expect("an answer comes");
            assert!(read > 0, "the connection ended within {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// How many bytes arrived, 0 at the end; nothing at the deadline.
    fn read_more(&mut self) -> Option<usize> {
        let mut bytes = [0; 16_384];
        match self.stream.read(&mut bytes) {
            Ok(read) => {
                self.unread.extend_from_slice(&bytes[..read]);
                Some(read)
            }
            Err(_) => None,
        }
    }
}

/// What the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub status_line: String,
    /// In the order of sending, names as they were sent.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    #[track_caller]
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("an answer in UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap().to_owned();
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        Self { status, status_line, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    /// The bytes of head and body, once the head is there.
    fn stated_length(bytes: &[u8]) -> Option<usize> {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let answer = Self::of(&bytes[..head]);
        let body: usize = answer.header("content-length")?.parse().unwrap();
        Some(head + body)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    /// The headers that the service sets, sorted, as `name: value`; without those
    /// of the protocol.
    #[track_caller]
    pub fn own_headers(&self) -> Vec<String> {
        let of_protocol = ["connection", "content-length", "date"];
        let own = self.headers.iter().filter(|(name, _)| !of_protocol.contains(&name.as_str()));
        let mut lines: Vec<_> = own.map(|(name, value)| format!("{name}: {value}")).collect();
        lines.sort();
        lines
    }
}
