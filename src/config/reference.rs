//! The reference of the configuration.
//!
//! Owns how the table of keys looks as a Markdown page. Invariant: every key,
//! every field of a user and every refused property is on it.

use std::fmt::{self, Write as _};

use super::key::{Key, Kind, Section};
use super::keys::SECTIONS;
use super::properties::OWNED;
use super::users::USER_FIELDS;

const HEAD: &str = r#"# Configuration

Values come in layers, each over the one before it:

1. the defaults below,
2. the TOML file that `--config FILE` names (`config/roomtally.toml` has every key with its default),
3. environment variables, `ROOMTALLY_<SECTION>__<KEY>`,
4. flags.

`roomtally config show` prints the values in force, each with the layer that set it, secrets hidden. `roomtally check` says whether they will do.

- **Mistakes** are all told at once, each with its file and line, variable or flag, the key, what is wrong and what to do. A value that a higher layer overrides is checked too. An unknown key or section is a mistake and names the nearest known one. With a mistake the service does not start: exit code 78.
- **Durations** are a whole number and a unit: `ms`, `s`, `m`, `h` or `d`, as in `"10s"`. **Sizes** likewise: `B`, `KiB`, `MiB`, `GiB` (powers of 1024), `KB`, `MB`, `GB` (powers of 1000), as in `"64KiB"`. A bare number is a mistake.
- **Variables** hold texts as they are, without quotes; numbers, `true`, `false` and lists are written as in the file: `ROOMTALLY_HTTP__CORS_ORIGINS='["https://chat.example.org"]'`. A variable `ROOMTALLY_…` without `__` is not a setting.
- **Secrets** are never shown. Each has a twin with `_file` behind its name that names a file to read it from; one newline at the end of the file is not part of the secret. Both in one layer is a mistake.
- **Paths** are relative to the working directory unless they are absolute.
"#;

/// The reference, `docs/configuration.md`.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for section in SECTIONS {
        // Writing to a string cannot fail.
        let _ = write_section(&mut page, section);
    }
    page
}

fn write_section(page: &mut String, section: &Section) -> fmt::Result {
    write!(page, "\n## `[{}]`\n\n{}\n", section.name, section.doc)?;
    for key in section.keys {
        write_key(page, key)?;
    }
    Ok(())
}

fn write_key(page: &mut String, key: &Key) -> fmt::Result {
    write!(page, "\n### `{}`\n\n{}\n\n", key.path, key.doc)?;
    writeln!(page, "- value: {}", key.kind.form())?;
    writeln!(page, "- default: `{}`", key.default)?;
    match key.kind {
        Kind::Properties => writeln!(page, "- variables: `{}__<PROPERTY>`", key.variable())?,
        _ => writeln!(page, "- variable: `{}`", key.variable())?,
    }
    if let Some(flag) = key.flag {
        writeln!(page, "- flag: `{flag}`")?;
    }
    match key.kind {
        Kind::Properties => write_owned(page),
        Kind::Users => write_fields(page),
        _ => Ok(()),
    }
}

fn write_owned(page: &mut String) -> fmt::Result {
    page.push_str("\nRefused:\n\n| property | why | instead |\n|---|---|---|\n");
    for (name, why, remedy) in OWNED {
        writeln!(page, "| `{name}` | {why} | {remedy} |")?;
    }
    Ok(())
}

fn write_fields(page: &mut String) -> fmt::Result {
    page.push_str("\nEach entry has:\n\n| key | value | secret |\n|---|---|---|\n");
    for field in USER_FIELDS {
        let secret =
            if field.secret { format!("yes; from a file: `{}_file`", field.name) } else { "no".to_owned() };
        writeln!(page, "| `{}` | {} | {secret} |", field.name, field.doc)?;
    }
    Ok(())
}
