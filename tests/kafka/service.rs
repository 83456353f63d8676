//! A running `roomtally serve`, asked as its users ask it.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Reply};
use crate::model::Model;
use crate::program::{KillOnDrop, roomtally};
use crate::topic::Topic;
use crate::wait::until;

/// A configuration and a place for what a service writes; services may be
/// started from it one after the other.
#[derive(Debug)]
pub(crate) struct Setup {
    dir: Arc<TempDir>,
    topic: Topic,
    kafka: String,
    limits: String,
}

/// One process of the service.
#[derive(Debug)]
pub(crate) struct Service {
    process: KillOnDrop,
    address: String,
    log: PathBuf,
    topic: Topic,
    _dir: Arc<TempDir>,
}

impl Setup {
    pub(crate) fn new(topic: &Topic) -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        Self { dir, topic: topic.clone(), kafka: String::new(), limits: String::new() }
    }

    /// Adds lines to the section `[kafka]`.
    pub(crate) fn kafka(mut self, lines: &str) -> Self {
        self.kafka.push_str(lines);
        self
    }

    /// Adds lines to the section `[limits]`.
    pub(crate) fn limits(mut self, lines: &str) -> Self {
        self.limits.push_str(lines);
        self
    }

    /// Writes the configuration, with an address to listen on.
    pub(crate) fn config(&self, listen: &str) -> PathBuf {
        let Self { dir, topic: Topic { servers, name, .. }, kafka, limits } = self;
        let (data, path) = (dir.path().join("data"), dir.path().join("roomtally.toml"));
        let config = format!(
            r#"
[http]
listen = "{listen}"
[kafka]
bootstrap_servers = "{servers}"
topic = "{name}"
{kafka}
[snapshot]
dir = "{}"
[[auth.users]]
id = "myuser-name"
token_hash = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="
permissions = ["view-livechat-manager"]
[limits]
{limits}
"#,
            data.display()
        );
        fs::write(&path, config).unwrap();
        path
    }

    /// Starts the service; it answers when this returns, ready or not.
    pub(crate) fn serve(&self) -> Service {
        let log = self.dir.path().join("log");
        let file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let said_before = fs::read_to_string(&log).unwrap().len();
        let config = self.config("127.0.0.1:0");
        let child = roomtally().arg("serve").arg("--config").arg(config).stderr(file).spawn().unwrap();
        let mut service = Service {
            process: KillOnDrop::new(child),
            address: String::new(),
            log,
            topic: self.topic.clone(),
            _dir: Arc::clone(&self.dir),
        };
        service.address = until("the service says where it listens", || {
            let log = service.log();
            let address = log[said_before..].split_once("listening on http://")?.1.split_once([' ', '\n'])?.0;
            Some(address.to_owned())
        });
        service
    }
}

impl Service {
    pub(crate) fn get(&self, path: &str) -> Reply {
        http::get(&self.address, path).unwrap()
    }

    /// The answer to whether it is ready.
    pub(crate) fn ready(&self) -> (u16, Value) {
        let reply = self.get("/health/ready");
        (reply.status, reply.json())
    }

    pub(crate) fn kafka_state(&self) -> String {
        self.ready().1["kafka"]["state"].as_str().unwrap().to_owned()
    }

    /// Everything it has logged, those before it in the same place included.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The lines of its log that hold all of these.
    pub(crate) fn logged(&self, words: &[&str]) -> bool {
        self.log().lines().any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// A series of the metrics; 0 when there is none.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").body;
        let mut found = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.next().map_or(0.0, |value| value.parse().unwrap())
    }

    /// Records consumed: the sum over their results.
    pub(crate) fn consumed(&self) -> u64 {
        let text = self.get("/metrics").body;
        let lines = text.lines().filter(|line| line.starts_with("roomtally_events_total{"));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    }

    #[track_caller]
    pub(crate) fn has_consumed(&self, records: u64) {
        until(&format!("{records} records are consumed"), || (self.consumed() >= records).then_some(()));
        assert_eq!(self.consumed(), records);
    }

    /// Waits until it is ready and at the end of the topic. The end is asked for
    /// again and again: a transaction's markers are written after its commit.
    #[track_caller]
    pub(crate) fn reads_to_the_end(&self) {
        let reader = self.topic.reader();
        until("ready and at the topic's end", || {
            let ends: Vec<_> = self.topic.bounds_by(&reader).into_iter().map(|(_, end)| end).collect();
            let (status, body) = self.ready();
            let partitions = body["partitions"].as_array().unwrap();
            let at: Vec<_> = partitions.iter().map(|of| of["position"].as_i64().unwrap()).collect();
            (status == 200 && at == ends).then_some(())
        });
    }

    /// Compares the whole answer to every question with the model's.
    #[track_caller]
    pub(crate) fn answers(&self, model: &Model) {
        for question in model.questions() {
            let reply = self.get(&question.path());
            assert_eq!(reply.status, 200, "{question:?}: {reply:?}");
            assert_eq!(reply.json(), model.answer(&question), "{question:?}");
        }
        let gauge = self.metric("roomtally_rooms");
        assert_eq!(gauge.to_string(), model.rooms().to_string(), "roomtally_rooms");
    }

    /// Reads to the end, and compares.
    #[track_caller]
    pub(crate) fn agrees_with(&self, model: &Model) {
        self.reads_to_the_end();
        self.answers(model);
    }

    /// The counts' endpoint.
    pub(crate) fn counts(&self) -> Reply {
        self.get(&Model::default().questions()[0].path())
    }

    /// The instant of which the answers speak.
    pub(crate) fn as_of(&self) -> String {
        let reply = self.counts();
        reply.header("x-roomtally-as-of").unwrap_or_else(|| panic!("no as-of: {reply:?}")).to_owned()
    }

    #[track_caller]
    pub(crate) fn refuses_to_answer(&self) {
        let reply = self.counts();
        let body = serde_json::json!({"success": false, "error": "Service Unavailable"});
        assert_eq!((reply.status, reply.json()), (503, body));
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }

    #[track_caller]
    pub(crate) fn ends_within(&mut self, time: Duration) -> ExitStatus {
        self.process.ends_within(time, "the service has ended")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the service's log ---\n{}---", self.log());
        }
    }
}
