//! How a client is set up: the properties that are ours, and the user's beside them.
//!
//! Owns every librdkafka property that decides whether a count is right; a user
//! cannot change those, and may add any other.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaConfRes;

use crate::kafka::context::Context;

/// Where the topic is, and how to speak to its broker.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `host:port`, several with commas.
    pub bootstrap_servers: String,
    /// The topic's name.
    pub topic: String,
    /// librdkafka properties of the user's, secrets and all: never printed.
    pub properties: Properties,
}

/// The user's librdkafka properties by name; prints names only.
#[derive(Clone, Default)]
pub struct Properties(pub BTreeMap<String, String>);

impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A property that this build cannot take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyFault {
    /// The property, if it is one alone.
    pub property: Option<String>,
    /// What is wrong; never the value.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What decides whether a count is right: set for every consumer, whatever the
/// user says. `docs/kafka.md` gives the reason of each.
const OURS: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("allow.auto.create.topics", "false"),
];

/// Set for every client where the user does not say otherwise. A consumer wants
/// a group's name even if it joins none; the back-off of 5 ms (the client's own
/// is a second) keeps a consumer that is slower than its fetcher from sleeping.
const DEFAULTS: [(&str, &str); 4] = [
    ("client.id", "roomtally"),
    ("reconnect.backoff.max.ms", "1000"),
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("log.connection.close", "false"),
];
/// A connection that died without a word, or was made while nothing came through,
/// is given up after four seconds without an answer, and one that is not even made
/// after ten: the system repeats its first packet after 1, 3 and 7 seconds.
/// A partition whose request was answered with an error is asked for again after
/// a tenth of a second, as other requests are, and not after half of one.
const CONSUMER_DEFAULTS: [(&str, &str); 5] = [
    ("group.id", "roomtally"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    ("api.version.request.timeout.ms", "4000"),
    ("socket.connection.setup.timeout.ms", "10000"),
];

/// How long a consumer waits for an answer. A whole answer has to come in that
/// time, which on a slow way may not be enough; see [`Connection::patient_consumer`].
const ANSWER: (&str, u32) = ("socket.timeout.ms", 4_000);

/// Up to which power of two that time grows: to a minute, the client's own default.
const DOUBLINGS_MAX: u32 = 4;

/// Properties that people set, to name the nearest one to a slip of the pen;
/// librdkafka itself knows many more and does not list them.
const OFTEN_SET: [&str; 33] = [
    "acks",
    "broker.address.family",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "enable.ssl.certificate.verification",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.id",
    "linger.ms",
    "message.max.bytes",
    "message.timeout.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
];

impl Connection {
    /// A consumer of this connection, reading nothing yet.
    pub(super) fn consumer(&self, context: Context) -> KafkaResult<BaseConsumer<Context>> {
        self.patient_consumer(context, 0)
    }

    /// A consumer whose time for an answer, unless the user gave one, is doubled so
    /// many times: what is too slow for one client is not for ever for the next.
    pub(super) fn patient_consumer(
        &self,
        context: Context,
        doublings: u32,
    ) -> KafkaResult<BaseConsumer<Context>> {
        self.reading(doublings).create_with_context(context)
    }

    /// How such a consumer is set up; benchmarks set up the client alone in the same way.
    pub fn reading(&self, doublings: u32) -> ClientConfig {
        let (answer, first_ms) = ANSWER;
        let answer_ms = (first_ms << doublings.min(DOUBLINGS_MAX)).to_string();
        let mut config = self.client(&[&CONSUMER_DEFAULTS[..], &[(answer, &answer_ms)]].concat());
        for (name, value) in OURS {
            config.set(name, value);
        }
        config
    }

    /// Settings that every client shares, over the defaults of one kind of client.
    pub(super) fn client(&self, kind: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in DEFAULTS.iter().chain(kind) {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties.0 {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config
    }

    /// Everything about the properties that this build of librdkafka refuses;
    /// no broker is asked.
    pub fn faults(&self) -> Vec<PropertyFault> {
        let mut faults: Vec<_> =
            self.properties.0.iter().filter_map(|(name, value)| fault_of(name, value)).collect();
        if faults.is_empty() {
            let unconnected = Self { bootstrap_servers: String::new(), ..self.clone() };
            if let Err(error) = unconnected.consumer(Context::default()) {
                faults.push(refused(None, &error));
            }
        }
        faults
    }
}

fn fault_of(name: &str, value: &str) -> Option<PropertyFault> {
    if let Some(feature) = missing_feature(name, value) {
        return Some(PropertyFault {
            property: Some(name.to_owned()),
            problem: format!("needs a build with the cargo feature `{feature}`, and this one is without"),
            remedy: format!("build with: cargo build --release --features {feature}"),
        });
    }
    if name == "group.id" && value.is_empty() {
        return Some(PropertyFault {
            property: Some(name.to_owned()),
            problem: "is empty, and the client wants a name even though roomtally joins no group".to_owned(),
            remedy: "give any name, or leave it out".to_owned(),
        });
    }
    let mut alone = ClientConfig::new();
    alone.set(name, value);
    alone.create_native_config().err().map(|error| refused(Some(name), &error))
}

fn refused(property: Option<&str>, error: &KafkaError) -> PropertyFault {
    let nearest = property.filter(|_| is_unknown(error)).and_then(nearest);
    let remedy = match nearest {
        Some(nearest) => {
            format!("did you mean {nearest}? If not, look it up in librdkafka's list of properties")
        }
        None => "look the property up in librdkafka's list of properties".to_owned(),
    };
    PropertyFault { property: property.map(ToOwned::to_owned), problem: describe(error), remedy }
}

fn is_unknown(error: &KafkaError) -> bool {
    matches!(error, KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))
}

/// The property that was probably meant, of those that people set.
fn nearest(name: &str) -> Option<&'static str> {
    let distance = |other: &&str| strsim::damerau_levenshtein(name, other);
    OFTEN_SET.iter().copied().min_by_key(distance).filter(|other| distance(other) <= name.len() / 3)
}

/// The feature that a property needs and this build was made without.
fn missing_feature(name: &str, value: &str) -> Option<&'static str> {
    let value = value.to_ascii_lowercase();
    let tls = name.starts_with("ssl.")
        || name == "enable.ssl.certificate.verification"
        || (name == "security.protocol" && matches!(value.as_str(), "ssl" | "sasl_ssl"))
        || (is_mechanism(name) && value.starts_with("scram-"));
    let gssapi = name.starts_with("sasl.kerberos.") || (is_mechanism(name) && value == "gssapi");
    if tls && cfg!(not(any(feature = "tls", feature = "tls-vendored"))) {
        Some("tls")
    } else if gssapi && cfg!(not(feature = "gssapi")) {
        Some("gssapi")
    } else {
        None
    }
}

