//! Values that are texts with a form of their own: addresses, names, origins.
//!
//! Owns one reader per form. Invariant: what a reader accepts needs no second
//! look where it is used.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use url::Url;

use super::mistake::Problem;
use crate::room::Timestamp;

/// Any text but the empty one.
pub(super) fn not_empty(text: &str) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::new("is empty"));
    }
    Ok(text.to_owned())
}

/// A directory's path.
pub(super) fn directory(text: &str) -> Result<PathBuf, Problem> {
    if text.contains('\0') {
        return Err(Problem::new("contains a zero byte"));
    }
    not_empty(text).map(PathBuf::from)
}

/// One of a few words, each with its meaning.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
    choices
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| Problem::new(format!("{text:?} is not a choice")))
}

/// `IP:port`, or `localhost:port` for 127.0.0.1.
pub(super) fn address(text: &str) -> Result<SocketAddr, Problem> {
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| Problem::new(format!("{port:?} is not a port")))?;
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_| Problem::new(format!("{text:?} is not an IP address and port")))
}

/// `host:port`, comma separated; blanks around the commas are dropped.
pub(super) fn bootstrap_servers(text: &str) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new("is empty"));
    }
    let servers: Vec<_> = text.split(',').map(str::trim).collect();
    for server in &servers {
        check_server(server)?;
    }
    Ok(servers.join(","))
}

fn check_server(server: &str) -> Result<(), Problem> {
    if server.is_empty() {
        return Err(Problem::new("has an empty place between its commas"));
    }
    if server.contains("://") {
        return Err(Problem::new(format!("{server:?} has a protocol before it")).remedy(
            "write host:port alone, and the protocol as \"security.protocol\" \
             under [kafka.properties]",
        ));
    }
    let Some((_, port)) = server.rsplit_once(':').filter(|(host, _)| is_host(host)) else {
        return Err(Problem::new(format!("{server:?} is not host:port")));
    };
    check_port(port).map_err(|()| {
        Problem::new(format!("{port:?} in {server:?} is not a port"))
            .remedy("write a port from 1 to 65535, such as \"localhost:9092\"")
    })
}

/// Kafka's own rule for the names of topics.
pub(super) fn topic(text: &str) -> Result<String, Problem> {
    const LENGTH_MAX: usize = 249;
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() {
        return Err(Problem::new("is empty"));
    }
    if text.len() > LENGTH_MAX {
        return Err(Problem::new(format!(
            "is {} bytes long, and a topic's name has at most {LENGTH_MAX}",
            text.len()
        )));
    }
    if text == "." || text == ".." || !text.bytes().all(legal) {
        return Err(Problem::new(format!("{text:?} cannot be a topic's name")));
    }
    Ok(text.to_owned())
}

/// The empty text, or one of some form.
pub(super) fn optional(text: &str, read: fn(&str) -> Result<String, Problem>) -> Result<String, Problem> {
    if text.is_empty() { Ok(String::new()) } else { read(text) }
}

/// `*` or `scheme://host[:port]`, in lower case as browsers send it.
pub(super) fn origin(text: &str) -> Result<String, Problem> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let wrong = |why: &str| Problem::new(format!("{text:?} {why}"));
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(wrong("has no scheme"));
    };
    let scheme_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(scheme_legal) {
        return Err(wrong("has no proper scheme"));
    }
    if rest.contains(['/', '?', '#']) {
        return Err(wrong("has a path, and an origin has none"));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if !is_host(host) {
        return Err(wrong("has no proper host"));
    }
    if port.is_some_and(|port| check_port(port).is_err()) {
        return Err(wrong("has no proper port"));
    }
    Ok(text.to_ascii_lowercase())
}

