//! Kafka Connect with the connectors, and the database that they read.
//!
//! Owns both processes. Connectors are given to it through its REST interface, as an
//! operator does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::jars::Jars;
use crate::kept::Kept;
use crate::node::free_port;
use crate::wait::within;

/// Until a JVM answers on a busy machine.
const STARTED: Duration = Duration::from_mins(2);

/// For one question.
const ANSWERED: Duration = Duration::from_mins(1);

/// The database.
#[derive(Debug)]
pub(crate) struct ScriptedMongoDb {
    _process: Kept,
    /// Where it is, as connectors are told.
    pub(crate) address: String,
}

impl ScriptedMongoDb {
    pub(crate) fn start(jars: &Jars, dir: &Path) -> Self {
        let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/connectors/scenario.json");
        // A stream that waits keeps its thread, and every connector has one.
        let command = [
            "java",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dio.netty.eventLoopThreads=64",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &jars.mongodb,
            "scripted.ScriptedMongoDb",
            scenario,
        ];
        let mut process = Kept::start(&command, &[], &dir.join("mongodb.log"));
        let address = within(STARTED, "the scripted MongoDB says where it is", || {
            process.is_running();
            process.log().lines().find(|line| line.starts_with("mongodb://")).map(str::to_owned)
        });
        Self { _process: process, address }
    }
}

/// The worker.
#[derive(Debug)]
pub(crate) struct Connect {
    process: Kept,
    address: String,
}

impl Connect {
    pub(crate) fn start(jars: &Jars, servers: &str, dir: &Path) -> Self {
        let (address, plugins) = (format!("127.0.0.1:{}", free_port()), &jars.plugins);
        let (properties, offsets) = (dir.join("worker.properties"), dir.join("offsets"));
        let worker = format!(
            "bootstrap.servers={servers}\nlisteners=HTTP://{address}\nplugin.path={plugins}\n\
             offset.storage.file.filename={}\nproducer.linger.ms=0\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n",
            offsets.display()
        );
        std::fs::write(&properties, worker).unwrap();
        let command = [
            "java",
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &jars.kafka,
            "org.apache.kafka.connect.cli.ConnectStandalone",
            properties.to_str().unwrap(),
        ];
        let process = Kept::start(&command, &[], &dir.join("connect.log"));
        let mut connect = Self { process, address };
        within(STARTED, "Kafka Connect answers", || {
            connect.process.is_running();
            let (status, _) = connect.ask("GET", "/connectors", None)?;
            (status == 200).then_some(())
        });
        connect
    }

    /// Starts a connector, from what an operator would post.
    #[track_caller]
    pub(crate) fn create(&self, connector: &Value) {
        let (status, answer) = self.ask("POST", "/connectors", Some(connector)).expect("an answer");
        assert_eq!(status, 201, "{connector} is taken: {answer}");
    }

    /// Fails if the connector has.
    #[track_caller]
    pub(crate) fn is_well(&mut self, name: &str) {
        self.process.is_running();
        let (status, answer) =
            self.ask("GET", &format!("/connectors/{name}/status"), None).expect("an answer");
        assert!(
            status == 200 && !answer.contains("FAILED"),
            "{name}: {status}\n{}",
            answer.replace("\\n", "\n")
        );
    }

    /// Ends a connector; what it has written is in the log when this returns.
    #[track_caller]
    pub(crate) fn delete(&self, name: &str) {
        let (status, answer) = self.ask("DELETE", &format!("/connectors/{name}"), None).expect("an answer");
        assert_eq!(status, 204, "{name} is deleted: {answer}");
    }

    /// One request. It is of HTTP 1.0, so that the answer ends with the connection.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(ANSWERED)).ok()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let (host, length) = (&self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of Kafka Connect's log ---\n{}\n---", self.process.last_lines());
        }
    }
}
