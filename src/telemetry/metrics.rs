//! The series that Prometheus reads.
//!
//! Owns their names, types, units and labels. Two kinds: what happens to
//! requests is recorded as it happens; what [`Status`] and the tally know
//! already is read at each scrape. Invariants: each scrape reads the second kind
//! into a recorder of its own, from one reading of the results, so that scrapes
//! at the same time do not mix, the sums hold within each, and a series ends
//! with its source; and no label takes a value from a request as it came.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use metrics::{Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::room::Timestamp;
use crate::status::{DeadLetterCounts, Status};
use crate::tally::TallyReader;

use super::sign_in::SignInCalls;

const BUILD_INFO: &str = "roomtally_build_info";
const EVENTS: &str = "roomtally_events_total";
const REJECTED: &str = "roomtally_rejected_total";
const DEAD_LETTERS: &str = "roomtally_dead_letters_total";
const ROOMS: &str = "roomtally_rooms";
const DEPARTMENTS: &str = "roomtally_departments";
const LAG_RECORDS: &str = "roomtally_consumer_lag_records";
const LAG_SECONDS: &str = "roomtally_consumer_lag_seconds";
const NEWEST_ROOM: &str = "roomtally_newest_room_timestamp_seconds";
const NEWEST_RECORD: &str = "roomtally_newest_record_timestamp_seconds";
const STOPS: &str = "roomtally_integrity_stops_total";
const SNAPSHOT_DURATION: &str = "roomtally_snapshot_duration_seconds";
const SNAPSHOT_PAUSE: &str = "roomtally_snapshot_pause_seconds";
const SNAPSHOT_LAST: &str = "roomtally_snapshot_last_success_timestamp_seconds";
const SNAPSHOT_BYTES: &str = "roomtally_snapshot_bytes";
const SNAPSHOT_FAILURES: &str = "roomtally_snapshot_failures_total";
const HTTP_DURATION: &str = "roomtally_http_request_duration_seconds";
const HTTP_IN_FLIGHT: &str = "roomtally_http_requests_in_flight";

/// Upper bounds of the histograms' buckets, in seconds: from an answer out of
/// memory to the longest that anybody waits for.
const BUCKETS_SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub(super) const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// The recorder of what happens; clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Shared>);

struct Shared {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    in_flight: Gauge,
    snapshots: Histogram,
    pauses: Histogram,
    /// By method, route and status, so that a request takes no lock of the
    /// recorder's.
    durations: DashMap<RequestLabels, Histogram>,
}

/// Method, route and status.
type RequestLabels = (&'static str, &'static str, u16);

/// One request that is being answered; dropping it ends it.
#[derive(Debug)]
#[must_use]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A recorder of its own: two in one process know nothing of each other.
    pub fn new() -> Self {
        let recorder = recorder();
        describe_recorded(&recorder);
        let in_flight = recorder.register_gauge(&Key::from_static_name(HTTP_IN_FLIGHT), &METADATA);
        in_flight.set(0.0);
        let histogram = |name| recorder.register_histogram(&Key::from_static_name(name), &METADATA);
        let (snapshots, pauses) = (histogram(SNAPSHOT_DURATION), histogram(SNAPSHOT_PAUSE));
        let (handle, durations) = (recorder.handle(), DashMap::new());
        Self(Arc::new(Shared { recorder, handle, in_flight, snapshots, pauses, durations }))
    }

    /// A request begins.
    pub fn request_begins(&self) -> InFlight {
        self.0.in_flight.increment(1.0);
        InFlight(self.0.in_flight.clone())
    }

    /// A request has been answered. `method` and `route` are of a small fixed
    /// set: each combination with a status is a series for ever.
    pub fn request_answered(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.with_durations((method, route, status), |durations| durations.record(took));
    }

    /// A snapshot was kept, after so much work of the thread that writes it.
    pub fn snapshot_took(&self, took: Duration) {
        self.0.snapshots.record(took);
    }

    /// Counting waited for a snapshot, or could have.
    pub fn counting_waited(&self, waited: Duration) {
        self.0.pauses.record(waited);
    }

    /// Such requests will come: their series is there from the first scrape on.
    pub fn announce(&self, method: &'static str, route: &'static str, status: u16) {
        self.with_durations((method, route, status), |_| {});
    }

    /// What the Rocket.Chat server is asked about credentials; the series are there from
    /// the first scrape on.
    pub fn sign_in_calls(&self) -> SignInCalls {
        SignInCalls::of(&self.0.recorder)
    }

    fn with_durations(&self, labels: RequestLabels, then: impl FnOnce(&Histogram)) {
        if let Some(durations) = self.0.durations.get(&labels) {
            return then(&durations);
        }
        then(&self.0.durations.entry(labels).or_insert_with(|| self.duration_of(labels)));
    }

    fn duration_of(&self, (method, route, status): RequestLabels) -> Histogram {
        let labels = vec![
            Label::from_static_parts("method", method),
            Label::from_static_parts("route", route),
            Label::new("status", status.to_string()),
        ];
        self.0.recorder.register_histogram(&Key::from_parts(HTTP_DURATION, labels), &METADATA)
    }

    /// Puts durations measured since the last time into their buckets. Without
    /// it they are kept one by one until the next scrape.
    pub fn upkeep(&self) {
        self.0.handle.run_upkeep();
    }

    /// All series as Prometheus text, as they are at the instant `now`.
    pub fn render(&self, status: &Status, tally: &TallyReader, now: Timestamp) -> String {
        let recorder = recorder();
        describe_read(&recorder);
        let scrape = Scrape(&recorder);
        scrape.gauge(BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        scrape.events(status);
        scrape.tally(tally);
        scrape.lag(status, now);
        scrape.snapshot(status);
        let mut text = recorder.handle().render();
        text.push_str(&self.0.handle.render());
        text
    }
}

