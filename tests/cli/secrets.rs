//! No command prints a secret, whatever it is asked and however it fails.

use std::path::Path;

use rustix::process::Signal;

use crate::process::{Ended, roomtally};
use crate::{NOWHERE, dir, write};

/// In every secret.
const CANARY: &str = "cAnArY";

/// A hash with the canary in it.
const HASH: &str = "cAnArYDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY=";

const ENV: [(&str, &str); 2] = [
    ("ROOMTALLY_KAFKA__PROPERTIES__SSL_KEY_PASSWORD_FILE", "key-password"),
    ("ROOMTALLY_KAFKA__PROPERTIES__SASL_PASSWORD", "cAnArY-from-the-environment"),
];

fn configuration(more: &str) -> String {
    format!(
        "[http]\nlisten = '127.0.0.1:0'\n[kafka]\nbootstrap_servers = '{NOWHERE}'\n\
         [kafka.properties]\n'sasl.password' = '{CANARY}-from-the-file'\n'sasl.username' = 'me'\n\
         'sasl.mechanism' = 'PLAIN'\n'security.protocol' = 'SASL_PLAINTEXT'\n'debug' = 'all'\n{more}\n\
         [[auth.users]]\nid = 'a'\ntoken_hash = '{HASH}'\npermissions = ['view-livechat-manager']\n"
    )
}

#[track_caller]
fn check(ended: &Ended) {
    let said = ended.all();
    let told = said.to_ascii_lowercase();
    assert!(!told.contains(&CANARY.to_ascii_lowercase()), "{ended}");
    assert!(!told.is_empty(), "{ended}");
}

fn program(dir: &Path, args: &[&str]) -> crate::process::Program {
    let program = roomtally(dir, &[args, &["--config", "r.toml"]].concat());
    program.env(ENV[1].0, ENV[1].1).env("RUST_LOG", "trace").env("ROOMTALLY_SECRET", CANARY)
}

#[test]
fn no_secret_is_shown_where_the_configuration_is_good() {
    let dir = dir();
    write(dir.path(), "r.toml", &configuration(""));
    check(&program(dir.path(), &["config", "show"]).run().with_code(0));
    check(&program(dir.path(), &["check", "--offline"]).run().with_code(0));
    check(&program(dir.path(), &["health", "--listen", NOWHERE]).run().with_code(1));
    let checking = program(dir.path(), &["check", "--log-level", "trace"]).start();
    let serving = ["text", "json"].map(|format| {
        std::fs::create_dir(dir.path().join(format)).expect("a data directory of its own");
        let args = ["serve", "--log-level", "trace", "--log-format", format, "--data-dir", format];
        program(dir.path(), &args).start()
    });
    check(&checking.ended().with_code(1));
    for mut running in serving {
        running.until("a try to connect", |running| running.stderr().contains("Connect to").then_some(()));
        running.signal(Signal::TERM);
        check(&running.ended().with_code(0));
    }
}

#[test]
fn no_secret_is_shown_where_the_configuration_is_wrong() {
    let dir = dir();
    write(dir.path(), "key-password", CANARY);
    let wrong = [
        configuration("'no.such.password' = 'cAnArY'"),
        configuration("'no.such' = 'cAnArY'"),
        configuration("'ssl.key.pem' = 'cAnArY'"),
        configuration("'sasl.oauthbearer.config' = ['cAnArY']"),
        configuration("'sasl.password_file' = 'key-password'"),
        configuration("'ssl.key.password' = { x = 'cAnArY' }"),
        configuration("'sasl.jaas.config' = cAnArY"),
        configuration("'sasl.password' = 'cAnArY'"),
        configuration("'fetch.min.bytes' = 'cAnArY'"),
        configuration("").replace("token_hash", "tokenhash"),
        configuration("").replace(HASH, "cAnArY"),
        configuration("").replace(&format!("'{HASH}'"), "\"cAnArY"),
        configuration("").replace(&format!("'{HASH}'"), "['cAnArY']"),
        configuration("").replace("token_hash =", "token_hash_file = 'key-password'\ntoken_hash ="),
    ];
    for text in wrong {
        write(dir.path(), "r.toml", &text);
        for command in [&["config", "show"][..], &["serve", "--log-level", "trace"]] {
            let ended = program(dir.path(), command).run();
            assert_eq!(ended.status.code(), Some(78), "{text}\n{ended}");
            check(&ended);
        }
    }
    write(dir.path(), "r.toml", "");
    for users in ["cAnArY", "[{ id = 'a', token_hash = 'cAnArY', permissions = [] }", "[{ cAnArY }]"] {
        let program = program(dir.path(), &["config", "show"]).env("ROOMTALLY_AUTH__USERS", users);
        check(&program.env(ENV[0].0, ENV[0].1).run().with_code(78));
    }
}
