//! The plan of the house, held against the sources: who knows whom, where the
//! outside world begins, and how long a file and a function may be.
//!
//! What is read is code alone: comments, the contents of texts, and what is
//! only built for tests are left out.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails with the reason")]

use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the package each module may know. What is not here is not
/// to be known; a new module needs a row.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("room", &[]),
    ("log", &[]),
    ("decode", &["room"]),
    ("buckets", &["room"]),
    // The records whose places it knows by id.
    ("ledger", &["room", "buckets"]),
    ("tally", &["room", "ledger", "buckets"]),
    ("snapshot", &["room", "log", "ledger", "buckets", "tally"]),
    // The names of the reasons, and instants.
    ("status", &["log", "decode", "room"]),
    // What records say.
    ("kafka", &["log", "room", "decode"]),
    (
        "aggregator",
        &["room", "log", "decode", "ledger", "buckets", "tally", "snapshot", "kafka", "status", "telemetry"],
    ),
    // Its events are decoded as the service decodes them.
    ("webhook", &["room", "decode"]),
    // What is configured, and the series of what a server was asked.
    ("auth", &["config", "telemetry", "http_client"]),
    ("http_client", &[]),
    ("api", &["auth", "tally", "status", "room", "log", "config", "telemetry", "webhook"]),
    ("config", &["room"]),
    // The names in the metrics.
    ("telemetry", &["config", "status", "tally", "room", "log", "decode"]),
    ("service", EVERYTHING),
    ("cli", EVERYTHING),
    ("main", &["cli"]),
    ("lib", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "room",
    "log",
    "decode",
    "ledger",
    "buckets",
    "tally",
    "snapshot",
    "status",
    "kafka",
    "aggregator",
    "webhook",
    "http_client",
    "auth",
    "api",
    "config",
    "telemetry",
    "service",
    "cli",
];

/// The modules that are the same for the same arguments.
const CORE: &[&str] = &["room", "log", "decode", "buckets", "ledger", "tally"];

/// Words that stand for the outside world, the clock or another thread.
const NOT_IN_THE_CORE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::thread",
    "SystemTime",
    "Utc::now",
    "Instant",
    "tracing",
    "async",
    "await",
    "println",
    "eprintln",
    "dbg",
    "anyhow",
];

/// A load may be given helpers, here alone; the outcome is the same without.
const MAY_START_THREADS: &str = "ledger/intake.rs";

/// Words that belong to certain files or folders alone.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rdkafka", &["kafka"]),
    ("axum", &["api"]),
    ("reqwest", &["http_client.rs", "auth", "cli/compare"]),
    ("chrono", &["room", "service"]),
    ("Utc::now", &["service"]),
    ("SystemTime", &[]),
    ("unsafe", &["kafka/native.rs"]),
];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc"];

const FILE_LINES_MAX: usize = 300;
const FUNCTION_LINES_MAX: usize = 70;

/// A file of the package.
struct Source {
    /// Below `src`, with `/` between folders.
    path: String,
    /// With blanks in the place of comments, contents of texts, and tests.
    code: String,
    /// How many lines of it are tests.
    test_lines: usize,
}

impl Source {
    /// The top module that it belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many `super` lead out of its top module.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }

    fn is_below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || self.path.starts_with(&format!("{place}/")))
    }

    /// The lines of code that have this word in them, as `path:line: code`.
    fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = String> + 'a {
        let lines = self.code.lines().enumerate().filter(move |(_, line)| has_word(line, word));
        lines.map(|(number, line)| format!("{}:{}: {}", self.path, number + 1, line.trim()))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, in order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Every file of the package but those of tests.
fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let files = files_below(&folder).into_iter().filter(|path| {
        path.extension().is_some_and(|end| end == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
    });
    let sources: Vec<_> = files
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source");
            let path = path.strip_prefix(&folder).expect("below src").to_string_lossy().replace('\\', "/");
            let (code, test_lines) = without_tests(&code_of(&text));
            Source { path, code, test_lines }
        })
        .collect();
    assert!(sources.len() > 10, "no sources were found below {}", folder.display());
    sources
}

