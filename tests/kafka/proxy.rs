//! A way to the broker that can be cut, held up and slowed down.
//!
//! Owns one port on loopback and the connections through it, each with a thread
//! a direction. Invariant: bytes are passed on unchanged and in order, or not at
//! all, but for the one that is asked to be spoiled; every change of a way holds for all connections when it returns. Nothing
//! outlives the value.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::Shutdown;
use rustix::net::sockopt::set_socket_linger;

use crate::node;

/// The largest piece that is passed on at a time.
const PIECE: usize = 16 << 10;

/// Between two looks for a new connection.
const LOOK: Duration = Duration::from_millis(2);

/// How long a broker may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// The request by which a consumer asks for records.
const FETCH: i16 = 1;

/// What becomes of the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Way {
    #[default]
    Open,
    /// Held back, with the connection open: a black hole.
    Stalled,
    /// So many bytes a second on each connection.
    Slow(usize),
    /// Each connection is cut after so many more bytes.
    CutAfter(usize),
}

/// The proxy; dropping it cuts what goes through it.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// None while connections are refused.
    listener: Option<TcpListener>,
    target: u16,
    /// From the service to the broker, and back.
    ways: [Way; 2],
    /// How often the ways have been changed.
    changes: u64,
    links: Vec<Arc<Link>>,
    /// Of these bytes the last one is changed when they are next on their way back.
    spoil: Option<Vec<u8>>,
    ended: bool,
}

/// A connection of the service's, and the one to the broker that belongs to it.
#[derive(Debug)]
struct Link {
    ends: [TcpStream; 2],
    /// Nothing goes through any more, and nobody is told.
    dead: AtomicBool,
    closed: AtomicBool,
    /// A request for records has been seen on it.
    fetches: AtomicBool,
}

/// Counts one direction of one connection.
#[derive(Debug, Default)]
struct Meter {
    /// The change of the ways since which it counts.
    change: u64,
    passed: usize,
    /// When the next piece may go on a slow way.
    next: Option<Instant>,
}

