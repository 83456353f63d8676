//! What the service shows of itself to people and machines beside its answers.

mod log;
pub mod metrics;
mod progress;
mod sampler;
mod sign_in;

pub use log::init as init_log;
pub use progress::{Progress, is_terminal};
pub use sampler::Sampler;
pub use sign_in::SignInCalls;
