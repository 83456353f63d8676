//! Users of a Rocket.Chat server, through a socket: who is let in, what the server is
//! asked for that, and what becomes of them when it does not answer.
//!
//! The server is a stand-in with the answers of Rocket.Chat's public API.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rocketchat;
mod wire;

use std::time::{Duration, Instant};

use rocketchat::{ME, Mood, PERMISSIONS, RocketChat};
use roomtally::config::{Auth, AuthMode, Config, Http};
use wire::{Answer, PATH, Rooms, Service, rooms, settings};

const STOCK: [Rooms; 1] = [rooms(Some("a"), "2020-06-01T00:00:00Z", 3)];
const RESULT: &str =
    r#"{"departments":[{"rooms":3,"_id":"a"}],"count":1,"offset":0,"total":1,"success":true}"#;
const FORBIDDEN: &str = r#"{"success":false,"error":"User does not have the permissions required for this action [error-unauthorized]"}"#;
const UNAVAILABLE: &str = r#"{"success":false,"error":"Service Unavailable"}"#;

const DEADLINE: Duration = Duration::from_secs(20);

/// Users of this server, with verdicts that hold for long.
fn auth(server: &RocketChat) -> Auth {
    let url = Some(server.url().parse().unwrap());
    let calls_per_minute = 1_000;
    Auth { mode: AuthMode::RocketChat, url, calls_per_minute, ..Config::default().auth }
}

/// A service behind a proxy on this machine, so that a test can come from any address.
fn service(auth: &Auth) -> Service {
    let http = Http { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..settings() };
    Service::of_users(&STOCK, &http, auth)
}

#[track_caller]
fn ask_from(service: &Service, address: &str, id: &str, token: &str) -> Answer {
    let headers = format!("X-User-Id: {id}\r\nX-Auth-Token: {token}\r\nX-Forwarded-For: {address}\r\n");
    service.request(&format!("GET {PATH}?start=2020&end=2021"), &headers)
}

#[track_caller]
fn ask(service: &Service, id: &str, token: &str) -> Answer {
    ask_from(service, "192.0.2.1", id, token)
}

#[track_caller]
fn check(answer: &Answer, status: u16, body: &str, case: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, body), "{case}");
}

/// Refused for now, with a time to wait.
#[track_caller]
fn check_undecided(answer: &Answer, case: &str) -> u64 {
    check(answer, 503, UNAVAILABLE, case);
    answer.header("retry-after").expect(case).parse().expect(case)
}

/// Asks until the answer has this status.
#[track_caller]
fn wait_for(status: u16, mut ask: impl FnMut() -> Answer) -> Answer {
    let by = Instant::now() + DEADLINE;
    loop {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        assert!(Instant::now() < by, "{answer:?}, and never {status}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_holds_the_permission_by_a_role_is_let_in() {
    let server = RocketChat::start();
    for (id, roles) in [
        ("manager", &["user", "livechat-manager"][..]),
        ("monitor", &["livechat-monitor"]),
        ("admin", &["admin", "user"]),
        ("agent", &["user", "livechat-agent"]),
        ("nothing", &[]),
    ] {
        server.sign_in(id, "token", roles);
    }
    let service = service(&auth(&server));
    for id in ["manager", "monitor", "admin"] {
        check(&ask(&service, id, "token"), 200, RESULT, id);
    }
    for id in ["agent", "nothing"] {
        check(&ask(&service, id, "token"), 403, FORBIDDEN, id);
    }
    for (id, token) in [("manager", "wrong"), ("nobody", "token"), ("MANAGER", "token")] {
        let answer = ask(&service, id, token);
        check(&answer, 401, "", id);
        assert_eq!(answer.own_headers(), ["cache-control: no-store", "pragma: no-cache"]);
    }
    assert_eq!((server.asked(ME), server.asked(PERMISSIONS)), (8, 1), "roles are the same for all");
}

#[test]
fn which_roles_hold_the_permission_is_the_servers_to_say() {
    let server = RocketChat::start();
    server.allow(&["our-own-role"]);
    server.sign_in("a", "token", &["our-own-role"]);
    server.sign_in("b", "token", &["livechat-manager"]);
    let service = service(&auth(&server));
    check(&ask(&service, "a", "token"), 200, RESULT, "the workspace's own role");
    check(&ask(&service, "b", "token"), 403, FORBIDDEN, "the role that held it when it was installed");
}

#[test]
fn without_credentials_and_with_impossible_ones_nothing_is_asked() {
    let server = RocketChat::start();
    let service = service(&auth(&server));
    let long = "x".repeat(5_000);
    for headers in [
        String::new(),
        "X-User-Id: a\r\n".to_owned(),
        "X-Auth-Token: t\r\n".to_owned(),
        "X-User-Id: \r\nX-Auth-Token: t\r\n".to_owned(),
        "X-User-Id: a\r\nX-User-Id: a\r\nX-Auth-Token: t\r\n".to_owned(),
        format!("X-User-Id: {long}\r\nX-Auth-Token: t\r\n"),
        format!("X-User-Id: a\r\nX-Auth-Token: {long}\r\n"),
    ] {
        check(&service.request(&format!("GET {PATH}?start=2020&end=2021"), &headers), 401, "", &headers);
    }
    assert_eq!(server.asked(ME), 0);
}

#[test]
fn a_verdict_holds_so_that_the_server_is_asked_once() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    server.sign_in("agent", "token", &["livechat-agent"]);
    let service = service(&auth(&server));
    for _ in 0..50 {
        check(&ask(&service, "a", "token"), 200, RESULT, "a");
        check(&ask(&service, "agent", "token"), 403, FORBIDDEN, "agent");
        check(&ask(&service, "a", "wrong"), 401, "", "wrong");
    }
    assert_eq!((server.asked(ME), server.asked(PERMISSIONS)), (3, 1));
}

#[test]
fn requests_at_the_same_time_share_one_question() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    server.is(Mood::Hanging);
    let service = service(&auth(&server));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| ask(&service, "a", "token"))).collect();
        server.wait_asked(ME, 1);
        // Whoever comes while it is asked waits for the same answer, also who comes late.
        while service.in_flight() < 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.is(Mood::Well);
        for asking in asking {
            check(&asking.join().unwrap(), 200, RESULT, "at the same time");
        }
    });
    assert_eq!(server.asked(ME), 1);
}

