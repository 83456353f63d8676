//! Progress bars for long work, on standard error, and only on a terminal.
//!
//! Owns the bars, so that log lines are written above them and not into them.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Whether standard error is a terminal, where bars and colours make sense.
pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A bar, or nothing where there is no terminal. It goes when it is dropped.
#[derive(Debug)]
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins `work`, which has `total` units to do.
    pub fn begin(work: &'static str, unit: &str, total: u64) -> Self {
        if !is_terminal() {
            return Self(None);
        }
        let bar = BARS.add(ProgressBar::new(total));
        let template =
            format!("{{msg}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit} ({{rate}}/s, {{eta}} left)");
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}", HumanCount(whole(state.per_sec())));
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.set_message(work);
        Self(Some(bar))
    }

    /// So much is done.
    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }

    /// There is so much to do.
    pub fn set_total(&self, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate saturates, as wanted")]
fn whole(rate: f64) -> u64 {
    rate as u64
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Standard error, above the bars if there are any.
#[derive(Debug, Clone, Copy)]
pub(super) struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
