//! Snapshots through their public doors: what was kept is what comes back.
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "names are exact")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails with the reason")]

#[path = "../allocator/mod.rs"]
mod allocator;
mod any_order;
mod bad_input;
#[path = "../campaign/mod.rs"]
mod campaign;
mod combinations;
mod damage;
mod disk;
mod faults;
mod going_on;
mod golden;
mod once_wrong;
mod power_loss;
mod rig;
mod sealer;
mod steps;
