//! Where values come from, and how mistakes are told.

use std::path::Path;

use crate::process::{Ended, roomtally};
use crate::{USER, dir, run, write};

/// Runs a command with a configuration file.
fn with_file(text: &str, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let dir = dir();
    write(dir.path(), "r.toml", text);
    let mut program = roomtally(dir.path(), &[args, &["--config", "r.toml"]].concat());
    for (name, value) in env {
        program = program.env(name, value);
    }
    program.run()
}

/// The lines of `config show`, as key, value and layer.
fn shown(ended: &Ended) -> Vec<(&str, &str, &str)> {
    let lines = ended.stdout.lines().map(|line| {
        let (key, rest) = line.split_once(" = ").expect("a key");
        let (value, layer) = rest.rsplit_once("  # ").expect("a layer");
        (key, value.trim_end(), layer)
    });
    lines.collect()
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once() {
    let file = r#"
        [http]
        listn = "127.0.0.1:3000"
        default_count = 0
        [kafka]
        topic = 5
        [kafka.properties]
        "no.such.thing" = "1"
        "fetch.min.bytes" = "many"
        "auto.offset.reset" = "latest"
        [snapshots]
        dir = "x"
        [auth]
        mode = "token"
        [[auth.users]]
        id = "a"
        token_hash = "short"
        permision = ["view-livechat-manager"]
    "#;
    let env = [
        ("ROOMTALLY_HTTP__LISTN", "x"),
        ("ROOMTALLY_LIMITS__RECORD_BYTES", "1"),
        ("ROOMTALLY_KAFKA__PROPERTIES__NOT_A_PROPERTY", "1"),
        ("ROOMTALLY_VERSION", "not a setting"),
    ];
    let ended = with_file(file, &["serve", "--log-level", "loud", "--listen", "here"], &env).with_code(78);
    let lines: Vec<_> = ended.stderr.lines().collect();
    let expected = [
        (&["file r.toml:3", "http.listn"][..], &["nearest", "http.listen"][..]),
        (&["file r.toml:4", "http.default_count"], &["1 to"]),
        (&["file r.toml:6", "kafka.topic"], &["a number"]),
        (&["file r.toml:8", "no.such.thing"], &[]),
        (&["file r.toml:9", "fetch.min.bytes"], &[]),
        (&["file r.toml:10", "auto.offset.reset"], &["remove it"]),
        (&["file r.toml:11", "snapshots"], &["nearest", "[snapshot]"]),
        (&["file r.toml:14", "auth.mode"], &["\"tokens\""]),
        (&["file r.toml:17", "token_hash"], &["roomtally token"]),
        (&["file r.toml:18", "permision"], &["nearest", "permissions"]),
        (&["env ROOMTALLY_HTTP__LISTN"], &["nearest", "ROOMTALLY_HTTP__LISTEN"]),
        (&["env ROOMTALLY_LIMITS__RECORD_BYTES"], &["KiB"]),
        (&["env ROOMTALLY_KAFKA__PROPERTIES__NOT_A_PROPERTY", "not.a.property"], &[]),
        (&["flag --log-level"], &["\"debug\""]),
        (&["flag --listen"], &["127.0.0.1:3000"]),
    ];
    for (place, remedy) in expected {
        let told = |line: &&str| place.iter().chain(remedy).all(|part| line.contains(part));
        assert!(lines.iter().any(told), "{place:?} {remedy:?} in\n{ended}");
    }
    assert!(!ended.stderr.contains("ROOMTALLY_VERSION") && ended.stdout.is_empty(), "{ended}");
}

#[test]
fn every_command_that_reads_a_configuration_refuses_a_wrong_one_with_78() {
    for command in [
        &["serve"][..],
        &["produce", "--file", "absent"],
        &["check"],
        &["check", "--offline"],
        &["config", "show"],
        &["health"],
        &["health", "--live"],
    ] {
        with_file("[kafka]\ntopik = 'x'", command, &[]).with_code(78).saying(&["r.toml:2", "kafka.topic"]);
        run(&[command, &["--config", "absent.toml"]].concat()).with_code(78).saying(&["absent.toml"]);
        run(&[command, &["--log-format", "xml"]].concat()).with_code(78).saying(&["--log-format", "json"]);
    }
    for flags in [["--listen", "nowhere"], ["--log-level", "all"], ["--log-format", "xml"]] {
        run(&["demo", flags[0], flags[1]]).with_code(78).saying(&flags);
    }
}

#[cfg(not(any(feature = "tls", feature = "tls-vendored")))]
#[test]
fn a_property_that_needs_tls_names_the_feature_beside_other_mistakes() {
    let file = "[kafka]\ntopik = 'x'\n[kafka.properties]\n'security.protocol' = 'SASL_SSL'\n\
                'sasl.mechanism' = 'SCRAM-SHA-256'\n'ssl.ca.location' = '/x'\n'no.such' = '1'\n";
    let ended = with_file(file, &["check"], &[]).with_code(78);
    for line in 4..=6 {
        let told = ended.stderr.lines().find(|told| told.contains(&format!("r.toml:{line}:")));
        let told = told.unwrap_or_else(|| panic!("line {line} is not told\n{ended}"));
        assert!(told.contains("feature `tls`") && told.contains("--features tls"), "{told}");
        assert!(!told.contains("look the property up"), "a remedy that does not help: {told}");
    }
    ended.saying(&["r.toml:2", "r.toml:7"]);
}

#[test]
fn a_higher_layer_wins_and_is_named() {
    let file = "[http]\nlisten = '127.0.0.1:1111'\n[kafka]\ntopic = 'file'\ncollection = 'file'\n\
                [kafka.properties]\n'client.id' = 'file'\n'fetch.min.bytes' = 7\n[log]\nlevel = 'error'\n";
    let env = [
        ("ROOMTALLY_HTTP__LISTEN", "127.0.0.1:2222"),
        ("ROOMTALLY_KAFKA__TOPIC", "env"),
        ("ROOMTALLY_KAFKA__PROPERTIES__CLIENT_ID", "env"),
    ];
    let args = ["config", "show", "--log-level", "debug", "--listen", "127.0.0.1:3333"];
    let ended = with_file(file, &args, &env).with_code(0);
    let found = shown(&ended);
    for expected in [
        ("kafka.bootstrap_servers", "\"localhost:9092\"", "default"),
        ("kafka.collection", "\"file\"", "file r.toml:5"),
        ("kafka.topic", "\"env\"", "env ROOMTALLY_KAFKA__TOPIC"),
        ("kafka.properties.\"client.id\"", "\"env\"", "env ROOMTALLY_KAFKA__PROPERTIES__CLIENT_ID"),
        ("kafka.properties.\"fetch.min.bytes\"", "\"7\"", "file r.toml:8"),
        ("log.level", "\"debug\"", "flag --log-level"),
        ("http.listen", "\"127.0.0.1:3333\"", "flag --listen"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in\n{ended}");
    }
}

#[test]
fn the_shipped_file_has_every_key_with_its_built_in_default() {
    let defaults = run(&["config", "show"]).with_code(0);
    let defaults = shown(&defaults);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/roomtally.toml");
    let shipped = run(&["config", "show", "--config", shipped.to_str().expect("a plain path")]).with_code(0);
    let shipped = shown(&shipped);
    let values = |shown: &[(&str, &str, &str)]| -> Vec<String> {
        shown.iter().map(|(key, value, _)| format!("{key} = {value}")).collect()
    };
    assert_eq!(values(&shipped), values(&defaults));
    for (key, _, layer) in defaults {
        assert_eq!(layer, "default", "{key}");
    }
    for (key, _, layer) in shipped {
        // Users and properties stand there as comments.
        assert!(layer.contains("roomtally.toml:") || key == "auth.users", "{key}: {layer}");
    }
}

#[test]
fn every_shipped_file_is_a_valid_configuration_also_with_its_comments_taken_away() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let names = ["compose.toml", "rocketchat.toml", "roomtally.toml"];
    let mut found: Vec<_> = std::fs::read_dir(&shipped)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort_unstable();
    assert_eq!(found, names);
    for name in names {
        let text = std::fs::read_to_string(shipped.join(name)).expect("the file");
        with_file(&text, &["check", "--offline"], &[]).with_code(0);
    }
    let dir = dir();
    write(dir.path(), "secret", "s3cret\n");
    let text = std::fs::read_to_string(shipped.join("rocketchat.toml")).expect("the file");
    let is_setting = |line: &&str| line.starts_with('[') || line.contains(" = ") && !line.contains(". ");
    let settings = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).filter(is_setting);
    let text = settings.collect::<Vec<_>>().join("\n").replace("/run/secrets/rocketchat-webhook", "secret");
    write(dir.path(), "r.toml", &text);
    let shown = roomtally(dir.path(), &["config", "show", "--config", "r.toml"]).run().with_code(0);
    shown.saying(&["secret_file = \"secret\"", "topic = \"livechat.rooms.rejected\""]);
}

