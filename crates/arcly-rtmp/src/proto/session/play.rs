//! Playing: the commands of a player, and what it is told (RTMP 1.0, 7.2.1.2 to 7.2.2.9).

use super::io::{PlayControl, PlayEnd, PlayRequest};
use super::streams::MessageStream;
use super::timers::Timer;
use super::{Event, MessageStreamId, ServerSession, chunk_stream};
use crate::amf0::Value;
use crate::proto::command::{self, Command};
use crate::proto::control::{Control, UserControl};
use crate::proto::status::{Level, StatusCode};
use crate::proto::target::Target;
use crate::{Error, Location, Result};
use std::time::Instant;

/// A play on a message stream.
#[derive(Debug)]
pub(super) struct Playback {
    /// The stream's name, as sent.
    name: String,
    /// Whether the player wants to hear that what it played before is over.
    reset: bool,
    /// Whether it came by `play2`, after another stream.
    follows: bool,
    paused: bool,
    /// Whether the caller has granted it; it is asked, or waits for the stream, until then.
    granted: bool,
    /// Whether it was granted before, and the stream has ended since.
    again: bool,
}

impl ServerSession {
    /// The message streams that play, or are to.
    pub(super) fn plays(&self) -> impl Iterator<Item = MessageStreamId> {
        self.streams
            .iter()
            .filter(|(_, stream)| matches!(stream, MessageStream::Playing(_)))
            .map(|(&id, _)| MessageStreamId(id))
    }

