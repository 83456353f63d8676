//! The keys of `[kafka]`.
//!
//! Owns their rows of the table of keys.

use std::time::Duration;

use crate::config::key::{Key, Kind, Section};
use crate::config::syntax;

use super::DURATION_MAX;

/// The section.
pub(super) const SECTION: Section = Section { name: "kafka", doc: "Where the rooms come from.", keys: KEYS };

const KEYS: &[Key] = &[
    Key {
        path: "kafka.bootstrap_servers",
        kind: Kind::Text {
            form: "host:port, several with commas between them, such as \"localhost:9092\"",
            store: |c, t| syntax::bootstrap_servers(t).map(|v| c.kafka.bootstrap_servers = v),
        },
        default: r#""localhost:9092""#,
        flag: Some("--bootstrap-servers"),
        doc: "Brokers to find the cluster by, as host:port with commas between them. One that \
              answers is enough; the others are learnt from it.",
    },
    Key {
        path: "kafka.topic",
        kind: Kind::Text {
            form: "a topic's name: 1 to 249 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\", not \".\" or \
                   \"..\" alone",
            store: |c, t| syntax::topic(t).map(|v| c.kafka.topic = v),
        },
        default: r#""livechat.rooms""#,
        flag: Some("--topic"),
        doc: "The topic that carries the rooms. All records of one room must be in one \
              partition, which keys by room id bring about.",
    },
    Key {
        path: "kafka.collection",
        kind: Kind::Text {
            form: "a collection's name, such as \"rocketchat_room\"",
            store: |c, t| syntax::not_empty(t).map(|v| c.kafka.collection = v),
        },
        default: r#""rocketchat_room""#,
        flag: None,
        doc: "The database collection that holds the rooms. Change events of other collections \
              are ignored.",
    },
    Key {
        path: "kafka.unavailable_after",
        kind: Kind::Duration {
            min: Duration::from_millis(1),
            max: DURATION_MAX,
            store: |c, d| c.kafka.unavailable_after = d,
        },
        default: r#""30s""#,
        flag: None,
        doc: "How long the broker may be away before `/health/ready` says so, counted from the first question that failed; an absent topic shows at once. \
              Complete counts go on being answered meanwhile.",
    },
    Key {
        path: "kafka.properties",
        kind: Kind::Properties,
        default: "{}",
        flag: None,
        doc: "Any property of the Kafka client (librdkafka), passed through, with its name in \
              quotes. In the environment, ROOMTALLY_KAFKA__PROPERTIES__SASL_PASSWORD sets \
              \"sasl.password\": lower case, and a dot for each underscore. Names that contain \
              password, passphrase, secret or token, that end in .pem, and \
              sasl.oauthbearer.config and sasl.jaas.config are secrets: they are never shown, and \
              with _file behind the name (\"sasl.password_file\", in the environment \
              ROOMTALLY_KAFKA__PROPERTIES__SASL_PASSWORD_FILE) they are read from a file. \
              Properties that decide what is read and what is counted belong to roomtally and are \
              refused.",
    },
];
