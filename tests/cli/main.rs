//! The command line from outside: what each command prints, and how it ends.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails with the reason")]

#[path = "../process/mod.rs"]
mod process;
#[path = "../rocketchat/mod.rs"]
mod rocketchat;

mod check;
mod compare;
mod configuration;
mod produce;
mod secrets;
mod serve;
mod sign_in;
mod token;

use std::fs;
use std::path::Path;

use process::{Ended, roomtally};
use roomtally::kafka::EmbeddedBroker;
use tempfile::TempDir;

/// Nothing listens there.
const NOWHERE: &str = "127.0.0.1:1";

const TOPIC: &str = "livechat.rooms";

/// The user of the documented example, whose token is `myauth-token`.
const USER: &str = r#"
[[auth.users]]
id = "myuser-name"
token_hash = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="
permissions = ["view-livechat-manager"]
"#;

const CREDENTIALS: [(&str, &str); 2] = [("X-User-Id", "myuser-name"), ("X-Auth-Token", "myauth-token")];

/// The endpoint, asked for every room.
const ALL_ROOMS: &str =
    "/api/v1/livechat/analytics/departments/amount-of-chats?start=2000-01-01&end=2100-01-01";

/// An empty working directory, but for the data directory that a service wants.
fn dir() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("data")).expect("a data directory");
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).expect("a file");
}

fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start(TOPIC, 3).expect("a broker")
}

/// Runs it in an empty directory.
fn run(args: &[&str]) -> Ended {
    let dir = dir();
    roomtally(dir.path(), args).run()
}

#[test]
fn wrong_usage_ends_with_2_and_says_how_to_get_help() {
    for args in [
        &[][..],
        &["count"],
        &["serve", "--bootstrap-server", "x"],
        &["serve", "now"],
        &["serve", "--listen"],
        &["demo", "--topic", "x"],
        &["produce", "--file"],
        &["replay", "now"],
        &["check", "--online"],
        &["token"],
        &["token", ""],
        &["token", "a", "b"],
        &["config"],
        &["config", "print"],
        &["health", "--ready"],
    ] {
        let ended = run(args).with_code(2);
        assert!(ended.stdout.is_empty() && ended.stderr.contains("--help"), "{ended}");
    }
}

#[test]
fn help_names_every_command_and_every_flag() {
    const CONFIG: &[&str] = &["--config", "--log-format", "--log-level"];
    const TOPIC: &[&str] = &["--bootstrap-servers", "--topic"];
    const SERVICE: &[&str] = &["--listen", "--data-dir"];
    let commands: &[(&[&str], &[&[&str]])] = &[
        (
            &[],
            &[&[
                "serve",
                "demo",
                "produce",
                "replay",
                "check",
                "compare",
                "resolve",
                "snapshot",
                "token",
                "config",
                "health",
                "--version",
            ]],
        ),
        (&["serve"], &[CONFIG, TOPIC, SERVICE]),
        (&["demo"], &[&["--listen", "--log-format", "--log-level", "127.0.0.1:3000"]]),
        (&["produce"], &[CONFIG, TOPIC, &["--file", "--if-unknown", "--skip-invalid"]]),
        (&["replay"], &[CONFIG, TOPIC, &["--if-unknown"]]),
        (&["check"], &[CONFIG, TOPIC, SERVICE, &["--offline"]]),
        (
            &["compare"],
            &[
                CONFIG,
                &["--url", "--server", "--start", "--end", "--user-id", "--token-file", "--own-user-id"],
            ],
        ),
        (&["token"], &[&["USER_ID", "X-User-Id"]]),
        (&["config"], &[&["show"]]),
        (&["config", "show"], &[CONFIG, TOPIC, SERVICE]),
        (&["health"], &[CONFIG, &["--listen", "--live"]]),
    ];
    for (command, flags) in commands {
        let mut args = command.to_vec();
        args.push("--help");
        let ended = run(&args).with_code(0).saying(&flags.concat());
        assert!(ended.stderr.is_empty(), "{ended}");
        let widest = ended.stdout.lines().map(str::len).max();
        assert!(widest <= Some(120), "{ended}");
    }
    run(&["--version"]).with_code(0).saying(&[concat!("roomtally ", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let program = env!("CARGO_BIN_EXE_roomtally");
    for command in ["config show", "token someone", "check --offline"] {
        let script = format!("{program} {command} | exec true");
        for _ in 0..5 {
            let ended = std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell");
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert!(stderr.is_empty(), "{command}: {stderr}");
        }
    }
}
