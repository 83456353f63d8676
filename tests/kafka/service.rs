//! A running `roomtally serve`, asked as its users ask it.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use roomtally::snapshot::{self, State};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::disk::Disk;
use crate::http::{self, Reply};
use crate::model::Model;
use crate::program::{self, Ended, KillOnDrop, roomtally};
use crate::topic::Topic;
use crate::wait::{until, within};

/// For a command.
const PATIENCE: Duration = Duration::from_mins(1);

/// In which a stop is noticed.
pub(crate) const NOTICED: Duration = Duration::from_secs(15);

/// In which a decision is taken.
const TAKEN: Duration = Duration::from_secs(5);

/// The user of the suite, whose token is `myauth-token`.
const USER: &str = r#"
[[auth.users]]
id = "myuser-name"
token_hash = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="
permissions = ["view-livechat-manager"]
"#;

/// A configuration and a place for what a service writes; services may be
/// started from it one after the other.
#[derive(Debug)]
pub(crate) struct Setup {
    dir: Arc<TempDir>,
    topic: Topic,
    /// Where the service looks for the broker.
    servers: String,
    kafka: String,
    limits: String,
    auth: String,
    snapshot: String,
    sections: String,
    /// Stands before the system's functions.
    library: Option<PathBuf>,
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
        fs::create_dir(dir.path().join("data")).unwrap();
        let servers = topic.servers.clone();
        let [kafka, limits, snapshot, sections] = std::array::from_fn(|_| String::new());
        let (topic, auth) = (topic.clone(), USER.to_owned());
        Self { dir, topic, servers, kafka, limits, auth, snapshot, sections, library: None }
    }

    /// The same place for the rooms of another topic.
    pub(crate) fn of(&self, topic: &Topic) -> Self {
        let dir = Arc::clone(&self.dir);
        Self { dir, ..Self::new(topic) }
    }

    /// Snapshots come often.
    pub(crate) fn often(mut self) -> Self {
        self.snapshot.push_str("interval = \"1s\"");
        self
    }

    /// Services stand on a disk that does what the test says.
    pub(crate) fn with_disk(mut self) -> (Self, Disk) {
        let (disk, library) = Disk::under(&self.data());
        self.library = Some(library);
        (self, disk)
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A file beside the data directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The names in the data directory.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// The newest state on the disk, without its rooms.
    pub(crate) fn state(&self) -> Option<State> {
        snapshot::newest_state(&snapshot::look(&self.data()).unwrap()).unwrap()
    }

    /// Where each partition stands on the disk.
    pub(crate) fn kept(&self) -> Vec<i64> {
        let state = self.state();
        state.iter().flat_map(|state| state.positions.all()).map(|(_, of)| of.next.as_offset()).collect()
    }

    /// A command on the data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Ended {
        let data = self.data();
        program::run(PATIENCE, &[arguments, &["--data-dir", data.to_str().unwrap()]].concat(), None)
    }

    /// Decides on a stop, which must be accepted.
    #[track_caller]
    pub(crate) fn resolve(&self, stop: &str, decision: &str) {
        let ended = self.command(&["resolve", stop, decision]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Starts a service that must end with 1 instead; what it said.
    #[track_caller]
    pub(crate) fn serve_is_refused(&self) -> String {
        let config = self.config("127.0.0.1:0");
        let ended = program::run(PATIENCE, &["serve", "--config", config.to_str().unwrap()], None);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended.stderr
    }

    /// The service reaches the broker here; the test goes on by its own way.
    pub(crate) fn through(self, servers: &str) -> Self {
        Self { servers: servers.to_owned(), ..self }
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

    /// The users are those of this Rocket.Chat server.
    pub(crate) fn of_rocketchat(self, url: &str) -> Self {
        Self {
            auth: format!("[auth]\nmode = \"rocketchat\"\nurl = \"{url}\"\ncalls_per_minute = 1000\n"),
            ..self
        }
    }

    /// Adds a section with its lines.
    pub(crate) fn section(mut self, lines: &str) -> Self {
        self.sections.push_str(lines);
        self
    }

    /// Writes the configuration, with an address to listen on.
    pub(crate) fn config(&self, listen: &str) -> PathBuf {
        let Self { dir, topic: Topic { name, .. }, servers, kafka, limits, auth, snapshot, sections, .. } =
            self;
        let (data, path) = (self.data(), dir.path().join("roomtally.toml"));
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
{snapshot}
{auth}
[limits]
{limits}
{sections}
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
        let mut command = roomtally();
        if let Some(library) = &self.library {
            command.env("LD_PRELOAD", library).env("FAULTS_OF", self.data());
        }
        let child = command.arg("serve").arg("--config").arg(config).stderr(file).spawn().unwrap();
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

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
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
            // A stopped partition tells no position.
            let at: Option<Vec<_>> = partitions.iter().map(|of| of["position"].as_i64()).collect();
            (status == 200 && at == Some(ends)).then_some(())
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

    pub(crate) fn partition(&self, number: usize) -> Value {
        self.ready().1["partitions"][number].clone()
    }

    /// Waits until these partitions are stopped; sees that nothing is answered, and
    /// says how they are stopped.
    #[track_caller]
    pub(crate) fn stops(&self, numbers: &[usize]) -> Vec<Value> {
        let stopped = within(NOTICED, "the partitions are stopped", || {
            let all: Vec<_> = numbers.iter().map(|&number| self.partition(number)).collect();
            all.iter().all(|of| of["state"] == "stopped").then_some(all)
        });
        self.refuses_to_answer();
        assert_eq!(self.ready().0, 503);
        assert_eq!(self.get("/health/live").status, 200, "the process stays up");
        for of in &stopped {
            let reason = format!("reason=\"{}\"", of["reason"].as_str().unwrap());
            // Whoever asks may come before the thread that stops a partition has said so.
            within(NOTICED, "the stop is told", || {
                let is_counted = self.metric(&format!("roomtally_integrity_stops_total{{{reason}}}")) > 0.0;
                let words = ["ERROR", "stopped", &reason, of["stop"].as_str().unwrap()];
                (is_counted && self.logged(&words)).then_some(())
            });
        }
        stopped
    }

    /// Waits until the decision on a partition's stop is taken.
    #[track_caller]
    pub(crate) fn takes_the_decision(&self, number: usize, id: &str) {
        within(TAKEN, "the decision is taken", || (self.partition(number)["stop"] != id).then_some(()));
    }

    /// Ends it in order.
    #[track_caller]
    pub(crate) fn ends(mut self) {
        self.signal(Signal::TERM);
        let ended = self.ends_within(Duration::from_secs(10));
        assert_eq!(ended.code(), Some(0), "{ended}");
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
