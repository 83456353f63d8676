//! The layers together: what `load` makes of them, and what it says is wrong.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const HASH: &str = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY=";

/// A place to put a file, and variables and flags beside it.
struct Given {
    dir: TempDir,
    file: Option<Vec<u8>>,
    env: Vec<(String, String)>,
    flags: Vec<(&'static str, String)>,
}

fn given() -> Given {
    Given { dir: tempfile::tempdir().unwrap(), file: None, env: Vec::new(), flags: Vec::new() }
}

impl Given {
    fn file(mut self, text: impl AsRef<[u8]>) -> Self {
        self.file = Some(text.as_ref().to_vec());
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((format!("ROOMTALLY_{name}"), value.to_owned()));
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.flags.push((key, value.to_owned()));
        self
    }

    fn load(&self) -> Result<Loaded, Mistakes> {
        let path = self.dir.path().join("c.toml");
        if let Some(text) = &self.file {
            fs::write(&path, text).unwrap();
        }
        load(&Sources {
            file: self.file.is_some().then_some(path.as_path()),
            client_check: None,
            env_not_text: Vec::new(),
            env: self.env.clone(),
            flags: self.flags.clone(),
        })
    }

    #[track_caller]
    fn config(&self) -> Config {
        self.load().unwrap_or_else(|mistakes| panic!("{mistakes}")).config
    }

    /// The value and the layer shown for a key.
    #[track_caller]
    fn shown(&self, key: &str) -> (String, String) {
        let shown = self.load().unwrap_or_else(|mistakes| panic!("{mistakes}")).shown;
        let found = shown.into_iter().find(|shown| shown.key == key).unwrap();
        (found.value, self.short(&found.layer.to_string()))
    }

