//! What a program of this folder is told on its command line.
//!
//! Owns the reading of `--name value`. Invariant: what is missing or no good ends the
//! program with a sentence that names it.

#![allow(dead_code, reason = "no program of this folder asks everything")]

use std::process::exit;
use std::str::FromStr;

/// The arguments, one after another.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// What was given; none when it was `cargo bench` that started the program, which
    /// cannot know where a broker is.
    pub(crate) fn given() -> Option<Self> {
        let arguments = Self::given_or_none();
        if arguments.0.is_empty() {
            println!("scripts/bench runs this");
            return None;
        }
        Some(arguments)
    }

    /// What was given, if anything: for a program that can do without.
    pub(crate) fn given_or_none() -> Self {
        Self(std::env::args().skip(1).filter(|argument| argument != "--bench").collect())
    }

    /// Whether `name` is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument == name)
    }

    /// What stands behind `name`, which has to be there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.behind(name).unwrap_or_else(|| stop(&format!("{name} is missing")))
    }

    /// The number behind `name`, or `default` where the name is not there.
    pub(crate) fn number<T: FromStr>(&self, name: &str, default: T) -> T {
        let text = self.behind(name);
        text.map_or(default, |text| {
            text.parse().unwrap_or_else(|_| stop(&format!("{name} wants a number, and not {text:?}")))
        })
    }

    fn behind(&self, name: &str) -> Option<&str> {
        self.0.iter().skip_while(|argument| *argument != name).nth(1).map(String::as_str)
    }
}

/// Ends the program, which cannot go on.
pub(crate) fn stop(why: &str) -> ! {
    eprintln!("{why}");
    exit(1)
}
