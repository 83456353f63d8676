//! The jars: Kafka Connect's, the connectors', and the scripted MongoDB.
//!
//! Owns a cache like that of `scripts/kafka`, one for each state of the folder `mongodb`
//! that it is built from. Invariant: a cache is whole or not there, for it gets its name
//! last, and whoever comes second waits for the first.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xxhash_rust::xxh3::Xxh3;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/connectors/mongodb");
const KAFKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka");

/// Where they are.
#[derive(Debug)]
pub(crate) struct Jars {
    /// The class path of Kafka and Kafka Connect.
    pub(crate) kafka: String,
    /// A folder for each connector.
    pub(crate) plugins: String,
    /// The class path of the scripted MongoDB.
    pub(crate) mongodb: String,
}

impl Jars {
    /// Fetches and builds what is not there yet.
    pub(crate) fn get() -> Self {
        let kafka = kafka_cache();
        let cache = cache_path();
        fs::create_dir_all(cache.parent().unwrap()).unwrap();
        let lock = File::create(cache.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        if !cache.exists() {
            build(&cache);
        }
        let below = |name: &str| cache.join("target").join(name).to_str().unwrap().to_owned();
        Self {
            kafka: format!("{kafka}/libs/*"),
            plugins: below("plugins"),
            mongodb: format!("{}:{}", below("scripted-mongodb.jar"), below("libs/*")),
        }
    }
}

/// Kafka's own cache, filled.
fn kafka_cache() -> String {
    let fetched =
        Command::new(KAFKA).arg("fetch").stderr(Stdio::inherit()).output().expect("scripts/kafka runs");
    assert!(fetched.status.success(), "scripts/kafka could not get its jars");
    let said = String::from_utf8(fetched.stdout).unwrap();
    said.trim().strip_prefix("cache=").expect("it says where they are").to_owned()
}

/// The name is that of the sources' content.
fn cache_path() -> PathBuf {
    let mut hash = Xxh3::new();
    for file in sources(Path::new(SOURCES)) {
        hash.update(file.strip_prefix(SOURCES).unwrap().to_str().unwrap().as_bytes());
        hash.update(&fs::read(file).unwrap());
    }
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let base = base.expect("HOME or XDG_CACHE_HOME says where the jars can be kept");
    base.join(format!("roomtally/connectors-{:016x}", hash.digest()))
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(sources(&path)) } else { found.push(path) }
    }
    found.sort_unstable();
    found
}

fn build(cache: &Path) {
    let incoming = tempfile::tempdir_in(cache.parent().unwrap()).unwrap();
    for file in sources(Path::new(SOURCES)) {
        let copy = incoming.path().join(file.strip_prefix(SOURCES).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
    eprintln!("getting the connectors and building the scripted MongoDB into {}", cache.display());
    let mut maven = Command::new("mvn");
    maven.args(["-B", "-q", "package"]).current_dir(incoming.path()).stdin(Stdio::null());
    let built = maven.output().unwrap_or_else(|error| panic!("mvn is needed (on Debian: maven): {error}"));
    assert!(
        built.status.success(),
        "mvn could not get the connectors or build the scripted MongoDB; look at the network and Maven's \
         settings:\n{}",
        String::from_utf8_lossy(&built.stdout)
    );
    #[allow(clippy::disallowed_methods, reason = "what a lost cache held is fetched again")]
    fs::rename(incoming.keep(), cache).unwrap();
}
