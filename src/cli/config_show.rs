//! `roomtally config show`: every key in force and where it was set.

use clap::{Args, Subcommand};

use super::{ConfigArgs, Failure, ServiceArgs, say};

#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every key, its value and the layer that set it; secrets are hidden
    Show(Show),
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

impl ConfigCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Command::Show(show) = self.command;
        let shown = show.config.load(show.service.flags())?.shown;
        let lines: Vec<_> =
            shown.iter().map(|key| (format!("{} = {}", key.key, key.value), &key.layer)).collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(60);
        for (line, layer) in lines {
            say(format_args!("{line:width$}  # {layer}"))?;
        }
        Ok(())
    }
}
