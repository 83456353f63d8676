//! The built program against a real Apache Kafka: `cargo test --features kafka-tests --test kafka`.
//!
//! Each test drives the program as its users do (a configuration file, the
//! command line, HTTP, signals) and compares whole answers with a count that it
//! makes itself, in [`model`]. Tests share one node and have a topic of their
//! own each; those that stop a broker have a node of their own. Nothing passes
//! without a broker: where none can be started, the tests fail and say why.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

mod http;
mod model;
mod node;
mod program;
mod service;
mod topic;
mod wait;

mod added_partitions;
mod check;
mod client_properties;
mod codecs;
mod compaction;
mod counting;
mod late_arrivals;
mod outages;
mod produce;
mod produce_refusals;
mod rejections;
mod signals;
mod stops;
mod transactions;
