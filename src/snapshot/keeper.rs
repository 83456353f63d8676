//! The thread that writes snapshots, and the way to it.
//!
//! Owns the [`Store`] while the service runs. The owner of the counts tells it
//! what changed and where a cut is, and never waits for a disk: what the thread
//! cannot take is kept for a while, and when that becomes too much it is dropped
//! and the next generation holds all rooms. Orders are taken in their order.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvError, SyncSender, TryRecvError, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::snapshot::{Changes, Cut, LoadError, Loaded, Published, Store};

/// Orders on their way to the thread.
const ON_THE_WAY: usize = 64;

/// Changes that wait for a place on the way, in parts; with more they are dropped.
const WAITING_MAX: usize = 64;

/// What the thread may have told without being heard. It tells one thing of each
/// confirmed cut and at most two of the visit to all rooms that this begins, and whoever gives orders hears
/// it between any two of them, so the thread never waits for a place.
const TOLD_MAX: usize = 64;

/// Tells a cut from all others that were given to the same [`Keeper`], so that what
/// became of one that was given up is never taken for what became of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutNumber(u64);

/// What the thread has to tell.
#[derive(Debug)]
pub enum Kept {
    /// The confirmed cut of this number is on disk; how long the thread worked for it.
    Published(CutNumber, Published, Duration),
    /// The confirmed cut of this number is not on disk: all rooms have to be visited
    /// first.
    NotYet(CutNumber),
    /// All rooms have been visited: a cut from now on can be kept. How long counting
    /// had to wait at each step.
    Visited(Vec<Duration>),
    /// The confirmed cut of this number could not be written.
    Failed(CutNumber, io::Error),
    /// A file with all rooms could not be gone on with; no cut is concerned.
    Stumbled(io::Error),
    /// The thread has ended.
    Ended,
}

enum Order {
    Changed(Changes),
    Lost,
    Cut(Cut),
    Reject,
    Confirm(CutNumber),
    StartOver,
    GoBack(usize, SyncSender<Result<Loaded, LoadError>>),
}

/// Gives orders to the thread.
#[derive(Debug)]
pub struct Keeper {
    orders: SyncSender<Order>,
    waiting: VecDeque<Order>,
    /// How many cuts were given.
    cuts: u64,
    visited: Arc<AtomicU64>,
    told: Receiver<Kept>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Changed(_) => "changed",
            Self::Lost => "lost",
            Self::Cut(_) => "cut",
            Self::Reject => "reject",
            Self::Confirm(_) => "confirm",
            Self::StartOver => "start over",
            Self::GoBack(..) => "go back",
        })
    }
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(store: Store) -> io::Result<Self> {
        let (tell, told) = mpsc::sync_channel(TOLD_MAX);
        let (orders, taken) = mpsc::sync_channel(ON_THE_WAY);
        let visited = Arc::new(AtomicU64::new(store.visited()));
        let mut keeping =
            Keeping { store, visited: Arc::clone(&visited), waits: Vec::new(), worked: Duration::ZERO, tell };
        let thread =
            thread::Builder::new().name("snapshots".to_owned()).spawn(move || keeping.run(&taken))?;
        Ok(Self { orders, waiting: VecDeque::new(), cuts: 0, visited, told, thread })
    }

    /// What the thread has told, the oldest first.
    pub fn hear(&self) -> Option<Kept> {
        self.told.try_recv().ok()
    }

    /// Rooms were changed, after all that was told before.
    pub fn changed(&mut self, changes: Changes) {
        self.give(Order::Changed(changes));
        if self.waiting.len() > WAITING_MAX {
            // A cut that waits behind lost changes is no cut any more; whoever confirms it
            // hears that it was not kept.
            self.waiting.retain(|order| !matches!(order, Order::Changed(_) | Order::Cut(_) | Order::Lost));
            self.waiting.push_front(Order::Lost);
        }
    }

    /// A cut after all that was told so far, in the place of one before; says its
    /// number.
    pub fn cut(&mut self, mut cut: Cut) -> CutNumber {
        cut.visited = self.visited.load(Ordering::Acquire);
        self.give(Order::Cut(cut));
        self.cuts += 1;
        CutNumber(self.cuts)
    }

    /// The positions of the last cut, which has this number, belong to the log.
    pub fn confirm(&mut self, number: CutNumber) {
        self.give(Order::Confirm(number));
    }

    /// The last cut is not to be kept, unless it was confirmed and is kept already.
    pub fn reject(&mut self) {
        self.give(Order::Reject);
    }

    /// Nothing that is on disk is to be built upon.
    pub fn start_over(&mut self) {
        self.give(Order::StartOver);
    }

    /// Gives what waits to the thread, as far as it takes it.
    pub fn hand_on(&mut self) {
        while let Some(order) = self.waiting.pop_front() {
            match self.orders.try_send(order) {
                Ok(()) => {}
                Err(TrySendError::Full(order)) => return self.waiting.push_front(order),
                Err(TrySendError::Disconnected(_)) => return self.waiting.clear(),
            }
        }
    }

    /// Throws away what is not on disk, and reads the newest generation again. It
    /// waits for what the thread is at.
    ///
    /// # Errors
    /// As [`crate::snapshot::load`]; and when the thread has ended.
    pub fn go_back(&mut self, departments: usize) -> Result<Loaded, LoadError> {
        self.waiting.clear();
        let (reply, answer) = mpsc::sync_channel(1);
        let ended = || LoadError::Io {
            what: "the data directory".to_owned(),
            error: io::ErrorKind::BrokenPipe.into(),
        };
        self.orders.send(Order::GoBack(departments, reply)).map_err(|_| ended())?;
        answer.recv().map_err(|RecvError| ended())?
    }

    /// Whether the thread has not ended by itself.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the thread behind what it is at; says whether it ended well.
    pub fn end(self) -> bool {
        drop(self.orders);
        self.thread.join().is_ok()
    }

    fn give(&mut self, order: Order) {
        self.waiting.push_back(order);
        self.hand_on();
    }
}

