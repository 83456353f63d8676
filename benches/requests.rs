//! Questions over HTTP on connections that are kept, each for another range:
//!
//! ```sh
//! requests --address 127.0.0.1:3000 [--further '&count=0'] --connections 32
//! requests --address 127.0.0.1:3000 [--further '&count=0'] --rate 1000
//! ```
//!
//! Owns the load. Without `--rate` every connection asks again as soon as it is answered.
//! With it, questions are sent by a fixed schedule, and each wait begins when its question was
//! due, so that a service which is slow for a while is charged with all that waited meanwhile.
//! It goes on until its standard input ends, and then prints what it has measured, as
//! `name value` a line.

mod arguments;
mod http;
mod latencies;
mod rooms;

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use arguments::{Arguments, stop};
use http::{Answer, Connection, question};
use latencies::Latencies;

/// How many questions there are before they come again.
const QUESTIONS: usize = 4_096;
/// Connections among which a schedule's questions are dealt out.
const SCHEDULED_CONNECTIONS: u32 = 16;

fn main() {
    let Some(arguments) = Arguments::given() else { return };
    let Ok(address) = arguments.text("--address").parse() else { stop("--address is IP:PORT") };
    let further = arguments.number("--further", String::new());
    let questions: Vec<_> = rooms::ranges(0).take(QUESTIONS).map(|range| question(range, &further)).collect();
    let asked = Asked { address, questions: questions.into(), is_over: Arc::new(AtomicBool::new(false)) };
    let over = Arc::clone(&asked.is_over);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
    });
    match arguments.number("--rate", 0) {
        0 => asked.ask_without_pause(arguments.number("--connections", 32)),
        rate => asked.ask_by_schedule(rate),
    }
}

#[derive(Clone)]
struct Asked {
    address: SocketAddr,
    questions: Arc<[Vec<u8>]>,
    is_over: Arc<AtomicBool>,
}

/// What was answered.
#[derive(Clone, Default)]
struct Answered {
    count: Arc<AtomicU64>,
    body_bytes: Arc<AtomicU64>,
}

impl Asked {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn ask_without_pause(&self, connections: usize) {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| stop(&error.to_string()));
        let (answered, begun) = (Answered::default(), Instant::now());
        let all = async {
            let mut tasks = JoinSet::new();
            for number in 0..connections {
                // Each begins elsewhere in the list.
                let first = number * self.questions.len() / connections;
                tasks.spawn(converse(self.clone(), first, answered.clone()));
            }
            while let Some(ended) = tasks.join_next().await {
                if let Ok(Err(error)) = ended {
                    stop(&format!("a connection broke: {error}"));
                }
            }
        };
        runtime.block_on(all);
        let count = answered.count.load(Ordering::Relaxed);
        println!("answers {count}");
        println!("seconds {}", begun.elapsed().as_secs_f64());
        println!("body_bytes {}", answered.body_bytes.load(Ordering::Relaxed) / count.max(1));
    }

    fn ask_by_schedule(&self, rate: u32) {
        let begun = Instant::now();
        let waits = thread::scope(|scope| {
            let talks: Vec<_> = (0..SCHEDULED_CONNECTIONS)
                .map(|first| scope.spawn(move || self.keep_schedule(begun, first, rate)))
                .collect();
            talks.into_iter().flat_map(|talk| talk.join().unwrap_or_default()).collect()
        });
        let Latencies { p50, p99, max, count } = Latencies::of(waits);
        println!("answers {count}");
        println!("seconds {}", begun.elapsed().as_secs_f64());
        for (name, wait) in [("p50", p50), ("p99", p99), ("max", max)] {
            println!("{name} {}", wait.as_secs_f64());
        }
    }

    /// One connection's share: every so manieth question.
    fn keep_schedule(&self, begun: Instant, first: u32, rate: u32) -> Vec<Duration> {
        let mut connection = Connection::open(self.address);
        let (mut waits, mut number) = (Vec::new(), u64::from(first));
        loop {
            let due = begun + Duration::from_nanos(number * 1_000_000_000 / u64::from(rate));
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let question = usize::try_from(number).unwrap_or(0) % self.questions.len();
            connection.ask(&self.questions[question]);
            waits.push(due.elapsed());
            number += u64::from(SCHEDULED_CONNECTIONS);
            if !self.goes_on() {
                return waits;
            }
        }
    }
}

async fn converse(asked: Asked, first: usize, answered: Answered) -> io::Result<()> {
    let stream = TcpStream::connect(asked.address).await?;
    stream.set_nodelay(true)?;
    let (mut answer, mut buffer) = (Answer::default(), vec![0; 128 * 1024]);
    for question in asked.questions.iter().cycle().skip(first) {
        if !asked.goes_on() {
            break;
        }
        send(&stream, question).await?;
        answer.clear();
        receive(&stream, &mut answer, &mut buffer).await?;
        answered.count.fetch_add(1, Ordering::Relaxed);
        answered.body_bytes.fetch_add(answer.body().len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn send(stream: &TcpStream, mut question: &[u8]) -> io::Result<()> {
    while !question.is_empty() {
        match stream.try_write(question) {
            Ok(written) => question = &question[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn receive(stream: &TcpStream, answer: &mut Answer, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match stream.try_read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) if answer.take(&buffer[..read]) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Err(error) => return Err(error),
        }
    }
}