    /// Handles a command of a player; false where it is none.
    pub(super) fn handle_play_command(
        &mut self,
        command: &Command,
        stream: MessageStreamId,
        at: Location,
        now: Instant,
    ) -> Result<bool> {
        match command.name.as_str() {
            "play" => match command.arguments.first() {
                Some(Value::String(name)) => {
                    // Start and duration choose a part of a recording; here all is live.
                    let reset = command.arguments.get(3).is_none_or(is_true);
                    self.request_play(stream, name, reset, false, at, now)?;
                }
                // NetStream.play(false) is how a Flash client stops.
                _ => self.stop_play(stream, now),
            },
            "play2" => self.play2(command, stream, at, now)?,
            "pause" | "pauseRaw" => self.pause(command, stream),
            "seek" => self.seek(stream),
            "receiveAudio" => self.receive_track(stream, command, PlayControl::Audio),
            "receiveVideo" => self.receive_track(stream, command, PlayControl::Video),
            // Live streams have none. Clients that ask wait for the answer.
            "getStreamLength" => self.reply(command, &Value::Number(0.0)),
            "FCSubscribe" => self.fc("onFCSubscribe", StatusCode::PLAY_START, command),
            "FCUnsubscribe" => self.fc("onFCUnsubscribe", StatusCode::PLAY_STOP, command),
            // Bandwidth measurements of Flash Media Server's clients.
            "_checkbw" | "checkBandwidth" => self.reply(command, &Value::Undefined),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn request_play(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        reset: bool,
        follows: bool,
        at: Location,
        now: Instant,
    ) -> Result<()> {
        let Some(connect) = self.connect.clone() else {
            return Err(Error::PeerMisbehaved {
                what: "play before connect",
                at,
            });
        };
        let target =
            Target::new(&connect, name, &self.config.limits).map_err(|fault| fault.at(at))?;
        match self.streams.get(&stream.0) {
            Some(MessageStream::Idle | MessageStream::Playing(_)) => {}
            Some(_) => {
                let description = "the message stream publishes";
                self.send_status(stream, Level::Error, StatusCode::PLAY_FAILED, description);
                return Ok(());
            }
            None => {
                return Err(Error::PeerMisbehaved {
                    what: "play on a message stream that was not created",
                    at,
                });
            }
        }
        self.end_playback(stream);
        let max = self.config.limits.plays;
        if self.plays().count() >= max {
            let description = format!("plays exceeds the limit of {max}");
            self.send_status(stream, Level::Error, StatusCode::PLAY_FAILED, &description);
            self.await_request(now);
            return Ok(());
        }
        let playback = Playback {
            name: name.to_owned(),
            reset,
            follows,
            paused: false,
            granted: false,
            again: false,
        };
        self.streams
            .insert(stream.0, MessageStream::Playing(playback));
        self.timers.clear(Timer::Setup);
        self.events.push_back(Event::Play(Box::new(PlayRequest {
            stream,
            target,
            connect,
        })));
        Ok(())
    }

    /// NetStream.play2: another stream in place of the one that is played. Streams here share no timeline, so all
    /// transitions are the same: the next stream starts at its newest keyframe.
    fn play2(
        &mut self,
        command: &Command,
        stream: MessageStreamId,
        at: Location,
        now: Instant,
    ) -> Result<()> {
        let argument = command.arguments.first();
        let text = |name| argument.and_then(|value| value.get(name)?.as_str());
        if text("transition") == Some("stop") {
            self.stop_play(stream, now);
            return Ok(());
        }
        let Some(name) = text("streamName").filter(|name| !name.is_empty()) else {
            let description = "play2 names no stream";
            self.send_status(stream, Level::Error, StatusCode::PLAY_FAILED, description);
            return Ok(());
        };
        self.request_play(stream, name, true, true, at, now)
    }

    /// What is played on a message stream.
    fn playback(&mut self, stream: MessageStreamId) -> Option<&mut Playback> {
        match self.streams.get_mut(&stream.0) {
            Some(MessageStream::Playing(playback)) => Some(playback),
            _ => None,
        }
    }

    fn pause(&mut self, command: &Command, stream: MessageStreamId) {
        let Some(playback) = self.playback(stream) else {
            return;
        };
        let pause = match command.arguments.first() {
            Some(value) => is_true(value),
            // Without an argument it toggles.
            None => !playback.paused,
        };
        let changed = playback.paused != pause;
        playback.paused = pause;
        let (code, description, control) = if pause {
            (StatusCode::PAUSE_NOTIFY, "paused", PlayControl::Pause)
        } else {
            let description = "playing goes on at the newest keyframe";
            (
                StatusCode::UNPAUSE_NOTIFY,
                description,
                PlayControl::Restart,
            )
        };
        self.send_status(stream, Level::Status, code, description);
        if changed {
            self.events.push_back(Event::PlayControl(stream, control));
        }
    }

    /// A live stream has one place to go to. Saying so by an error would end players that seek by accident.
    fn seek(&mut self, stream: MessageStreamId) {
        let Some(playback) = self.playback(stream) else {
            return;
        };
        if !playback.paused {
            let control = Event::PlayControl(stream, PlayControl::Restart);
            self.events.push_back(control);
        }
        let description = "the stream is live and goes on at its newest keyframe";
        self.send_status(stream, Level::Status, StatusCode::SEEK_NOTIFY, description);
    }

    fn receive_track(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
        control: fn(bool) -> PlayControl,
    ) {
        let wanted = command.arguments.first().is_none_or(is_true);
        let Some(playback) = self.playback(stream) else {
            return;
        };
        let restart = wanted && !playback.paused && control(true) == PlayControl::Video(true);
        self.events
            .push_back(Event::PlayControl(stream, control(wanted)));
        if restart {
            let control = Event::PlayControl(stream, PlayControl::Restart);
            self.events.push_back(control);
        }
        if wanted {
            // RTMP 1.0, 7.2.2.4 and 7.2.2.5.
            let level = Level::Status;
            self.send_status(stream, level, StatusCode::SEEK_NOTIFY, "the track comes");
            self.send_status(stream, level, StatusCode::PLAY_START, "the track comes");
        }
    }

    /// What Flash Media Server's subscribers ask for before they play. Whether they may is decided by `play`.
    fn fc(&mut self, reply: &str, code: StatusCode, command: &Command) {
        let name = command.text(0).unwrap_or_default();
        self.send(
            chunk_stream::COMMAND,
            &command::status(reply, 0, Level::Status, code, name),
        );
        self.reply(command, &Value::Undefined);
    }

    /// Ends a play at the peer's will, and tells the peer.
    pub(super) fn stop_play(&mut self, stream: MessageStreamId, now: Instant) {
        if self.end_playback(stream) {
            let (level, code) = (Level::Status, StatusCode::PLAY_STOP);
            self.send_status(stream, level, code, "playing has stopped");
            self.await_request(now);
        }
    }

    /// Ends a play, if there is one, and says so to the caller, unless the caller has not heard of it: then it never does, as there is
    /// nothing left to reply to.
    pub(super) fn end_playback(&mut self, stream: MessageStreamId) -> bool {
        let Some(slot @ MessageStream::Playing(_)) = self.streams.get_mut(&stream.0) else {
            return false;
        };
        *slot = MessageStream::Idle;
        let asks =
            |event: &Event| matches!(event, Event::Play(request) if request.stream == stream);
        let Some(asked) = self.events.iter().rposition(asks) else {
            self.events.push_back(Event::PlayEnded(stream));
            return true;
        };
        let mut index = 0;
        self.events.retain(|event| {
            let is_later = index >= asked;
            index += 1;
            let controls = matches!(event, Event::PlayControl(of, _) if *of == stream);
            !(is_later && (asks(event) || controls))
        });
        true
    }

    /// Grants [`Event::Play`], or lets a play go on that waits for its stream to be published again. Media may follow at
    /// once, from a keyframe on.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where no play waits.
    pub fn accept_play(&mut self, stream: MessageStreamId) -> Result<()> {
        let Some(playback) = self.playback(stream).filter(|playback| !playback.granted) else {
            return Err(Error::ApiMisuse {
                what: "accept_play without a request to play",
            });
        };
        playback.granted = true;
        let (reset, again, follows) = (playback.reset, playback.again, playback.follows);
        let name = playback.name.clone();
        if again {
            let text = format!("{name} is live again");
            let code = StatusCode::PLAY_PUBLISH_NOTIFY;
            self.send_status(stream, Level::Status, code, &text);
        } else if follows {
            let text = format!("{name} comes next");
            self.send_status(stream, Level::Status, StatusCode::PLAY_TRANSITION, &text);
        }
        self.send_control(Control::User(UserControl::StreamBegin(stream.0)));
        if reset && !again {
            let text = format!("what was played before {name} is over");
            self.send_status(stream, Level::Status, StatusCode::PLAY_RESET, &text);
        }
        let text = format!("{name} starts");
        self.send_status(stream, Level::Status, StatusCode::PLAY_START, &text);
        // Flash Player lets its scripts look at the media only where the server says so: audio, video.
        let access = [Value::Boolean(true), Value::Boolean(true)];
        self.send(
            chunk_stream::STATUS,
            &command::data(stream.0, "|RtmpSampleAccess", &access),
        );
        // Hardly any event comes from now on.
        self.events.shrink_to_fit();
        Ok(())
    }

    /// Tells a player that it gets less than there is.
    pub fn warn_play(&mut self, stream: MessageStreamId, description: &str) {
        let (level, code) = (Level::Warning, StatusCode::PLAY_NO_SUPPORTED_TRACK);
        self.send_status(stream, level, code, description);
    }

    /// Refuses [`Event::Play`] with `code` and words for the peer. The connection stays, for another try within
    /// [`Limits::setup_timeout`](crate::Limits::setup_timeout); [`hang_up`](Self::hang_up) where it should not.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where no such event waits.
    pub fn reject_play(
        &mut self,
        stream: MessageStreamId,
        code: StatusCode,
        description: &str,
        now: Instant,
    ) -> Result<()> {
        if self
            .playback(stream)
            .is_none_or(|playback| playback.granted)
        {
            return Err(Error::ApiMisuse {
                what: "reject_play without a request to play",
            });
        }
        self.streams.insert(stream.0, MessageStream::Idle);
        self.send_status(stream, Level::Error, code, description);
        self.await_request(now);
        Ok(())
    }

    /// Ends a play that was accepted, and tells the player why. True where it waits for its stream to be published again,
    /// which [`Config::play_wait`](crate::Config::play_wait) allows: for [`accept_play`](Self::accept_play) or
    /// [`reject_play`](Self::reject_play). The connection stays, for another request within
    /// [`Limits::setup_timeout`](crate::Limits::setup_timeout). Nothing happens where the play has ended already.
    pub fn end_play(&mut self, stream: MessageStreamId, end: PlayEnd, now: Instant) -> bool {
        let Some(playback) = self.playback(stream).filter(|playback| playback.granted) else {
            return false;
        };
        playback.granted = false;
        playback.again = true;
        let name = playback.name.clone();
        let (level, code, text) = match end {
            PlayEnd::Unpublished => {
                let code = StatusCode::PLAY_UNPUBLISH_NOTIFY;
                (
                    Level::Status,
                    code,
                    format!("{name} is no longer published"),
                )
            }
            PlayEnd::TooSlow => {
                let code = StatusCode::PLAY_INSUFFICIENT_BANDWIDTH;
                (
                    Level::Error,
                    code,
                    "the player is too slow for the stream".to_owned(),
                )
            }
            PlayEnd::NoSupportedTrack => {
                let code = StatusCode::PLAY_NO_SUPPORTED_TRACK;
                let text = "the stream has no track in a codec that the player takes";
                (Level::Error, code, text.to_owned())
            }
            PlayEnd::ByHost => (
                Level::Error,
                StatusCode::PLAY_FAILED,
                "the host has ended it".to_owned(),
            ),
        };
        self.send_status(stream, level, code, &text);
        self.send_control(Control::User(UserControl::StreamEof(stream.0)));
        if end == PlayEnd::Unpublished {
            let code = StatusCode::PLAY_COMPLETE;
            let complete = [command::information(Level::Status, code, &name)];
            self.send(
                chunk_stream::STATUS,
                &command::data(stream.0, "onPlayStatus", &complete),
            );
        }
        let (level, code) = (Level::Status, StatusCode::PLAY_STOP);
        self.send_status(stream, level, code, "playing has stopped");
        let waits = end == PlayEnd::Unpublished && !self.config.play_wait.is_zero();
        if !waits {
            self.streams.insert(stream.0, MessageStream::Idle);
            self.await_request(now);
        }
        waits
    }
}

/// Flags travel as booleans, and from some clients as numbers.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Boolean(boolean) => *boolean,
        Value::Number(number) => *number != 0.0,
        _ => true,
    }
}
