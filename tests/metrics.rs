//! The metrics as a scrape sees them, through a socket.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::collections::{BTreeMap, BTreeSet};

use roomtally::decode::RejectReason;
use roomtally::log::{NextOffset, Partition, Positions, Stop, StopReason};
use roomtally::room::Timestamp;
use roomtally::status::{Ends, EventCounts, EventResult, Timestamps};
use wire::{CREDENTIALS, PATH, Service, instant, rooms, settings};

/// Samples by name and labels as written, and the type of each metric.
struct Scrape {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
    helps: BTreeSet<String>,
}

impl Scrape {
    #[track_caller]
    fn of(service: &Service) -> Self {
        let answer = service.request("GET /metrics", "");
        assert_eq!(answer.status, 200);
        Self::read(&answer.body)
    }

    #[track_caller]
    fn read(text: &str) -> Self {
        let mut scrape = Self { samples: BTreeMap::new(), types: BTreeMap::new(), helps: BTreeSet::new() };
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').unwrap();
                assert!(text.ends_with('.'), "{line}");
                assert!(scrape.helps.insert(name.to_owned()), "{line}");
            } else if let Some(named) = line.strip_prefix("# TYPE ") {
                let (name, kind) = named.split_once(' ').unwrap();
                assert_eq!(scrape.types.insert(name.to_owned(), kind.to_owned()), None, "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let before = scrape.samples.insert(series.to_owned(), value.parse().unwrap());
                assert_eq!(before, None, "{line}");
            }
        }
        scrape
    }

    fn get(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    /// All series of one metric.
    fn all(&self, name: &str) -> Vec<(&str, f64)> {
        let of_it = |series: &str| series.split('{').next() == Some(name);
        self.samples.iter().filter(|(series, _)| of_it(series)).map(|(series, &v)| (&**series, v)).collect()
    }

    fn sum(&self, name: &str) -> f64 {
        self.all(name).iter().map(|(_, value)| value).sum()
    }
}

#[track_caller]
fn is(found: Option<f64>, expected: f64) {
    let found = found.expect("the series is there");
    assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
}

fn counts(result: &[(EventResult, u64)], rejects: &[RejectReason]) -> EventCounts {
    let mut counts = EventCounts::default();
    for &(result, records) in result {
        for _ in 0..records {
            counts.add(result);
        }
    }
    for &reason in rejects {
        counts.reject(reason);
    }
    counts
}

/// The timestamps of a batch with one record.
fn seen(partition: Partition, record: Timestamp) -> Timestamps {
    let mut timestamps = Timestamps::default();
    timestamps.see(partition, record);
    timestamps
}

#[test]
fn every_metric_has_its_type_and_help_from_the_first_scrape_on() {
    let service = Service::ready(&[rooms(None, "2020", 1)]);
    let mut positions = Positions::default();
    positions.begin(Partition(0), NextOffset::at(1));
    service.status.applied(&positions, &seen(Partition(0), instant("2020")), &EventCounts::default());
    service.status.snapshots_begin(Some((12, instant("2026-11-22T10:00:00.500Z"), 4_096)));
    service.status.snapshot_failed("No space left on device".to_owned());
    let scrape = Scrape::of(&service);
    let expected = [
        ("roomtally_build_info", "gauge"),
        ("roomtally_consumer_lag_records", "gauge"),
        ("roomtally_consumer_lag_seconds", "gauge"),
        ("roomtally_dead_letters_total", "counter"),
        ("roomtally_departments", "gauge"),
        ("roomtally_events_total", "counter"),
        ("roomtally_http_request_duration_seconds", "histogram"),
        ("roomtally_http_requests_in_flight", "gauge"),
        ("roomtally_integrity_stops_total", "counter"),
        ("roomtally_newest_record_timestamp_seconds", "gauge"),
        ("roomtally_newest_room_timestamp_seconds", "gauge"),
        ("roomtally_rejected_total", "counter"),
        ("roomtally_rooms", "gauge"),
        ("roomtally_snapshot_bytes", "gauge"),
        ("roomtally_snapshot_duration_seconds", "histogram"),
        ("roomtally_snapshot_failures_total", "counter"),
        ("roomtally_snapshot_last_success_timestamp_seconds", "gauge"),
        ("roomtally_snapshot_pause_seconds", "histogram"),
    ];
    let types: Vec<_> = scrape.types.iter().map(|(name, kind)| (&**name, &**kind)).collect();
    assert_eq!(types, expected);
    assert_eq!(scrape.helps, expected.map(|(name, _)| name.to_owned()).into());
    let version = env!("CARGO_PKG_VERSION");
    is(scrape.get(&format!("roomtally_build_info{{version=\"{version}\"}}")), 1.0);
    is(scrape.get("roomtally_snapshot_bytes"), 4_096.0);
    is(scrape.get("roomtally_snapshot_failures_total"), 1.0);
    is(scrape.get("roomtally_snapshot_last_success_timestamp_seconds"), 1_795_341_600.5);
}

