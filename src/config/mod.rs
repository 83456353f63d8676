//! The configuration: which keys there are, where their values come from, and
//! what is wrong with them.
//!
//! Owns the layers, each of which overrides the one before it: built-in
//! defaults, a TOML file, the environment (`ROOMTALLY_<SECTION>__<KEY>`), flags.
//! Invariant: a [`Config`] exists only if every value of every layer was valid,
//! also of those that a higher layer overrides (the Kafka client judges its own
//! properties as they stand in the end), and no secret is ever part of a
//! [`Mistake`], a [`ShownKey`] or any `Debug` text.
//!
//! ```text
//! keys ── default ─┐
//! file ── TOML ────┤   node   ┌─▶ Config
//! env ─── text ────┼─────────▶│
//! flags ─ text ────┘  draft   └─▶ ShownKey per key, or every Mistake at once
//! ```
//!
//! The table in `keys` is the one source of the keys, their defaults, the
//! annotated default file and the reference: a new key is a new row in it and a
//! new field in `settings`.

mod annotated;
mod draft;
mod env;
mod file;
mod key;
mod keys;
mod load;
mod mistake;
mod nearest;
mod node;
mod properties;
mod reference;
mod secret;
mod settings;
mod syntax;
mod units;
mod users;

#[cfg(test)]
mod tests;

/// The address of a server over HTTP, as `auth.url` takes it and with a slash at its end.
///
/// # Errors
/// What is wrong with it, in words.
pub fn base_url(text: &str) -> Result<url::Url, String> {
    syntax::base_url(text).map_err(|problem| problem.wrong)
}

pub use annotated::annotated_default;
pub use load::{ClientCheck, ClientFault, Loaded, ShownKey, Sources, load};
pub use mistake::{Layer, Mistake, Mistakes};
pub use reference::reference;
pub use secret::{Property, TokenHash};
pub use settings::{
    Auth, AuthMode, Config, DeadLetter, Http, Kafka, Limits, Log, LogFormat, Snapshot, UnauthorizedBody,
    User, Webhook,
};
