//! Connections: accepted, bounded, and ended.
//!
//! Owns the listener and every connection's task. Invariants: no more than the
//! configured number of connections are open at a time, further ones wait in
//! the listener's backlog; and when [`serve`] returns, no task of it is left.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use axum::middleware::AddExtension;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;

use crate::telemetry::metrics::Metrics;

use super::Api;
use super::peer::Peer;

/// How long a request's head may take, and how long a connection may idle: a
/// client that sends nothing must not hold one of the connections for ever.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request in flight may take to end once the server is to stop.
const GRACE: Duration = Duration::from_secs(5);
/// The wait after an accept that failed: whatever is short, such as files, is
/// short for a while.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// At most one log line of failed accepts in so long.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);
/// How often measured durations are put into their histograms; until then they
/// take 24 bytes a request.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Answers on `listener` until `stop` is cancelled, then ends idle connections
/// at once, lets requests in flight end within 5 seconds, and returns.
pub async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) {
    let connections_max = api.0.connections_max.clamp(1, Semaphore::MAX_PERMITS);
    let server = Server {
        router: api.router(),
        places: Arc::new(Semaphore::new(connections_max)),
        tasks: TaskTracker::new(),
        ending: Arc::default(),
    };
    server.tasks.spawn(keep_up(api.0.metrics.clone(), stop.clone()));
    tokio::select! {
        () = stop.cancelled() => {}
        () = server.accept(&listener) => {}
    }
    server.ending.begin();
    // Who has not been accepted yet is better off with a refused connection.
    drop(listener);
    server.tasks.close();
    server.tasks.wait().await;
}

struct Server {
    router: Router,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    ending: Arc<Ending>,
}

/// Whether connections are to end. A token alone takes two locks, which all connections
/// share, each time that it is asked; and it would be asked whenever a connection has
/// something to do.
#[derive(Default)]
struct Ending {
    has_begun: AtomicBool,
    told: CancellationToken,
}

impl Ending {
    fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.told.cancel();
    }

    /// What `work` comes to, unless the end begins before.
    async fn unless_begun<W: Future>(&self, work: W) -> Option<W::Output> {
        let (mut work, mut told) = (pin!(work), pin!(self.told.cancelled()));
        let mut asked_by: Option<Waker> = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let is_asked = asked_by.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
            if is_asked && !self.has_begun.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            asked_by = Some(context.waker().clone());
            told.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

impl Server {
    async fn accept(&self, listener: &TcpListener) {
        let mut failures = Failures::default();
        // The semaphore is never closed, so the loop ends only with its task.
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, address)) => {
                    let service = Extension(Peer(address.ip())).layer(self.router.clone());
                    let talk = converse(stream, service, Arc::clone(&self.ending), place);
                    self.tasks.spawn(talk);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    failures.log(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Serves one connection to its end and then gives its place back.
async fn converse(
    stream: TcpStream,
    service: AddExtension<Router, Peer>,
    ending: Arc<Ending>,
    place: OwnedSemaphorePermit,
) {
    // Without it a small answer may wait for the acknowledgement of the last.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let ended = if let Some(ended) = ending.unless_begun(connection.as_mut()).await {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        timeout(GRACE, connection).await.unwrap_or(Ok(()))
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}

/// Whether a failed accept says something of the client only, not of the server.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Failed accepts, of which only some are logged.
#[derive(Default)]
struct Failures {
    last_logged: Option<Instant>,
    unlogged: u64,
}

impl Failures {
    fn log(&mut self, error: &io::Error) {
        if self.last_logged.is_some_and(|last| last.elapsed() < ACCEPT_LOG_INTERVAL) {
            self.unlogged += 1;
            return;
        }
        tracing::warn!(%error, unlogged = self.unlogged, "cannot accept a connection");
        *self = Self { last_logged: Some(Instant::now()), unlogged: 0 };
    }
}

async fn keep_up(metrics: Metrics, stop: CancellationToken) {
    let mut ticks = interval(UPKEEP_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.upkeep();
    }
}
