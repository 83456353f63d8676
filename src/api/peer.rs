//! The address that a request comes from.
//!
//! Owns how `X-Forwarded-For` is read. Invariant: nobody but a trusted proxy can make a
//! request come from another address than that of its connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

impl Peer {
    /// That of a request's connection.
    pub(super) fn of(request: &Request) -> Self {
        // The server says it of every connection; one that it did not say it of would be
        // everybody's.
        request.extensions().get().copied().unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }

    /// The address that the request comes from, through any number of these proxies: the
    /// last one in the header that is none of them. Each proxy adds the address that it was
    /// called from at the end, so what stands before that one may be anybody's invention.
    pub(super) fn client(self, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        let mut client = self.0.to_canonical();
        if !is_trusted(&client) {
            return client;
        }
        let lists = headers.get_all(FORWARDED_FOR).iter().rev().map(|list| list.to_str().unwrap_or_default());
        for text in lists.flat_map(|list| list.rsplit(',')) {
            let Some(address) = address(text.trim()) else { return client };
            client = address;
            if !is_trusted(&client) {
                break;
            }
        }
        client
    }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    inside.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        let forwarded = forwarded.iter().map(|list| (FORWARDED_FOR, list.parse().unwrap()));
        let client = Peer(peer.parse().unwrap()).client(&forwarded.collect(), &trusted);
        assert_eq!(client, expected.parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_connection_from_elsewhere_is_its_own_address_whatever_it_says() {
        check("192.0.2.1", &[], "192.0.2.1");
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("::ffff:192.0.2.1", &["198.51.100.7"], "192.0.2.1");
    }

    #[test]
    fn behind_a_trusted_proxy_it_is_the_last_address_that_is_no_proxy() {
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("::1", &["2001:db8::7"], "2001:db8::7");
        check("127.0.0.1", &["6.6.6.6, 198.51.100.7"], "198.51.100.7");
        check("127.0.0.1", &["6.6.6.6", "198.51.100.7"], "198.51.100.7");
        check("127.0.0.1", &["198.51.100.7, 10.1.2.3"], "198.51.100.7");
        check("::ffff:127.0.0.1", &["198.51.100.7,10.1.2.3"], "198.51.100.7");
        check("127.0.0.1", &["10.0.0.1, 10.0.0.2"], "10.0.0.1");
    }

    #[test]
    fn an_address_may_have_brackets_and_a_port_and_rubbish_ends_the_way_back() {
        check("127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7");
        check("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7");
        check("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7");
        check("127.0.0.1", &["198.51.100.7, unknown"], "127.0.0.1");
        check("127.0.0.1", &["198.51.100.7, unknown, 10.1.2.3"], "10.1.2.3");
        check("127.0.0.1", &[""], "127.0.0.1");
    }
}
