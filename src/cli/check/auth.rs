//! Whether somebody can sign in.

use std::io;

use super::Findings;
use crate::auth::Upstream;
use crate::config::{Auth, AuthMode, Config};

/// What the configuration alone tells.
pub(super) fn warn_of_configuration(config: &Config, findings: &mut Findings) -> io::Result<()> {
    let Config { auth, http, .. } = config;
    if auth.mode == AuthMode::Tokens && auth.users.is_empty() {
        findings.warn(
            "auth",
            "no user is configured, so every question is refused with 401; see `roomtally token`",
        )?;
    }
    let Some(url) = &auth.url else { return Ok(()) };
    let is_near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if auth.mode == AuthMode::RocketChat && url.scheme() == "http" && !is_near {
        findings.warn(
            "auth",
            &format!("tokens go to {url} in clear; use https unless the network between is yours alone"),
        )?;
    }
    // Nobody but a proxy reaches such an address from elsewhere.
    if auth.mode == AuthMode::RocketChat && http.listen.ip().is_loopback() && http.trusted_proxies.is_empty()
    {
        findings.warn(
            "auth",
            "behind a reverse proxy all users count as one address, and wrong credentials of one keep new ones \
             out; name the proxy in http.trusted_proxies",
        )?;
    }
    Ok(())
}

/// Whether the server that knows the users answers.
pub(super) async fn reach_server(auth: &Auth, findings: &mut Findings) -> io::Result<()> {
    let (AuthMode::RocketChat, Some(url)) = (auth.mode, &auth.url) else { return Ok(()) };
    let what = format!("Rocket.Chat {url}");
    match Upstream::new(url, auth.timeout).greet().await {
        Ok(()) => findings.fine(&what, "answers, and asks for credentials"),
        Err(no_answer) => findings.fail(&what, &no_answer.to_string()),
    }
}
