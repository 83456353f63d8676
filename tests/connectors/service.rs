//! `roomtally serve`, counting what a connector wrote.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::http::{self, Reply};
use crate::kept::Kept;
use crate::scenario::{Question, Rooms};
use crate::wait::within;

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(2);

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    process: Kept,
    address: String,
}

impl Service {
    /// Starts it in a directory of its own below `dir`, without waiting for it.
    pub(crate) fn start(servers: &str, topic: &str, dir: &Path) -> Self {
        let dir = dir.join(topic);
        fs::create_dir_all(dir.join("data")).unwrap();
        let config = dir.join("roomtally.toml");
        let text = format!(
            r#"
[http]
listen = "127.0.0.1:0"
[kafka]
bootstrap_servers = "{servers}"
topic = "{topic}"
[snapshot]
dir = "{}"
[[auth.users]]
id = "myuser-name"
token_hash = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="
permissions = ["view-livechat-manager"]
"#,
            dir.join("data").display()
        );
        fs::write(&config, text).unwrap();
        let command = [env!("CARGO_BIN_EXE_roomtally"), "serve", "--config", config.to_str().unwrap()];
        Self { process: Kept::start(&command, &[], &dir.join("log")), address: String::new() }
    }

    /// Waits until it has read everything.
    #[track_caller]
    pub(crate) fn is_ready(&mut self) {
        within(PATIENCE, "the service is ready", || {
            self.process.is_running();
            let log = self.process.log();
            let address = log.split_once("listening on http://")?.1.split_once([' ', '\n'])?.0;
            address.clone_into(&mut self.address);
            (self.get("/health/ready").status == 200).then_some(())
        });
    }

    fn get(&self, path: &str) -> Reply {
        http::get(&self.address, path).unwrap()
    }

    /// Compares whole answers; how many.
    #[track_caller]
    pub(crate) fn agrees_with(&self, rooms: &Rooms, what: &str) -> usize {
        let questions = rooms.questions();
        for question in &questions {
            let reply = self.get(&path(question));
            assert_eq!((reply.status, reply.json()), (200, answer(rooms, question)), "{what}: {question:?}");
        }
        let gauge = format!("roomtally_rooms {}\n", rooms.count());
        assert!(self.get("/metrics").body.contains(&gauge), "{what}: {gauge}");
        questions.len()
    }

    /// Records by what became of them, as `roomtally_events_total` has them.
    pub(crate) fn results(&self) -> Vec<(String, usize)> {
        let metrics = self.get("/metrics").body;
        let series = metrics.lines().filter_map(|line| line.strip_prefix("roomtally_events_total{result=\""));
        let of = |line: &str| {
            let (result, count) = line.split_once("\"} ").unwrap();
            (result.to_owned(), count.parse().unwrap())
        };
        series.map(of).collect()
    }
}

fn path(question: &Question) -> String {
    let iso = |ms| {
        let instant = chrono::DateTime::from_timestamp_millis(ms).unwrap();
        instant.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("start", &iso(question.start)).append_pair("end", &iso(question.end));
    query.append_pair("count", "0");
    if let Some(answered) = question.answered {
        query.append_pair("answered", if answered { "true" } else { "false" });
    }
    if let Some(department) = &question.department {
        query.append_pair("departmentId", department);
    }
    format!("/api/v1/livechat/analytics/departments/amount-of-chats?{}", query.finish())
}

fn answer(rooms: &Rooms, question: &Question) -> Value {
    let rows = rooms.rows(question);
    let departments: Vec<_> = rows.iter().map(|(id, rooms)| json!({"rooms": rooms, "_id": id})).collect();
    json!({
        "departments": departments, "count": rows.len(), "offset": 0, "total": rows.len(), "success": true,
    })
}