#[test]
fn every_label_value_is_there_before_anything_happened() {
    let service = Service::catching_up(&[], &settings());
    let scrape = Scrape::of(&service);
    for result in EventResult::ALL {
        is(scrape.get(&format!("roomtally_events_total{{result=\"{}\"}}", result.name())), 0.0);
    }
    for reason in RejectReason::ALL {
        is(scrape.get(&format!("roomtally_rejected_total{{reason=\"{}\"}}", reason.name())), 0.0);
    }
    for result in ["acknowledged", "failed"] {
        is(scrape.get(&format!("roomtally_dead_letters_total{{result=\"{result}\"}}")), 0.0);
    }
    for reason in StopReason::ALL {
        is(scrape.get(&format!("roomtally_integrity_stops_total{{reason=\"{}\"}}", reason.name())), 0.0);
    }
    is(scrape.get("roomtally_rooms"), 0.0);
    is(scrape.get("roomtally_departments"), 0.0);
    let answered = format!("{{method=\"GET\",route=\"{PATH}\",status=\"200\"}}");
    is(scrape.get(&format!("roomtally_http_request_duration_seconds_count{answered}")), 0.0);
    // What is not known has no value.
    assert_eq!(scrape.all("roomtally_newest_room_timestamp_seconds"), []);
    assert_eq!(scrape.all("roomtally_newest_record_timestamp_seconds"), []);
    assert_eq!(scrape.all("roomtally_consumer_lag_records"), []);
}

#[test]
fn what_was_counted_is_told() {
    let ts = "2026-11-22T09:59:58.500Z";
    let service =
        Service::ready(&[rooms(None, "2020", 2), rooms(Some("a"), ts, 1), rooms(Some(""), "2020", 1)]);
    let scrape = Scrape::of(&service);
    is(scrape.get("roomtally_rooms"), 4.0);
    is(scrape.get("roomtally_departments"), 2.0);
    is(scrape.get("roomtally_newest_room_timestamp_seconds"), 1_795_341_598.5);
}

#[test]
fn lag_is_told_per_partition_and_a_value_no_longer_known_is_no_longer_told() {
    let service = Service::ready(&[]);
    let (p0, p1) = (Partition(0), Partition(1));
    let at = NextOffset::at;
    let mut positions = Positions::default();
    positions.begin(p1, at(10));
    service.status.follow(&positions, [(p1, at(10))].into_iter());
    let scrape = Scrape::of(&service);
    is(scrape.get("roomtally_consumer_lag_seconds{partition=\"1\"}"), 0.0);
    let mut positions = Positions::default();
    positions.begin(p0, at(4));
    let record = instant("2020-01-01T00:00:01.250Z");
    service.status.applied(&positions, &seen(p0, record), &EventCounts::default());
    let ends = [(p0, at(4)), (p1, at(15))].into();
    service.status.heard_ends(Ends { at: instant("2026"), ends });
    let scrape = Scrape::of(&service);
    is(scrape.get("roomtally_consumer_lag_records{partition=\"0\"}"), 0.0);
    is(scrape.get("roomtally_consumer_lag_seconds{partition=\"0\"}"), 0.0);
    is(scrape.get("roomtally_consumer_lag_records{partition=\"1\"}"), 5.0);
    // Nothing of partition 1 has been applied, so nothing has an age.
    assert_eq!(scrape.get("roomtally_consumer_lag_seconds{partition=\"1\"}"), None);
    is(scrape.get("roomtally_newest_record_timestamp_seconds"), 1_577_836_801.25);
    let ends = [(p0, at(6)), (p1, at(15))].into();
    service.status.heard_ends(Ends { at: instant("2026"), ends });
    let scrape = Scrape::of(&service);
    is(scrape.get("roomtally_consumer_lag_records{partition=\"0\"}"), 2.0);
    assert!(scrape.get("roomtally_consumer_lag_seconds{partition=\"0\"}").unwrap() > 1e8);
}

#[test]
fn results_add_up_to_the_records_consumed_in_every_scrape() {
    let service = Service::ready(&[]);
    let results = [(EventResult::Counted, 5), (EventResult::Duplicate, 2), (EventResult::Tombstone, 1)];
    let events = counts(&results, &[RejectReason::NotJson, RejectReason::NotJson, RejectReason::NoTs]);
    service.status.applied(&Positions::default(), &Timestamps::default(), &events);
    let scrape = Scrape::of(&service);
    is(scrape.get("roomtally_events_total{result=\"counted\"}"), 5.0);
    is(scrape.get("roomtally_events_total{result=\"rejected\"}"), 3.0);
    is(scrape.get("roomtally_rejected_total{reason=\"not_json\"}"), 2.0);
    is(Some(scrape.sum("roomtally_events_total")), 11.0);
    is(Some(scrape.sum("roomtally_rejected_total")), 3.0);
    service.status.stop(
        Partition(0),
        Stop::of_partition(StopReason::BeyondEnd, Partition(0), NextOffset::at(1), NextOffset::at(2)),
    );
    is(Scrape::of(&service).get("roomtally_integrity_stops_total{reason=\"beyond_end\"}"), 1.0);
}

