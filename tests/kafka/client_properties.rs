//! Headers, and what is passed through to the Kafka client.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use crate::model::{Event, FIRST_TS, Model, workload};
use crate::node::Node;
use crate::program::run;
use crate::service::Setup;
use crate::topic::{FOR_EVER, Record, Topic};

const TIME: Duration = Duration::from_mins(1);

/// A node that lets in only who signs in as `suite` with the password `secret`.
const SIGN_IN: [&str; 6] = [
    "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "sasl.enabled.mechanisms=PLAIN",
    "sasl.mechanism.inter.broker.protocol=PLAIN",
    "inter.broker.listener.name=PLAINTEXT",
    "listener.name.plaintext.sasl.enabled.mechanisms=PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
     required username=\"suite\" password=\"secret\" user_suite=\"secret\";",
];

#[test]
fn a_record_with_the_header_if_unknown_applies_only_to_a_room_not_known() {
    let topic = Topic::shared(1);
    let created = Event::created("r", FIRST_TS, Some("now"));
    let stale = Event::created("r", FIRST_TS, Some("then"));
    let other = Event::created("other", FIRST_TS, Some("then"));
    let history = |event: &Event, header: &str| Record {
        headers: vec![(header.to_owned(), Some(b"yes".to_vec()))],
        ..Record::from(event)
    };
    topic.send_with(
        &[],
        [
            Record::from(&created),
            history(&stale, "roomtally-if-unknown"),
            history(&other, "roomtally-if-unknown"),
            // A removal, too, leaves a known room alone.
            history(&Event::tombstone("other"), "roomtally-if-unknown"),
        ],
    );
    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&[created, other]));
    assert_eq!(service.metric("roomtally_events_total{result=\"duplicate\"}").to_string(), "2");

    let moved = Event::created("r", FIRST_TS, Some("moved"));
    topic.send_with(&[], [history(&moved, "some-other-header")]);
    service.agrees_with(&Model::of(&[moved, Event::created("other", FIRST_TS, Some("then"))]));
}

#[test]
fn properties_of_the_client_are_passed_through_and_let_it_sign_in() {
    let secrets = TempDir::new().unwrap();
    let password = secrets.path().join("password");
    fs::write(&password, "secret\n").unwrap();
    let node = Node::absent(&SIGN_IN);
    node.run();
    let properties = format!(
        "[kafka.properties]\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.mechanism\" = \"PLAIN\"\n\
         \"sasl.username\" = \"suite\"\n\"sasl.password_file\" = {password:?}"
    );
    let topic = Topic::absent(&node.servers()).signing_in("suite", "secret");
    let setup = Setup::new(&topic).kafka(&properties);
    let config = setup.config("127.0.0.1:0");
    let config = config.to_str().unwrap();
    topic.create(1, &[FOR_EVER]);
    let events = workload(91, 50);
    topic.send(&events);

    let checked = run(TIME, &["check", "--config", config], None);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let service = setup.serve();
    service.agrees_with(&Model::of(&events));

    fs::write(&password, "wrong-secret").unwrap();
    let checked = run(TIME, &["check", "--config", config], None);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let said = checked.stdout + &checked.stderr;
    assert!(said.contains(&node.servers()) && !said.contains("wrong-secret"), "{said}");
}

#[test]
fn properties_that_decide_what_is_counted_or_that_nobody_knows_are_refused() {
    let topic = Topic::absent("127.0.0.1:1");
    for (property, words) in [
        ("\"isolation.level\" = \"read_uncommitted\"", "isolation.level"),
        ("\"auto.offset.reset\" = \"latest\"", "auto.offset.reset"),
        ("\"fetch.min.bites\" = 1", "fetch.min.bites"),
        ("\"fetch.min.bytes\" = \"many\"", "fetch.min.bytes"),
    ] {
        let setup = Setup::new(&topic).kafka(&format!("[kafka.properties]\n{property}"));
        let config = setup.config("127.0.0.1:0");
        let ended = run(TIME, &["serve", "--config", config.to_str().unwrap()], None);
        assert_eq!(ended.code, Some(78), "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
}
