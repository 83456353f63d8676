//! The service's HTTP side without what it answers: the ceiling of its endpoint.
//!
//! ```sh
//! constant_server --address 127.0.0.1:3000 --length 45000
//! ```
//!
//! Owns a server built as `src/api/server.rs` builds it, from the same router, connection
//! handling, measuring and headers, whose endpoint answers a text that lies ready. It looks at
//! neither credentials nor the query.

mod arguments;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use roomtally::telemetry::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::interval;
use tower::Layer as _;

use arguments::{Arguments, stop};

const PATH: &str = "/api/v1/livechat/analytics/departments/amount-of-chats";
const AS_OF: HeaderName = HeaderName::from_static("x-roomtally-as-of");
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTIONS_MAX: usize = 1_024;
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Constant {
    body: Arc<[u8]>,
    metrics: Metrics,
}

fn main() {
    let Some(arguments) = Arguments::given() else { return };
    let Ok(address) = arguments.text("--address").parse() else { stop("--address is IP:PORT") };
    let body = vec![b'x'; arguments.number("--length", 1_000)].into();
    let runtime = tokio::runtime::Runtime::new().unwrap_or_else(|error| stop(&error.to_string()));
    runtime.block_on(serve(address, Constant { body, metrics: Metrics::new() }));
}

async fn serve(address: SocketAddr, constant: Constant) {
    let listener = TcpListener::bind(address).await;
    let listener = listener.unwrap_or_else(|error| stop(&format!("cannot listen on {address}: {error}")));
    println!("listening");
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::spawn(keep_up(constant.metrics.clone()));
    let router = Router::new()
        .route(PATH, get(answer))
        .layer(from_fn_with_state(constant.clone(), measure))
        .with_state(constant);
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, peer)) = listener.accept().await else { stop("a connection was not accepted") };
        let service = Extension(peer.ip()).layer(router.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            let talk = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            let _ = talk.await;
            drop(place);
        });
    }
}

async fn answer(State(constant): State<Constant>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
        (AS_OF, "2025-01-01T00:00:00.000Z"),
    ];
    (headers, constant.body.to_vec()).into_response()
}

async fn measure(State(constant): State<Constant>, request: Request, next: Next) -> Response {
    let _in_flight = constant.metrics.request_begins();
    let began = Instant::now();
    let response = next.run(request).await;
    constant.metrics.request_answered("GET", PATH, response.status().as_u16(), began.elapsed());
    response
}

async fn keep_up(metrics: Metrics) {
    let mut ticks = interval(UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.upkeep();
    }
}
