//! The users of `auth.users`.
//!
//! Owns the fields of an entry and their checks. Invariant: every entry that
//! gets through has an id and a hash of 32 bytes; no hash, and nothing that
//! could be one, gets into a problem or a shown value.

use super::key::read_list;
use super::mistake::Problem;
use super::nearest::nearest;
use super::node::{Node, Value, key_text};
use super::secret::{TokenHash, read_file};
use super::settings::User;
use super::syntax::not_empty;

/// One field of an entry under `[[auth.users]]`.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What it takes, after "write".
    pub(super) form: &'static str,
    /// A secret is never shown and has a `_file` twin.
    pub(super) secret: bool,
    /// A paragraph for the reference.
    pub(super) doc: &'static str,
}

/// The fields of an entry under `[[auth.users]]`.
pub(super) const USER_FIELDS: &[Field] = &[
    Field {
        name: "id",
        form: "the user's id, as the X-User-Id header carries it",
        secret: false,
        doc: "What the `X-User-Id` header must say. Required, and not empty.",
    },
    Field {
        name: "token_hash",
        form: "the SHA-256 hash of the token in padded standard base64, 44 characters \
               (`roomtally token USER_ID` makes one)",
        secret: true,
        doc: "SHA-256 of the token, in padded base64 of the standard alphabet: the form in which \
              Rocket.Chat stores it, so that it can be copied from there. Required, itself or as \
              `token_hash_file`.",
    },
    Field {
        name: "permissions",
        form: "a list of permissions, such as [\"view-livechat-manager\"]",
        secret: false,
        doc: "Permissions that the user holds; none if left out. The endpoint asks for \
              `view-livechat-manager`.",
    },
];

/// The entries as one line of TOML, their secrets hidden.
pub(super) fn shown(node: &Node) -> String {
    node.to_toml(|name| USER_FIELDS.iter().any(|f| f.secret && f.name == name))
}

/// Reads all entries, or finds everything that is wrong with them.
pub(super) fn read(node: &Node) -> Result<Vec<User>, Vec<Problem>> {
    let Value::List(entries) = &node.value else {
        return Err(vec![
            Problem::new(format!("is {}", node.kind()))
                .remedy("begin each user with a line [[auth.users]], in double brackets"),
        ]);
    };
    let mut users = Vec::with_capacity(entries.len());
    let mut problems = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match read_entry(entry) {
            Ok(user) => users.push(user),
            Err(found) => problems.extend(found.into_iter().map(|mut problem| {
                problem.wrong = format!("of user {}: {}", at + 1, problem.wrong);
                problem.at(entry.line)
            })),
        }
    }
    if problems.is_empty() { Ok(users) } else { Err(problems) }
}

fn read_entry(entry: &Node) -> Result<User, Vec<Problem>> {
    let Value::Table(given) = &entry.value else {
        return Err(vec![
            Problem::new(format!("is {}", entry.kind()))
                .remedy("write a table such as { id = \"…\", token_hash = \"…\" }"),
        ]);
    };
    let field = |name: &str| given.iter().find(|(given, _)| given == name).map(|(_, n)| n);
    let mut problems = unknown_fields(given);
    let mut note = |found: Result<(), Vec<Problem>>| problems.extend(found.err().unwrap_or_default());

    let mut id = String::new();
    note(required("id", field("id"), not_empty).map(|read| id = read));
    let mut permissions = Vec::new();
    note(read_permissions(field("permissions")).map(|read| permissions = read));
    let mut hash = None;
    let read = token_hash(field("token_hash"), field("token_hash_file"));
    note(read.map(|read| hash = Some(read)));

    match hash {
        Some(token_hash) if problems.is_empty() => Ok(User { id, token_hash, permissions }),
        _ => Err(problems),
    }
}

fn unknown_fields(given: &[(String, Node)]) -> Vec<Problem> {
    let twins = USER_FIELDS.iter().filter(|field| field.secret);
    let twins: Vec<_> = twins.map(|field| format!("{}_file", field.name)).collect();
    let known = || {
        let names = USER_FIELDS.iter().map(|field| field.name);
        names.chain(twins.iter().map(String::as_str))
    };
    given
        .iter()
        .filter(|(name, _)| !known().any(|known| known == name))
        .map(|(name, node)| {
            let meant = nearest(name, known()).unwrap_or_default();
            Problem::new("is not a known key")
                .remedy(format!("the nearest known key is {meant}"))
                .part(format!(".{}", key_text(name)))
                .at(node.line)
        })
        .collect()
}

fn required<T>(
    name: &str,
    node: Option<&Node>,
    read: impl FnOnce(&str) -> Result<T, Problem>,
) -> Result<T, Vec<Problem>> {
    let read = match node.map(|node| &node.value) {
        None => Err(Problem::new("is missing")),
        Some(Value::Text(text)) => read(text),
        Some(_) => Err(Problem::new(format!("is {}", node.map_or("", Node::kind)))),
    };
    read.map_err(|problem| vec![of_field(problem, name).at(node.and_then(|node| node.line))])
}

fn read_permissions(node: Option<&Node>) -> Result<Vec<String>, Vec<Problem>> {
    let read = match node.map(|node| &node.value) {
        None => return Ok(Vec::new()),
        Some(Value::List(items)) => read_list(items, not_empty),
        Some(_) => {
            let kind = node.map_or("", Node::kind);
            Err(vec![Problem::new(format!("is {kind}"))])
        }
    };
    let line = node.and_then(|node| node.line);
    read.map_err(|found| {
        let found = found.into_iter();
        found.map(|p| of_field(p, "permissions").at(line)).collect()
    })
}

fn token_hash(hash: Option<&Node>, file: Option<&Node>) -> Result<TokenHash, Vec<Problem>> {
    match (hash, file) {
        (Some(_), Some(file)) => Err(vec![
            Problem::new("is set beside token_hash")
                .remedy("keep one of the two")
                .part(".token_hash_file")
                .at(file.line),
        ]),
        (None, Some(_)) => required("token_hash_file", file, |path| {
            let text = read_file(path)?;
            TokenHash::from_base64(&text).map_err(|mut problem| {
                problem.wrong = format!("the content of {path:?} {}", problem.wrong);
                problem
            })
        }),
        (hash, None) => required("token_hash", hash, TokenHash::from_base64),
    }
}

/// Says which field it is, and what that field takes.
fn of_field(problem: Problem, name: &str) -> Problem {
    let stem = name.strip_suffix("_file").unwrap_or(name);
    let field = USER_FIELDS.iter().find(|field| field.name == stem);
    let remedy = match (&problem.remedy, field) {
        (Some(remedy), _) => remedy.clone(),
        (None, Some(field)) if stem == name => format!("write {}", field.form),
        (None, Some(field)) => format!("name a file that holds {}", field.form),
        (None, None) => String::new(),
    };
    problem.remedy(remedy).part(format!(".{name}"))
}
