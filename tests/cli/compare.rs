//! `roomtally compare`: Rocket.Chat and a running roomtally, asked the same.

use std::io::Write as _;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Ended, Running, get, roomtally};
use crate::rocketchat::{Department, Mood, RocketChat, Room};
use crate::{ALL_ROOMS, broker, dir, write};

const TOKEN: &str = "RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f";
const CREDENTIALS: [(&str, &str); 2] = [("X-User-Id", "manager"), ("X-Auth-Token", TOKEN)];

/// Rocket.Chat and roomtally with the same users and the same rooms, and the directory of
/// the latter's configuration.
struct Both {
    server: RocketChat,
    running: Running,
    dir: TempDir,
    address: String,
    _broker: roomtally::kafka::EmbeddedBroker,
}

/// Rooms of some departments, of none in both ways, answered and waiting, and on both ends
/// of the range that is asked for.
fn rooms() -> Vec<Room> {
    let instants = ["2026-01-01T00:00:00.000Z", "2026-01-15T10:20:30.405Z", "2026-01-31T23:59:59.999Z"];
    let outside = ["2025-12-31T23:59:59.999Z", "2026-02-01T00:00:00.000Z"];
    let departments = (0..7).map(|number| Department::Of(format!("department-{number}")));
    let departments: Vec<_> = departments.chain([Department::Missing, Department::Null]).collect();
    let instants = instants.into_iter().chain(outside).cycle();
    let numbered = departments.iter().cycle().zip(instants).enumerate().take(200);
    let room = |(number, (department, ts)): (usize, (&Department, &'static str))| Room {
        department: department.clone(),
        ts,
        waiting: number % 3 == 0,
    };
    numbered.map(room).collect()
}

/// The document of the room with this number, as change capture would bring it.
fn document(number: usize, room: &Room) -> String {
    let department = match &room.department {
        Department::Missing => String::new(),
        Department::Null => r#","departmentId":null"#.to_owned(),
        Department::Of(id) => format!(r#","departmentId":"{id}""#),
    };
    let (ts, waiting) = (room.ts, room.waiting);
    format!(
        r#"{{"_id":"room-{number}","t":"l","ts":{{"$date":"{ts}"}},"waitingResponse":{waiting}{department}}}"#
    )
}

impl Both {
    fn start() -> Self {
        let (broker, server, dir) = (broker(), RocketChat::start(), dir());
        server.sign_in("manager", TOKEN, &["livechat-manager"]);
        server.sign_in("agent", TOKEN, &["livechat-agent"]);
        let servers = broker.bootstrap_servers();
        let configuration = format!(
            "[http]\nlisten = '127.0.0.1:0'\n[kafka]\nbootstrap_servers = '{servers}'\n\
             [auth]\nmode = 'rocketchat'\nurl = '{}'\n",
            server.url()
        );
        write(dir.path(), "r.toml", &configuration);
        let mut running = roomtally(dir.path(), &["serve", "--config", "r.toml"]).start();
        let address = running.address().to_string();
        let both = Self { server, running, dir, address, _broker: broker };
        let rooms = rooms();
        let documents = rooms.iter().enumerate().map(|(number, room)| document(number, room));
        both.produce(&documents.collect::<Vec<_>>());
        rooms.into_iter().for_each(|room| both.server.has(room));
        both
    }

    fn produce(&self, lines: &[String]) {
        let args = ["produce", "--config", "r.toml"];
        let (running, mut input) = roomtally(self.dir.path(), &args).start_with_input();
        input.write_all(lines.join("\n").as_bytes()).expect("the lines are taken");
        drop(input);
        running.ended().with_code(0);
    }

    /// Waits until roomtally counts so many rooms.
    fn until_counted(&mut self, rooms: u64) {
        let address = self.address.parse().expect("an address");
        self.running.until("the rooms", |_| {
            let body = get(address, ALL_ROOMS, &CREDENTIALS)?.body;
            let body: serde_json::Value = serde_json::from_str(&body).ok()?;
            let rows = body["departments"].as_array()?.iter();
            (rows.filter_map(|row| row["rooms"].as_u64()).sum::<u64>() == rooms).then_some(())
        });
    }

    fn compare(&self, user: &str, more: &[&str]) -> Ended {
        let (url, server) = (self.server.url(), format!("http://{}", self.address));
        let args = ["compare", "--url", &url, "--server", &server, "--start", "2026-01-01"];
        let args = [&args[..], &["--end", "2026-01-31T23:59:59.999Z", "--user-id", user], more].concat();
        roomtally(self.dir.path(), &args).env("ROOMTALLY_TOKEN", TOKEN).run()
    }

    fn end(self) {
        self.running.signal(Signal::TERM);
        self.running.ended().with_code(0);
    }
}

#[test]
fn what_both_count_alike_is_no_difference_however_it_is_given() {
    let mut both = Both::start();
    both.until_counted(200);
    let all_at_once = both.compare("manager", &[]).with_code(0);
    assert_eq!(all_at_once.stdout, "no difference: 120 rooms in 8 departments\n", "{all_at_once}");
    both.server.gives_at_once(2);
    let page_by_page = both.compare("manager", &[]).with_code(0);
    assert_eq!(page_by_page.stdout, all_at_once.stdout, "{page_by_page}");
    both.end();
}

#[test]
fn differences_that_last_are_told_by_department_and_the_exit_code_says_so() {
    let mut both = Both::start();
    both.until_counted(200);
    // Two rooms that roomtally never heard of, and one that Rocket.Chat has not.
    let at = "2026-01-02T00:00:00.000Z";
    let of = |id: &str| Department::Of(id.to_owned());
    both.server.has(Room { department: of("department-1"), ts: at, waiting: false });
    both.server.has(Room { department: of("new"), ts: at, waiting: true });
    let unknown = Room { department: of("new"), ts: at, waiting: false };
    both.produce(&[document(9_999, &unknown)]);
    both.until_counted(201);
    let ended = both.compare("manager", &[]).with_code(1);
    let lines: Vec<_> =
        ended.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let numbers = |line: &[&str]| (line[0].to_owned(), line[1].to_owned(), line[4].to_owned());
    let told: Vec<_> = lines[1..4].iter().map(|line| numbers(line)).collect();
    let expected = [("department-1", "answered", "-1"), ("new", "answered", "+1"), ("new", "waiting", "-1")];
    let expected = expected.map(|(id, kind, by)| (id.to_owned(), kind.to_owned(), by.to_owned()));
    assert_eq!(told, expected, "{ended}");
    assert!(ended.stdout.contains("2 of 9 departments differ"), "{ended}");
    both.end();
}

#[test]
fn a_server_that_refuses_is_named_with_what_to_do() {
    let mut both = Both::start();
    both.until_counted(200);
    both.compare("agent", &[]).with_code(1).saying(&["roomtally at", "403", "view-livechat-manager"]);
    let ours = format!("http://{}", both.address);
    let ended = both.compare("manager", &["--url", &ours]);
    assert_eq!(ended.status.code(), Some(2), "{ended}");
    let args = ["compare", "--url", &ours, "--server", &ours, "--start", "2026-01-01", "--end", "2026-02-01"];
    let asked = |args: &[&str], token| {
        let args = [args, &["--user-id", "manager"]].concat();
        roomtally(both.dir.path(), &args).env("ROOMTALLY_TOKEN", token).run().with_code(1)
    };
    asked(&args, TOKEN).saying(&["leads to roomtally, not to Rocket.Chat"]);
    asked(&args, "").saying(&["the token is empty"]);
    let args = ["compare", "--url", &ours, "--start", "2026-02-01", "--end", "2026-01-01"];
    asked(&args, TOKEN).saying(&["lies after --end"]);
    both.compare("nobody", &[]).with_code(1).saying(&["Rocket.Chat at", "401", "the token is wrong"]);
    both.server.is(Mood::Limiting(None));
    both.compare("manager", &[]).with_code(1).saying(&["Rocket.Chat at", "asked too often"]);
    both.server.is(Mood::Redirecting("https://elsewhere.example.org/".to_owned()));
    both.compare("manager", &[]).with_code(1).saying(&["Rocket.Chat at", "sends the request elsewhere"]);
    both.server.is(Mood::Answering(crate::rocketchat::COUNTS, 200, "<html>"));
    both.compare("manager", &[]).with_code(1).saying(&["Rocket.Chat at", "not understood"]);
    let ended = both.compare("manager", &["--token-file", "none-of-that-name"]);
    assert_eq!(ended.status.code(), Some(1), "{ended}");
    assert!(!ended.all().contains(TOKEN), "{ended}");
    both.end();
}
