//! Producers that write in transactions.

use std::time::Duration;

use rdkafka::producer::Producer as _;

use crate::model::{Event, Model, workload};
use crate::service::{Service, Setup};
use crate::topic::{Record, Sender, Topic};
use crate::wait::until;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A producer whose transactions are the topic's only ones.
pub(crate) fn transactional(topic: &Topic) -> Sender {
    let sender = topic.sender(&[("transactional.id", &topic.name)]);
    sender.init_transactions(TIMEOUT).unwrap();
    sender
}

pub(crate) fn begin(topic: &Topic, sender: &Sender, events: &[Event]) {
    sender.begin_transaction().unwrap();
    topic.put(sender, events.iter().map(Record::from));
}

/// Nothing is behind, and every partition is at its end.
#[track_caller]
fn nothing_lags(service: &Service) {
    until("no partition lags", || {
        let (status, body) = service.ready();
        let partitions = body["partitions"].as_array().unwrap();
        let at_end = partitions.iter().all(|of| of["state"] == "current" && of["position"] == of["end"]);
        let lag = |of: usize| {
            service.metric(&format!("roomtally_consumer_lag_records{{partition=\"{of}\"}}")).to_string()
        };
        (status == 200 && at_end && (0..partitions.len()).all(|of| lag(of) == "0")).then_some(())
    });
}

#[test]
fn committed_transactions_count_aborted_ones_do_not_and_their_markers_are_no_lag() {
    let topic = Topic::shared(2);
    let sender = transactional(&topic);
    let (committed, aborted, last) = (workload(21, 300), workload(22, 300), workload(23, 10));
    begin(&topic, &sender, &committed);
    sender.commit_transaction(TIMEOUT).unwrap();
    begin(&topic, &sender, &aborted);
    sender.abort_transaction(TIMEOUT).unwrap();

    let service = Setup::new(&topic).serve();
    let mut model = Model::of(&committed);
    service.agrees_with(&model);
    assert_eq!(service.consumed(), committed.len() as u64, "no aborted record is consumed");
    nothing_lags(&service);

    begin(&topic, &sender, &last);
    sender.commit_transaction(TIMEOUT).unwrap();
    model.take(&last);
    service.agrees_with(&model);
    begin(&topic, &sender, &aborted);
    sender.abort_transaction(TIMEOUT).unwrap();
    service.agrees_with(&model);
    nothing_lags(&service);
    assert_eq!(service.consumed(), (committed.len() + last.len()) as u64);
}

#[test]
fn an_open_transaction_does_not_hold_up_what_is_before_it_and_counts_once_committed() {
    let topic = Topic::shared(1);
    let (before, within, behind) = (workload(24, 100), workload(25, 100), workload(26, 100));
    topic.send(&before);
    let sender = transactional(&topic);
    begin(&topic, &sender, &within);
    topic.send(&behind);

    let service = Setup::new(&topic).serve();
    until("ready", || (service.ready().0 == 200).then_some(()));
    let mut model = Model::of(&before);
    nothing_lags(&service);
    service.answers(&model);
    assert_eq!(service.consumed(), before.len() as u64, "nothing is read past the open transaction");
    assert_eq!(service.ready().1["partitions"][0]["end"], before.len());

    sender.commit_transaction(TIMEOUT).unwrap();
    model.take(&within);
    model.take(&behind);
    service.agrees_with(&model);
    nothing_lags(&service);
}
