//! The program with the users of a Rocket.Chat server: what it says, and what it never does.

use rustix::process::Signal;

use crate::process::{get, roomtally};
use crate::rocketchat::{ME, Mood, RocketChat};
use crate::{ALL_ROOMS, TOPIC, broker, dir, write};

const TOKEN: &str = "RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f";
const GUESS: &str = "a-guess-that-is-none";

fn configuration(server: &RocketChat) -> String {
    format!("[auth]\nmode = 'rocketchat'\nurl = '{}'\n", server.url())
}

#[test]
fn tokens_are_logged_nowhere_and_an_outage_is_said_once() {
    let (broker, server, dir) = (broker(), RocketChat::start(), dir());
    server.sign_in("a", TOKEN, &["livechat-manager"]);
    write(dir.path(), "r.toml", &configuration(&server));
    let servers = broker.bootstrap_servers();
    let args = ["serve", "--config", "r.toml", "--listen", "127.0.0.1:0", "--bootstrap-servers", &servers];
    let program = roomtally(dir.path(), &[&args[..], &["--topic", TOPIC, "--log-level", "trace"]].concat());
    let mut running = program.env("RUST_LOG", "trace").start();
    let address = running.address();
    let status = |id: &str, token: &str| {
        get(address, ALL_ROOMS, &[("X-User-Id", id), ("X-Auth-Token", token)]).expect("an answer").status
    };
    running.until("an answer", |_| (status("a", TOKEN) == 200).then_some(()));
    assert_eq!(status("a", GUESS), 401);
    server.is(Mood::Answering(ME, 500, "{}"));
    for id in ["b", "c", "d"] {
        assert_eq!(status(id, TOKEN), 503);
    }
    assert_eq!(status("a", TOKEN), 200);
    server.is(Mood::Well);
    running.until("the end of the outage", |_| (status("e", TOKEN) == 401).then_some(()));
    running.signal(Signal::TERM);
    let ended = running.ended().with_code(0);
    for secret in [TOKEN, GUESS] {
        assert!(!ended.all().contains(secret), "{ended}");
    }
    assert!(!ended.stderr.contains("no user is configured"), "{ended}");
    for said in ["answers api/v1/me with 500", "decides on sign-ins again"] {
        let warnings = ended.stderr.lines().filter(|line| line.contains(said) && !line.contains("DEBUG"));
        assert_eq!(warnings.count(), 1, "{said}\n{ended}");
    }
}

#[test]
fn check_says_whether_the_server_answers() {
    let (broker, server, dir) = (broker(), RocketChat::start(), dir());
    write(dir.path(), "r.toml", &configuration(&server));
    let servers = broker.bootstrap_servers();
    let args = ["check", "--config", "r.toml", "--listen", "127.0.0.1:0", "--bootstrap-servers", &servers];
    let check = |code, line: &str| {
        let ended = roomtally(dir.path(), &args).run().with_code(code);
        let found = ended.stdout.lines().find(|line| line.contains("Rocket.Chat")).unwrap_or_default();
        assert!(found.starts_with(line), "{ended}");
    };
    let name = format!("Rocket.Chat {}", server.url());
    check(0, &format!("ok    {name}: answers"));
    server.is(Mood::Answering(ME, 200, "<html>"));
    check(1, &format!("FAIL  {name}: answers api/v1/me with 200 OK; is auth.url"));
    server.is(Mood::Redirecting("https://elsewhere.example.org/".to_owned()));
    check(1, &format!("FAIL  {name}: redirects api/v1/me to \"https://elsewhere.example.org/\""));
    drop(server);
    check(1, &format!("FAIL  {name}: cannot be asked: Connection refused"));
    write(dir.path(), "r.toml", "[auth]\nmode = 'rocketchat'\nurl = 'http://chat.example.org'");
    let ended = roomtally(dir.path(), &["check", "--offline", "--config", "r.toml"]);
    let ended = ended.env("ROOMTALLY_WEBHOOK__SECRET", "s3cret").run().with_code(0);
    assert!(ended.stdout.contains("ok    webhook: is taken at /webhooks/rocketchat"), "{ended}");
    assert!(ended.stdout.contains("http.trusted_proxies"), "{ended}");
    assert!(ended.stdout.contains("in clear"), "{ended}");
}

#[test]
fn a_server_over_tls_is_asked_if_its_certificate_is_trusted() {
    let (broker, dir) = (broker(), dir());
    let (server, certificate) = RocketChat::start_over_tls();
    write(dir.path(), "r.toml", &configuration(&server));
    write(dir.path(), "ca.pem", &certificate);
    let servers = broker.bootstrap_servers();
    let args = ["check", "--config", "r.toml", "--listen", "127.0.0.1:0", "--bootstrap-servers", &servers];
    let check = || roomtally(dir.path(), &args);
    let refused = check().run().with_code(1);
    assert!(
        refused.stdout.contains(&format!("FAIL  Rocket.Chat {}: cannot be asked: ", server.url())),
        "{refused}"
    );
    assert!(refused.stdout.contains("certificate"), "{refused}");
    let trusted = check().env("SSL_CERT_FILE", dir.path().join("ca.pem")).run().with_code(0);
    assert!(trusted.stdout.contains(&format!("ok    Rocket.Chat {}: answers", server.url())), "{trusted}");
}
