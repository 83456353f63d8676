//! The webhook's door, which leads to the topic.
//!
//! Owns how its events become records: keyed by their room, and acknowledged one by one.

use anyhow::Context as _;

use crate::config::Config;
use crate::decode::IF_UNKNOWN_HEADER;
use crate::kafka::{Fate, Outgoing, Publisher};
use crate::webhook::{NotPublished, Publish, Publishing, RoomEvent, Webhook};

/// Writes events to the rooms' topic.
#[derive(Debug)]
struct ToTopic(Publisher);

/// The webhook as it is configured.
pub(super) fn webhook(config: &Config) -> anyhow::Result<Webhook> {
    let publisher =
        Publisher::start(super::connection(config)).context("cannot make the webhook's Kafka client")?;
    Ok(Webhook::new(super::rules(config), Box::new(ToTopic(publisher))))
}

impl ToTopic {
    fn send(&self, event: &RoomEvent) -> Result<Fate, NotPublished> {
        let headers = if event.if_unknown { vec![(IF_UNKNOWN_HEADER, Some(&b""[..]))] } else { Vec::new() };
        let (key, value) = (Some(event.room.as_bytes()), Some(&event.value[..]));
        self.0.send(&Outgoing { key, value, timestamp: None, headers }).map_err(NotPublished)
    }
}

impl Publish for ToTopic {
    fn publish(&self, events: Vec<RoomEvent>) -> Publishing {
        let fates: Result<Vec<_>, _> = events.iter().map(|event| self.send(event)).collect();
        Box::pin(async move {
            for fate in fates? {
                let written = fate.await.unwrap_or_else(|_| Err("the client has ended".to_owned()));
                written.map_err(NotPublished)?;
            }
            Ok(())
        })
    }
}
