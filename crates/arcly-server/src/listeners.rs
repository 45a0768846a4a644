//! The ports: all are bound before anything happens, so that one that is taken is told at the start.

use crate::config::{Config, Listen};
use crate::welcome::Bound;
use arcly_stream::net::tls::TlsConfig;
use arcly_stream::prelude::*;
use arcly_stream::protocol::{rtmp, whip};
use std::error::Error;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// What listens, but does not serve yet.
pub(crate) struct Listeners {
    pub(crate) rtmp: Vec<Box<dyn InboundProtocol>>,
    pub(crate) http: Option<TcpListener>,
    pub(crate) https: Option<TcpListener>,
    pub(crate) webrtc: Option<WhipServer>,
    pub(crate) bound: Bound,
}

impl Listeners {
    /// Binds all ports of `config`. `tls` is there where a port needs it.
    pub(crate) async fn bind(
        config: &Config,
        tls: Option<&TlsConfig>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut bound = Bound::default();
        let mut rtmp: Vec<Box<dyn InboundProtocol>> = Vec::new();
        if let Some(server) = bind_rtmp(config, config.rtmp_listen, "RTMP", "--rtmp-listen").await?
        {
            bound.rtmp = Some(server.local_addr());
            rtmp.push(Box::new(server.tcp_config(tcp(config, "rtmp"))));
        }
        if let Some(tls) = tls
            && let Some(server) =
                bind_rtmp(config, config.rtmps_listen, "RTMPS", "--rtmps-listen").await?
        {
            bound.rtmps = Some(server.local_addr());
            let server = server.tcp_config(tcp(config, "rtmps")).tls(tls.clone());
            rtmp.push(Box::new(Rtmps(server)));
        }
        let http = bind_http(config.http_listen, "HTTP", "--http-listen").await?;
        let https = bind_http(config.https_listen, "HTTPS", "--https-listen").await?;
        let webrtc = bind_webrtc(config).await?;
        bound.webrtc = webrtc.as_ref().and_then(WhipServer::local_addr);
        let address = |listener: &Option<TcpListener>| {
            listener.as_ref().map(TcpListener::local_addr).transpose()
        };
        (bound.http, bound.https) = (address(&http)?, address(&https)?);
        Ok(Self {
            rtmp,
            http,
            https,
            webrtc,
            bound,
        })
    }
}

/// RTMP over TLS: a part of its own in the server's health.
struct Rtmps(RtmpServer);

#[async_trait]
impl InboundProtocol for Rtmps {
    fn name(&self) -> &'static str {
        "rtmps"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        self.0.serve(ctx, shutdown).await
    }
}

async fn bind_rtmp(
    config: &Config,
    listen: Listen,
    what: &str,
    flag: &str,
) -> Result<Option<RtmpServer>, Box<dyn Error>> {
    let Listen::At(address) = listen else {
        return Ok(None);
    };
    let server = RtmpServer::bind(address).await.map_err(|error| {
        let cause = match &error {
            StreamError::Io { source, .. } => Some(&**source),
            _ => None,
        };
        cannot_listen(what, address, flag, cause)
    })?;
    Ok(Some(server.config(rtmp_config(config))))
}

async fn bind_webrtc(config: &Config) -> Result<Option<WhipServer>, Box<dyn Error>> {
    let Listen::At(address) = config.webrtc_listen else {
        return Ok(None);
    };
    let mut webrtc = whip::WhipConfig::new(address);
    webrtc.public_addresses = config.webrtc_public_address.clone();
    webrtc.play_wait = config.play_wait.0;
    let server = WhipServer::bind(webrtc).await.map_err(|error| {
        let cause = match &error {
            StreamError::Io { source, .. } => Some(&**source),
            _ => None,
        };
        cannot_listen("WebRTC", address, "--webrtc-listen", cause)
    })?;
    Ok(Some(server))
}

fn rtmp_config(config: &Config) -> rtmp::Config {
    let (pace, limits) = (&config.rtmp, &config.limits);
    let mut rtmp = rtmp::Config::default();
    rtmp.play_wait = config.play_wait.0;
    rtmp.flush_interval = pace.flush_interval.0;
    rtmp.max_flush_interval = pace.max_flush_interval.0;
    rtmp.audio_flush_window = pace.audio_flush_window.0;
    rtmp.shed_after = pace.shed_after.0;
    rtmp.skip_after = pace.skip_after.0;
    rtmp.limits.plays = limits.rtmp_plays;
    rtmp.limits.bytes_per_second = limits.rtmp_bytes_per_second;
    rtmp.limits.commands_per_second = limits.rtmp_commands_per_second;
    rtmp.limits.write_timeout = limits.rtmp_write_timeout.0;
    rtmp
}

fn tcp(config: &Config, protocol: &'static str) -> TcpIngestConfig {
    TcpIngestConfig::new(protocol)
        .max_connections(config.limits.rtmp_connections)
        .max_connections_per_ip(config.limits.rtmp_connections_per_ip)
}

async fn bind_http(
    listen: Listen,
    what: &str,
    flag: &str,
) -> Result<Option<TcpListener>, Box<dyn Error>> {
    let Listen::At(address) = listen else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| cannot_listen(what, address, flag, Some(&error)))?;
    Ok(Some(listener))
}

/// What to say, and to do, where a port cannot be had.
fn cannot_listen(
    what: &str,
    address: SocketAddr,
    flag: &str,
    cause: Option<&std::io::Error>,
) -> String {
    let why = match cause.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::AddrInUse) => {
            format!("port {} is taken by another program", address.port())
        }
        Some(std::io::ErrorKind::PermissionDenied) => {
            format!("port {} takes more rights", address.port())
        }
        _ => cause.map_or_else(|| "it is refused".to_owned(), ToString::to_string),
    };
    format!(
        "cannot listen on {address} for {what}: {why}; choose another one with {flag} ADDR, or {flag} off"
    )
}
