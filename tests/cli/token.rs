//! `roomtally token`: what it prints lets its token in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

use crate::process::{get, roomtally};
use crate::{ALL_ROOMS, broker, dir, run, write};

/// The token and the stanza that `roomtally token` prints.
fn token(user: &str) -> (String, String) {
    let said = run(&["token", user]).with_code(0).stdout;
    let comments = said.lines().filter_map(|line| line.strip_prefix("# "));
    let tokens: Vec<_> = comments.filter(|line| !line.contains(' ')).collect();
    assert_eq!(tokens.len(), 1, "one token, told once: {said}");
    assert_eq!(said.matches(tokens[0]).count(), 1, "{said}");
    (tokens[0].to_owned(), said.clone())
}

#[test]
fn the_stanza_has_the_hash_of_the_token() {
    for user in ["myuser-name", "o'brien \"x\" \\ ü", "-"] {
        let (token, stanza) = token(user);
        let table: toml::Table = stanza.parse().unwrap_or_else(|error| panic!("{error}\n{stanza}"));
        let users = table["auth"]["users"].as_array().expect("users");
        assert_eq!(users.len(), 1);
        assert_eq!(users[0]["id"].as_str(), Some(user));
        let hash = STANDARD.encode(Sha256::digest(&token));
        assert_eq!(users[0]["token_hash"].as_str(), Some(&*hash), "{stanza}");
        assert_eq!(users[0]["permissions"][0].as_str(), Some("view-livechat-manager"));
        // 256 bits in letters that every header and shell takes as they are.
        assert!(
            token.len() == 43
                && !token.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        );
    }
}

#[test]
fn no_two_tokens_are_alike() {
    assert_ne!(token("a").0, token("a").0);
}

#[test]
fn the_stanza_as_it_is_printed_lets_its_token_in_and_no_other() {
    let (broker, dir) = (broker(), dir());
    let ((one, first), (two, second)) = (token("one"), token("two"));
    write(dir.path(), "r.toml", &format!("{first}{second}"));
    let args = ["serve", "--config", "r.toml", "--listen", "127.0.0.1:0"];
    let servers = broker.bootstrap_servers();
    let mut running =
        roomtally(dir.path(), &[&args[..], &["--bootstrap-servers", &servers]].concat()).start();
    let address = running.address();
    let ask = |user: &str, token: &str| {
        let answer = get(address, ALL_ROOMS, &[("X-User-Id", user), ("X-Auth-Token", token)]);
        answer.map(|answer| answer.status)
    };
    running.until("an answer", |_| (ask("one", &one) == Some(200)).then_some(()));
    for (user, token, status) in [("two", &two, 200), ("one", &two, 401), ("two", &one, 401)] {
        assert_eq!(ask(user, token), Some(status), "{user}");
    }
    running.signal(Signal::TERM);
    running.ended().with_code(0);
}
