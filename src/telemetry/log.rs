//! The log: text for people or JSON for machines, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;
use crate::telemetry::progress::{AboveBars, is_terminal};

/// Starts the log. `level` is one of error, warn, info, debug and trace; the
/// Kafka client's own lines come with debug.
pub fn init(format: LogFormat, level: &str) {
    let filter = EnvFilter::new(format!("{level},hyper=warn,hyper_util=warn,rdkafka=off,librdkafka=off"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(MakeAboveBars);
    // A second call, as tests in one process make, changes nothing.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).with_ansi(is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

struct MakeAboveBars;

impl<'a> MakeWriter<'a> for MakeAboveBars {
    type Writer = AboveBars;

    fn make_writer(&'a self) -> AboveBars {
        AboveBars
    }
}
