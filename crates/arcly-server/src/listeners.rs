//! The ports: all are bound before anything happens, so that one that is taken is told at the start.

use crate::config::{Config, Listen};
use crate::welcome::Bound;
use arcly_stream::net::tls::TlsConfig;
use arcly_stream::prelude::*;
use arcly_stream::protocol::{rtmp, rtsp, srt, whip};
use arcly_stream::transcode::opus::OpusTranscoder;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What listens, but does not serve yet.
pub(crate) struct Listeners {
    /// RTMP and RTSP, with TLS and without, and SRT.
    pub(crate) media: Vec<Box<dyn InboundProtocol>>,
    /// Who is connected by SRT; nobody where it is off.
    pub(crate) srt: srt::Connections,
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
        let mut media: Vec<Box<dyn InboundProtocol>> = Vec::new();
        if let Some(server) = bind_rtmp(config, config.rtmp_listen, "RTMP", "--rtmp-listen").await?
        {
            bound.rtmp = Some(server.local_addr());
            media.push(Box::new(server.tcp_config(tcp(config, "rtmp"))));
        }
        if let Some(tls) = tls
            && let Some(server) =
                bind_rtmp(config, config.rtmps_listen, "RTMPS", "--rtmps-listen").await?
        {
            bound.rtmps = Some(server.local_addr());
            let server = server.tcp_config(tcp(config, "rtmps")).tls(tls.clone());
            media.push(Box::new(Secure("rtmps", server)));
        }
        if let Some(server) = bind_rtsp(config, config.rtsp_listen, "RTSP", "--rtsp-listen").await?
        {
            bound.rtsp = Some(server.local_addr());
            let server = server.bind_udp(udp_ports(config)).map_err(|error| {
                format!(
                    "{}; choose another port with --rtsp-media ADDR, or --rtsp-media off",
                    causes(&error)
                )
            })?;
            media.push(Box::new(server.tcp_config(rtsp_tcp(config, "rtsp"))));
        }
        if let Some(tls) = tls
            && let Some(server) =
                bind_rtsp(config, config.rtsps_listen, "RTSPS", "--rtsps-listen").await?
        {
            bound.rtsps = Some(server.local_addr());
            let server = server
                .tcp_config(rtsp_tcp(config, "rtsps"))
                .tls(tls.clone());
            media.push(Box::new(Secure("rtsps", server)));
        }
        let mut connections = srt::Connections::default();
        if let Some(server) = bind_srt(config)? {
            bound.srt = Some(server.local_addr());
            connections = server.connections();
            media.push(Box::new(server));
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
            media,
            srt: connections,
            http,
            https,
            webrtc,
            bound,
        })
    }
}

/// A protocol over TLS: a part of its own in the server's health.
struct Secure<P>(&'static str, P);

#[async_trait]
impl<P: InboundProtocol> InboundProtocol for Secure<P> {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        self.1.serve(ctx, shutdown).await
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
    let server = RtmpServer::bind(address)
        .await
        .map_err(|error| cannot_listen(what, address, flag, io_cause(&error)))?;
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
    // Browsers take no AAC, which is what encoders send by RTMP.
    Ok(Some(
        server.transcode_audio(Arc::new(OpusTranscoder::default())),
    ))
}

fn bind_srt(config: &Config) -> Result<Option<srt::SrtServer>, Box<dyn Error>> {
    let Listen::At(address) = config.srt_listen else {
        return Ok(None);
    };
    let server = arcly_stream::presets::bind_srt(address).map_err(|error| {
        let cause = match &error {
            StreamError::Io { source, .. } => Some(&**source),
            _ => None,
        };
        cannot_listen("SRT", address, "--srt-listen", cause)
    })?;
    Ok(Some(server.config(srt_config(config)?)))
}

/// How long callers wait for an answer: libsrt's default.
const SRT_CALLERS_WAIT: Duration = Duration::from_secs(3);

fn srt_config(config: &Config) -> Result<srt::Config, Box<dyn Error>> {
    let mut srt = srt::Config::default();
    srt.handshake.receive_latency = config.srt.latency.0;
    srt.handshake.peer_latency = config.srt.latency.0;
    srt.connection.limits.idle_timeout = config.srt.peer_idle.0;
    srt.limits.connections = config.limits.srt_connections;
    srt.limits.connections_per_ip = config.limits.srt_connections_per_ip;
    srt.play_wait = config.play_wait.0.min(SRT_CALLERS_WAIT);
    srt.audio_flush_window = config.rtmp.audio_flush_window.0;
    srt.skip_after = config.rtmp.skip_after.0;
    srt.passphrases = config.srt.passphrases(config.srt_passphrase.as_ref())?;
    Ok(srt)
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

async fn bind_rtsp(
    config: &Config,
    listen: Listen,
    what: &str,
    flag: &str,
) -> Result<Option<RtspServer>, Box<dyn Error>> {
    let Listen::At(address) = listen else {
        return Ok(None);
    };
    let server = RtspServer::bind(address)
        .await
        .map_err(|error| cannot_listen(what, address, flag, io_cause(&error)))?;
    let server = server.config(rtsp_config(config));
    Ok(Some(arcly_stream::presets::rtsp_server(server)))
}

fn rtsp_config(config: &Config) -> rtsp::Config {
    let mut rtsp = rtsp::Config::default();
    rtsp.play_wait = config.play_wait.0;
    rtsp.limits.bytes_per_second = config.limits.rtsp_bytes_per_second;
    rtsp.limits.write_timeout = config.limits.rtsp_write_timeout.0;
    rtsp
}

fn rtsp_tcp(config: &Config, protocol: &'static str) -> TcpIngestConfig {
    TcpIngestConfig::new(protocol)
        .max_connections(config.limits.rtsp_connections)
        .max_connections_per_ip(config.limits.rtsp_connections_per_ip)
}

fn udp_ports(config: &Config) -> rtsp::UdpPorts {
    match config.rtsp_media {
        Listen::Off => rtsp::UdpPorts::Off,
        Listen::At(address) if address.port() == 0 => rtsp::UdpPorts::Any,
        Listen::At(address) => rtsp::UdpPorts::Shared(address),
    }
}

fn io_cause(error: &StreamError) -> Option<&std::io::Error> {
    match error {
        StreamError::Io { source, .. } => Some(source),
        _ => None,
    }
}

/// An error with its cause.
fn causes(error: &StreamError) -> String {
    match io_cause(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
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
