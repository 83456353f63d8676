//! librdkafka's broker inside this process, for the demonstration and small tests.
//!
//! Owns a broker that lives as long as the value. It keeps 5 MiB a partition
//! and drops older records silently, so nothing that must last is put there.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// A broker inside this process, listening on a port of its own on loopback.
pub struct EmbeddedBroker(MockCluster<'static, DefaultProducerContext>);

impl EmbeddedBroker {
    /// Starts the broker with one topic.
    ///
    /// # Errors
    /// When librdkafka cannot start it.
    pub fn start(topic: &str, partitions: i32) -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        cluster.create_topic(topic, partitions, 1)?;
        Ok(Self(cluster))
    }

    /// Where it listens.
    pub fn bootstrap_servers(&self) -> String {
        self.0.bootstrap_servers()
    }
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EmbeddedBroker").field(&self.bootstrap_servers()).finish()
    }
}
