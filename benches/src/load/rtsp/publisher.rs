//! A publisher on the connection: the stream at its own pace, a write a unit, as encoders send it.

use super::Control;
use super::media::{Tracks, put_interleaved};
use crate::load::media::Source;
use bytes::BytesMut;
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until};

/// Publishes `live/<name>` on `server` until dropped.
///
/// # Errors
/// Where the server refuses it, or closes the connection.
pub async fn publish(server: SocketAddr, name: &str) -> io::Result<()> {
    let mut control = Control::connect(server, name).await?;
    let mut tracks = Tracks::new()?;
    let description = tracks.description();
    control.ask("ANNOUNCE", "", "", &description).await?;
    for (track, channels) in [("/track0", "0-1"), ("/track1", "2-3")] {
        let transport =
            format!("Transport: RTP/AVP/TCP;unicast;interleaved={channels};mode=record\r\n");
        control.ask("SETUP", track, &transport, "").await?;
    }
    control.ask("RECORD", "", "Range: npt=0-\r\n", "").await?;
    let start = Instant::now();
    let mut bytes = BytesMut::new();
    let mut reports = [0; 4_096];
    for unit in Source::default() {
        sleep_until(start + unit.due).await;
        bytes.clear();
        tracks.packets(&unit, |packet| {
            put_interleaved(&mut bytes, unit.is_picture, packet);
        })?;
        control.socket.write_all(&bytes).await?;
        // Reports are taken off the wire and not looked at.
        let _ = control.socket.try_read(&mut reports);
    }
    Ok(())
}
