//! `roomtally check`: everything a start needs, looked at one by one.

mod auth;
mod data_directory;
mod dead_letters;
mod topic;

use std::io;
use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;

use super::{ConfigArgs, Failure, ServiceArgs, say};
use crate::api::WEBHOOK_PATH;
use crate::cli::check::data_directory::Kept;
use crate::config::Config;
use crate::kafka::{OutOfSight, inspect};
use crate::service;

/// In capitals, to be seen among the others.
const FAIL: &str = "FAIL";

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    service: ServiceArgs,
    /// Only the configuration: reach nothing
    #[arg(long)]
    offline: bool,
}

/// What was found, line by line.
#[derive(Debug, Default)]
struct Findings {
    failed: bool,
}

impl Findings {
    fn fine(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell("ok", what, text)
    }

    fn warn(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell("warn", what, text)
    }

    /// What could not be looked at; its cause has failed.
    fn skip(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell("skip", what, text)
    }

    fn fail(&mut self, what: &str, text: &str) -> io::Result<()> {
        self.tell(FAIL, what, text)
    }

    fn tell(&mut self, verdict: &str, what: &str, text: &str) -> io::Result<()> {
        self.failed |= verdict == FAIL;
        say(format_args!("{verdict:4}  {what}: {text}"))
    }
}

impl Check {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let loaded = self.config.load_and_log(self.service.flags())?;
        let config = loaded.config;
        let mut findings = Findings::default();
        findings.fine("configuration", "every key is known and valid")?;
        auth::warn_of_configuration(&config, &mut findings)?;
        if config.webhook.secret.is_some() {
            findings.fine("webhook", &format!("is taken at {WEBHOOK_PATH}"))?;
        }
        if self.offline {
            return Ok(());
        }
        let kept = Kept::of(&config.snapshot.dir);
        kafka(&config, &kept, &mut findings).await?;
        kept.tell(&config, &mut findings)?;
        auth::reach_server(&config.auth, &mut findings).await?;
        address(config.http.listen, &mut findings).await?;
        if findings.failed { Err(Failure::Said) } else { Ok(()) }
    }
}

async fn kafka(config: &Config, kept: &Kept, findings: &mut Findings) -> io::Result<()> {
    let servers = &config.kafka.bootstrap_servers;
    let topic = format!("topic {}", config.kafka.topic);
    match inspect(&service::connection(config), service::now()).await {
        Err(OutOfSight::BrokerAway { reason }) => {
            findings.fail("kafka", &format!("cannot reach {servers}: {reason}"))?;
            findings.skip(&topic, "not looked at, since Kafka cannot be reached")
        }
        Err(OutOfSight::TopicAbsent) => {
            findings.fine("kafka", &format!("{servers} answers"))?;
            findings.fail(&topic, "is not there; create it, or name another with --topic")?;
            dead_letters::look(None, config, findings).await
        }
        Ok(found) => {
            findings.fine("kafka", &format!("{servers} answers"))?;
            let records: u64 =
                found.partitions.iter().map(|bounds| bounds.end.records_since(bounds.begin)).sum();
            findings.fine(&topic, &format!("{} partitions, {records} offsets", found.partitions.len()))?;
            topic::warn_of_stop(&topic, &found, kept, findings)?;
            topic::warn_of_retention(&topic, &found, kept, config, findings)?;
            topic::warn_of_records(&topic, &found, config, findings)?;
            dead_letters::look(Some(&found), config, findings).await
        }
    }
}

async fn address(listen: SocketAddr, findings: &mut Findings) -> io::Result<()> {
    let name = format!("address {listen}");
    match TcpListener::bind(listen).await {
        Ok(_) => findings.fine(&name, "is free"),
        Err(error) => {
            findings.fail(&name, &format!("cannot listen there: {error}; choose another with http.listen"))
        }
    }
}
