//! The webhook's places: how many requests are answered at a time, seen through sockets.
//!
//! What Kafka does to it is tried on a real one, in the Kafka suite; here a door stands in
//! for it that opens when the test says so.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roomtally::config::TokenHash;
use roomtally::decode::{Limits, Rules};
use roomtally::room::Timestamp;
use roomtally::webhook::{NotPublished, Publish, Publishing, RoomEvent, Webhook};
use tokio::sync::Semaphore;
use wire::{Answer, Service, settings};

/// So many are answered at a time.
const PLACES: usize = 32;

const DEADLINE: Duration = Duration::from_secs(20);

/// Where events wait until there is a permit for them; none are taken once it is closed.
#[derive(Debug, Clone)]
struct Door {
    knocks: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

impl Publish for Door {
    fn publish(&self, _: Vec<RoomEvent>) -> Publishing {
        self.knocks.fetch_add(1, Ordering::SeqCst);
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            let permit = permits.acquire().await.map_err(|_| NotPublished("it is closed".to_owned()))?;
            permit.forget();
            Ok(())
        })
    }
}

/// A service whose counts are not complete, and the door behind its webhook.
fn service() -> (Service, Door) {
    let door = Door { knocks: Arc::default(), permits: Arc::new(Semaphore::new(0)) };
    let limits = Limits { record_bytes: 1 << 20, oldest: Timestamp::from_millis(0), max_future_ms: 1 };
    let webhook =
        Webhook::new(Rules { limits, collection: "rocketchat_room".to_owned() }, Box::new(door.clone()));
    let add = |api: roomtally::api::Api| api.with_webhook(TokenHash::of(b"secret"), webhook);
    (Service::catching_up_as(&[], &settings(), add), door)
}

fn request(room: usize) -> Vec<u8> {
    let body =
        format!(r#"{{"type":"LivechatSessionStart","_id":"{room}","createdAt":"2020-01-01T00:00:00Z"}}"#);
    let length = body.len();
    format!(
        "POST /webhooks/rocketchat HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\
         X-RocketChat-Livechat-Token: secret\r\n\r\n{body}"
    )
    .into_bytes()
}

#[track_caller]
fn is(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{answer:?}");
    assert_eq!(answer.header("retry-after").is_some(), status == 503, "{answer:?}");
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_request_for_which_there_is_no_place_is_put_off_at_once_and_the_others_get_their_answer() {
    let (service, door) = service();
    let mut waiting: Vec<_> = (0..PLACES).map(|_| service.connect()).collect();
    waiting.iter_mut().enumerate().for_each(|(room, connection)| connection.write(&request(room)));
    until("all are at the door", || door.knocks.load(Ordering::SeqCst) == PLACES);
    is(&service.send(&request(PLACES)), 503);
    assert_eq!(door.knocks.load(Ordering::SeqCst), PLACES, "it was not let in");
    door.permits.add_permits(PLACES + 1);
    waiting.iter_mut().for_each(|connection| is(&connection.read_to_end(), 200));
    is(&service.send(&request(PLACES)), 200);
}

#[test]
fn another_method_gets_an_answer_without_a_body_like_every_other() {
    let (service, _door) = service();
    for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
        let answer = service.request(&format!("{method} /webhooks/rocketchat"), "");
        is(&answer, 405);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
        assert_eq!(answer.header("content-type"), None, "{method}");
    }
}

#[test]
fn what_the_door_refuses_is_put_off() {
    let (service, door) = service();
    door.permits.close();
    is(&service.send(&request(0)), 503);
}

#[test]
fn a_door_that_does_not_open_is_not_waited_for_longer_than_the_sender_waits() {
    let (service, _door) = service();
    let began = Instant::now();
    is(&service.send(&request(0)), 503);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(4), "{took:?}");
}
