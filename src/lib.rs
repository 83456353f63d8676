//! Counting livechat rooms per department, exactly, from a Kafka topic.
//!
//! ```text
//! Kafka ─ kafka ──batches──▶ decode ──RoomChange──▶ tally (ledger + buckets) ◀──reads── api ◀─ HTTP
//!                              └───────── aggregator, the one writer ─────┘
//!                                                        └──changes, cuts──▶ snapshot ─▶ files
//! ```
//!
//! The modules stand in the order in which the data meets them. The first six
//! are the core: no input or output, no clock, no threads but those that a load may be
//! given; without the feature `service` the package is only these. `docs/architecture.md` tells the rest.

pub mod room;

pub mod log;

pub mod decode;

pub mod buckets;
pub mod ledger;
pub mod tally;

pub mod status;

#[cfg(feature = "service")]
pub mod snapshot;

#[cfg(feature = "service")]
pub mod kafka;

#[cfg(feature = "service")]
pub mod webhook;

#[cfg(feature = "service")]
pub mod aggregator;

#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod telemetry;

#[cfg(feature = "service")]
pub mod auth;
#[cfg(feature = "service")]
pub mod http_client;

#[cfg(feature = "service")]
pub mod api;

#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod service;
