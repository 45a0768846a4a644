//! What a connection plays.

use super::NAME;
use super::connection::{Connection, now};
use super::outbox::Outbox;
use super::outcome::{ConnectionError, play_refusal};
use super::pace::Pacer;
use crate::Config;
use crate::egress::{
    Accepts, FlvPackager, FlvPacket, FlvVariant, MESSAGE_STREAM, Misses, Shedding,
};
use crate::flv::TagKind;
use crate::proto::capabilities::Capabilities;
use crate::proto::session::{MessageStreamId, PlayControl, PlayEnd, PlayRequest};
use crate::proto::status::StatusCode;
use arcly_core::{
    Credentials, PlaySession, Rendition, RenditionSubscription, StartAt, StreamError, StreamKey,
    SubscriptionEnd,
};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tracing::{debug, info};

/// How many packets are taken at a time: what goes into one write.
const BATCH: usize = 64;

/// A play on a message stream.
pub(super) struct Play {
    pub(super) stream: MessageStreamId,
    request: arcly_core::PlayRequest,
    accepts: Accepts,
    paused: bool,
    audio: bool,
    video: bool,
    state: State,
}

enum State {
    /// The engine is asked, or the stream is waited for.
    Joining(Pin<Box<dyn Future<Output = Result<PlaySession, StreamError>> + Send>>),
    Playing(Box<Viewer>),
}

/// What a play waited for.
pub(super) enum PlayWoken {
    /// The engine has answered.
    Joined(Result<PlaySession, StreamError>),
    /// There is something to send.
    Media,
    /// There is nothing more to send.
    Ended(PlayEnd),
}

impl Play {
    /// What comes with each picture.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<PlayWoken> {
        match &mut self.state {
            State::Joining(_) => Poll::Pending,
            State::Playing(viewer) => viewer.poll(cx),
        }
    }

    /// What comes once.
    pub(super) fn poll_rare(&mut self, cx: &mut Context<'_>) -> Poll<PlayWoken> {
        match &mut self.state {
            State::Joining(joining) => joining.as_mut().poll(cx).map(PlayWoken::Joined),
            State::Playing(viewer) => {
                let ended = viewer.ended.as_mut().poll(cx);
                ended.map(|()| PlayWoken::Ended(PlayEnd::ByHost))
            }
        }
    }

    /// When it is to be looked at again, though nothing wakes it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Playing(viewer) => viewer.held_until,
            State::Joining(_) => None,
        }
    }

    pub(super) fn key(&self) -> &StreamKey {
        &self.request.key
    }

    fn viewer(&mut self) -> Option<&mut Viewer> {
        match &mut self.state {
            State::Playing(viewer) => Some(viewer),
            State::Joining(_) => None,
        }
    }

    /// Puts what is ready into `outbox`; the bytes. `congested` says that the socket did not take all that came before.
    pub(super) fn fill(&mut self, outbox: &mut Outbox, congested: bool, config: &Config) -> usize {
        let (stream, audio, video) = (self.stream.0, self.audio, self.video);
        let Some(viewer) = self.viewer() else {
            return 0;
        };
        if !viewer.may_write() {
            return 0;
        }
        let shed = viewer.shed(congested, config);
        let Some(packets) = &mut viewer.packets else {
            return 0;
        };
        let mut bytes = 0;
        let taken = packets.for_each_ready(BATCH, |packet| {
            let wanted = match packet.kind() {
                TagKind::Audio => audio,
                TagKind::Video => video,
                TagKind::Script => true,
            };
            if !wanted || (shed && packet.is_disposable()) {
                return;
            }
            if stream == MESSAGE_STREAM {
                let chunks = packet.chunks();
                bytes += chunks.len();
                outbox.push(chunks);
            } else {
                for chunks in packet.chunks_on(stream) {
                    bytes += chunks.len();
                    outbox.push(chunks);
                }
            }
        });
        if taken > 0 {
            viewer.wrote();
        }
        bytes
    }
}

/// A viewer that is served.
struct Viewer {
    session: Arc<PlaySession>,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    rendition: Rendition<FlvPacket>,
    /// `None` while it pauses.
    packets: Option<RenditionSubscription<FlvPacket>>,
    shedding: Shedding,
    pacer: Arc<Pacer>,
    /// When it may be written to again, where there is a tick.
    next_write: Option<Instant>,
    /// It has something to send, and waits for [`next_write`](Self::next_write).
    held_until: Option<Instant>,
}

