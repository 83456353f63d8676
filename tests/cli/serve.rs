//! `roomtally serve` and `roomtally health`, with a broker and without.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Answer, Running, get, roomtally};
use crate::{ALL_ROOMS, CREDENTIALS, NOWHERE, USER, broker, dir, run, write};

/// Starts a service with the documented user.
fn serve(dir: &Path, servers: &str, flags: &[&str]) -> Running {
    write(dir, "r.toml", USER);
    let args = ["serve", "--config", "r.toml", "--listen", "127.0.0.1:0", "--bootstrap-servers", servers];
    roomtally(dir, &[&args[..], flags].concat()).env("ROOMTALLY_KAFKA__UNAVAILABLE_AFTER", "1s").start()
}

fn kafka_state(ready: &Answer) -> Option<String> {
    let body: Value = serde_json::from_str(&ready.body).ok()?;
    assert_eq!(body["ready"], Value::Bool(ready.status == 200), "{body}");
    Some(body["kafka"]["state"].as_str()?.to_owned())
}

#[test]
fn without_a_broker_it_stays_up_says_so_and_answers_no_question() {
    let dir = dir();
    let mut running = serve(dir.path(), NOWHERE, &[]);
    let address = running.address();
    let ask = |path| get(address, path, &CREDENTIALS).expect("an answer");
    let refused = ask(ALL_ROOMS);
    assert_eq!(refused.body, r#"{"success":false,"error":"Service Unavailable"}"#);
    let wait = refused.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(refused.status == 503 && wait > Some(0), "{refused:?}");
    assert_eq!(ask("/health/live").status, 200);
    let ready = ask("/health/ready");
    assert_eq!((ready.status, kafka_state(&ready).as_deref()), (503, Some("connecting")));
    running.until("kafka.state unavailable", |_| {
        (kafka_state(&ask("/health/ready"))? == "unavailable").then_some(())
    });
    running.until("a word of it", |running| running.stderr().contains("cannot reach Kafka").then_some(()));
    assert_eq!(ask(ALL_ROOMS).status, 503);

    let listen = address.to_string();
    run(&["health", "--listen", &listen]).with_code(1).saying(&[r#""ready":false"#]);
    run(&["health", "--listen", &listen, "--live"]).with_code(0);
    run(&["serve", "--listen", &listen]).with_code(1).saying(&[&address.port().to_string(), "--listen"]);

    running.signal(Signal::TERM);
    let told = Instant::now();
    let ended = running.ended().with_code(0).saying(&[NOWHERE, "refused"]);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    // Everything is said through the log, and not once for every try.
    for line in ended.stderr.lines() {
        assert!(line.starts_with("20"), "{line:?} is no line of the log");
    }
    assert!(ended.stderr.matches("cannot reach Kafka").count() < 3, "{ended}");
}

#[test]
fn a_signal_ends_a_start_without_broker_at_once() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = dir();
        let mut running = serve(dir.path(), NOWHERE, &[]);
        running.address();
        running.signal(signal);
        let told = Instant::now();
        running.ended().with_code(0);
        assert!(told.elapsed() < Duration::from_secs(5), "{signal:?} took {:?}", told.elapsed());
    }
}

#[test]
fn a_json_log_is_one_object_a_line() {
    let dir = dir();
    let mut running = serve(dir.path(), NOWHERE, &["--log-format", "json", "--log-level", "debug"]);
    running.address();
    running.until("a warning", |running| running.stderr().contains("cannot reach Kafka").then_some(()));
    running.signal(Signal::INT);
    let ended = running.ended().with_code(0);
    assert!(ended.stdout.is_empty(), "{ended}");
    for line in ended.stderr.lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}\n{ended}"));
        for name in ["timestamp", "level", "message"] {
            assert!(line[name].is_string(), "{name} in {line}");
        }
    }
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_helps() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let ended = run(&["serve", "--listen", &address.to_string()]).with_code(1);
    ended.saying(&[&format!("port {}", address.port()), "--listen"]);
}

#[test]
fn what_is_produced_is_counted_while_it_runs() {
    let (broker, dir) = (broker(), dir());
    let servers = broker.bootstrap_servers();
    let mut running = serve(dir.path(), &servers, &[]);
    let address = running.address();
    let ask = || get(address, ALL_ROOMS, &CREDENTIALS).expect("an answer");
    let empty = r#"{"departments":[],"count":0,"offset":0,"total":0,"success":true}"#;
    running.until("an answer", |_| (ask().body == empty).then_some(()));
    let listen = address.to_string();
    run(&["health", "--listen", &listen]).with_code(0).saying(&[r#""ready":true"#, r#""connected""#]);

    let events = "{\"event\":\"room-created\",\"_id\":\"a\",\"ts\":\"2020-09-09T00:11:22.345Z\"}\n\
                  {\"event\":\"room-created\",\"_id\":\"b\",\"ts\":\"2020-09-09\",\"departmentId\":\"d\"}\n\
                  {\"event\":\"room-updated\",\"_id\":\"a\",\"departmentId\":\"d\"}\n";
    write(dir.path(), "events", events);
    let args = ["produce", "--file", "events", "--bootstrap-servers", &servers];
    roomtally(dir.path(), &args).run().with_code(0).saying(&["3 records"]);
    let counted = r#"{"departments":[{"rooms":2,"_id":"d"}],"count":1,"offset":0,"total":1,"success":true}"#;
    running.until("both rooms", |_| (ask().body == counted).then_some(()));
    running.signal(Signal::TERM);
    running.ended().with_code(0);
}

#[test]
fn health_without_a_service_fails_and_names_the_address() {
    for flags in [&[][..], &["--live"]] {
        let args = [&["health", "--listen", NOWHERE][..], flags].concat();
        run(&args).with_code(1).saying(&[NOWHERE]);
    }
}
