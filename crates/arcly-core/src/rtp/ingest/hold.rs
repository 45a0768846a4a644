//! The first packets of a source, until it is known how its tracks' clocks relate.

use crate::rtp::RtpPacket;
use std::time::Duration;

/// Holds back what comes before the first sender reports.
///
/// Some senders report with the first packet of each track (ffmpeg), others as RFC 3550 6.3.1 has it, up to three seconds later (GStreamer). Tracks that lie
/// where they arrived until then are apart by as much as one took longer to encode, or is reordered, and would have to be moved.
#[derive(Debug)]
pub(super) struct SyncHold {
    wait: Duration,
    max_bytes: usize,
    packets: Vec<HeldPacket>,
    bytes: usize,
    /// For each track: whether packets of it have come, and a report.
    tracks: Vec<(bool, bool)>,
}

#[derive(Debug)]
pub(super) struct HeldPacket {
    pub(super) index: usize,
    pub(super) packet: RtpPacket,
    pub(super) arrived: Duration,
}

impl SyncHold {
    /// `None` where nothing is to be held back.
    pub(super) fn new(wait: Duration, max_bytes: usize) -> Option<Self> {
        (!wait.is_zero()).then(|| Self {
            wait,
            max_bytes,
            packets: Vec::new(),
            bytes: 0,
            tracks: Vec::new(),
        })
    }

    pub(super) fn add_track(&mut self) {
        self.tracks.push((false, false));
    }

    pub(super) fn push(&mut self, index: usize, packet: RtpPacket, now: Duration) {
        if let Some((came, _)) = self.tracks.get_mut(index) {
            *came = true;
            // What a packet takes beside its payload counts too, so that empty ones are bounded.
            self.bytes += packet.payload.len() + size_of::<HeldPacket>();
            self.packets.push(HeldPacket {
                index,
                packet,
                arrived: now,
            });
        }
    }

    pub(super) fn reported(&mut self, index: usize) {
        if let Some((_, reported)) = self.tracks.get_mut(index) {
            *reported = true;
        }
    }

    /// When the wait is over, though no report comes; `None` before the first packet.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let first = self.packets.first()?;
        Some(first.arrived.saturating_add(self.wait))
    }

    /// Whether there is nothing to wait for any more.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        let known = || {
            self.tracks
                .iter()
                .all(|(came, reported)| !came || *reported)
        };
        let alone = self.tracks.len() < 2;
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        !self.packets.is_empty() && (alone || due || self.bytes > self.max_bytes || known())
    }

    pub(super) fn into_packets(self) -> Vec<HeldPacket> {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PCMU, VIDEO, at, format, media, packet, report, vp8};
    use super::super::{IngestConfig, IngestTrack, RtpIngest};
    use crate::TrackId;

    /// Pictures and sound, for which reports are waited for as long as 3 s.
    fn held(max_sync_bytes: usize) -> RtpIngest {
        let mut config = IngestConfig::reliable();
        config.sync_wait = at(3_000);
        config.max_sync_bytes = max_sync_bytes;
        let mut ingest = RtpIngest::new(config);
        let video = IngestTrack::new(TrackId::VIDEO, VIDEO, format("VP8", ""));
        let audio = IngestTrack::new(TrackId::AUDIO, PCMU, format("PCMU", ""));
        assert_eq!(
            (ingest.add_track(video), ingest.add_track(audio)),
            (Ok(0), Ok(1))
        );
        ingest
    }

    /// The picture of this moment, in milliseconds, which comes 90 ms late; sound comes at once.
    fn picture(ingest: &mut RtpIngest, number: u16) {
        let moment = u32::from(number) * 40;
        let datagram = packet(VIDEO, 1, number, moment * 90, &vp8(true));
        let taken = ingest.handle_rtp(0, datagram, at(u64::from(moment) + 90));
        taken.expect("RTP");
    }

    fn sound(ingest: &mut RtpIngest, number: u16) {
        let moment = u32::from(number) * 20;
        let datagram = packet(PCMU, 2, number, moment * 8, &[0; 160]);
        let taken = ingest.handle_rtp(1, datagram, at(moment.into()));
        taken.expect("RTP");
    }

    /// Each frame's track and time in milliseconds.
    fn placed(ingest: &mut RtpIngest) -> Vec<(TrackId, i64)> {
        let frames = media(ingest).into_iter();
        frames
            .map(|frame| (frame.track, frame.pts.as_millis()))
            .collect()
    }

    #[test]
    fn with_the_reports_all_is_in_its_place_from_the_first_frame_on() {
        let mut ingest = held(1 << 20);
        sound(&mut ingest, 0);
        picture(&mut ingest, 0);
        picture(&mut ingest, 1);
        ingest
            .handle_rtcp(0, &report(1, 1_000, 90_000), at(1_000))
            .expect("RTCP");
        assert_eq!(placed(&mut ingest), [], "the other one is waited for");
        assert_eq!(ingest.next_timeout(), Some(at(3_000)));
        ingest
            .handle_rtcp(1, &report(2, 2_000, 16_000), at(2_000))
            .expect("RTCP");
        let (video, audio) = (TrackId::VIDEO, TrackId::AUDIO);
        assert_eq!(
            placed(&mut ingest),
            [(audio, 1_000), (video, 1_000), (video, 1_040)]
        );
        picture(&mut ingest, 51);
        assert_eq!(placed(&mut ingest), [(video, 3_040)]);
    }

    #[test]
    fn nothing_waits_once_all_that_have_come_have_reports() {
        let mut ingest = held(1 << 20);
        ingest
            .handle_rtcp(0, &report(1, 0, 0), at(0))
            .expect("RTCP");
        picture(&mut ingest, 0);
        assert_eq!(placed(&mut ingest).len(), 1);
        // And not again for a track that comes later.
        sound(&mut ingest, 5);
        assert_eq!(placed(&mut ingest).len(), 1);
    }

    #[test]
    fn without_reports_the_wait_ends_by_time_bytes_or_the_end() {
        let by_time = |ingest: &mut RtpIngest| ingest.handle_timeout(at(3_090));
        let by_end = |ingest: &mut RtpIngest| ingest.finish(at(200));
        for end in [by_time as fn(&mut RtpIngest), by_end] {
            let mut ingest = held(1 << 20);
            picture(&mut ingest, 0);
            sound(&mut ingest, 5);
            assert_eq!(placed(&mut ingest), []);
            end(&mut ingest);
            // Where they arrived.
            let (video, audio) = (TrackId::VIDEO, TrackId::AUDIO);
            assert_eq!(placed(&mut ingest), [(video, 1_000), (audio, 1_010)]);
        }
        let mut ingest = held(500);
        sound(&mut ingest, 0);
        sound(&mut ingest, 1);
        sound(&mut ingest, 2);
        assert_eq!(placed(&mut ingest).len(), 3);
    }

    #[test]
    fn one_track_has_nothing_to_wait_for() {
        let mut config = IngestConfig::reliable();
        config.sync_wait = at(3_000);
        let mut ingest = RtpIngest::new(config);
        let video = IngestTrack::new(TrackId::VIDEO, VIDEO, format("VP8", ""));
        assert_eq!(ingest.add_track(video), Ok(0));
        picture(&mut ingest, 0);
        assert_eq!(placed(&mut ingest).len(), 1);
    }
}
