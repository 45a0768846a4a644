//! How a player is sent what its rendition has: on the connection where it takes more thought than writing, and by UDP.

use super::batch::Batch;
use super::feed::{Feed, FeedTrack, TrackOut};
use crate::Config;
use crate::pacing::Burst;
use arcly_core::net::Outbox;
use arcly_core::rtp::RtpFrame;
use arcly_core::{LogItem, ViewerLoss};
use std::io;
use std::time::{Duration, Instant};

/// How many frames are taken at a time: what goes into one write.
const FILL: usize = 64;
/// How many frames are looked at at a time for what goes out in one send: a picture and the sound before it are three.
const AT_ONCE: usize = 16;
/// How soon frames are tried again that a full UDP socket did not take.
const UDP_AGAIN: Duration = Duration::from_millis(5);

impl Feed {
    /// Puts what is ready into `outbox`: how many frames were taken. `congested` says that the socket did not take all that came before.
    pub(super) fn fill(
        &mut self,
        outbox: &mut Outbox,
        congested: bool,
        config: &Config,
        now: Instant,
    ) -> usize {
        let (shed_after, skip_after) = (config.shed_after, config.skip_after);
        let packets = &mut self.packets;
        let sheds = congested && self.shedding.congested(packets, shed_after, skip_after);
        let (mut shed, mut skipped) = (0, 0);
        let (tracks, every) = (&mut self.tracks, self.report_every);
        let taken = packets.for_each_ready(FILL, |frame| {
            skipped += frame.skipped;
            let mut tracks = tracks.iter_mut();
            let Some(track) = tracks.find(|track| track.track == frame.track()) else {
                return;
            };
            if sheds && frame.is_disposable() {
                shed += 1;
                return;
            }
            if track.owes_report(now) {
                let report = track.report(frame.item, now, every);
                track.send_rtcp(&report, outbox);
            }
            outbox.push(track.interleaved(frame.item));
            track.sent([frame.item]);
        });
        for (loss, frames) in [
            (ViewerLoss::DisposableShed, shed),
            (ViewerLoss::SkippedToKeyframe, skipped),
        ] {
            if frames > 0 {
                self.play.lost(loss, frames);
            }
        }
        taken
    }

    /// Sends what is ready by UDP; when to come back, where something is held back by the pace or a full socket.
    pub(super) fn send_datagrams(
        &mut self,
        batch: &mut Batch,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Option<Instant> {
        let (tracks, every, burst) = (&mut self.tracks, self.report_every, &mut self.burst);
        loop {
            let (mut ready, mut again) = ([None; AT_ONCE], None);
            for (place, frame) in ready.iter_mut().zip(self.packets.peek_ready(AT_ONCE)) {
                let wait = match burst {
                    Some(burst) => burst.wait(frame.dts(), now),
                    None => Duration::ZERO,
                };
                if !wait.is_zero() {
                    again = now.checked_add(wait);
                    break;
                }
                *place = Some(frame);
            }
            let mut sent = 0;
            for frames in ready.chunk_by(are_of_one_track) {
                match send_frames(tracks, frames, every, batch, outbox, now) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        again = now.checked_add(UDP_AGAIN);
                        break;
                    }
                    // An unreachable peer ends by its timeout, or by its connection.
                    Ok(()) | Err(_) => sent += frames.iter().flatten().count(),
                }
            }
            self.packets.take_peeked(sent);
            if again.is_some() {
                return again;
            }
            if sent > 0 {
                continue;
            }
            // What comes first is a gap: it is told with the frame behind it.
            let mut skipped = 0;
            let taken = self.packets.for_each_ready(1, |frame| {
                skipped += frame.skipped;
                let _ = send_frames(tracks, &[Some(frame.item)], every, batch, outbox, now);
            });
            if skipped > 0 {
                self.play.lost(ViewerLoss::SkippedToKeyframe, skipped);
            }
            if taken == 0 {
                // All there is was sent: from here on frames go out as they come.
                *burst = None;
                return None;
            }
        }
    }

    /// Brings a UDP player from the first frame that is ready to now, at so many times real time.
    pub(super) fn start_burst(&mut self, speed: u32, now: Instant) {
        let first = self.packets.peek_ready(1).next().map(LogItem::dts);
        self.burst = first
            .filter(|_| self.by_udp)
            .map(|first| Burst::new(first, speed, now));
    }
}

fn are_of_one_track(one: &Option<&RtpFrame>, other: &Option<&RtpFrame>) -> bool {
    one.map(RtpFrame::track) == other.map(RtpFrame::track)
}

/// Sends frames of one track by UDP. Sound that waited for a picture is several frames: where their lengths allow it, they go out in one send.
fn send_frames(
    tracks: &mut [FeedTrack],
    frames: &[Option<&RtpFrame>],
    every: Duration,
    batch: &mut Batch,
    outbox: &mut Outbox,
    now: Instant,
) -> io::Result<()> {
    let Some(Some(first)) = frames.first() else {
        return Ok(());
    };
    let mut tracks = tracks.iter_mut();
    let Some(track) = tracks.find(|track| track.track == first.track()) else {
        return Ok(());
    };
    if track.owes_report(now) {
        let report = track.report(first, now, every);
        track.send_rtcp(&report, outbox);
    }
    if let TrackOut::Udp(endpoint, peer) = &track.out {
        let (to, mut begun) = (peer.rtp(), false);
        for (segment, bytes) in batch.datagrams(first, frames).runs() {
            match endpoint.rtp.try_send(to, None, segment, bytes) {
                Ok(_) => begun = true,
                // They can be tried again as long as nothing of them went out; what is missing afterwards is lost, as on the way.
                Err(error) if begun && error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    track.sent(frames.iter().flatten().copied());
    Ok(())
}
