//! The client with which the program itself asks others over HTTP.
//!
//! Owns how it is made: certificates as the system trusts them, a time limit, and neither
//! redirects nor the environment's proxies, since what is asked carries credentials that
//! are meant for one server.

use std::time::Duration;

use reqwest::{Client, redirect};

/// A client whose every request has so long, from its beginning to the end of its answer.
///
/// # Errors
/// When the certificates that the system trusts cannot be read; in words.
pub fn client(timeout: Duration) -> Result<Client, String> {
    // A second caller finds the first one's in its place, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("roomtally/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .build()
        .map_err(|error| cause(&error))
}

/// The innermost cause of a failure, which says the most, and no URL.
pub fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
