//! The keys of `[webhook]`.
//!
//! Owns the secret's two names, and what it may be. Invariant: of the secret only the hash
//! is kept.

use super::key::{Key, Kind};
use super::mistake::Problem;
use super::secret::TokenHash;
use super::settings::Config;

const FORM: &str = "the secret that Rocket.Chat sends, or nothing: \"\"";

/// The row of the table of keys.
pub(super) const SECRET: Key = Key {
    path: "webhook.secret",
    kind: Kind::Secret { form: FORM, twin: "webhook.secret_file", store },
    default: r#""""#,
    flag: None,
    doc: "The secret that requests must carry in X-RocketChat-Livechat-Token; the same has to be \
          set in Rocket.Chat (Omnichannel, Webhooks, Secret Token). Empty: the webhook is off, and \
          its path is answered with 404.",
};

/// The row of its twin.
pub(super) const SECRET_FILE: Key = Key {
    path: "webhook.secret_file",
    kind: Kind::SecretFile { twin: "webhook.secret", store },
    default: r#""""#,
    flag: None,
    doc: "A file with the secret, instead of the secret itself. Empty: none.",
};

fn store(config: &mut Config, secret: &str) -> Result<(), Problem> {
    if secret != secret.trim() || secret.chars().any(char::is_control) {
        return Err(Problem::new("begins or ends with a blank, or has a line break in it")
            .remedy("write a secret without them: no HTTP header can carry them"));
    }
    config.webhook.secret = (!secret.is_empty()).then(|| TokenHash::of(secret.as_bytes()));
    Ok(())
}
