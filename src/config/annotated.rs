//! The annotated default file.
//!
//! Owns how the table of keys looks as a TOML file. Invariant: read as a
//! configuration, the file changes nothing: every key stands with its default.

use std::fmt::{self, Write as _};

use super::key::{Kind, Section};
use super::keys::SECTIONS;

/// Width of the file's comments, in characters.
const WIDTH: usize = 80;

const HEAD: &str = "roomtally's configuration, every key with its default value. Pass the file \
                    with --config. Environment variables (ROOMTALLY_<SECTION>__<KEY>, such as \
                    ROOMTALLY_HTTP__LISTEN) override it, and flags override both. Durations and \
                    sizes carry their unit.";

const PROPERTIES_EXAMPLE: &str = r#"# "security.protocol" = "SASL_SSL"
# "sasl.mechanism" = "SCRAM-SHA-512"
# "sasl.username" = "roomtally"
# "sasl.password_file" = "/run/secrets/kafka-password"
"#;

const USERS_EXAMPLE: &str = r#"#
# [[auth.users]]
# id = "myuser-name"
# token_hash = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="
# permissions = ["view-livechat-manager"]
#
# [[auth.users]]
# id = "another-user"
# token_hash_file = "/run/secrets/another-user-token-hash"
# permissions = ["view-livechat-manager"]
"#;

/// The annotated default file, `config/roomtally.toml`.
pub fn annotated_default() -> String {
    let mut file = comment(HEAD);
    for section in SECTIONS {
        // Writing to a string cannot fail.
        let _ = write_section(&mut file, section);
    }
    file
}

fn write_section(file: &mut String, section: &Section) -> fmt::Result {
    write!(file, "\n{}[{}]\n", comment(section.doc), section.name)?;
    for key in section.keys {
        let name = key.split().1;
        write!(file, "\n{}", comment(key.doc))?;
        match key.kind {
            Kind::Properties => write!(file, "[{}]\n{PROPERTIES_EXAMPLE}", key.path)?,
            // No `users = []` here: it would forbid the `[[auth.users]]` that
            // people are to write.
            Kind::Users => file.push_str(USERS_EXAMPLE),
            _ => writeln!(file, "{name} = {}", key.default)?,
        }
    }
    Ok(())
}

/// The text as comment lines, broken between words.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line.replace_range(1.., "");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Sources, load, reference};

    /// `ROOMTALLY_UPDATE=1 cargo test` writes the files anew.
    #[track_caller]
    fn check_file(path: &str, rendered: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("ROOMTALLY_UPDATE").is_some_and(|update| update == "1") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, rendered).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == rendered,
            "{} is not what the table of keys says: ROOMTALLY_UPDATE=1 cargo test config",
            path.display()
        );
    }

    #[test]
    fn the_default_file_is_what_the_table_of_keys_says() {
        check_file("config/roomtally.toml", &annotated_default());
    }

    #[test]
    fn the_reference_is_what_the_table_of_keys_says() {
        check_file("docs/configuration.md", &reference());
    }

    fn loaded(text: &str) -> crate::config::Loaded {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let sources = Sources { file: Some(file.path()), ..Sources::default() };
        load(&sources).unwrap()
    }

    #[test]
    fn the_default_file_changes_nothing() {
        let defaults = load(&Sources::default()).unwrap();
        let from_file = loaded(&annotated_default());
        assert_eq!(format!("{:?}", from_file.config), format!("{:?}", defaults.config));
        let values = |shown: &[crate::config::ShownKey]| -> Vec<_> {
            let shown = shown.iter();
            shown.map(|s| (s.key.clone(), s.value.clone())).collect()
        };
        assert_eq!(values(&from_file.shown), values(&defaults.shown));
    }

    #[test]
    fn every_key_of_the_default_file_stands_with_its_default() {
        let shown = loaded(&annotated_default()).shown;
        let unset = shown.iter().filter(|s| s.layer == crate::config::Layer::Default);
        let unset: Vec<_> = unset.map(|shown| shown.key.as_str()).collect();
        assert_eq!(unset, ["auth.users"]);
    }

    #[test]
    fn the_examples_in_the_default_file_are_valid_when_uncommented() {
        let text = PROPERTIES_EXAMPLE.replace("# ", "");
        let text = text.replace("_file\" = \"/run/secrets/kafka-password", "\" = \"x");
        let config = loaded(&format!("[kafka.properties]\n{text}")).config;
        assert_eq!(config.kafka.properties.len(), 4);
        let users = USERS_EXAMPLE.split("#\n").nth(1).unwrap().replace("# ", "");
        assert_eq!(loaded(&users).config.auth.users.len(), 1);
    }

    #[test]
    fn no_line_of_the_default_file_is_wider_than_a_comment_may_be() {
        for line in annotated_default().lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
