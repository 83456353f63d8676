//! The command line: what the user says, and how each command ends.
//!
//! Owns commands, flags and exit codes: 0 done (also after SIGINT or SIGTERM),
//! 1 failed, 2 wrong usage, 78 wrong configuration. Answers go to standard
//! output; the log, bars and errors go to standard error.

mod check;
mod compare;
mod config_show;
mod demo;
mod health;
mod produce;
mod replay;
mod resolve;
mod serve;
mod snapshot;
mod token;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::config::{Loaded, Mistakes, Sources, load};
use crate::{service, telemetry};

/// The exit code of a wrong configuration, as `sysexits.h` has it.
const EXIT_CONFIG: u8 = 78;

/// Counts livechat rooms per department, live from Kafka, exactly.
#[derive(Debug, Parser)]
#[command(name = "roomtally", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the topic, count, and answer over HTTP
    Serve(serve::Serve),
    /// Run the whole service on an embedded broker, with the documented example and live chats
    Demo(demo::Demo),
    /// Send room events and documents, one JSON object a line or an array, to the topic
    Produce(produce::Produce),
    /// Send dead letters that are good by now back to the topic
    Replay(replay::Replay),
    /// Look at the configuration, the broker, the topic, the data directory and the address
    Check(check::Check),
    /// Ask Rocket.Chat and roomtally the same, and show where the answers differ; exit 1 if they do
    Compare(Box<compare::Compare>),
    /// Decide on an integrity stop: how to go on when the log is not what was counted
    Resolve(resolve::Resolve),
    /// Check, show, back up or restore what is on disk
    Snapshot(snapshot::Snapshot),
    /// Make a random token for a user and the configuration that lets it in
    Token(token::Token),
    /// Show the configuration in force
    Config(config_show::ConfigCommand),
    /// Ask a running service whether it is ready; exit 0 or 1, for health checks
    Health(health::Health),
}

/// Where the configuration comes from, besides the environment.
#[derive(Debug, Default, Args)]
struct ConfigArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// The least important log lines shown: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// Which topic, if not the configured one.
#[derive(Debug, Default, Args)]
struct TopicArgs {
    /// Kafka's address, host:port[,host:port]
    #[arg(long, value_name = "SERVERS")]
    bootstrap_servers: Option<String>,
    /// The topic of the room events
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

/// What the service takes as flags besides.
#[derive(Debug, Default, Args)]
struct ServiceArgs {
    #[command(flatten)]
    topic: TopicArgs,
    /// Address and port to answer on
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// Data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

/// How a command ends if not well.
#[derive(Debug)]
enum Failure {
    /// The configuration is wrong: exit 78.
    Config(Mistakes),
    /// Something failed at run time: exit 1.
    Run(anyhow::Error),
    /// The failure has been said already: exit 1.
    Said,
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::Config(mistakes)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Run(error)
    }
}

impl From<io::Error> for Failure {
    /// Standard output that takes no more; a reader that has gone (`| head`) is
    /// not worth a word.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Said;
        }
        Self::Run(anyhow::Error::from(error).context("cannot write to standard output"))
    }
}

/// Writes a line to standard output, where `println` would panic if it cannot.
fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::Run(error.into())),
    };
    let ended = runtime.block_on(run(cli.command));
    // What still waits for a broker that is away is not waited for.
    runtime.shutdown_background();
    ended.err().map_or(ExitCode::SUCCESS, |failure| report(&failure))
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(stop_signal()?).await,
        Command::Demo(demo) => demo.run(stop_signal()?).await,
        Command::Produce(produce) => produce.run(stop_signal()?).await,
        Command::Replay(replay) => replay.run(stop_signal()?).await,
        Command::Check(check) => check.run().await,
        Command::Compare(compare) => compare.run(stop_signal()?).await,
        Command::Resolve(resolve) => resolve.run(),
        Command::Snapshot(snapshot) => snapshot.run(),
        Command::Token(token) => token.run(),
        Command::Config(config) => config.run(),
        Command::Health(health) => health.run().await,
    }
}

fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Config(mistakes) => {
            eprintln!("{mistakes}");
            ExitCode::from(EXIT_CONFIG)
        }
        Failure::Run(error) => {
            eprintln!("roomtally: {error:#}");
            ExitCode::FAILURE
        }
        Failure::Said => ExitCode::FAILURE,
    }
}

/// Cancelled by SIGINT or SIGTERM; a second one ends the process at once.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if stopping.is_cancelled() {
                std::process::exit(1);
            }
            stopping.cancel();
        }
    });
    Ok(stop)
}

impl ConfigArgs {
    /// Reads every layer, the flags of the command included.
    fn load(&self, flags: Vec<(&'static str, Option<String>)>) -> Result<Loaded, Mistakes> {
        let own = [("log.format", self.log_format.clone()), ("log.level", self.log_level.clone())];
        let flags = own.into_iter().chain(flags);
        let (mut env, mut env_not_text) = (Vec::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            // No key has a name that is no text.
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => env.push((name, value)),
                Err(_) => env_not_text.push(name),
            }
        }
        load(&Sources {
            file: self.config.as_deref(),
            env,
            env_not_text,
            flags: flags.filter_map(|(key, value)| Some((key, value?))).collect(),
            client_check: Some(service::check_client),
        })
    }

    /// The same, and starts the log as configured.
    fn load_and_log(&self, flags: Vec<(&'static str, Option<String>)>) -> Result<Loaded, Mistakes> {
        let loaded = self.load(flags)?;
        telemetry::init_log(loaded.config.log.format, &loaded.config.log.level);
        Ok(loaded)
    }
}

impl TopicArgs {
    fn flags(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("kafka.bootstrap_servers", self.bootstrap_servers.clone()), ("kafka.topic", self.topic.clone())]
    }
}

impl ServiceArgs {
    fn flags(&self) -> Vec<(&'static str, Option<String>)> {
        let own = [("http.listen", self.listen.clone()), ("snapshot.dir", self.data_dir.clone())];
        self.topic.flags().into_iter().chain(own).collect()
    }
}
