//! The built program against a real Apache Kafka: `cargo test --features kafka-tests --test kafka`.
//!
//! Each test drives the program as its users do (a configuration file, the
//! command line, HTTP, signals) and compares whole answers with a count that it
//! makes itself, in [`model`]; what the watching thread finds out is asked of it
//! directly, in [`watching`]. Tests share one node and have a topic of their
//! own each; those that stop a broker have a node of their own. Nothing passes
//! without a broker: where none can be started, the tests fail and say why.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

mod behind;
mod budget;
mod http;
mod load;
mod model;
mod node;
mod parallel;
mod program;
mod proxy;
#[path = "../rocketchat/mod.rs"]
mod rocketchat;
mod sent;
mod service;
mod topic;
mod wait;
mod watching;

mod added_partitions;
mod bad_batches;
mod canaries;
mod check;
mod client_properties;
mod codecs;
mod commits;
mod compaction;
mod counting;
mod dead_letters;
mod disk;
mod faults;
mod gaps;
mod identity;
mod injected;
mod late_arrivals;
mod made_anew;
mod outages;
mod produce;
mod produce_refusals;
mod rejections;
mod signals;
mod snapshots;
mod standstill;
mod stops;
mod transactions;
mod truncated;
mod upstream;
mod webhook;
