//! `roomtally health`: asks a running service, for health checks of containers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::serve::reachable;
use super::{ConfigArgs, Failure, say};

/// A service that takes longer is not well.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Health {
    #[command(flatten)]
    config: ConfigArgs,
    /// Address and port of the service, if not the configured one
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// Ask only whether the process lives, not whether it is ready
    #[arg(long)]
    live: bool,
}

impl Health {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load(vec![("http.listen", self.listen)])?.config;
        let path = if self.live { "/health/live" } else { "/health/ready" };
        let address = reachable(config.http.listen);
        let asked = tokio::time::timeout(TIMEOUT, get(address, path)).await;
        let answer = asked.map_err(|_| anyhow!("no answer from http://{address}{path} within 3 s"))?;
        let (status, body) = answer.with_context(|| format!("cannot ask http://{address}{path}"))?;
        say(String::from_utf8_lossy(&body).trim_end())?;
        if status == StatusCode::OK { Ok(()) } else { Err(Failure::Said) }
    }
}

async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
