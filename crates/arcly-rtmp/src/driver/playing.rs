//! What a connection plays.

use super::NAME;
use super::connection::Connection;
use super::outcome::{ConnectionError, play_refusal};
use super::pace::Pacer;
use crate::egress::{Accepts, FlvPackager, FlvPacket, FlvVariant, Misses};
use crate::proto::capabilities::Capabilities;
use crate::proto::session::{MessageStreamId, PlayControl, PlayEnd, PlayRequest};
use crate::proto::status::StatusCode;
use arcly_core::net::now;
use arcly_core::{Credentials, PlaySession, Rendition, StartAt, StreamError, StreamKey};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tracing::{debug, info};

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
    /// The host has ended it.
    Ended(PlayEnd),
}

impl Play {
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

    pub(super) fn key(&self) -> &StreamKey {
        &self.request.key
    }
}

/// A viewer that is served. What it is sent stands in its connection's [`Wire`](super::feeds::Wire).
struct Viewer {
    session: Arc<PlaySession>,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    rendition: Rendition<FlvPacket>,
    pacer: Arc<Pacer>,
}

impl Viewer {
    fn new(session: PlaySession, variant: FlvVariant, pacer: Arc<Pacer>) -> Self {
        let packager = FlvPackager::new(session.handle().clone(), variant);
        let rendition = session.handle().rendition(packager);
        let session = Arc::new(session);
        let ended = Box::pin({
            let session = Arc::clone(&session);
            async move { session.ended().await }
        });
        pacer.join();
        Self {
            session,
            ended,
            rendition,
            pacer,
        }
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
        let viewer = Viewer::new(session, variant, Arc::clone(&self.shared.pacer));
        if !play.paused {
            let packets = viewer
                .rendition
                .subscribe_from(self.config.play_start.into());
            self.wire
                .lock()
                .media()
                .feed(stream, &viewer.session, packets);
        }
        self.wire
            .lock()
            .media()
            .want(stream, play.audio, play.video);
        self.shared.flushers.join(
            viewer.session.handle().session(),
            variant,
            &viewer.rendition,
            &self.wire,
        );
        play.state = State::Playing(Box::new(viewer));
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

    /// What was played on `stream` has come to its end.
    pub(super) fn play_ended(&mut self, stream: MessageStreamId, end: PlayEnd) {
        match self.plays.iter().position(|play| play.stream == stream) {
            Some(index) => self.end_play(index, end),
            None => self.wire.lock().media().unfeed(stream),
        }
    }

    fn end_play(&mut self, index: usize, end: PlayEnd) {
        let Some(play) = self.plays.get_mut(index) else {
            return;
        };
        self.wire.lock().media().unfeed(play.stream);
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
            self.wire.lock().media().unfeed(stream);
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
                self.wire.lock().media().pause(stream);
            }
            PlayControl::Restart => {
                play.paused = false;
                if let State::Playing(viewer) = &play.state {
                    let packets = viewer.rendition.subscribe_from(StartAt::LatestKeyframe);
                    self.wire
                        .lock()
                        .media()
                        .feed(stream, &viewer.session, packets);
                }
            }
        }
        self.wire
            .lock()
            .media()
            .want(stream, play.audio, play.video);
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
            self.wire.lock().media().unfeed(play.stream);
            self.session.end_play(play.stream, PlayEnd::ByHost, now());
        }
        self.session.hang_up();
    }
}