/// What one scrape reads.
struct Scrape<'a>(&'a PrometheusRecorder);

impl Scrape<'_> {
    fn events(&self, status: &Status) {
        let events = status.events();
        for (result, records) in events.by_result() {
            self.counter(EVENTS, &[("result", result.name())], records);
        }
        for (reason, records) in events.by_reason() {
            self.counter(REJECTED, &[("reason", reason.name())], records);
        }
        let DeadLetterCounts { acknowledged, failed } = status.dead_letter_counts();
        for (result, copies) in [("acknowledged", acknowledged), ("failed", failed)] {
            self.counter(DEAD_LETTERS, &[("result", result)], copies);
        }
        for (reason, stops) in status.stops() {
            self.counter(STOPS, &[("reason", reason.name())], stops);
        }
        if let Some(newest) = status.newest_record() {
            self.gauge(NEWEST_RECORD, &[], seconds(newest));
        }
    }

    fn tally(&self, tally: &TallyReader) {
        self.gauge(ROOMS, &[], number(tally.rooms() as u64));
        self.gauge(DEPARTMENTS, &[], number(tally.departments() as u64));
        if let Some(newest) = tally.newest_room() {
            self.gauge(NEWEST_ROOM, &[], seconds(newest));
        }
    }

    fn lag(&self, status: &Status, now: Timestamp) {
        for lag in status.lag(now) {
            let partition = lag.partition.to_string();
            let labels = [("partition", partition.as_str())];
            self.gauge(LAG_RECORDS, &labels, number(lag.records));
            if let Some(seconds) = lag.seconds {
                self.gauge(LAG_SECONDS, &labels, seconds);
            }
        }
    }

    fn snapshot(&self, status: &Status) {
        let snapshot = status.snapshot();
        if !snapshot.kept {
            return;
        }
        self.counter(SNAPSHOT_FAILURES, &[], snapshot.failures);
        if let Some(written_at) = snapshot.written_at {
            self.gauge(SNAPSHOT_LAST, &[], seconds(written_at));
        }
        if let Some(bytes) = snapshot.bytes {
            self.gauge(SNAPSHOT_BYTES, &[], number(bytes));
        }
    }

    fn counter(&self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.0.register_counter(&key(name, labels), &METADATA).absolute(value);
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)], value: f64) {
        self.0.register_gauge(&key(name, labels), &METADATA).set(value);
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<_> = labels.iter().map(|&(key, value)| Label::new(key, value.to_owned())).collect();
    Key::from_parts(name, labels)
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, and a gauge is no ledger beyond")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Seconds since the epoch.
#[allow(clippy::cast_precision_loss, reason = "an instant in ms is below 2^53")]
fn seconds(instant: Timestamp) -> f64 {
    instant.as_millis() as f64 / 1_000.0
}

#[allow(clippy::expect_used, reason = "the only error is an empty list of buckets")]
fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new().set_buckets(&BUCKETS_SECONDS).expect("buckets are given").build_recorder()
}

fn describe_recorded(recorder: &PrometheusRecorder) {
    let duration = "Time from a request's head to its answer's, in seconds.";
    recorder.describe_histogram(HTTP_DURATION.into(), None, duration.into());
    let duration = "Work for a snapshot that was kept, in seconds.";
    recorder.describe_histogram(SNAPSHOT_DURATION.into(), None, duration.into());
    let pause = "How long counting waited for a snapshot at a time, in seconds.";
    recorder.describe_histogram(SNAPSHOT_PAUSE.into(), None, pause.into());
    recorder.describe_gauge(HTTP_IN_FLIGHT.into(), None, "Requests that are being answered now.".into());
}

fn describe_read(recorder: &PrometheusRecorder) {
    for (name, help) in [
        (EVENTS, "Records consumed by this process, by what became of them."),
        (REJECTED, "Records refused by this process, by the first fault found."),
        (DEAD_LETTERS, "Copies of records refused by this process, by what became of them."),
        (STOPS, "Partitions that this process stopped counting, by reason."),
        (SNAPSHOT_FAILURES, "Attempts of this process to write a snapshot that failed."),
    ] {
        recorder.describe_counter(name.into(), None, help.into());
    }
    for (name, help) in [
        (BUILD_INFO, "Always 1; the label names the running version."),
        (ROOMS, "Rooms that count now."),
        (DEPARTMENTS, "Departments that have a room now; having none is not one."),
        (LAG_RECORDS, "Records that can be read and have not been applied."),
        (LAG_SECONDS, "Age of the last applied record while records are behind, else 0."),
        (SNAPSHOT_LAST, "When the newest snapshot was written, in seconds since the epoch."),
        (SNAPSHOT_BYTES, "Bytes of the newest snapshot: its file and those that it builds upon."),
        (NEWEST_ROOM, "Creation time of the newest room that counts, in seconds since the epoch."),
        (NEWEST_RECORD, "Kafka timestamp of the newest record applied, in seconds since the epoch."),
    ] {
        recorder.describe_gauge(name.into(), None, help.into());
    }
}