struct Keeping {
    store: Store,
    visited: Arc<AtomicU64>,
    waits: Vec<Duration>,
    worked: Duration,
    tell: SyncSender<Kept>,
}

impl Keeping {
    fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            // Orders first: changes that wait here are dropped sooner or later.
            let order = if self.store.is_visiting() {
                match orders.try_recv() {
                    Ok(order) => Some(order),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            } else {
                match orders.recv() {
                    Ok(order) => Some(order),
                    Err(RecvError) => return,
                }
            };
            match order {
                Some(order) => self.obey(order),
                None => self.visit(),
            }
            if let Some(error) = self.store.take_stumble() {
                self.tell(Kept::Stumbled(error));
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Changed(changes) => self.store.changed(changes),
            Order::Lost => self.store.lost_changes(),
            Order::Cut(cut) => self.store.cut(cut),
            Order::Reject => self.store.reject(),
            Order::StartOver => self.store.start_over(),
            Order::Confirm(number) => self.confirm(number),
            Order::GoBack(departments, reply) => {
                let loaded = self.store.go_back(departments);
                if let Ok(loaded) = &loaded {
                    self.store.put_aside(loaded);
                }
                // Who asked and does not wait any more needs no answer.
                let _ = reply.send(loaded);
            }
        }
    }

    fn confirm(&mut self, number: CutNumber) {
        let began = Instant::now();
        let confirmed = self.store.confirm();
        self.worked += began.elapsed();
        match confirmed {
            Ok(Some(published)) => {
                let worked = std::mem::take(&mut self.worked);
                self.tell(Kept::Published(number, published, worked));
            }
            Ok(None) => self.tell(Kept::NotYet(number)),
            Err(error) => self.tell(Kept::Failed(number, error)),
        }
    }

    /// Whoever does not hear any more has ended.
    fn tell(&self, kept: Kept) {
        let _ = self.tell.send(kept);
    }

    fn visit(&mut self) {
        let began = Instant::now();
        let visited = self.store.visit();
        self.worked += began.elapsed();
        match visited {
            Ok(waited) => self.waits.push(waited),
            Err(error) => return self.tell(Kept::Stumbled(error)),
        }
        if !self.store.is_visiting() {
            self.visited.store(self.store.visited(), Ordering::Release);
            let waits = std::mem::take(&mut self.waits);
            self.tell(Kept::Visited(waits));
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.tell(Kept::Ended);
    }
}
