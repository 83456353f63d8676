//! `roomtally token`: a random token, shown once, and the stanza that lets it in.

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use rand::TryRng as _;

use super::{Failure, say};
use crate::config::TokenHash;

/// 256 bits from the system's source of randomness.
const TOKEN_BYTES: usize = 32;

#[derive(Debug, Args)]
pub(super) struct Token {
    /// What the user sends as X-User-Id
    #[arg(value_name = "USER_ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    user_id: String,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut random = [0; TOKEN_BYTES];
        let filled = rand::rngs::SysRng.try_fill_bytes(&mut random);
        filled.map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
        let token = URL_SAFE_NO_PAD.encode(random);
        say("# The token, shown only this once; the client sends it as X-Auth-Token:")?;
        say(format_args!("# {token}"))?;
        say("# Put this into the configuration file:")?;
        say(stanza(&self.user_id, &token).trim_end())?;
        Ok(())
    }
}

/// The configuration of a user who may ask with this token.
pub(super) fn stanza(user_id: &str, token: &str) -> String {
    let user = toml::Value::String(user_id.to_owned());
    let hash = TokenHash::of(token.as_bytes()).to_base64();
    format!(
        "[[auth.users]]\nid = {user}\ntoken_hash = \"{hash}\"\npermissions = [\"view-livechat-manager\"]\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_has_the_hash_that_upstream_stores() {
        let found = stanza("my\"user", "myauth-token");
        assert!(found.contains("token_hash = \"zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY=\""), "{found}");
        assert!(found.parse::<toml::Table>().is_ok(), "{found}");
    }
}