    /// Each mistake as it is told, the directory left out.
    #[track_caller]
    fn check_mistakes(&self, expected: &[&str]) {
        let told: Vec<_> = match self.load() {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(|m| self.short(&m.to_string())).collect(),
        };
        assert_eq!(told, expected);
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

/// The only mistake begins with this, and goes on with what to do.
#[track_caller]
fn check_file(text: &str, wrong: &str) {
    check(&given().file(text), &format!("file c.toml:{wrong}"));
}

#[track_caller]
fn check_env(name: &str, value: &str, wrong: &str) {
    let layer = format!("env ROOMTALLY_{name}: ");
    check(&given().env(name, value), &format!("{layer}{wrong}"));
}

#[track_caller]
fn check(given: &Given, beginning: &str) {
    let mistakes = given.load().err().unwrap();
    let told = given.short(&mistakes.as_slice()[0].to_string());
    assert_eq!(mistakes.as_slice().len(), 1, "{mistakes}");
    assert!(told.starts_with(beginning), "{told}");
    assert!(!mistakes.as_slice()[0].remedy.is_empty(), "{told}");
}

#[test]
fn without_any_source_the_documented_defaults_are_in_force() {
    let config = given().config();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.http.unauthorized_body, UnauthorizedBody::Empty);
    assert_eq!(config.http.default_count, 50);
    assert_eq!(config.http.upper_count_limit, 100);
    assert!(config.http.allow_infinite_count);
    assert_eq!(config.http.max_connections, 1024);
    assert!(config.http.cors_origins.is_empty());
    assert_eq!(config.kafka.bootstrap_servers, "localhost:9092");
    assert_eq!(config.kafka.topic, "livechat.rooms");
    assert_eq!(config.kafka.collection, "rocketchat_room");
    assert_eq!(config.kafka.unavailable_after, Duration::from_secs(30));
    assert!(config.kafka.properties.is_empty());
    assert_eq!(config.snapshot.dir.to_str(), Some("data"));
    assert_eq!(config.snapshot.interval, Duration::from_secs(10));
    assert_eq!(config.snapshot.keep, 3);
    assert!(config.auth.users.is_empty());
    assert_eq!(config.limits.departments, 100_000);
    assert_eq!(config.limits.record_bytes, 1 << 20);
    assert_eq!(config.limits.oldest, 946_684_800_000);
    assert_eq!(config.limits.max_future, Duration::from_hours(24));
    assert_eq!(config.dead_letter.topic, "");
    assert!(config.webhook.secret.is_none());
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.log.level, "info");
}

#[test]
fn every_default_is_one_that_its_own_key_accepts() {
    let shown = given().load().unwrap().shown;
    let paths: Vec<_> = shown.iter().map(|shown| shown.key.as_str()).collect();
    let keys: Vec<_> = keys::keys().map(|key| key.path).collect();
    assert_eq!(paths, keys);
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let file = given().file("[http]\n\nlisten = '1.1.1.1:1'\n");
    let layers = |value: &str, layer: &str| (format!("\"{value}\""), layer.to_owned());
    assert_eq!(given().shown("http.listen"), layers("127.0.0.1:3000", "default"));
    assert_eq!(file.shown("http.listen"), layers("1.1.1.1:1", "file c.toml:3"));
    let env = file.env("HTTP__LISTEN", "2.2.2.2:2");
    let shown = env.shown("http.listen");
    assert_eq!(shown, layers("2.2.2.2:2", "env ROOMTALLY_HTTP__LISTEN"));
    let flag = env.flag("http.listen", "localhost:3");
    assert_eq!(flag.shown("http.listen"), layers("localhost:3", "flag --listen"));
    assert_eq!(flag.config().http.listen.to_string(), "127.0.0.1:3");
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once() {
    given()
        .file("[kafka]\ntopic = 'a b'\nunavailable_after = 10\n[http]\nlisten = 3000\n")
        .env("LOG__LEVEL", "loud")
        .env("SNAPSHOT__KEEP", "0")
        .flag("snapshot.dir", "")
        .check_mistakes(&[
            "file c.toml:2: kafka.topic: \"a b\" cannot be a topic's name; write a topic's name: \
             1 to 249 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\", not \".\" or \"..\" alone",
            "file c.toml:3: kafka.unavailable_after: 10 has no unit; write the unit with the \
             number, in quotes, such as \"10s\"",
            "file c.toml:5: http.listen: is a number; write an IP address and port, such as \
             \"127.0.0.1:3000\", or \"localhost:3000\"",
            "env ROOMTALLY_LOG__LEVEL: log.level: \"loud\" is not a choice; write \"error\", \
             \"warn\", \"info\", \"debug\" or \"trace\"",
            "env ROOMTALLY_SNAPSHOT__KEEP: snapshot.keep: 0 is out of range; write a whole number \
             from 1 to 10000",
            "flag --data-dir: snapshot.dir: is empty; write a directory's path, such as \"data\"",
        ]);
}

#[test]
fn a_mistake_that_a_higher_layer_overrides_is_told_all_the_same() {
    let given = given().file("[kafka]\ntopic = ''").env("KAFKA__TOPIC", "rooms");
    check(&given, "file c.toml:2: kafka.topic: is empty");
}

#[test]
fn a_file_that_is_not_toml_hides_no_mistake_of_the_other_layers() {
    given().file("[http]\nlisten = hunter2\n[[log\n").env("HTTP__DEFAULT_COUNT", "many").check_mistakes(&[
        "file c.toml:2: is not TOML at column 10: string values must be quoted, expected \
             literal string; correct the line; the other keys of the file are checked after that",
        "file c.toml:3: is not TOML at column 6: unclosed array table, expected `]]`; correct \
             the line; the other keys of the file are checked after that",
        "env ROOMTALLY_HTTP__DEFAULT_COUNT: http.default_count: \"many\" is not a whole \
             number; write a whole number from 1 to 9007199254740992",
    ]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let mut given = given().env("HTTP__DEFAULT_COUNT", "x");
    let path = given.dir.path().join("absent.toml");
    given.env.push(("OTHER".to_owned(), "y".to_owned()));
    let mistakes = load(&Sources {
        file: Some(&path),
        client_check: None,
        env_not_text: vec!["ROOMTALLY_X__Y".to_owned(), "OTHER".to_owned()],
        env: given.env.clone(),
        flags: Vec::new(),
    });
    let told = mistakes.err().unwrap().to_string();
    assert!(told.starts_with("the configuration has 3 mistakes:\n  file "), "{told}");
    assert!(told.contains("env ROOMTALLY_X__Y: is no text in UTF-8"), "{told}");
    assert!(told.contains("absent.toml: cannot be read: "), "{told}");
    check(&self::given().file(b"a = 1\nb = \xff"), "file c.toml:2: is not TOML at column 5: not UTF-8");
}

#[test]
fn an_unknown_key_or_section_names_the_nearest_known_one() {
    for (text, wrong) in [
        ("[http]\nlisen = 'x'", "2: http.lisen: is not a known key; the nearest known key is http.listen"),
        ("[http]\ntopic = 'x'", "2: http.topic: is not a known key; the nearest known key is kafka.topic"),
        ("[http]\n[htpp]\n", "2: htpp: is not a known section; the nearest known section is [http]"),
        ("listen = 'x'", "1: listen: is not a known key; the nearest known key is http.listen"),
        (
            "'http.listen' = 'x'",
            "1: \"http.listen\": is not a known key; the nearest known key is http.listen",
        ),
        (
            "[kafka.property]\na = 1",
            "1: kafka.property: is not a known key; the nearest known key is kafka.properties",
        ),
        ("http = 3", "1: http: is a number, and http is a section"),
        ("[[http]]", "1: http: is a list, and http is a section"),
        ("[auth.mode]", "1: auth.mode: is a table"),
    ] {
        check_file(text, wrong);
    }
}

#[test]
fn an_unknown_variable_names_the_nearest_known_one() {
    let unknown = |path: &str, near: &str| {
        format!("{path}: is not a known key; the nearest known variable is ROOMTALLY_{near}")
    };
    check_env("HTTP__LISTN", "hunter2", &unknown("http.listn", "HTTP__LISTEN"));
    check_env("http__listen", "x", &unknown("http.listen", "HTTP__LISTEN"));
    check_env("KAFKA__TOPICS", "x", &unknown("kafka.topics", "KAFKA__TOPIC"));
    check_env(
        "KAFKA__PROPERTY__SASL_PASSWORD",
        "hunter2",
        &unknown("kafka.property.sasl_password", "KAFKA__PROPERTIES__<PROPERTY>"),
    );
}

#[test]
fn a_variable_without_two_underscores_together_is_not_a_setting() {
    let mut given = given().env("HTTP_LISTEN", "x").env("UPDATE", "1").env("", "");
    given.env.push(("HTTP__LISTEN".to_owned(), "x".to_owned()));
    given.check_mistakes(&[]);
}

#[test]
fn variables_hold_texts_as_they_are_and_all_else_as_in_the_file() {
    let config = given()
        .env("KAFKA__COLLECTION", " \"a\" ")
        .env("HTTP__DEFAULT_COUNT", "1_000")
        .env("HTTP__ALLOW_INFINITE_COUNT", "false")
        .env("HTTP__CORS_ORIGINS", "['*', \"https://a.b\"]")
        .env("LIMITS__RECORD_BYTES", "64KiB")
        .env("AUTH__USERS", &format!("[{{ id = 'a', token_hash = '{HASH}' }}]"))
        .config();
    assert_eq!(config.kafka.collection, " \"a\" ");
    assert_eq!(config.http.default_count, 1000);
    assert!(!config.http.allow_infinite_count);
    assert_eq!(config.http.cors_origins, ["*", "https://a.b"]);
    assert_eq!(config.limits.record_bytes, 65_536);
    assert_eq!(config.auth.users[0].id, "a");
}

#[test]
fn a_variable_of_the_wrong_kind_is_a_mistake() {
    for (name, value, wrong) in [
        ("HTTP__DEFAULT_COUNT", "", "http.default_count: is empty"),
        ("HTTP__DEFAULT_COUNT", "1.5", "http.default_count: 1.5 is not such a number"),
        ("HTTP__DEFAULT_COUNT", "5s", "http.default_count: \"5s\" is not a whole number"),
        ("HTTP__DEFAULT_COUNT", "true", "http.default_count: is true or false"),
        ("HTTP__ALLOW_INFINITE_COUNT", "yes", "http.allow_infinite_count: \"yes\" is neither true nor false"),
        ("HTTP__ALLOW_INFINITE_COUNT", " ", "http.allow_infinite_count: is empty"),
        ("HTTP__CORS_ORIGINS", "*", "http.cors_origins: is not a TOML list: "),
        ("HTTP__CORS_ORIGINS", "'*'", "http.cors_origins: is a text"),
        ("HTTP__CORS_ORIGINS", "[1]", "http.cors_origins: has a number in it"),
        ("SNAPSHOT__INTERVAL", "", "snapshot.interval: is empty"),
        ("SNAPSHOT__INTERVAL", "10", "snapshot.interval: \"10\" has no unit"),
        ("LIMITS__RECORD_BYTES", "1048576", "limits.record_bytes: \"1048576\" has no unit"),
        ("AUTH__USERS", "", "auth.users: is empty"),
        ("AUTH__USERS", "hunter2", "auth.users: is not a TOML list: "),
        ("KAFKA__PROPERTIES", "{}", "kafka.properties: sets no property by itself"),
    ] {
        check_env(name, value, wrong);
    }
}

#[test]
fn a_value_outside_its_range_is_a_mistake() {
    for (text, wrong) in [
        ("[http]\ndefault_count = -1", "2: http.default_count: -1 is out of range"),
        ("[http]\nupper_count_limit = 0", "2: http.upper_count_limit: 0 is out of range"),
        (
            "[http]\nmax_connections = 99999999999999999999",
            "2: http.max_connections: 99999999999999999999 is not such",
        ),
        ("[snapshot]\ninterval = '999ms'", "2: snapshot.interval: 999ms is out of range"),
        ("[limits]\ndepartments = 16000001", "2: limits.departments: 16000001 is out of range"),
        ("[limits]\nrecord_bytes = '1023B'", "2: limits.record_bytes: 1023B is out of range"),
        ("[limits]\nrecord_bytes = '65MiB'", "2: limits.record_bytes: 65MiB is out of range"),
        ("[limits]\nrecord_bytes = 1.5", "2: limits.record_bytes: 1.5 has no unit"),
        ("[limits]\nmax_future = '36501d'", "2: limits.max_future: 36501d is out of range"),
        ("[limits]\noldest = 2000-01-01T00:00:00Z", "2: limits.oldest: is a date without quotes"),
        ("[auth]\nmode = 'ldap'", "2: auth.mode: \"ldap\" is not a choice"),
        ("[auth]\nurl = 'chat'", "2: auth.url: \"chat\" is no address that begins with"),
    ] {
        check_file(text, wrong);
    }
    let config = given().file("[limits]\nmax_future = '0s'\nrecord_bytes = '64MiB'").config();
    assert_eq!(config.limits.max_future, Duration::ZERO);
    assert_eq!(config.limits.record_bytes, 64 << 20);
}

#[test]
fn the_dead_letter_topic_is_another_one_or_none() {
    let apart = given().file("[kafka]\ntopic = 'a'\n[dead_letter]\ntopic = 'b'");
    assert_eq!(apart.config().dead_letter.topic, "b");
    check_file(
        "[kafka]\ntopic = 'a'\n[dead_letter]\ntopic = 'a'",
        "4: dead_letter.topic: is kafka.topic itself",
    );
    check_file("[dead_letter]\ntopic = 'a b'", "2: dead_letter.topic: \"a b\" cannot be a topic's name");
    let overridden = apart.flag("kafka.topic", "b");
    check(&overridden, "file c.toml:4: dead_letter.topic: is kafka.topic itself, \"b\"; name another topic");
    assert_eq!(overridden.env("DEAD_LETTER__TOPIC", "").config().dead_letter.topic, "");
}

#[test]
fn the_webhooks_secret_comes_by_either_name_and_is_never_shown() {
    let bare = given();
    let path = bare.dir.path().join("secret");
    fs::write(&path, "hunter2\n").unwrap();
    let path = path.to_str().unwrap().to_owned();
    let text = |given: Given| given.file("[webhook]\nsecret = 'hunter1'\nsecret_file = ''\n");
    let check = |given: &Given, secret: Option<&str>, shown: [(&str, &str); 2]| {
        let expected = secret.map(|secret| TokenHash::of(secret.as_bytes()).to_base64());
        assert_eq!(given.config().webhook.secret.map(|hash| hash.to_base64()), expected);
        for (key, (value, layer)) in ["webhook.secret", "webhook.secret_file"].into_iter().zip(shown) {
            assert_eq!(given.shown(key), (value.replace("PATH", &path), layer.to_owned()), "{key}");
        }
        assert!(!format!("{:?}", given.load().unwrap()).contains("hunter"));
    };
    let (none, hidden) = (("\"\"", "default"), ("\"(hidden)\"", "file c.toml:2"));
    check(&given(), None, [none, none]);
    check(&text(given()), Some("hunter1"), [hidden, ("\"\"", "file c.toml:3")]);
    let file = format!("[webhook]\nsecret_file = {path:?}\nsecret = ''\n");
    check(&given().file(&file), Some("hunter2"), [none, ("\"PATH\"", "file c.toml:2")]);
    let env = text(given()).env("WEBHOOK__SECRET_FILE", &path);
    check(&env, Some("hunter2"), [none, ("\"PATH\"", "env ROOMTALLY_WEBHOOK__SECRET_FILE")]);
    let off = given().file(&file).env("WEBHOOK__SECRET", "");
    assert!(off.config().webhook.secret.is_none());
    for (text, wrong) in [
        (
            format!("secret = 'hunter1'\nsecret_file = {path:?}"),
            "3: webhook.secret_file: is set beside webhook.secret",
        ),
        (
            format!("secret_file = {path:?}\nsecret = 'hunter1'"),
            "2: webhook.secret_file: is set beside webhook.secret",
        ),
        ("secret = ' hunter1'".to_owned(), "2: webhook.secret: begins or ends with a blank"),
        ("secret = 5".to_owned(), "2: webhook.secret: is a number"),
        ("secret_file = '/absent'".to_owned(), "2: webhook.secret_file: cannot read the secret's file"),
    ] {
        check_file(&format!("[webhook]\n{text}"), wrong);
    }
}

#[test]
fn keys_that_do_not_go_together_are_a_mistake() {
    check_file("[auth]\nmode = 'rocketchat'\nurl = 'chat'", "3: auth.url: \"chat\" is no address");
    let alone = given().file("[auth]\nmode = 'rocketchat'");
    check(&alone, "default: auth.url: is missing, and the mode \"rocketchat\" needs it");
    let server = "[auth]\nmode = 'rocketchat'\nurl = 'https://a/chat'";
    let users = format!("{server}\n[[auth.users]]\nid = 'a'\ntoken_hash = '{HASH}'");
    check_file(&users, "4: auth.users: is given beside the mode \"rocketchat\"");
    let config = given().file(server).config();
    assert_eq!(config.auth.mode, AuthMode::RocketChat);
    assert_eq!(config.auth.url.map(String::from).as_deref(), Some("https://a/chat/"));
}

#[test]
fn each_wrong_item_of_a_list_is_a_mistake_at_its_line() {
    given().file("[http]\ncors_origins = [\n 'a',\n '*',\n 'https://b/',\n]").check_mistakes(&[
        "file c.toml:3: http.cors_origins: \"a\" has no scheme; write a list of origins, \
             scheme://host or scheme://host:port, such as [\"https://chat.example.org\"], or \
             [\"*\"]",
        "file c.toml:5: http.cors_origins: \"https://b/\" has a path, and an origin has none; \
             write a list of origins, scheme://host or scheme://host:port, such as \
             [\"https://chat.example.org\"], or [\"*\"]",
    ]);
}

#[test]
fn users_are_read_and_may_have_several_tokens() {
    let given = given();
    let path = given.dir.path().join("hash");
    fs::write(&path, format!("{HASH}\n")).unwrap();
    let given = given.file(format!(
        "[[auth.users]]\nid = 'a'\ntoken_hash = '{HASH}'\npermissions = ['p', 'q']\n\
         [[auth.users]]\nid = 'a'\ntoken_hash_file = '{}'\n",
        path.display()
    ));
    let users = given.config().auth.users;
    assert_eq!(users.len(), 2);
    assert_eq!(users[0].permissions, ["p", "q"]);
    assert_eq!(users[1].id, "a");
    assert!(users[1].permissions.is_empty());
    assert_eq!(users[0].token_hash.as_bytes(), users[1].token_hash.as_bytes());
    assert_eq!(users[0].token_hash.as_bytes()[..2], [0xcc, 0x76]);
    let (value, layer) = given.shown("auth.users");
    assert_eq!(layer, "file c.toml:1");
    assert!(
        value.starts_with(r#"[{ id = "a", permissions = ["p", "q"], token_hash = "(hidden)" }, "#),
        "{value}"
    );
}

#[test]
fn a_variable_replaces_the_users_of_the_file() {
    let given =
        given().file(format!("[[auth.users]]\nid = 'a'\ntoken_hash = '{HASH}'\n")).env("AUTH__USERS", "[]");
    assert!(given.config().auth.users.is_empty());
}

#[test]
fn every_mistake_in_an_entry_of_the_users_is_told() {
    let given = given().file(format!(
        "[[auth.users]]\ntoken_hash = 'hunter2'\nname = 'a'\n\
         [[auth.users]]\nid = ''\npermissions = 'all'\n\
         [[auth.users]]\nid = 1\ntoken_hash = 'aHVudGVyMg=='\npermissions = ['p', '']\n\
         [[auth.users]]\nid = 'd'\ntoken_hash = '{HASH}'\ntoken_hash_file = '/x'\n\
         [[auth.users]]\nid = 'e'\ntoken_hash_file = '/absent/hash'\n"
    ));
    let mistakes = given.load().err().unwrap();
    let told: Vec<_> =
        mistakes.iter().map(|m| given.short(&m.to_string()).split("; ").next().unwrap().to_owned()).collect();
    assert_eq!(
        told,
        [
            "file c.toml:1: auth.users.id: of user 1: is missing",
            "file c.toml:2: auth.users.token_hash: of user 1: is not base64 in the standard \
             alphabet with its padding",
            "file c.toml:3: auth.users.name: of user 1: is not a known key",
            "file c.toml:4: auth.users.token_hash: of user 2: is missing",
            "file c.toml:5: auth.users.id: of user 2: is empty",
            "file c.toml:6: auth.users.permissions: of user 2: is a text",
            "file c.toml:8: auth.users.id: of user 3: is a number",
            "file c.toml:9: auth.users.token_hash: of user 3: is 7 bytes long, and a SHA-256 hash \
             has 32 bytes",
            "file c.toml:10: auth.users.permissions: of user 3: is empty",
            "file c.toml:14: auth.users.token_hash_file: of user 4: is set beside token_hash",
            "file c.toml:17: auth.users.token_hash_file: of user 5: cannot read the secret's file \
             \"/absent/hash\": No such file or directory (os error 2)",
        ]
    );
    assert!(!mistakes.to_string().contains("hunter2"));
    assert!(!mistakes.to_string().contains("aHVudGVyMg"));
}

#[test]
fn users_in_single_brackets_are_told_to_be_doubled() {
    check_file("[auth.users]\nid = 'a'", "1: auth.users: is a table; begin each user");
    check_env("AUTH__USERS", "['a']", "auth.users: of user 1: is a text");
}

#[test]
fn properties_come_from_every_layer_and_their_secrets_are_hidden() {
    let given = given()
        .file(
            "[kafka.properties]\n\"sasl.password\" = 'hunter2'\nclient.id = 'a'\n\
             \"socket.timeout.ms\" = 500\nclient.rack = true\n",
        )
        .env("KAFKA__PROPERTIES__CLIENT_ID", "b");
    let config = given.config();
    let values: Vec<_> =
        config.kafka.properties.iter().map(|(name, property)| (name.as_str(), property.expose())).collect();
    assert_eq!(
        values,
        [
            ("client.id", "b"),
            ("client.rack", "true"),
            ("sasl.password", "hunter2"),
            ("socket.timeout.ms", "500"),
        ]
    );
    let shown = |value: &str, layer: &str| (value.to_owned(), layer.to_owned());
    assert_eq!(given.shown("kafka.properties.\"sasl.password\""), shown("\"(hidden)\"", "file c.toml:2"));
    assert_eq!(
        given.shown("kafka.properties.\"client.id\""),
        shown("\"b\"", "env ROOMTALLY_KAFKA__PROPERTIES__CLIENT_ID")
    );
    assert!(!format!("{:?}", given.load().unwrap()).contains("hunter2"));
}

#[test]
fn a_secret_property_can_come_from_a_file() {
    let given = given();
    let path = given.dir.path().join("password");
    fs::write(&path, "hunter2\n").unwrap();
    let path = path.to_str().unwrap().to_owned();
    let twin = |given: Given| {
        let config = given.config();
        assert_eq!(config.kafka.properties["sasl.password"].expose(), "hunter2");
        assert_eq!(config.kafka.properties.len(), 1);
        let (value, _) = given.shown("kafka.properties.\"sasl.password_file\"");
        assert_eq!(value, format!("{path:?}"));
        assert!(!format!("{:?}", given.load().unwrap()).contains("hunter2"));
    };
    twin(self::given().file(format!("[kafka.properties]\n\"sasl.password_file\" = {path:?}")));
    twin(self::given().file(format!("[kafka.properties]\nsasl.password_file = {path:?}")));
    twin(self::given().env("KAFKA__PROPERTIES__SASL_PASSWORD_FILE", &path));
    // A higher layer may give the secret in the other form.
    twin(
        self::given()
            .file("[kafka.properties]\n\"sasl.password\" = 'other'")
            .env("KAFKA__PROPERTIES__SASL_PASSWORD_FILE", &path),
    );
}

#[test]
fn properties_that_cannot_be_are_mistakes_that_quote_no_value() {
    for (text, wrong) in [
        (
            "'bootstrap.servers' = 'hunter2'",
            "2: kafka.properties.\"bootstrap.servers\": has a key of its own; set kafka.bootstrap_servers",
        ),
        (
            "enable.auto.commit = true",
            "2: kafka.properties.\"enable.auto.commit\": cannot be set: roomtally keeps its positions itself",
        ),
        ("'sasl.password' = ['hunter2']", "2: kafka.properties.\"sasl.password\": is a list"),
        (
            "'sasl.password' = 'hunter2'\nsasl.password_file = '/x'",
            "3: kafka.properties.\"sasl.password_file\": is set beside",
        ),
        ("'a.b' = 'x'\na.b = 'y'", "3: kafka.properties.\"a.b\": is set twice"),
        (
            "'sasl.password_file' = '/absent'",
            "2: kafka.properties.\"sasl.password_file\": cannot read the secret's file \"/absent\"",
        ),
        (
            "'sasl.password' = \"hunter2\\u0000\"",
            "2: kafka.properties.\"sasl.password\": contains a zero byte",
        ),
        ("'' = 'x'", "2: kafka.properties.\"\": has no name"),
    ] {
        let given = given().file(format!("[kafka.properties]\n{text}"));
        check(&given, &format!("file c.toml:{wrong}"));
        assert!(!given.load().err().unwrap().to_string().contains("hunter2"));
    }
    check_file(
        "[kafka.properties]\ntopic.auto.offset.reset = 'x'",
        "2: kafka.properties.\"topic.auto.offset.reset\": cannot be set",
    );
    check_file("[kafka]\nproperties = 'x'", "2: kafka.properties: is a text");
    check_env(
        "KAFKA__PROPERTIES__ISOLATION_LEVEL",
        "x",
        "kafka.properties.\"isolation.level\": cannot be set",
    );
    check_env("KAFKA__PROPERTIES__", "x", "kafka.properties.\"\": has no name");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let given = given().file("\u{feff}[http]\r\n\r\nlisten = '1.1.1.1:1'\r\n");
    assert_eq!(given.shown("http.listen").1, "file c.toml:3");
}

#[test]
fn a_flag_for_a_key_that_is_not_there_is_a_mistake() {
    check(&given().flag("http.nothing", "x"), "flag http.nothing: http.nothing: is not a known key");
}