#[test]
fn what_config_show_prints_is_a_configuration_again() {
    let first = with_file(USER, &["config", "show", "--topic", "other"], &[]).with_code(0);
    let lines = first.stdout.lines().filter(|line| !line.contains("(hidden)"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(table["kafka"]["topic"].as_str(), Some("other"));
}

#[test]
fn a_secret_can_come_from_a_file() {
    let dir = dir();
    write(dir.path(), "password", "canary-one\n");
    write(dir.path(), "hash", "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY=\n");
    let both = "[kafka.properties]\n'sasl.password_file' = 'password'\n[[auth.users]]\nid = 'a'\n\
                token_hash_file = 'hash'\npermissions = ['view-livechat-manager']\n";
    let from_file = |text: &str, env: &[(&str, &str)], args: &[&str]| {
        write(dir.path(), "r.toml", text);
        let mut program = roomtally(dir.path(), &[args, &["--config", "r.toml"]].concat());
        for (name, value) in env {
            program = program.env(name, value);
        }
        let ended = program.run();
        assert!(!ended.all().contains("canary"), "{ended}");
        ended
    };
    let ended = from_file(both, &[], &["config", "show"]).with_code(0);
    assert!(ended.stdout.contains("\"sasl.password_file\" = \"password\""), "{ended}");
    let variable = "ROOMTALLY_KAFKA__PROPERTIES__SASL_PASSWORD_FILE";
    let ended = from_file("", &[(variable, "password")], &["config", "show"]).with_code(0);
    ended.saying(&[variable]);

    let absent = "[kafka.properties]\n'sasl.password_file' = 'absent'\n";
    from_file(absent, &[], &["check", "--offline"]).with_code(78).saying(&["r.toml:2", "absent"]);
    let twice = "[kafka.properties]\n'sasl.password_file' = 'password'\n'sasl.password' = 'canary-two'\n";
    from_file(twice, &[], &["check", "--offline"]).with_code(78).saying(&["r.toml:3", "keep one"]);
    let wrong = "[[auth.users]]\nid = 'a'\ntoken_hash_file = 'password'\npermissions = []\n";
    from_file(wrong, &[], &["check", "--offline"]).with_code(78).saying(&["r.toml:3", "token_hash_file"]);
}
