//! `roomtally`: counts livechat rooms per department, live from Kafka.

use std::process::ExitCode;

fn main() -> ExitCode {
    roomtally::cli::main()
}
