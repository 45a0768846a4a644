//! The command line and the environment.

use super::{Listen, Location, OnTakeover, Pause, RecordFormat, Secret, Span};
use clap::Parser;
use std::path::PathBuf;

/// A live-streaming server: publish with RTMP, RTSP or SRT, watch with HLS, RTMP, RTSP, SRT or HTTP-FLV.
///
/// Without arguments it serves application "live", with RTMP on port 1935, RTSP on port 8554, SRT on port 8890 and HTTP on port 8080. Each option can be set by its flag, by its
/// environment variable, or in a TOML file under the flag's name with underscores; the first of these that is set counts.
#[derive(Debug, Parser)]
#[command(name = "arcly", version, max_term_width = 100)]
pub(crate) struct Flags {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE", env = "ARCLY_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Print the settings that would be in force, and exit
    #[arg(long)]
    pub(crate) check_config: bool,

    /// Where RTMP publishers and players connect, or "off" [default: 0.0.0.0:1935]
    #[arg(long, value_name = "ADDR", env = "ARCLY_RTMP_LISTEN")]
    pub(super) rtmp_listen: Option<Listen>,

    /// Where those connect that speak RTMP over TLS, or "off" [default: 0.0.0.0:1936 with a certificate, else off]
    #[arg(long, value_name = "ADDR", env = "ARCLY_RTMPS_LISTEN")]
    pub(super) rtmps_listen: Option<Listen>,

    /// Where RTSP publishers and players connect, or "off" [default: 0.0.0.0:8554]
    #[arg(long, value_name = "ADDR", env = "ARCLY_RTSP_LISTEN")]
    pub(super) rtsp_listen: Option<Listen>,

    /// Where those connect that speak RTSP over TLS, or "off" [default: 0.0.0.0:8322 with a certificate, else off]
    #[arg(long, value_name = "ADDR", env = "ARCLY_RTSPS_LISTEN")]
    pub(super) rtsps_listen: Option<Listen>,

    /// Where RTSP has its media by UDP: an even port, and the one behind it; or "off", for TCP alone [default: 0.0.0.0:8000]
    #[arg(long, value_name = "ADDR", env = "ARCLY_RTSP_MEDIA")]
    pub(super) rtsp_media: Option<Listen>,

    /// Where SRT publishers and players connect, by UDP, or "off" [default: 0.0.0.0:8890]
    #[arg(long, value_name = "ADDR", env = "ARCLY_SRT_LISTEN")]
    pub(super) srt_listen: Option<Listen>,

    /// SRT is encrypted with this passphrase, 10 to 79 bytes, and callers without it are refused. Prefer the environment
    /// variable: other users of a machine can see flags
    #[arg(
        long,
        value_name = "PASSPHRASE",
        env = "ARCLY_SRT_PASSPHRASE",
        hide_env_values = true
    )]
    pub(super) srt_passphrase: Option<Secret>,

    /// Where the page, HLS, HTTP-FLV, the API and metrics are served, or "off" [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR", env = "ARCLY_HTTP_LISTEN")]
    pub(super) http_listen: Option<Listen>,

    /// Where the same is served by HTTPS, or "off" [default: 0.0.0.0:8443 with a certificate, else off]
    #[arg(long, value_name = "ADDR", env = "ARCLY_HTTPS_LISTEN")]
    pub(super) https_listen: Option<Listen>,

    /// Where media by WebRTC comes and goes, UDP and TCP, or "off" [default: 0.0.0.0:8189]
    #[arg(long, value_name = "ADDR", env = "ARCLY_WEBRTC_LISTEN")]
    pub(super) webrtc_listen: Option<Listen>,

    /// An address by which WebRTC peers reach this host, where that is not its interfaces' own; can be given several times
    #[arg(
        long,
        value_name = "IP",
        env = "ARCLY_WEBRTC_PUBLIC_ADDRESS",
        value_delimiter = ','
    )]
    pub(super) webrtc_public_address: Option<Vec<std::net::IpAddr>>,

    /// The TLS certificate with its chain, in PEM; read again when it changes, and on SIGHUP
    #[arg(long, value_name = "FILE", env = "ARCLY_TLS_CERT")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", env = "ARCLY_TLS_KEY")]
    pub(super) tls_key: Option<PathBuf>,

    /// An application, the first part of a stream's name; can be given several times [default: live]
    #[arg(long, value_name = "NAME", env = "ARCLY_APP", value_delimiter = ',')]
    pub(super) app: Option<Vec<String>>,

    /// How many frames of each stream to keep for viewers that join [default: 2048]
    #[arg(long, value_name = "FRAMES", env = "ARCLY_GOP_CACHE")]
    pub(super) gop_cache: Option<usize>,

    /// End streams that bring no frame for this long [default: 30s]
    #[arg(long, value_name = "TIME", env = "ARCLY_IDLE_TIMEOUT")]
    pub(super) idle_timeout: Option<Span>,

    /// How many streams may be live at once [default: 500]
    #[arg(long, value_name = "N", env = "ARCLY_MAX_PUBLISHERS")]
    pub(super) max_publishers: Option<usize>,

    /// Whether who publishes a stream that is live already is refused, or replaces who is there [default: refuse]
    #[arg(long, value_name = "refuse|replace", env = "ARCLY_TAKEOVER")]
    pub(super) takeover: Option<OnTakeover>,

    /// Let a stream outlive its publisher for this long: one that comes back in time keeps its viewers [default: 0s]
    #[arg(long, value_name = "TIME", env = "ARCLY_PUBLISHER_GRACE")]
    pub(super) publisher_grace: Option<Pause>,

    /// Let players by RTMP, RTSP, SRT (3s at most) and HTTP-FLV wait this long for a stream that is not live [default: 0s]
    #[arg(long, value_name = "TIME", env = "ARCLY_PLAY_WAIT")]
    pub(super) play_wait: Option<Pause>,

    /// Record all streams into this folder, or into an object store: s3://bucket/prefix, gs://… or az://…, where the server was
    /// built with it
    #[arg(long, value_name = "DIR", env = "ARCLY_RECORD")]
    pub(super) record: Option<Location>,

    /// What recordings are: MPEG-TS or fragmented MP4 [default: ts]
    #[arg(long, value_name = "ts|mp4", env = "ARCLY_RECORD_FORMAT")]
    pub(super) record_format: Option<RecordFormat>,

    /// Keep the HLS segments and playlists of all streams in this folder or object store, to be played later from any web server
    #[arg(long, value_name = "DIR", env = "ARCLY_ARCHIVE")]
    pub(super) archive: Option<Location>,

    /// Publish and play take a token (JWT) signed with this secret, HS256, of 32 bytes at least. Prefer the
    /// environment variable: other users of a machine can see flags
    #[arg(
        long,
        value_name = "SECRET",
        env = "ARCLY_AUTH_JWT_SECRET",
        hide_env_values = true
    )]
    pub(super) auth_jwt_secret: Option<Secret>,

    /// With a secret: playing takes no token, only publishing does
    #[arg(long, env = "ARCLY_AUTH_ANONYMOUS_PLAY", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(super) auth_anonymous_play: Option<bool>,

    /// Publish a small built-in clip to live/demo
    #[arg(long, env = "ARCLY_DEMO", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(super) demo: Option<bool>,

    /// What to log: error, warn, info, debug, trace, or by module as in "info,arcly_rtmp=debug" [default: info]
    #[arg(long, value_name = "LEVEL", env = "ARCLY_LOG")]
    pub(super) log: Option<String>,
}