/// Whether a word stands in a line by itself.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !part_of_name(line[..at].chars().next_back()) && !part_of_name(line[at + word.len()..].chars().next())
    })
}

/// The code with blanks in the place of comments and the contents of texts.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let before = code.chars().next_back();
        let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted_length(rest, '"'),
            'r' if !in_name || matches!(before, Some('b' | 'c')) => raw_length(rest).unwrap_or(0),
            '\'' => char_length(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// The length of a quoted text from its first quote to its last.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"` or `r#"…"#`.
fn raw_length(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let inside = text[1 + hashes..].strip_prefix('"')?;
    let end = inside.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some(text.len() - inside.len() + end + 1 + hashes)
}

/// The length of `'x'` or `'\n'`; none for a lifetime.
fn char_length(text: &str) -> Option<usize> {
    let mut inside = text[1..].chars();
    match inside.next()? {
        '\\' => Some(quoted_length(text, '\'')),
        c if inside.next() == Some('\'') => Some(2 + c.len_utf8()),
        _ => None,
    }
}

/// The code with blank lines in the place of every item under `#[cfg(test)]`,
/// and how many those are.
fn without_tests(code: &str) -> (String, usize) {
    let (mut kept, mut tests) = (String::with_capacity(code.len()), 0);
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            kept.push('\n');
            tests += 1;
            let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            for line in lines.by_ref() {
                kept.push('\n');
                tests += 1;
                let is_whole =
                    line.trim_end().ends_with(';') && !line.contains('{') && !line.starts_with("    ");
                if is_whole || line == end {
                    break;
                }
            }
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    (kept, tests)
}

/// The modules that code names as `crate::…`, a group's one by one.
fn modules_named(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            named.push(name(rest));
            continue;
        };
        let (mut depth, mut begins) = (1, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                c if begins && !c.is_whitespace() => {
                    named.push(name(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    named
}

/// The functions with their first line and how many lines they have.
fn functions(code: &str) -> Vec<(usize, usize)> {
    let mut functions = Vec::new();
    let is_word = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    for (at, _) in code.match_indices("fn ").filter(|&(at, _)| is_word(at)) {
        let (mut braces, mut others, mut end) = (0_i32, 0_i32, None);
        for (offset, c) in code[at..].char_indices() {
            match c {
                '(' | '[' => others += 1,
                ')' | ']' => others -= 1,
                '{' => braces += 1,
                '}' => braces -= 1,
                ';' if braces == 0 && others == 0 => break,
                _ => {}
            }
            if c == '}' && braces == 0 {
                end = Some(at + offset);
                break;
            }
        }
        let line_of = |at: usize| code[..at].matches('\n').count() + 1;
        if let Some(end) = end {
            functions.push((line_of(at), line_of(end) - line_of(at) + 1));
        }
    }
    functions
}

/// Nothing is wrong, or all of it is told at once.
#[track_caller]
fn none(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

#[test]
fn a_module_knows_only_those_that_the_plan_allows() {
    let mut wrong = Vec::new();
    for source in sources() {
        let row = MAY_KNOW.iter().find(|(module, _)| *module == source.module());
        let Some((module, allowed)) = row else {
            wrong.push(format!("{}: a module that has no row in the plan", source.path));
            continue;
        };
        for named in modules_named(&source.code) {
            if named != *module && !allowed.contains(&&*named) {
                wrong.push(format!("{}: knows {named}", source.path));
            }
        }
        if source.module() != "main" && source.code.contains(&"super::".repeat(source.depth())) {
            wrong.push(format!("{}: leaves its module with super; write crate", source.path));
        }
    }
    wrong.dedup();
    none("a module knows another that it is not to know", &wrong);
}

#[test]
fn what_belongs_to_one_place_is_nowhere_else() {
    let sources = sources();
    for (word, places) in ONLY_IN {
        let elsewhere = sources.iter().filter(|source| !source.is_below(places));
        none(
            &format!("{word} belongs to {places:?}"),
            &elsewhere.flat_map(|s| s.lines_with(word)).collect::<Vec<_>>(),
        );
        let is_there = |place: &&str| {
            sources.iter().any(|s| s.is_below(&[place]) && s.lines_with(word).next().is_some())
        };
        assert!(places.iter().all(is_there), "{word} is not in {places:?} at all: is the word still right?");
    }
}

#[test]
fn the_core_touches_neither_the_outside_world_nor_a_clock() {
    let sources = sources();
    let core: Vec<_> = sources.iter().filter(|source| CORE.contains(&source.module())).collect();
    assert!(core.len() >= CORE.len(), "the core's files are not where they were");
    let wrong = NOT_IN_THE_CORE.iter().flat_map(|&word| {
        let allowed = move |source: &Source| word == "std::thread" && source.path == MAY_START_THREADS;
        core.iter().filter(move |source| !allowed(source)).flat_map(move |source| source.lines_with(word))
    });
    none("the core is pure", &wrong.collect::<Vec<_>>());
    let helpers = core.iter().find(|source| source.path == MAY_START_THREADS).expect("where it was");
    assert!(helpers.lines_with("std::thread").next().is_some(), "it starts none any more");
}

#[test]
fn every_file_says_what_it_owns_first_and_has_a_name_of_meaning() {
    let mut wrong = Vec::new();
    for path in files_below(&root().join("src")) {
        let text = fs::read_to_string(&path).expect("a source");
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: does not begin with //!", path.display()));
        }
        let names = path.iter().map(|part| part.to_string_lossy().replace(".rs", ""));
        let below = names.skip_while(|name| name != "src");
        wrong.extend(below.filter(|name| EMPTY_NAMES.contains(&&**name)));
    }
    none("a file speaks for itself", &wrong);
}

#[test]
fn no_file_and_no_function_is_a_giant() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.code.lines().count() - source.test_lines;
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
        for (line, length) in functions(&source.code) {
            if length > FUNCTION_LINES_MAX {
                wrong.push(format!("{}:{line}: a function of {length} lines", source.path));
            }
        }
    }
    none(&format!("at most {FILE_LINES_MAX} lines a file and {FUNCTION_LINES_MAX} a function"), &wrong);
}

#[test]
fn what_is_shipped_names_no_path_of_one_machine() {
    let mut files = files_below(&root().join("config"));
    files.extend(files_below(&root().join("docs")));
    files.extend([root().join("README.md"), root().join("CHANGELOG.md"), root().join("CONTRIBUTING.md")]);
    let mut wrong = Vec::new();
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if ["root", "home", "Users", "tmp"].iter().any(|place| line.contains(&format!("/{place}/"))) {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    none("a path that other machines do not have", &wrong);
}

#[test]
fn code_is_told_from_comments_texts_and_tests() {
    let text = "fn a<'x>() { b('{', '\\'', \"// c\\\"\", r#\"d\"e\"#) } // f\n/* g\nh */ use crate::{i::{j, k}, l};\n\
                #[cfg(test)]\nmod tests;\nuse crate::m;\n#[cfg(test)]\nmod n {\n    use crate::o;\n}\nfn p() {\n}\n";
    let (code, tests) = without_tests(&code_of(text));
    assert_eq!(tests, 6);
    assert_eq!(modules_named(&code), ["i", "l", "m"]);
    assert_eq!(functions(&code), [(1, 1), (11, 2)]);
    assert_eq!(code.lines().count(), text.lines().count());
    for word in ["c", "d", "e", "f", "g", "h", "o"] {
        assert!(!code.lines().any(|line| has_word(line, word)), "{word} in {code}");
    }
}