#[test]
fn scrapes_at_the_same_time_do_not_mix() {
    let service = Service::ready(&[]);
    // As many records are ignored as are refused in every state that is told.
    std::thread::scope(|scope| {
        let scrapers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0.0;
                    for _ in 0..50 {
                        let scrape = Scrape::of(&service);
                        let rejected = scrape.get("roomtally_events_total{result=\"rejected\"}").unwrap();
                        is(Some(scrape.sum("roomtally_rejected_total")), rejected);
                        let ignored = scrape.get("roomtally_events_total{result=\"ignored\"}");
                        is(ignored, rejected);
                        assert!(rejected >= last, "a counter fell from {last} to {rejected}");
                        last = rejected;
                    }
                })
            })
            .collect();
        let mut events = EventCounts::default();
        while scrapers.iter().any(|scraper| !scraper.is_finished()) {
            events.add(EventResult::Ignored);
            events.reject(RejectReason::BadTs);
            service.status.applied(&Positions::default(), &Timestamps::default(), &events);
        }
    });
}

#[test]
fn labels_of_requests_are_bounded_whatever_is_asked() {
    let service = Service::ready(&[]);
    let ask = |line: &str, headers: &str| service.request(line, headers).status;
    assert_eq!(ask(&format!("GET {PATH}?start=2020&end=2021"), CREDENTIALS), 200);
    assert_eq!(ask(&format!("HEAD {PATH}?start=2020&end=2021"), CREDENTIALS), 200);
    assert_eq!(ask(&format!("GET {PATH}"), ""), 401);
    for number in 0..20 {
        assert_eq!(ask(&format!("BREW{number} /x{number}"), ""), 404);
        assert_eq!(ask(&format!("GET /x{number}?{number}"), ""), 404);
        assert_eq!(ask(&format!("BREW{number} {PATH}"), ""), 405);
    }
    let scrape = Scrape::of(&service);
    let found = scrape.all("roomtally_http_request_duration_seconds_count");
    let series = |method: &str, route: &str, status: u16| {
        format!(
            "roomtally_http_request_duration_seconds_count{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
        )
    };
    let expected: BTreeMap<_, _> = [
        (series("GET", PATH, 200), 1.0),
        (series("HEAD", PATH, 200), 1.0),
        (series("GET", PATH, 401), 1.0),
        (series("OTHER", "other", 404), 20.0),
        (series("GET", "other", 404), 20.0),
        (series("OTHER", PATH, 405), 20.0),
    ]
    .into();
    let expected: Vec<_> = expected.iter().map(|(series, value)| (&**series, *value)).collect();
    assert_eq!(found, expected);
    // The scrape itself is in flight, and is measured once it is answered.
    is(scrape.get("roomtally_http_requests_in_flight"), 1.0);
    is(Scrape::of(&service).get(&series("GET", "/metrics", 200)), 1.0);
}

#[test]
fn durations_are_histograms_in_seconds() {
    let service = Service::ready(&[]);
    assert_eq!(service.request("GET /health/live", "").status, 200);
    let scrape = Scrape::of(&service);
    let labels = "method=\"GET\",route=\"/health/live\",status=\"200\"";
    let name = "roomtally_http_request_duration_seconds";
    is(scrape.get(&format!("{name}_bucket{{{labels},le=\"+Inf\"}}")), 1.0);
    is(scrape.get(&format!("{name}_bucket{{{labels},le=\"10\"}}")), 1.0);
    is(scrape.get(&format!("{name}_count{{{labels}}}")), 1.0);
    let sum = scrape.get(&format!("{name}_sum{{{labels}}}")).unwrap();
    assert!(sum > 0.0 && sum < 10.0, "{sum} s");
    assert!(scrape.get(&format!("{name}_bucket{{{labels},le=\"0.0005\"}}")).is_some());
}

#[test]
fn a_scrape_needs_no_credentials_and_may_be_a_head() {
    let service = Service::catching_up(&[], &settings());
    let get = service.request("GET /metrics", "");
    assert_eq!(
        get.own_headers(),
        ["cache-control: no-store", "content-type: text/plain; version=0.0.4; charset=utf-8"]
    );
    let head = service.request("HEAD /metrics", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.own_headers(), get.own_headers());
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 1_000);
}
