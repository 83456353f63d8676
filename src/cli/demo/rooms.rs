//! The rooms of the demonstration: those of the documented example, and live ones.

use rand::RngExt as _;
use rand::rngs::SmallRng;
use serde::Serialize;

use crate::room::Timestamp;

/// The reference documentation's answer to its own example.
const DOCUMENTED: [(Option<&str>, i64); 11] = [
    (None, 30),
    (Some("GgYvrkAF63aeQmsh4"), 486),
    (Some("qajzu7WaBRoQBpq6Z"), 13),
    (Some("Z2KWYBJQFR7AzfmQL"), 2),
    (Some("BiqbQav59HD2LzXEY"), 61),
    (Some("NJaMpSvZFZ4NAXm3j"), 1),
    (Some("CAJioQNAvLnYWTy8i"), 181),
    (Some("YiWdMkdbFhk3o9daf"), 6),
    (Some("8MGLTfaKLCbE9CqR8"), 10),
    (Some("MpAiP9PMyHwBcmALx"), 4),
    (Some("Yi87Ju7eTHiZQ7CJt"), 51),
];

/// The example's range: 2020-01-10T23:59:22.345Z to 2021-02-10T23:59:22.345Z.
const FROM_MS: i64 = 1_578_700_762_345;
const TO_MS: i64 = 1_613_001_562_345;

/// The letters of Rocket.Chat's ids, without those that people mistake.
const ID_LETTERS: &[u8; 55] = b"23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
const ID_LENGTH: usize = 17;

/// One in so many live chats is forwarded to another department.
const FORWARDED_ONE_IN: u32 = 6;

/// A chat is answered after so many later ones have begun.
const ANSWERED_AFTER_CHATS: usize = 5;

/// A native event, in the topic's own JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomEvent {
    event: &'static str,
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    department_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_response: Option<bool>,
}

/// The rooms that make the documented answer, spread evenly over its range, the
/// first and the last on its very ends.
pub(super) fn documented_rooms() -> Vec<RoomEvent> {
    let mut random: SmallRng = rand::make_rng();
    let departments = DOCUMENTED.iter().flat_map(|&(department, rooms)| (0..rooms).map(move |_| department));
    let departments: Vec<_> = departments.collect();
    let last = i64::try_from(departments.len()).unwrap_or(i64::MAX) - 1;
    let events = (0..).zip(departments).map(|(number, department_id)| RoomEvent {
        event: "room-created",
        id: random_id(&mut random),
        department_id,
        ts: Some(Timestamp::from_millis(FROM_MS + (TO_MS - FROM_MS) * number / last).to_string()),
        waiting_response: (number % 3 == 0).then_some(true),
    });
    events.collect()
}

/// Chats that begin, are answered, and now and then forwarded.
#[derive(Debug)]
pub(super) struct LiveChats {
    random: SmallRng,
    waiting: Vec<String>,
}

impl Default for LiveChats {
    fn default() -> Self {
        Self { random: rand::make_rng(), waiting: Vec::new() }
    }
}

impl LiveChats {
    /// What happens next, at the instant `now`.
    pub(super) fn next(&mut self, now: Timestamp) -> Vec<RoomEvent> {
        let begun = RoomEvent {
            event: "room-created",
            id: random_id(&mut self.random),
            department_id: self.department(),
            ts: Some(now.to_string()),
            waiting_response: Some(true),
        };
        self.waiting.push(begun.id.clone());
        let mut events = vec![begun];
        if self.waiting.len() > ANSWERED_AFTER_CHATS {
            let updated = RoomEvent {
                event: "room-updated",
                id: self.waiting.remove(0),
                department_id: None,
                ts: None,
                waiting_response: Some(false),
            };
            if self.random.random_range(0..FORWARDED_ONE_IN) == 0 {
                events.push(RoomEvent {
                    department_id: DOCUMENTED[1].0,
                    waiting_response: None,
                    ..updated.clone()
                });
            }
            events.push(updated);
        }
        events
    }

    /// A department, as likely as the example has rooms of it.
    fn department(&mut self) -> Option<&'static str> {
        let rooms: i64 = DOCUMENTED.iter().map(|(_, rooms)| rooms).sum();
        let mut drawn = self.random.random_range(0..rooms);
        let fits = |(_, rooms): &&(Option<&str>, i64)| {
            drawn -= rooms;
            drawn < 0
        };
        DOCUMENTED.iter().find(fits).and_then(|&(department, _)| department)
    }
}

fn random_id(random: &mut SmallRng) -> String {
    (0..ID_LENGTH).map(|_| char::from(ID_LETTERS[random.random_range(0..ID_LETTERS.len())])).collect()
}
