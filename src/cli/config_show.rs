//! `roomtally config show`: every key in force and where it was set.

use clap::{Args, Subcommand};

use super::{ConfigArgs, Failure};

#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    command: Show,
}

#[derive(Debug, Subcommand)]
enum Show {
    /// Every key, its value and the layer that set it; secrets are hidden
    Show(ConfigArgs),
}

impl ConfigCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Show::Show(args) = self.command;
        let shown = args.load(Vec::new())?.shown;
        let lines: Vec<_> =
            shown.iter().map(|key| (format!("{} = {}", key.key, key.value), &key.layer)).collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(60);
        for (line, layer) in lines {
            println!("{line:width$}  # {layer}");
        }
        Ok(())
    }
}
