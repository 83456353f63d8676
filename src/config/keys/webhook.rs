//! The keys of `[webhook]`.
//!
//! Owns the secret's two names, and what it may be. Invariant: of the secret only the hash
//! is kept.

use crate::config::key::{Key, Kind, Section};
use crate::config::mistake::Problem;
use crate::config::secret::TokenHash;
use crate::config::settings::Config;

/// The section.
pub(super) const SECTION: Section = Section {
    name: "webhook",
    doc: "Rocket.Chat's livechat webhook, for workspaces without change capture.",
    keys: KEYS,
};

const KEYS: &[Key] = &[
    Key {
        path: "webhook.secret",
        kind: Kind::Secret { form: FORM, twin: "webhook.secret_file", store },
        default: r#""""#,
        flag: None,
        doc: "The secret that requests must carry in X-RocketChat-Livechat-Token; the same has to be \
              set in Rocket.Chat (Omnichannel, Webhooks, Secret Token). Empty: the webhook is off, and \
              its path is answered with 404.",
    },
    Key {
        path: "webhook.secret_file",
        kind: Kind::SecretFile { twin: "webhook.secret", store },
        default: r#""""#,
        flag: None,
        doc: "A file with the secret, instead of the secret itself. Empty: none.",
    },
];

const FORM: &str = "the secret that Rocket.Chat sends, or nothing: \"\"";

fn store(config: &mut Config, secret: &str) -> Result<(), Problem> {
    if secret != secret.trim() || secret.chars().any(char::is_control) {
        return Err(Problem::new("begins or ends with a blank, or has a line break in it")
            .remedy("write a secret without them: no HTTP header can carry them"));
    }
    config.webhook.secret = (!secret.is_empty()).then(|| TokenHash::of(secret.as_bytes()));
    Ok(())
}