fn is_mechanism(name: &str) -> bool {
    matches!(name, "sasl.mechanism" | "sasl.mechanisms")
}

/// What librdkafka says, without the value, which may be a secret.
fn describe(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, description, _, value) if !value.is_empty() => {
            description.replace(value.as_str(), "…")
        }
        KafkaError::ClientConfig(_, description, ..) | KafkaError::ClientCreation(description) => {
            description.clone()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(properties: &[(&str, &str)]) -> Vec<PropertyFault> {
        connection(properties).faults()
    }

    fn connection(properties: &[(&str, &str)]) -> Connection {
        let named = properties.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Connection {
            bootstrap_servers: "localhost:9092".to_owned(),
            topic: "livechat.rooms".to_owned(),
            properties: Properties(named.collect()),
        }
    }

    #[test]
    fn clients_wait_ever_longer_for_an_answer_up_to_a_minute_unless_the_user_says_how_long() {
        let waits = |properties, doublings| {
            let config = connection(properties).reading(doublings);
            config.get("socket.timeout.ms").map(ToOwned::to_owned)
        };
        for (doublings, ms) in [(0, "4000"), (1, "8000"), (4, "64000"), (40, "64000")] {
            assert_eq!(waits(&[], doublings).as_deref(), Some(ms));
            assert_eq!(waits(&[("socket.timeout.ms", "9000")], doublings).as_deref(), Some("9000"));
        }
    }

    #[test]
    fn good_properties_have_no_fault() {
        assert_eq!(faults(&[]), []);
        assert_eq!(faults(&[("fetch.min.bytes", "10"), ("client.id", "me")]), []);
    }

    #[test]
    fn every_bad_property_is_named_and_no_value_is_shown() {
        let found = faults(&[("fetch.min.bytes", "hunter2"), ("no.such.thing", "1")]);
        let names: Vec<_> = found.iter().filter_map(|fault| fault.property.as_deref()).collect();
        assert_eq!(names, ["fetch.min.bytes", "no.such.thing"]);
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn an_empty_group_is_named_and_its_remedy_told() {
        let found = faults(&[("group.id", "")]);
        assert!(found.len() == 1 && found[0].property.as_deref() == Some("group.id"), "{found:?}");
        assert!(found[0].remedy.contains("any name"), "{found:?}");
    }

    #[test]
    fn an_unknown_property_names_the_nearest_one() {
        let found = faults(&[("fetch.min.byte", "1")]);
        assert!(found.len() == 1 && found[0].remedy.contains("did you mean fetch.min.bytes?"), "{found:?}");
        let found = faults(&[("something.else", "1")]);
        assert!(found.len() == 1 && !found[0].remedy.contains("did you mean"), "{found:?}");
    }

    #[cfg(not(any(feature = "tls", feature = "tls-vendored")))]
    #[test]
    fn a_property_that_needs_tls_names_the_feature() {
        for property in [
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", "/x"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
        ] {
            let found = faults(&[property]);
            assert!(found.len() == 1 && found[0].problem.contains("feature `tls`"), "{found:?}");
        }
    }

    #[cfg(not(feature = "gssapi"))]
    #[test]
    fn a_property_that_needs_kerberos_names_the_feature() {
        let found = faults(&[("sasl.mechanisms", "GSSAPI")]);
        assert!(found.len() == 1 && found[0].problem.contains("feature `gssapi`"), "{found:?}");
    }
}
