//! `roomtally serve`: the service itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ConfigArgs, Failure, ServiceArgs};
use crate::api::WEBHOOK_PATH;
use crate::config::AuthMode;
use crate::service::{Durability, Service};
use crate::snapshot::Place;
use crate::status::Status;
use crate::telemetry::Progress;

/// How often the bar of a start moves.
const BAR_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

impl Serve {
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = self.config.load_and_log(self.service.flags())?.config;
        let dir = config.snapshot.dir.clone();
        let taken = tokio::task::spawn_blocking(move || Place::take(&dir));
        let place = tokio::select! {
            taken = taken => taken.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?,
            // A disk that hangs is not waited for.
            () = stop.cancelled() => return Ok(()),
        };
        let listener = listen(config.http.listen).await?;
        let address = listener.local_addr().map_err(anyhow::Error::from)?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "listening on http://{address}");
        if config.webhook.secret.is_some() {
            tracing::info!("Rocket.Chat's webhook is taken at http://{address}{WEBHOOK_PATH}");
        }
        if let (AuthMode::RocketChat, Some(url)) = (config.auth.mode, &config.auth.url) {
            tracing::info!("users sign in by the Rocket.Chat server {url}");
        } else if config.auth.users.is_empty() {
            tracing::warn!(
                "no user is configured, so every question is refused with 401; `roomtally token USER_ID` \
                 makes one and prints what to put into the configuration"
            );
        }
        let service = Service::start(&config, listener, Durability::Kept(place))?;
        let bar = tokio::spawn(show_start(service.status().clone()));
        let ended = service.run(stop).await;
        bar.abort();
        tracing::info!("stopped");
        Ok(ended?)
    }
}

/// Takes the port before anything else is started.
pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.port();
        anyhow!(
            "cannot listen on {address}: {error}; is port {port} taken? Choose another address with --listen"
        )
    })
}

/// Where a service that listens on every address can be asked.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// A bar on the terminal until the log has been read.
async fn show_start(status: Status) {
    let mut bar: Option<Progress> = None;
    loop {
        let readiness = status.readiness();
        if readiness.ready {
            return;
        }
        let bounds = readiness.partitions.iter();
        let (done, total) = bounds.fold((0, 0), |(done, total), partition| {
            let begin = partition.begins_at.unwrap_or(crate::log::NextOffset::START);
            (done + partition.position.records_since(begin), total + partition.end.records_since(begin))
        });
        if total > 0 {
            let bar = bar.get_or_insert_with(|| Progress::begin("reading the topic", "records", total));
            bar.set_total(total);
            bar.set(done);
        }
        tokio::time::sleep(BAR_INTERVAL).await;
    }
}
