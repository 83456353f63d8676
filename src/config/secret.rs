//! Values that nobody but their user may see.
//!
//! Owns how secrets are held, shown and read from files. Invariant: `Debug` and
//! `Display` of what is defined here never contain a secret, and the content of
//! a secret's file never gets into an error.

use std::{fmt, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::mistake::Problem;

/// What stands in the place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// The value of one property of the Kafka client.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    value: String,
    secret: bool,
}

impl Property {
    /// A value for the property `name`, which decides whether it is a secret.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { value: value.into(), secret: is_secret_property(name) }
    }

    /// The value itself, for the Kafka client only.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether the value is hidden wherever it is shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { HIDDEN } else { &self.value })
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret { f.write_str(HIDDEN) } else { write!(f, "{:?}", self.value) }
    }
}

/// Whether a Kafka client property of this name holds a secret.
///
/// By name, so that a property that a later client adds is hidden too:
/// passwords, passphrases, secrets and tokens, keys in PEM form, and the two
/// `sasl` properties that carry credentials inside a longer text.
pub(super) fn is_secret_property(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passphrase", "secret", "token"].iter().any(|word| name.contains(word))
        || name.rsplit('.').next() == Some("pem")
        || name == "sasl.oauthbearer.config"
        || name == "sasl.jaas.config"
}

/// SHA-256 of a token, the form in which Rocket.Chat stores login tokens.
#[derive(Clone)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token as it comes in the header.
    pub fn of(token: &[u8]) -> Self {
        Self::new(Sha256::digest(token).into())
    }

    /// The hash as Rocket.Chat stores it: base64, standard alphabet, padded.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.as_bytes())
    }

    /// Takes over a hash.
    pub fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The hash, to be compared in constant time.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads padded base64 in the standard alphabet.
    pub(super) fn from_base64(text: &str) -> Result<Self, Problem> {
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| Problem::new("is not base64 in the standard alphabet with its padding"))?;
        let length = bytes.len();
        let hash = bytes
            .try_into()
            .map_err(|_| Problem::new(format!("is {length} bytes long, and a SHA-256 hash has 32 bytes")))?;
        Ok(Self(hash))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Reads the secret that a `_file` key names: the file's text without one
/// newline at its end.
pub(super) fn read_file(path: &str) -> Result<String, Problem> {
    let unreadable = |why: String| {
        Problem::new(format!("cannot read the secret's file {path:?}: {why}"))
            .remedy("name a text file that the service may read, with the secret and nothing else")
    };
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_a_secret_by_its_name() {
        for (name, secret) in [
            ("sasl.password", true),
            ("SASL.Password", true),
            ("ssl.key.password", true),
            ("ssl.key.pem", true),
            ("sasl.oauthbearer.client.secret", true),
            ("sasl.oauthbearer.config", true),
            ("sasl.jaas.config", true),
            ("sasl.oauthbearer.assertion.private.key.passphrase", true),
            ("sasl.username", false),
            ("ssl.ca.pem", true),
            ("ssl.ca.location", false),
            ("client.id", false),
        ] {
            assert_eq!(is_secret_property(name), secret, "{name}");
        }
    }

    #[test]
    fn a_secret_shows_in_neither_debug_nor_display() {
        let secret = Property::new("sasl.password", "hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "(hidden) (hidden)");
        assert_eq!(secret.expose(), "hunter2");
        let open = Property::new("client.id", "tally");
        assert_eq!(format!("{open} {open:?}"), "tally \"tally\"");
        assert_eq!(format!("{:?}", TokenHash::new([7; 32])), "(hidden)");
    }

    #[test]
    fn a_token_hash_is_32_bytes_of_padded_base64() {
        #[track_caller]
        fn check(text: &str, wrong: Option<&str>) {
            let read = TokenHash::from_base64(text).map(|_| ()).err();
            assert_eq!(read.map(|p| p.wrong).as_deref(), wrong);
        }
        let not_base64 = Some("is not base64 in the standard alphabet with its padding");
        check("zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY=", None);
        check("zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY", not_base64);
        check("zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX_j5bY=", not_base64);
        check("myauth-token", not_base64);
        check("bXlhdXRo", Some("is 6 bytes long, and a SHA-256 hash has 32 bytes"));
    }

    #[test]
    fn a_secret_file_loses_one_newline_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for (content, secret) in [
            ("hunter2", Some("hunter2")),
            ("hunter2\n", Some("hunter2")),
            ("hunter2\r\n", Some("hunter2")),
            (" hunter2 \n\n", Some(" hunter2 \n")),
            ("\n", None),
        ] {
            fs::write(&path, content).unwrap();
            let read = read_file(path.to_str().unwrap());
            assert_eq!(read.ok().as_deref(), secret, "{content:?}");
        }
    }
}
