//! Random histories of rooms, as records in partitions, against a naive model.
//!
//! Every history is told through the public doors as a topic tells it: batches
//! of any size, partitions interleaved in any way, records delivered again. The
//! model keeps one entry a room and looks at all of them for every question.

#![allow(clippy::unwrap_used, clippy::option_option)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use roomtally::aggregator::Counting;
use roomtally::decode::{IF_UNKNOWN_HEADER, Limits, Rules};
use roomtally::kafka::{BatchRecord, DecodedBatch, Decoder};
use roomtally::log::{NextOffset, Partition};
use roomtally::room::Timestamp;
use roomtally::status::EventResult;
use roomtally::tally::{Question, TallyReader, tally};

const PARTITIONS: usize = 3;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// 2020-01-01T00:00:00Z; the histories play in the weeks around it.
const MIDDLE_MS: i64 = 1_577_836_800_000;

/// What happens to one room; the number says which.
#[derive(Debug, Clone)]
enum Happening {
    Created { ts: i64, department: Option<&'static str>, waiting: bool },
    Updated { ts: Option<i64>, department: Option<Option<&'static str>>, waiting: Option<bool> },
    Removed,
    Tombstone,
}

/// One record of the topic.
#[derive(Debug, Clone)]
struct Told {
    room: u8,
    happening: Happening,
    if_unknown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ModelRoom {
    ts: i64,
    department: Option<&'static str>,
    waiting: bool,
}

/// What is known after a history, kept without any cleverness.
#[derive(Debug, Default)]
struct Model {
    rooms: BTreeMap<u8, ModelRoom>,
    results: BTreeMap<EventResult, u64>,
}

impl Model {
    fn hear(&mut self, told: &Told) {
        let result = self.apply(told);
        *self.results.entry(result).or_default() += 1;
    }

    fn apply(&mut self, told: &Told) -> EventResult {
        let known = self.rooms.get(&told.room).copied();
        if told.if_unknown && known.is_some() {
            return EventResult::Duplicate;
        }
        let now = match (&told.happening, known) {
            (&Happening::Created { ts, department, waiting }, _) => ModelRoom { ts, department, waiting },
            (&Happening::Updated { ts, department, waiting }, Some(room)) => ModelRoom {
                ts: ts.unwrap_or(room.ts),
                department: department.unwrap_or(room.department),
                waiting: waiting.unwrap_or(room.waiting),
            },
            (Happening::Removed | Happening::Tombstone, Some(_)) => {
                self.rooms.remove(&told.room);
                return EventResult::Removed;
            }
            (Happening::Tombstone, None) => return EventResult::Tombstone,
            (Happening::Removed | Happening::Updated { .. }, None) => return EventResult::UnknownRoom,
        };
        self.rooms.insert(told.room, now);
        match known {
            None => EventResult::Counted,
            Some(room) if room == now => EventResult::Duplicate,
            Some(_) => EventResult::Changed,
        }
    }

    fn count(&self, question: &Question<'_>) -> Vec<(Option<&'static str>, u64)> {
        let mut rows = BTreeMap::<Option<&'static str>, u64>::new();
        for room in self.rooms.values() {
            let inside = question.from.as_millis() <= room.ts && room.ts <= question.to.as_millis();
            let answered = question.answered.is_none_or(|answered| answered != room.waiting);
            let wanted = question.department.is_none_or(|wanted| room.department == Some(wanted));
            if inside && answered && wanted {
                *rows.entry(room.department).or_default() += 1;
            }
        }
        rows.into_iter().collect()
    }
}

impl Told {
    /// The record's value; none for a tombstone.
    fn value(&self) -> Option<String> {
        let id = format!(r#""_id":"room{}""#, self.room);
        let named = |department: Option<&str>| serde_json::to_string(&department).unwrap();
        Some(match &self.happening {
            Happening::Created { ts, department, waiting } => format!(
                r#"{{"event":"room-created",{id},"ts":{ts},"departmentId":{},"waitingResponse":{waiting}}}"#,
                named(*department)
            ),
            Happening::Updated { ts, department, waiting } => {
                let ts = ts.map(|ts| format!(r#","ts":{{"$date":{ts}}}"#)).unwrap_or_default();
                let department =
                    department.map(|id| format!(r#","departmentId":{}"#, named(id))).unwrap_or_default();
                let waiting = match waiting {
                    None => "",
                    Some(true) => r#","waitingResponse":true"#,
                    Some(false) => r#","waitingResponse":null"#,
                };
                format!(r#"{{"event":"room-updated",{id}{ts}{department}{waiting}}}"#)
            }
            Happening::Removed => format!(r#"{{"event":"room-removed",{id}}}"#),
            Happening::Tombstone => return None,
        })
    }
}

fn instant() -> impl Strategy<Value = i64> {
    // Half of them crowd around hours and days, where buckets begin and end.
    prop_oneof![
        MIDDLE_MS - 40 * DAY_MS..MIDDLE_MS + 40 * DAY_MS,
        (-50_i64..50, -1_i64..=1).prop_map(|(hour, ms)| MIDDLE_MS + hour * HOUR_MS + ms),
        (-33_i64..33, -1_i64..=1).prop_map(|(day, ms)| MIDDLE_MS + day * DAY_MS + ms),
    ]
}

fn department() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some(""), Some("a"), Some("b"), Some("null"), Some("é\"\\")])
}

fn told() -> impl Strategy<Value = Told> {
    let created = (instant(), department(), any::<bool>())
        .prop_map(|(ts, department, waiting)| Happening::Created { ts, department, waiting });
    let updated = (prop::option::of(instant()), prop::option::of(department()), any::<Option<bool>>())
        .prop_map(|(ts, department, waiting)| Happening::Updated { ts, department, waiting });
    let happening = prop_oneof![
        5 => created,
        4 => updated,
        1 => Just(Happening::Removed),
        1 => Just(Happening::Tombstone),
    ];
    (0..24_u8, happening, prop::bool::weighted(0.1)).prop_map(|(room, happening, if_unknown)| Told {
        room,
        happening,
        if_unknown,
    })
}

/// A history, how its partitions are interleaved into batches, and where the
/// client goes back to deliver records again.
#[derive(Debug, Clone)]
struct Telling {
    history: Vec<Told>,
    turns: Vec<Index>,
    batch_sizes: Vec<usize>,
    repeats: Vec<(Index, usize)>,
}

fn telling() -> impl Strategy<Value = Telling> {
    let history = prop::collection::vec(told(), 0..120);
    let turns = prop::collection::vec(any::<Index>(), 120);
    let batch_sizes = prop::collection::vec(1..20_usize, 1..8);
    let repeats = prop::collection::vec((any::<Index>(), 1..10_usize), 0..6);
    (history, turns, batch_sizes, repeats).prop_map(|(history, turns, batch_sizes, repeats)| Telling {
        history,
        turns,
        batch_sizes,
        repeats,
    })
}

impl Telling {
    /// The records in the order in which they are delivered, as partition and
    /// index into that partition: its own order kept, the others' in between,
    /// some delivered again.
    fn deliveries(&self, partitions: &[Vec<&Told>; PARTITIONS]) -> Vec<(usize, usize)> {
        let mut next = [0; PARTITIONS];
        let mut deliveries = Vec::new();
        for turn in &self.turns {
            let open: Vec<_> = (0..PARTITIONS).filter(|&p| next[p] < partitions[p].len()).collect();
            if open.is_empty() {
                break;
            }
            let partition = *turn.get(&open);
            deliveries.push((partition, next[partition]));
            next[partition] += 1;
        }
        for (at, count) in &self.repeats {
            if !deliveries.is_empty() {
                let at = at.index(deliveries.len());
                let (partition, index) = deliveries[at];
                let again = (index.saturating_sub(*count)..=index).map(|index| (partition, index));
                deliveries
                    .splice(at..=at, std::iter::once((partition, index)).chain(again).collect::<Vec<_>>());
            }
        }
        deliveries
    }

    fn tell(&self, model: &mut Model) -> (Counting, TallyReader) {
        let mut partitions: [Vec<&Told>; PARTITIONS] = Default::default();
        for told in &self.history {
            model.hear(told);
            partitions[usize::from(told.room) % PARTITIONS].push(told);
        }
        let (writer, reader) = tally(10);
        let limits =
            Limits { record_bytes: 1 << 20, oldest: Timestamp::from_millis(0), max_future_ms: DAY_MS };
        let mut counting = Counting::new(writer);
        let mut decoder = Decoder::new(Rules { limits, collection: String::new() });
        for partition in 0..PARTITIONS {
            counting.begin(Partition(i32::try_from(partition).unwrap()), NextOffset::START);
        }
        let deliveries = self.deliveries(&partitions);
        let mut rest = &deliveries[..];
        for size in self.batch_sizes.iter().cycle() {
            let (batch, later) = rest.split_at((*size).min(rest.len()));
            if batch.is_empty() {
                break;
            }
            let refused = apply((&mut counting, &mut decoder), batch, &partitions);
            assert_eq!(refused, Vec::<String>::new());
            rest = later;
        }
        (counting, reader)
    }
}

/// Applies one batch; says what was refused of it.
fn apply(
    (counting, decoder): (&mut Counting, &mut Decoder),
    records: &[(usize, usize)],
    partitions: &[Vec<&Told>; PARTITIONS],
) -> Vec<String> {
    let mut told = DecodedBatch::default();
    let batch = told.batch_mut();
    for &(partition, index) in records {
        let of = partitions[partition][index];
        let value = of.value();
        batch.push(&BatchRecord {
            partition: Partition(i32::try_from(partition).unwrap()),
            offset: i64::try_from(index).unwrap() * 2,
            timestamp: Some(Timestamp::from_millis(MIDDLE_MS + 100 * DAY_MS)),
            key: Some(format!("room{}", of.room).as_bytes()),
            value: value.as_deref().map(str::as_bytes),
        });
        if of.if_unknown {
            batch.push_header((IF_UNKNOWN_HEADER, None));
        }
    }
    decoder.decode(&mut told);
    let mut refused = Vec::new();
    counting.apply(&told, |refusal| refused.push(format!("{refusal:?}")));
    refused
}

/// Ranges whose ends lie on, just before and just behind the rooms that are known.
fn questions(model: &Model, random: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let edges: Vec<_> = model.rooms.values().map(|room| room.ts).collect();
    let around = |ts: i64| [ts - 1, ts, ts + 1];
    let mut questions = random.to_vec();
    for (from, to) in edges.iter().zip(edges.iter().rev()) {
        for from in around(*from) {
            questions.extend(around(*to).map(|to| (from, to)));
        }
    }
    questions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn every_answer_equals_the_models(
        telling in telling(),
        ranges in prop::collection::vec((instant(), instant()), 6),
    ) {
        let mut model = Model::default();
        let (counting, reader) = telling.tell(&mut model);
        for (from, to) in questions(&model, &ranges) {
            let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
            for answered in [None, Some(true), Some(false)] {
                for department in [None, Some("a"), Some(""), Some("unheard of")] {
                    let question = Question { from, to, answered, department };
                    let answer = reader.count(&question);
                    let rows: Vec<_> = answer.rows().map(|row| (row.department, row.rooms)).collect();
                    prop_assert_eq!(rows, model.count(&question), "{:?}", question);
                }
            }
        }
        prop_assert_eq!(reader.rooms(), model.rooms.len());
        prop_assert_eq!(reader.newest_room().map(Timestamp::as_millis), model.rooms.values().map(|room| room.ts).max());
        let results: BTreeMap<_, _> = counting.events().by_result().filter(|&(_, records)| records > 0).collect();
        prop_assert_eq!(results, model.results);
        prop_assert_eq!(counting.events().total(), u64::try_from(telling.history.len()).unwrap());
    }
}

/// What a room of a crowded hour is; there are enough that the hour sums up its quarters.
#[derive(Debug, Clone, Copy)]
struct Crowded {
    ms: i64,
    department: u8,
    waiting: bool,
}

const CROWD: usize = 3_000;

fn crowded() -> impl Strategy<Value = Crowded> {
    // Some stand where an eighth of the hour begins or ends.
    let ms =
        prop_oneof![0..HOUR_MS, (0..8_i64, -1_i64..=1).prop_map(|(at, ms)| (at * HOUR_MS / 8 + ms).max(0))];
    (ms, 0..3_u8, any::<bool>()).prop_map(|(ms, department, waiting)| Crowded { ms, department, waiting })
}

/// Tells what each of these rooms is now, or that it is gone, in batches.
fn tell_crowd(
    (counting, decoder): (&mut Counting, &mut Decoder),
    offset: &mut i64,
    told: &[(usize, Option<Crowded>)],
) {
    for told in told.chunks(1_000) {
        let mut batch = DecodedBatch::default();
        for &(number, room) in told {
            let value = match room {
                Some(Crowded { ms, department, waiting }) => format!(
                    r#"{{"event":"room-created","_id":"crowd{number}","ts":{},"departmentId":"{department}","waitingResponse":{waiting}}}"#,
                    MIDDLE_MS + ms
                ),
                None => format!(r#"{{"event":"room-removed","_id":"crowd{number}"}}"#),
            };
            batch.batch_mut().push(&BatchRecord {
                partition: Partition(0),
                offset: *offset,
                timestamp: Some(Timestamp::from_millis(MIDDLE_MS + 100 * DAY_MS)),
                key: None,
                value: Some(value.as_bytes()),
            });
            *offset += 1;
        }
        decoder.decode(&mut batch);
        counting.apply(&batch, |refusal| panic!("{refusal:?}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases() / 10))]

    #[test]
    fn every_part_of_an_hour_with_thousands_of_rooms_equals_the_models(
        crowd in prop::collection::vec(crowded(), CROWD),
        later in prop::collection::vec((0..CROWD, prop::option::weighted(0.7, crowded())), 0..600),
        ranges in prop::collection::vec((crowded(), crowded()), 24),
    ) {
        let (writer, reader) = tally(10);
        let limits =
            Limits { record_bytes: 1 << 20, oldest: Timestamp::from_millis(0), max_future_ms: DAY_MS };
        let mut counting = Counting::new(writer);
        let mut decoder = Decoder::new(Rules { limits, collection: String::new() });
        counting.begin(Partition(0), NextOffset::START);
        let (mut rooms, mut offset) = (vec![None; CROWD], 0);
        let first: Vec<_> = crowd.into_iter().map(Some).enumerate().collect();
        for told in [first, later] {
            tell_crowd((&mut counting, &mut decoder), &mut offset, &told);
            told.into_iter().for_each(|(number, room)| rooms[number] = room);
            for (from, to) in &ranges {
                let mut expected = [[0; 2]; 3];
                for room in rooms.iter().flatten().filter(|room| (from.ms..=to.ms).contains(&room.ms)) {
                    expected[usize::from(room.department)][usize::from(room.waiting)] += 1;
                }
                let [from, to] = [from, to].map(|end| Timestamp::from_millis(MIDDLE_MS + end.ms));
                for (answered, share) in [(Some(true), 0), (Some(false), 1)] {
                    for only in [None, Some("1")] {
                        let answer = reader.count(&Question { from, to, answered, department: only });
                        for (name, expected) in ["0", "1", "2"].into_iter().zip(expected) {
                            let found = answer.rows().find(|row| row.department == Some(name)).map(|row| row.rooms);
                            let is_asked = only.is_none_or(|only| only == name) && expected[share] > 0;
                            prop_assert_eq!(found, is_asked.then_some(expected[share]));
                        }
                    }
                }
            }
        }
    }
}

/// How many histories: some for every run, more for a long one, see CONTRIBUTING.
fn cases() -> u32 {
    std::env::var("ROOMTALLY_TEST_HISTORIES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}