/// The address of a server over HTTP, perhaps with a path in front of all of its own. It
/// ends with a slash, so that paths can be joined to it.
pub(super) fn base_url(text: &str) -> Result<Url, Problem> {
    if text.contains('@') {
        // Not repeated: there may be a password in it.
        return Err(Problem::new("has a user or a password in it"));
    }
    let wrong = |why: &str| Problem::new(format!("{text:?} {why}"));
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let mut url = url.ok_or_else(|| wrong("is no address that begins with http:// or https://"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment, and an address has none"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// An IP address, or a network of them as address/prefix.
pub(super) fn network(text: &str) -> Result<IpNet, Problem> {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(|| address(text));
    network.ok_or_else(|| Problem::new(format!("{text:?} is neither an IP address nor a network")))
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !host.is_empty() && host.bytes().all(legal)
}

fn check_port(port: &str) -> Result<(), ()> {
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ => Err(()),
    }
}

/// A date in the grammar of the endpoint, as epoch milliseconds.
pub(super) fn instant(text: &str) -> Result<i64, Problem> {
    let instant = Timestamp::parse(text);
    instant.map(Timestamp::as_millis).map_err(|_| Problem::new(format!("{text:?} is not a date")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: PartialEq + std::fmt::Debug>(
        read: fn(&str) -> Result<T, Problem>,
        text: &str,
        expected: Result<T, &str>,
    ) {
        let found = read(text).map_err(|problem| problem.wrong);
        assert_eq!(found, expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn an_address_is_an_ip_or_localhost_and_a_port() {
        let ok = |text: &str| Ok(text.parse().unwrap());
        check(address, "127.0.0.1:3000", ok("127.0.0.1:3000"));
        check(address, "[::]:0", ok("[::]:0"));
        check(address, "localhost:8080", ok("127.0.0.1:8080"));
        for text in ["", "3000", ":3000", "127.0.0.1", "example.org:80", "::1:80", "1.2.3.4:65536"] {
            let wrong = format!("{text:?} is not an IP address and port");
            check(address, text, Err(&wrong));
        }
        check(address, "localhost:http", Err("\"http\" is not a port"));
    }

    #[test]
    fn bootstrap_servers_each_have_a_host_and_a_port() {
        let ok = |text: &str| Ok(text.to_owned());
        check(bootstrap_servers, "localhost:9092", ok("localhost:9092"));
        check(bootstrap_servers, "a:1, b-c.d_e:65535", ok("a:1,b-c.d_e:65535"));
        check(bootstrap_servers, "[::1]:9092", ok("[::1]:9092"));
        check(bootstrap_servers, " ", Err("is empty"));
        check(bootstrap_servers, "a:1,", Err("has an empty place between its commas"));
        check(bootstrap_servers, "a", Err("\"a\" is not host:port"));
        check(bootstrap_servers, ":1", Err("\":1\" is not host:port"));
        check(bootstrap_servers, "::1:9092", Err("\"::1:9092\" is not host:port"));
        check(bootstrap_servers, "a:0", Err("\"0\" in \"a:0\" is not a port"));
        check(bootstrap_servers, "a:+1", Err("\"+1\" in \"a:+1\" is not a port"));
        check(bootstrap_servers, "a:65536", Err("\"65536\" in \"a:65536\" is not a port"));
        check(bootstrap_servers, "SSL://a:1", Err("\"SSL://a:1\" has a protocol before it"));
    }

    #[test]
    fn a_topic_has_a_name_that_kafka_allows() {
        check(topic, "livechat.rooms", Ok("livechat.rooms".to_owned()));
        check(topic, &"x".repeat(249), Ok("x".repeat(249)));
        check(topic, &"x".repeat(250), Err("is 250 bytes long, and a topic's name has at most 249"));
        check(topic, "", Err("is empty"));
        for text in [".", "..", "a b", "a/b", "ä"] {
            check(topic, text, Err(&format!("{text:?} cannot be a topic's name")));
        }
    }

    #[test]
    fn an_origin_is_a_star_or_scheme_host_and_port() {
        for text in
            ["*", "https://chat.example.org", "http://localhost:3000", "http://[::1]:80", "http://[::1]"]
        {
            check(origin, text, Ok(text.to_owned()));
        }
        check(origin, "HTTPS://Chat.Example.org", Ok("https://chat.example.org".to_owned()));
        for (text, why) in [
            ("", "has no scheme"),
            ("chat.example.org", "has no scheme"),
            ("://a", "has no proper scheme"),
            ("https://a/", "has a path, and an origin has none"),
            ("https://a?b", "has a path, and an origin has none"),
            ("https://", "has no proper host"),
            ("https://me@a", "has no proper host"),
            ("https://a:", "has no proper port"),
            ("https://a:0", "has no proper port"),
        ] {
            check(origin, text, Err(&format!("{text:?} {why}")));
        }
    }

    #[test]
    fn an_instant_is_epoch_milliseconds() {
        check(instant, "2000-01-01T00:00:00Z", Ok(946_684_800_000));
        check(instant, "1969-12-31T23:59:59.999Z", Ok(-1));
        check(instant, "2000-01-01T02:00:00+02:00", Ok(946_684_800_000));
        for text in ["", "yesterday", "2000-13-01T00:00:00Z"] {
            check(instant, text, Err(&format!("{text:?} is not a date")));
        }
    }

    #[test]
    fn a_servers_address_has_no_more_than_scheme_host_port_and_path() {
        let address = |text: &str| base_url(text).map(String::from);
        for (text, url) in [
            ("https://chat.example.org", "https://chat.example.org/"),
            ("HTTP://localhost:3000/chat", "http://localhost:3000/chat/"),
            ("http://[::1]:3000/a/b/", "http://[::1]:3000/a/b/"),
        ] {
            check(address, text, Ok(url.to_owned()));
        }
        for (text, why) in [
            ("", "is no address that begins with http:// or https://"),
            ("chat.example.org", "is no address that begins with http:// or https://"),
            ("ftp://chat.example.org", "is no address that begins with http:// or https://"),
            ("https://", "is no address that begins with http:// or https://"),
            ("https://a/?b", "has a query or a fragment, and an address has none"),
            ("https://a/#b", "has a query or a fragment, and an address has none"),
        ] {
            check(address, text, Err(&format!("{text:?} {why}")));
        }
        for text in ["https://me:hunter2@a", "ftp://me:hunter2@a", "https://me:hunter2@"] {
            check(address, text, Err("has a user or a password in it"));
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let shown = |text: &str| network(text).map(|network| network.to_string());
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("fd00::/8", "fd00::/8"),
        ] {
            check(shown, text, Ok(expected.to_owned()));
        }
        for text in ["", "proxy", "10.0.0.0/33", "127.0.0.1:80", "*"] {
            check(shown, text, Err(&format!("{text:?} is neither an IP address nor a network")));
        }
    }
}
