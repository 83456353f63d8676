//! Questions to a running service, as bytes, and answers as they come.
//!
//! Owns the text of a question and where an answer ends. Invariant: an answer that is not 200
//! ends the program, since nothing is worth measuring then.

#![allow(dead_code, reason = "no program of this folder needs all of it")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use roomtally::room::Timestamp;

use crate::arguments::stop;

const PATH: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";

/// A question for one range of time; `further` are parameters behind it.
pub(crate) fn question((from, to): (i64, i64), further: &str) -> Vec<u8> {
    let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
    format!(
        "GET {PATH}?start={from}&end={to}{further} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         X-User-Id: myuser-name\r\nX-Auth-Token: myauth-token\r\n\r\n"
    )
    .into_bytes()
}

/// What has come of an answer.
#[derive(Default)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    /// Where the body begins and ends, once that is known.
    body: Option<(usize, usize)>,
}

impl Answer {
    /// Takes what has come; whether the answer is whole.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        if self.body.is_none() {
            self.body = head_of(&self.bytes);
        }
        self.body.is_some_and(|(_, end)| self.bytes.len() >= end)
    }

    /// The body of a whole answer.
    pub(crate) fn body(&self) -> &[u8] {
        self.body.map_or(&[], |(begin, end)| &self.bytes[begin..end])
    }

    /// Begins anew, for the next answer.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.body = None;
    }
}

fn head_of(bytes: &[u8]) -> Option<(usize, usize)> {
    let begin = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..begin]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        stop(&format!("the answer is not 200:\n{}", String::from_utf8_lossy(bytes)));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => Some((begin, begin + length)),
        None => stop(&format!("the answer does not say how long it is:\n{head}")),
    }
}

/// One connection that is kept, for one question at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Answer,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = stream.unwrap_or_else(|error| stop(&format!("{address}: {error}")));
        Self { stream, answer: Answer::default(), buffer: vec![0; 128 * 1024] }
    }

    /// Asks and waits for the whole answer; its body.
    pub(crate) fn ask(&mut self, question: &[u8]) -> &[u8] {
        self.answer.clear();
        if let Err(error) = self.stream.write_all(question) {
            stop(&format!("a question was not taken: {error}"));
        }
        loop {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => stop("the service closed the connection"),
                Ok(read) if self.answer.take(&self.buffer[..read]) => return self.answer.body(),
                Ok(_) => {}
                Err(error) => stop(&format!("an answer broke off: {error}")),
            }
        }
    }
}