#[test]
fn a_client_that_goes_away_does_not_end_the_question_for_the_others() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    server.is(Mood::Hanging);
    let service = service(&auth(&server));
    let mut gone = service.connect();
    let head = format!(
        "GET {PATH}?start=2020&end=2021 HTTP/1.1\r\nHost: test\r\nX-User-Id: a\r\nX-Auth-Token: token\r\n\r\n"
    );
    gone.write(head.as_bytes());
    server.wait_asked(ME, 1);
    drop(gone);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&service, "a", "token"));
        while service.in_flight() < 1 {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.is(Mood::Well);
        check(&asking.join().unwrap(), 200, RESULT, "who stayed");
    });
    assert_eq!(server.asked(ME), 1);
}

#[test]
fn who_signed_out_is_refused_once_the_verdict_is_over() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let service = service(&Auth { cache_ttl: Duration::from_millis(300), ..auth(&server) });
    check(&ask(&service, "a", "token"), 200, RESULT, "signed in");
    server.sign_out("a", "token");
    wait_for(401, || ask(&service, "a", "token"));
}

#[test]
fn a_user_in_use_is_asked_about_before_the_verdict_is_over() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let service = service(&Auth { cache_ttl: Duration::from_secs(10), ..auth(&server) });
    check(&ask(&service, "a", "token"), 200, RESULT, "first");
    // A server that hangs keeps nobody waiting whose verdict still holds.
    server.is(Mood::Hanging);
    let by = Instant::now() + DEADLINE;
    while server.asked(ME) < 2 {
        check(&ask(&service, "a", "token"), 200, RESULT, "meanwhile");
        assert!(Instant::now() < by, "the verdict was never renewed");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.is(Mood::Well);
}

#[test]
fn a_permission_that_is_taken_away_is_gone_with_the_verdict() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["livechat-manager"]);
    let service = service(&Auth { cache_ttl: Duration::from_millis(300), ..auth(&server) });
    check(&ask(&service, "a", "token"), 200, RESULT, "holds it");
    server.allow(&["admin"]);
    wait_for(403, || ask(&service, "a", "token"));
    server.allow(&["livechat-manager"]);
    wait_for(200, || ask(&service, "a", "token"));
}

#[test]
fn while_the_server_is_away_known_users_go_on_and_others_are_told_to_wait() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let (addr, service) = (server.addr, service(&auth(&server)));
    check(&ask(&service, "a", "token"), 200, RESULT, "before");
    check(&ask(&service, "a", "wrong"), 401, "", "before");
    drop(server);
    check_undecided(&ask(&service, "b", "token"), "not known");
    check(&ask(&service, "a", "token"), 200, RESULT, "known");
    check(&ask(&service, "a", "wrong"), 401, "", "known to be wrong");
    let server = RocketChat::start_at(addr);
    server.sign_in("b", "token", &["admin"]);
    wait_for(200, || ask(&service, "b", "token"));
}

#[test]
fn a_verdict_that_is_over_lets_nobody_in_while_the_server_is_away() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let service = service(&Auth { cache_ttl: Duration::from_millis(200), ..auth(&server) });
    check(&ask(&service, "a", "token"), 200, RESULT, "before");
    drop(server);
    let answer = wait_for(503, || ask(&service, "a", "token"));
    check_undecided(&answer, "over");
}

