//! What was sent while a service ran, and what has to come of it.

use crate::model::{Event, Model};
use crate::service::Service;

/// All that was sent to a service's topic.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    model: Model,
    records: u64,
}

impl Sent {
    pub(crate) fn take(&mut self, events: &[Event]) {
        self.records += events.len() as u64;
        self.model.take(events);
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Every answer is the model's, and every record was consumed once, after this.
    #[track_caller]
    pub(crate) fn is_exact(&self, service: &Service, after: &str) {
        let consumed = service.consumed();
        assert_eq!(
            consumed, self.records,
            "records consumed and sent after {after}: fewer are lost, more counted twice"
        );
        service.answers(&self.model);
    }
}