impl Proxy {
    /// A port to which nothing listens until [`lead_to`](Self::lead_to).
    pub(crate) fn new() -> Self {
        let (port, shared) = (node::free_port(), Arc::new(Shared::default()));
        Self { port, shared, accepting: None }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where the service finds it.
    pub(crate) fn servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Opens the way to a port.
    pub(crate) fn lead_to(&mut self, target: u16) {
        self.shared.lock().target = target;
        self.open();
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(thread::spawn(move || accept(&shared)));
    }

    /// Everything goes through, for connections that are not dead.
    pub(crate) fn open(&self) {
        self.set(Way::Open, Way::Open);
    }

    /// What becomes of the bytes to the broker and back.
    pub(crate) fn set(&self, to_broker: Way, to_service: Way) {
        let mut state = self.shared.lock();
        if state.listener.is_none() {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("the proxy's port is free");
            listener.set_nonblocking(true).expect("a listener need not block");
            state.listener = Some(listener);
        }
        state.ways = [to_broker, to_service];
        state.changes += 1;
        self.shared.changed.notify_all();
    }

    /// Changes a byte of this when it is next on its way to the service, once.
    pub(crate) fn spoil_once(&self, bytes: &[u8]) {
        self.shared.lock().spoil = Some(bytes.to_vec());
    }

    pub(crate) fn has_spoiled(&self) -> bool {
        self.shared.lock().spoil.is_none()
    }

    /// Resets every connection, and refuses others.
    pub(crate) fn cut(&self) {
        let mut state = self.shared.lock();
        state.listener = None;
        state.links.drain(..).for_each(|link| link.reset());
        self.shared.changed.notify_all();
    }

    /// Those connections that are there now stay there, and nothing goes through
    /// them ever again; others are not held up.
    pub(crate) fn strand(&self) {
        self.strand_those(|_| true);
    }

    /// The same for those only by which records are asked for.
    pub(crate) fn strand_fetching(&self) {
        self.strand_those(|link| link.fetches.load(Ordering::Relaxed));
    }

    fn strand_those(&self, which: impl Fn(&Link) -> bool) {
        let state = self.shared.lock();
        for link in state.links.iter().filter(|link| which(link)) {
            link.dead.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.shared.lock().ended = true;
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until some bytes may pass in a direction of a connection; says how
    /// many of `waiting`, or none when the connection is at its end.
    fn permit(&self, link: &Link, direction: usize, meter: &mut Meter, waiting: usize) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if link.closed.load(Ordering::Relaxed) {
                return None;
            }
            if meter.change != state.changes {
                *meter = Meter { change: state.changes, ..Meter::default() };
            }
            let now = Instant::now();
            let wait = match state.ways[direction] {
                _ if link.dead.load(Ordering::Relaxed) => None,
                Way::Open => return Some(waiting),
                Way::Stalled => None,
                Way::CutAfter(bytes) if meter.passed >= bytes => {
                    link.reset();
                    return None;
                }
                Way::CutAfter(bytes) => {
                    let passes = waiting.min(bytes - meter.passed);
                    meter.passed += passes;
                    return Some(passes);
                }
                Way::Slow(rate) => match meter.next {
                    Some(next) if next > now => Some(next - now),
                    _ => {
                        let passes = waiting.min(rate.div_ceil(20));
                        meter.next = Some(now + Duration::from_secs(1) * u32(passes) / u32(rate));
                        return Some(passes);
                    }
                },
            };
            let wait = wait.unwrap_or(Duration::from_mins(1));
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn spoil(&self, piece: &mut [u8]) {
        let mut state = self.lock();
        let found = state.spoil.as_ref().and_then(|bytes| {
            let begin = piece.windows(bytes.len()).position(|window| window == bytes)?;
            Some(begin + bytes.len() - 1)
        });
        if let Some(last) = found {
            piece[last] ^= 1;
            state.spoil = None;
        }
    }

    /// Passes on what comes in one direction until the connection ends.
    fn pass_on(&self, link: &Link, direction: usize) {
        let (mut from, mut to) = (&link.ends[direction], &link.ends[1 - direction]);
        let (mut piece, mut meter, mut requests) = ([0; PIECE], Meter::default(), Requests::default());
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if direction == 0 && requests.read(&piece[..length]) {
                link.fetches.store(true, Ordering::Relaxed);
            }
            if direction == 1 {
                self.spoil(&mut piece[..length]);
            }
            let mut waiting = &piece[..length];
            while !waiting.is_empty() {
                let Some(passes) = self.permit(link, direction, &mut meter, waiting.len()) else { return };
                if to.write_all(&waiting[..passes]).is_err() {
                    break;
                }
                waiting = &waiting[passes..];
            }
        }
        // Of a dead connection the service hears nothing, not even its end.
        let left = direction == 0 && link.dead.load(Ordering::Relaxed);
        if left || self.permit(link, direction, &mut meter, 0).is_some() {
            link.close();
        }
        self.lock().links.retain(|other| !other.closed.load(Ordering::Relaxed));
        self.changed.notify_all();
    }
}

impl Link {
    /// Ends both sides in order.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for end in &self.ends {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Ends both sides as if the machine on the way had forgotten them: the
    /// threads see an end, and the sockets are reset when the last of them lets go.
    fn reset(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for end in &self.ends {
            let _ = set_socket_linger(end, Some(Duration::ZERO));
            let _ = rustix::net::shutdown(end, Shutdown::Read);
        }
    }
}

/// Finds the kinds of requests in a stream of them.
#[derive(Debug, Default)]
struct Requests {
    /// The head of the next request, as far as it has come.
    head: Vec<u8>,
    /// Bytes to the next request's head.
    skip: usize,
}

impl Requests {
    /// A length, and the kind.
    const HEAD: usize = 6;

    /// Whether a request for records begins in what comes.
    fn read(&mut self, mut bytes: &[u8]) -> bool {
        let mut fetches = false;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                (self.skip, bytes) = (self.skip - skipped, &bytes[skipped..]);
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if let [a, b, c, d, kind @ ..] = &self.head[..]
                && let Ok(kind) = kind.try_into()
            {
                fetches |= i16::from_be_bytes(kind) == FETCH;
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                self.skip = length.saturating_sub(Self::HEAD - 4);
                self.head.clear();
            }
        }
        fetches
    }
}

fn accept(shared: &Arc<Shared>) {
    loop {
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        let come = state.listener.as_ref().and_then(|listener| listener.accept().ok());
        let Some((service, _)) = come else {
            drop(shared.changed.wait_timeout(state, LOOK));
            continue;
        };
        // Where no broker listens the connection ends at once.
        let address = SocketAddr::from(([127, 0, 0, 1], state.target));
        let Ok(broker) = TcpStream::connect_timeout(&address, CONNECT) else { continue };
        let ends = [service, broker];
        for end in &ends {
            let _ = end.set_nonblocking(false);
            let _ = end.set_nodelay(true);
        }
        let [dead, closed, fetches] = std::array::from_fn(|_| AtomicBool::new(false));
        let link = Arc::new(Link { ends, dead, closed, fetches });
        state.links.push(Arc::clone(&link));
        drop(state);
        for direction in [0, 1] {
            let (shared, link) = (Arc::clone(shared), Arc::clone(&link));
            thread::spawn(move || shared.pass_on(&link, direction));
        }
    }
}

fn u32(number: usize) -> u32 {
    u32::try_from(number).expect("a number of bytes")
}