#[test]
fn a_slow_server_is_not_waited_for() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    server.is(Mood::Hanging);
    let service = service(&Auth { timeout: Duration::from_millis(100), ..auth(&server) });
    check_undecided(&ask(&service, "a", "token"), "slow");
    server.is(Mood::Well);
    wait_for(200, || ask(&service, "a", "token"));
}

#[test]
fn a_server_that_says_how_long_to_wait_is_left_alone_for_so_long() {
    for (said, waits) in [(Some(77), 77), (None, 60), (Some(10_000_000), 300)] {
        let server = RocketChat::start();
        server.is(Mood::Limiting(said));
        let service = service(&auth(&server));
        let case = format!("{said:?}");
        let wait = check_undecided(&ask(&service, "a", "token"), &case);
        assert_eq!(wait, waits, "{case}");
        for id in ["a", "b", "c"] {
            let wait = check_undecided(&ask(&service, id, "token"), &case);
            assert!(wait + 5 >= waits && wait <= waits, "{case}: {wait}");
        }
        assert_eq!(server.asked(ME), 1, "{case}");
    }
}

#[test]
fn what_is_not_understood_lets_nobody_in_and_refuses_nobody() {
    for (path, status, body) in [
        (ME, 200, ""),
        (ME, 200, "<html>Sign in</html>"),
        (ME, 200, "{}"),
        (ME, 200, r#"{"_id":"a"}"#),
        (ME, 200, r#"{"_id":"a","roles":"admin"}"#),
        (ME, 200, r#"{"_id":"b","roles":["admin"]}"#),
        (ME, 200, r#"{"_id":"a","roles":["admin"]"#),
        (ME, 204, ""),
        (ME, 403, "{}"),
        (ME, 404, "{}"),
        (ME, 500, "{}"),
        (ME, 502, "bad gateway"),
        (PERMISSIONS, 200, ""),
        (PERMISSIONS, 200, r#"{"update":[],"remove":[]}"#),
        (PERMISSIONS, 200, r#"{"update":[{"_id":"view-livechat-rooms","roles":["admin"]}]}"#),
        (PERMISSIONS, 200, r#"{"update":[{"_id":"view-livechat-manager","roles":"admin"}]}"#),
        (PERMISSIONS, 400, "{}"),
        (PERMISSIONS, 401, "{}"),
        (PERMISSIONS, 500, "{}"),
    ] {
        let server = RocketChat::start();
        server.sign_in("a", "token", &["admin"]);
        server.is(Mood::Answering(path, status, body));
        let service = service(&auth(&server));
        let case = format!("{path} {status} {body}");
        check_undecided(&ask(&service, "a", "token"), &case);
        server.is(Mood::Well);
        wait_for(200, || ask(&service, "a", "token"));
    }
}

#[test]
fn an_answer_without_end_is_not_read_on() {
    let server = RocketChat::start();
    let endless: &'static str = String::leak("x".repeat(5 << 20));
    server.is(Mood::Answering(ME, 200, endless));
    check_undecided(&ask(&service(&auth(&server)), "a", "token"), "5 MiB");
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let (server, elsewhere) = (RocketChat::start(), RocketChat::start());
    elsewhere.sign_in("a", "token", &["admin"]);
    server.is(Mood::Redirecting(format!("{}api/v1/me", elsewhere.url())));
    check_undecided(&ask(&service(&auth(&server)), "a", "token"), "redirected");
    assert_eq!((server.asked(ME), elsewhere.asked(ME)), (1, 0));
}

#[test]
fn strangers_cannot_use_up_the_calls_of_users() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let ttl = Duration::from_secs(6);
    let service = service(&Auth { calls_per_minute: 10, cache_ttl: ttl, ..auth(&server) });
    check(&ask(&service, "a", "token"), 200, RESULT, "first");
    let mut refused = [0, 0];
    for address in 0..40 {
        let answer = ask_from(&service, &format!("198.51.100.{address}"), "a", &format!("guess-{address}"));
        match answer.status {
            401 => refused[0] += 1,
            503 => refused[1] += usize::from(check_undecided(&answer, "a stranger") > 30),
            _ => panic!("{answer:?}"),
        }
    }
    // One call was the user's first, and one more is kept for that user.
    assert_eq!(refused, [8, 32]);
    let by = Instant::now() + DEADLINE;
    while server.asked(ME) < 10 {
        check(&ask(&service, "a", "token"), 200, RESULT, "the user, whose verdict is renewed");
        assert!(Instant::now() < by, "it was never renewed");
        std::thread::sleep(Duration::from_millis(10));
    }
    check(&ask(&service, "a", "token"), 200, RESULT, "the user, after it");
    check_undecided(&ask(&service, "a", "one more guess"), "a stranger");
    assert_eq!(server.asked(ME), 10, "no minute has more calls than the budget");
}

#[test]
fn guesses_at_the_same_time_leave_calls_to_the_others_too() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    server.is(Mood::Hanging);
    let service = service(&Auth { calls_per_minute: 10, ..auth(&server) });
    std::thread::scope(|scope| {
        let guess = |guess| ask_from(&service, "198.51.100.1", "a", &format!("guess-{guess}"));
        let guesses: Vec<_> = (0..20).map(|number| scope.spawn(move || guess(number))).collect();
        server.wait_asked(ME, 5);
        let refused = || guesses.iter().filter(|guess| guess.is_finished()).count();
        let by = Instant::now() + DEADLINE;
        while refused() < 15 {
            assert!(Instant::now() < by, "{} of 15", refused());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(server.asked(ME), 5);
        server.is(Mood::Well);
        let statuses = guesses.into_iter().map(|guess| guess.join().unwrap().status);
        assert_eq!(statuses.filter(|status| *status == 401).count(), 5);
    });
    check(&ask_from(&service, "198.51.100.2", "a", "token"), 200, RESULT, "another address");
}

#[test]
fn users_without_the_permission_keep_no_calls_for_themselves() {
    let server = RocketChat::start();
    let service = service(&Auth { calls_per_minute: 10, ..auth(&server) });
    for number in 0..9 {
        let token = format!("token-{number}");
        server.sign_in("agent", &token, &["livechat-agent"]);
        check(&ask(&service, "agent", &token), 403, FORBIDDEN, &token);
    }
    // Were they users in use, newcomers would have five calls in all.
    server.sign_in("a", "token", &["admin"]);
    check(&ask(&service, "a", "token"), 200, RESULT, "a newcomer");
}

#[test]
fn an_answer_about_one_that_is_not_understood_keeps_nobody_else_out() {
    for (status, body) in [(403, "{}"), (431, ""), (400, "{}"), (200, r#"{"_id":"b","roles":["admin"]}"#)] {
        let server = RocketChat::start();
        server.sign_in("a", "token", &["admin"]);
        let service = service(&auth(&server));
        server.is(Mood::Answering(ME, status, body));
        check_undecided(&ask(&service, "odd", "token"), body);
        server.is(Mood::Well);
        check(&ask(&service, "a", "token"), 200, RESULT, body);
    }
}

#[test]
fn all_who_wait_for_the_list_of_permissions_hear_the_same() {
    let server = RocketChat::start();
    for number in 0..10 {
        server.sign_in(&format!("user-{number}"), "token", &["admin"]);
    }
    server.is(Mood::HangingAt(PERMISSIONS));
    let timeout = Duration::from_secs(2);
    let service = service(&Auth { timeout, ..auth(&server) });
    let began = Instant::now();
    std::thread::scope(|scope| {
        let ask = |number| ask(&service, &format!("user-{number}"), "token");
        let asking: Vec<_> = (0..10).map(|number| scope.spawn(move || ask(number))).collect();
        for asking in asking {
            check_undecided(&asking.join().unwrap(), "the list does not come");
        }
    });
    // One after the other they would have waited for ten times as long.
    assert!(began.elapsed() < timeout * 6, "{:?}", began.elapsed());
    assert!(server.asked(PERMISSIONS) <= 3, "{}", server.asked(PERMISSIONS));
}

#[test]
fn an_address_with_wrong_credentials_leaves_calls_to_the_others() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let service = service(&Auth { calls_per_minute: 10, ..auth(&server) });
    let guesses =
        (0..20).map(|guess| ask_from(&service, "198.51.100.1", "a", &format!("guess-{guess}")).status);
    let guesses: Vec<_> = guesses.collect();
    assert_eq!(guesses.iter().filter(|status| **status == 401).count(), 5, "{guesses:?}");
    check(&ask_from(&service, "198.51.100.2", "a", "token"), 200, RESULT, "another address");
}

#[test]
fn an_address_over_its_limit_spends_no_calls_and_users_there_go_on() {
    let server = RocketChat::start();
    server.sign_in("a", "token", &["admin"]);
    let service = service(&Auth { failures_per_minute: 3, ..auth(&server) });
    check(&ask(&service, "a", "token"), 200, RESULT, "a user");
    for _ in 0..3 {
        check(&ask(&service, "a", "wrong"), 401, "", "within the limit");
    }
    for guess in 0..5 {
        assert_eq!(ask(&service, "a", &format!("guess-{guess}")).status, 429);
    }
    check(&ask(&service, "a", "token"), 200, RESULT, "a user at that address");
    assert_eq!(server.asked(ME), 2);
    check(&ask_from(&service, "192.0.2.2", "a", "guess"), 401, "", "another address");
}
