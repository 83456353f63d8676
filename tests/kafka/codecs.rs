//! Every way in which a topic may be compressed.

use crate::model::{Model, workload};
use crate::service::Setup;
use crate::topic::{FOR_EVER, Topic};

/// The broker stores a topic's records in the codec that the topic names,
/// whatever the producer sent.
#[track_caller]
fn check(codec: &str) {
    let topic = Topic::shared_with(2, &[FOR_EVER, ("compression.type", codec)]);
    let events = workload(11, 500);
    topic.send(&events);
    let service = Setup::new(&topic).serve();
    service.agrees_with(&Model::of(&events));
    assert_eq!(service.consumed(), events.len() as u64);
}

#[test]
fn a_topic_without_compression_is_counted() {
    check("uncompressed");
}

#[test]
fn a_topic_compressed_with_gzip_is_counted() {
    check("gzip");
}

#[test]
fn a_topic_compressed_with_snappy_is_counted() {
    check("snappy");
}

#[test]
fn a_topic_compressed_with_lz4_is_counted() {
    check("lz4");
}

#[test]
fn a_topic_compressed_with_zstd_is_counted() {
    check("zstd");
}