impl Viewer {
    fn new(session: PlaySession, variant: FlvVariant, start: StartAt, pacer: Arc<Pacer>) -> Self {
        let packager = FlvPackager::new(session.handle().clone(), variant);
        let rendition = session.handle().rendition(packager);
        let session = Arc::new(session);
        let ended = Box::pin({
            let session = Arc::clone(&session);
            async move { session.ended().await }
        });
        pacer.join();
        Self {
            packets: Some(rendition.subscribe_from(start)),
            session,
            ended,
            rendition,
            shedding: Shedding::new(),
            pacer,
            next_write: None,
            held_until: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<PlayWoken> {
        let Some(packets) = self.packets.as_mut().filter(|_| self.held_until.is_none()) else {
            return Poll::Pending;
        };
        match packets.poll_ready(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(true) => Poll::Ready(PlayWoken::Media),
            Poll::Ready(false) => {
                let end = match packets.end() {
                    Some(SubscriptionEnd::Evicted { .. }) => PlayEnd::TooSlow,
                    Some(SubscriptionEnd::PackagerFailed) => PlayEnd::ByHost,
                    _ => PlayEnd::Unpublished,
                };
                Poll::Ready(PlayWoken::Ended(end))
            }
        }
    }

    /// Whether its turn has come. Where not, it is held until then.
    fn may_write(&mut self) -> bool {
        if !self.pacer.is_ticking() {
            (self.held_until, self.next_write) = (None, None);
            return true;
        }
        let turn = self.next_write.filter(|turn| *turn > now());
        self.held_until = turn;
        turn.is_none()
    }

    fn wrote(&mut self) {
        if self.pacer.is_ticking() {
            let number = self.session.viewer().get();
            self.next_write = Some(self.pacer.next(now(), number));
        }
    }

    /// Whether it goes without disposable pictures; where it is too far behind, it is put on the newest keyframe.
    fn shed(&mut self, congested: bool, config: &Config) -> bool {
        let Some(packets) = self.packets.as_mut().filter(|_| congested) else {
            return false;
        };
        let (shed_after, skip_after) = (config.shed_after, config.skip_after);
        self.shedding.congested(packets, shed_after, skip_after)
    }

    fn restart(&mut self) {
        self.packets = Some(self.rendition.subscribe_from(StartAt::LatestKeyframe));
        self.shedding = Shedding::new();
    }

    fn pause(&mut self) {
        self.packets = None;
        self.held_until = None;
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.pacer.leave();
    }
}

impl Connection {
    /// Asks the engine for a play; the answer comes by [`PlayWoken::Joined`].
    pub(super) fn play(&mut self, request: PlayRequest) {
        let PlayRequest {
            stream,
            target,
            connect,
            ..
        } = request;
        let credentials = match target.token() {
            Some(token) => Credentials::token(token),
            None => Credentials::anonymous(),
        };
        let accepts = Accepts::of(&Capabilities::of(&connect));
        let request = arcly_core::PlayRequest::new(StreamKey::new(target.app, target.stream))
            .credentials(credentials)
            .peer(self.peer)
            .protocol(NAME)
            .wait(self.config.play_wait);
        let Some(state) = self.join(&request) else {
            let text = "this server does not play";
            let result = self
                .session
                .reject_play(stream, StatusCode::PLAY_FAILED, text, now());
            self.note(result);
            return;
        };
        self.rare.raise();
        self.plays.reserve_exact(1);
        self.plays.push(Play {
            stream,
            request,
            accepts,
            paused: false,
            audio: true,
            video: true,
            state,
        });
    }

    fn join(&self, request: &arcly_core::PlayRequest) -> Option<State> {
        let playback = self.ctx.playback()?.clone();
        let request = request.clone();
        Some(State::Joining(Box::pin(async move {
            playback.open_play(request).await
        })))
    }

    pub(super) fn play_woken(&mut self, index: usize, woken: PlayWoken) {
        match woken {
            // It is sent where all is: before the next wait.
            PlayWoken::Media => {}
            PlayWoken::Joined(Ok(session)) => self.joined(index, session),
            PlayWoken::Joined(Err(error)) => self.join_refused(index, error),
            PlayWoken::Ended(end) => self.end_play(index, end),
        }
    }

    fn joined(&mut self, index: usize, session: PlaySession) {
        let Some(play) = self.plays.get_mut(index) else {
            return;
        };
        let (stream, key) = (play.stream, &play.request.key);
        let misses = play.accepts.misses(&session.handle().metadata());
        if let Misses::Everything(codecs) = &misses {
            let text = format!("{key} is in {codecs:?}, of which the player takes none");
            info!(stream = %key, peer = %self.peer, "refused: {text}");
            self.plays.remove(index);
            let code = StatusCode::PLAY_NO_SUPPORTED_TRACK;
            let result = self.session.reject_play(stream, code, &text, now());
            self.note(result);
            return;
        }
        info!(stream = %key, "playing");
        let variant = FlvVariant {
            accepts: play.accepts,
            chunk_size: self.config.announced_chunk_size(),
            flush_window: self.config.audio_flush_window,
        };
        let start = self.config.play_start.into();
        let mut viewer = Box::new(Viewer::new(
            session,
            variant,
            start,
            Arc::clone(&self.pacer),
        ));
        if play.paused {
            viewer.pause();
        }
        play.state = State::Playing(viewer);
        self.rare.raise();
        let result = self.session.accept_play(stream);
        if let Misses::Some(codecs) = misses {
            let text = format!("left out, as the player does not take them: {codecs:?}");
            self.session.warn_play(stream, &text);
        }
        self.note(result);
    }

    fn join_refused(&mut self, index: usize, error: StreamError) {
        let play = self.plays.remove(index);
        let (code, closes) = play_refusal(&error);
        let key = play.request.key;
        debug!(stream = %key, %error, "play refused");
        let text = error.to_string();
        let result = self.session.reject_play(play.stream, code, &text, now());
        self.note(result);
        if closes {
            self.failure
                .get_or_insert(ConnectionError::PlayRefused { key, source: error });
            self.session.hang_up();
        }
    }

    fn end_play(&mut self, index: usize, end: PlayEnd) {
        let Some(play) = self.plays.get_mut(index) else {
            return;
        };
        let key = play.request.key.clone();
        info!(stream = %key, ?end, "playing ended");
        let waits = self.session.end_play(play.stream, end, now());
        let request = play.request.clone();
        match self.join(&request).filter(|_| waits) {
            Some(state) => {
                self.rare.raise();
                if let Some(play) = self.plays.get_mut(index) {
                    play.state = state;
                }
            }
            None => {
                self.plays.remove(index);
            }
        }
        if !matches!(end, PlayEnd::Unpublished | PlayEnd::NoSupportedTrack) {
            self.failure
                .get_or_insert(ConnectionError::PlayEnded { key, end });
            self.session.hang_up();
        }
    }

    /// The peer plays no longer.
    pub(super) fn stopped(&mut self, stream: MessageStreamId) {
        let mut plays = self.plays.iter();
        if let Some(index) = plays.position(|play| play.stream == stream) {
            let play = self.plays.remove(index);
            info!(stream = %play.request.key, "the player stopped");
        }
    }

    pub(super) fn control_play(&mut self, stream: MessageStreamId, control: PlayControl) {
        let mut plays = self.plays.iter_mut();
        let Some(play) = plays.find(|play| play.stream == stream) else {
            return;
        };
        match control {
            PlayControl::Audio(wanted) => play.audio = wanted,
            PlayControl::Video(wanted) => play.video = wanted,
            PlayControl::Pause => {
                play.paused = true;
                if let Some(viewer) = play.viewer() {
                    viewer.pause();
                }
            }
            PlayControl::Restart => {
                play.paused = false;
                if let Some(viewer) = play.viewer() {
                    viewer.restart();
                }
            }
        }
    }

    /// Ends plays whose stream has turned out to have nothing for the player: its tracks were not known when it came.
    pub(super) fn end_vain_plays(&mut self) {
        let vain = |play: &Play| match &play.state {
            State::Playing(viewer) => {
                let stream = viewer.session.handle().metadata();
                matches!(play.accepts.misses(&stream), Misses::Everything(_))
            }
            State::Joining(_) => false,
        };
        while let Some(index) = self.plays.iter().position(vain) {
            self.end_play(index, PlayEnd::NoSupportedTrack);
        }
    }

    /// Ends all plays as the server stops.
    pub(super) fn end_all_plays(&mut self) {
        for play in self.plays.drain(..) {
            self.session.end_play(play.stream, PlayEnd::ByHost, now());
        }
        self.session.hang_up();
    }

    /// Puts what is ready for all viewers into the outbox.
    pub(super) fn fill(&mut self) {
        for index in 0..self.plays.len() {
            self.fill_from(index);
        }
    }

    /// Puts what is ready for one viewer into the outbox; true where it has to wait for its turn.
    pub(super) fn fill_from(&mut self, index: usize) -> bool {
        let congested = std::mem::take(&mut self.congested);
        let Some(play) = self.plays.get_mut(index) else {
            return false;
        };
        let bytes = play.fill(&mut self.outbox, congested, &self.config);
        self.session.sent(bytes);
        play.deadline().is_some()
    }
}
