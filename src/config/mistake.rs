//! What is wrong with a configuration, and where it stands.
//!
//! Owns the layers' names and the form of a mistake. Invariant: a mistake says
//! where it was made, at which key, what is wrong and what to do, and never
//! repeats a secret.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// Built in.
    Default,
    /// The configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1; `None` if it concerns the file as a whole.
        line: Option<usize>,
    },
    /// The environment variable of this name.
    Env(String),
    /// The flag, with its dashes.
    Flag(&'static str),
}

impl Layer {
    /// The same layer at a line, where the layer has lines.
    pub(super) fn at(&self, line: Option<usize>) -> Self {
        match self {
            Self::File { path, line: own } => Self::File { path: path.clone(), line: line.or(*own) },
            other => other.clone(),
        }
    }

    /// Whether both are the same layer, whatever the line or variable.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Mistakes are told in the order of the layers, and a file's by line.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Default => (0, 0),
            Self::File { line, .. } => (1, line.unwrap_or(0)),
            Self::Env(_) => (2, 0),
            Self::Flag(_) => (3, 0),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: None } => write!(f, "file {}", path.display()),
            Self::File { path, line: Some(line) } => write!(f, "file {}:{line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One mistake in one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was made.
    pub layer: Layer,
    /// The key's path, such as `http.listen`; `None` if it concerns no key, as
    /// when the file cannot be read.
    pub key: Option<String>,
    /// What is wrong.
    pub wrong: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.layer)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}; {}", self.wrong, self.remedy)
    }
}

/// All mistakes of all layers; never empty. `Display` writes one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Puts mistakes into the order in which they are told.
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.layer.rank());
        Self(mistakes)
    }

    /// The mistakes: layer by layer, those of the file by line.
    pub fn as_slice(&self) -> &[Mistake] {
        &self.0
    }

    /// Each mistake, in the order of [`as_slice`](Self::as_slice).
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a mistake:")?,
            many => write!(f, "the configuration has {many} mistakes:")?,
        }
        for mistake in &self.0 {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl Error for Mistakes {}

/// What is wrong with a value, before it is known which layer it stands in.
#[cfg_attr(test, derive(Debug))]
pub(super) struct Problem {
    /// Behind the key's path, such as `.token_hash`; empty for the key itself.
    pub(super) part: String,
    /// The line of that part, if it has one of its own.
    pub(super) line: Option<usize>,
    /// What is wrong.
    pub(super) wrong: String,
    /// What to do, if it is not simply "write" what the key takes.
    pub(super) remedy: Option<String>,
}

impl Problem {
    pub(super) fn new(wrong: impl Into<String>) -> Self {
        Self { part: String::new(), line: None, wrong: wrong.into(), remedy: None }
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(super) fn part(mut self, part: impl Into<String>) -> Self {
        self.part = part.into();
        self
    }

    pub(super) fn at(mut self, line: Option<usize>) -> Self {
        self.line = self.line.or(line);
        self
    }
}
