//! What a client asks for, and what it makes of the answers (RTMP 1.0, 7.2).

use super::adobe_auth::{self, Challenge};
use super::io::{ClientConfig, End, Event, Purpose, Stage};
use super::secrets;
use super::session::{ClientSession, chunk_stream};
use crate::amf0::Value;
use crate::proto::capabilities::Capabilities;
use crate::proto::command::Command;
use crate::proto::control::{Control, UserControl};
use crate::proto::target::Connect;
use crate::{Error, Fault, Location, Result};
use std::time::Instant;

/// The transactions that are answered; those of commands whose answers nobody needs have numbers too, since some servers want one.
mod transaction {
    pub(super) const CONNECT: f64 = 1.0;
    pub(super) const RELEASE_STREAM: f64 = 2.0;
    pub(super) const FC_PUBLISH: f64 = 3.0;
    pub(super) const CREATE_STREAM: f64 = 4.0;
    pub(super) const START: f64 = 5.0;
    pub(super) const FC_UNPUBLISH: f64 = 6.0;
    pub(super) const DELETE_STREAM: f64 = 7.0;
}

/// The client's buffer that we tell a server of whose stream we play, in milliseconds. Servers send faster until it is full.
const BUFFER_MILLIS: u32 = 1_000;

/// `play`'s start: a live stream, or a recorded one where there is none (RTMP 1.0, 7.2.2.1), in the milliseconds that servers take it for.
const LIVE_OR_RECORDED: f64 = -2_000.0;

impl ClientSession {
    pub(super) fn send_connect(&mut self) {
        let app = format!("{}{}", self.url.app(), self.authentication);
        let tc_url = format!("{}{}", self.url.tc_url(), self.authentication);
        let name = match (&self.config.flash_version, self.purpose) {
            (Some(name), _) => name.clone(),
            (None, Purpose::Publish) => ClientConfig::PUBLISHER_NAME.to_owned(),
            (None, Purpose::Play) => ClientConfig::PLAYER_NAME.to_owned(),
        };
        let mut properties: Vec<(String, Value)> = vec![
            ("app".to_owned(), Value::String(app)),
            ("flashVer".to_owned(), Value::String(name)),
            ("tcUrl".to_owned(), Value::String(tc_url)),
        ];
        let mut property = |name: &str, value| properties.push((name.to_owned(), value));
        match self.purpose {
            Purpose::Publish => property("type", "nonprivate".into()),
            Purpose::Play => {
                // All audio and video codecs of Flash, and seeking (RTMP 1.0, 7.2.1.1).
                property("fpad", Value::Boolean(false));
                property("capabilities", 15.0.into());
                property("audioCodecs", 4071.0.into());
                property("videoCodecs", 252.0.into());
                property("videoFunction", 1.0.into());
            }
        }
        property("objectEncoding", 0.0.into());
        if self.config.enhanced {
            properties.extend(Capabilities::own_properties(true));
        }
        self.send_command(chunk_stream::COMMAND, 0, |writer| {
            writer
                .string("connect")
                .number(transaction::CONNECT)
                .value(&Value::Object(properties));
        });
    }

    pub(super) fn send_create_stream(&mut self) {
        let stream = self.url.stream().to_owned();
        if self.purpose == Purpose::Publish {
            for (name, transaction) in [
                ("releaseStream", transaction::RELEASE_STREAM),
                ("FCPublish", transaction::FC_PUBLISH),
            ] {
                self.send_command(chunk_stream::COMMAND, 0, |writer| {
                    writer
                        .string(name)
                        .number(transaction)
                        .null()
                        .string(&stream);
                });
            }
        }
        self.send_command(chunk_stream::COMMAND, 0, |writer| {
            writer
                .string("createStream")
                .number(transaction::CREATE_STREAM)
                .null();
        });
    }

    fn send_start(&mut self) {
        let stream = self.url.stream().to_owned();
        let (id, purpose) = (self.stream, self.purpose);
        self.send_command(chunk_stream::STREAM, id, |writer| match purpose {
            Purpose::Publish => {
                writer.string("publish").number(transaction::START).null();
                writer.string(&stream).string("live");
            }
            Purpose::Play => {
                writer.string("play").number(transaction::START).null();
                writer.string(&stream).number(LIVE_OR_RECORDED);
            }
        });
        if purpose == Purpose::Play {
            let buffer = UserControl::SetBufferLength(id, BUFFER_MILLIS);
            self.send_control(Control::User(buffer));
        }
    }

    pub(super) fn send_goodbye(&mut self) {
        let (stream, id) = (self.url.stream().to_owned(), self.stream);
        if self.purpose == Purpose::Publish {
            self.send_command(chunk_stream::COMMAND, 0, |writer| {
                writer
                    .string("FCUnpublish")
                    .number(transaction::FC_UNPUBLISH)
                    .null()
                    .string(&stream);
            });
        }
        self.send_command(chunk_stream::COMMAND, 0, |writer| {
            writer
                .string("deleteStream")
                .number(transaction::DELETE_STREAM)
                .null()
                .number(id.into());
        });
    }

    pub(super) fn handle_command(
        &mut self,
        command: &Command,
        at: Location,
        now: Instant,
    ) -> Result<()> {
        match command.name.as_str() {
            "_result" => self.handle_result(command, at, now),
            "_error" => {
                self.handle_error(command);
                Ok(())
            }
            "onStatus" => {
                self.handle_status(command, now);
                Ok(())
            }
            "close" => {
                self.end(End::Ended {
                    code: "NetConnection.Connect.Closed".to_owned(),
                    description: String::new(),
                });
                Ok(())
            }
            // Flash Media Server's bandwidth check; it wants an answer, whatever it is.
            "_onbwcheck" if command.wants_reply() => {
                let transaction = command.transaction;
                self.send_command(chunk_stream::COMMAND, 0, |writer| {
                    writer
                        .string("_result")
                        .number(transaction)
                        .null()
                        .number(0.0);
                });
                Ok(())
            }
            // onBWDone, onFCPublish, onFCSubscribe and others that say nothing which onStatus does not.
            _ => Ok(()),
        }
    }

    fn handle_result(&mut self, command: &Command, at: Location, now: Instant) -> Result<()> {
        match self.stage {
            Stage::Connect if command.transaction == transaction::CONNECT => {
                let said = Connect::parse(&all_properties(command), &self.config.limits);
                let said = said.map_err(|fault| fault.at(at))?;
                self.connected(Capabilities::of_server(&said), now);
            }
            Stage::CreateStream if command.transaction == transaction::CREATE_STREAM => {
                let id = command.number(0).filter(|id| id.fract() == 0.0);
                let Some(id) = id.filter(|id| (0.0..=f64::from(u32::MAX)).contains(id)) else {
                    let what = "the answer to createStream holds no stream id";
                    return Err(Fault::Malformed(what).at(at));
                };
                self.stream = id as u32;
                self.enter(Stage::Start, now);
                self.send_start();
            }
            // Answers to releaseStream and the like; one that comes twice changes nothing.
            _ => {}
        }
        Ok(())
    }

    fn handle_error(&mut self, command: &Command) {
        let information = command.arguments.first().unwrap_or(&command.object);
        let relevant = match self.stage {
            Stage::Connect => command.transaction == transaction::CONNECT,
            Stage::CreateStream => command.transaction == transaction::CREATE_STREAM,
            Stage::Start => command.transaction == transaction::START,
            _ => false,
        };
        if relevant {
            let end = self.refusal(information);
            self.end(end);
        }
    }

    /// What a refusal of the present stage means.
    fn refusal(&self, information: &Value) -> End {
        let text = |name| information.get(name).and_then(Value::as_str);
        if self.stage == Stage::Connect {
            let redirect = information.get("ex").filter(|ex| {
                let code = ex.get("code").and_then(Value::as_number);
                code == Some(302.0)
            });
            // Without a place to go it is a refusal like others.
            let url = redirect.and_then(|ex| ex.get("redirect")?.as_str());
            if let Some(url) = url {
                let url = url.to_owned();
                return End::Redirected { url };
            }
            if let Some(answer) = self.authentication_for(text("description").unwrap_or_default()) {
                return End::AuthenticationRequired { answer };
            }
        }
        End::Refused {
            stage: self.stage,
            code: self.quote(text("code").unwrap_or_default()),
            description: self.quote(text("description").unwrap_or_default()),
        }
    }

    /// What to say next time where a refusal is a question for user and password, and we have some that were not refused yet.
    fn authentication_for(&self, description: &str) -> Option<String> {
        let (user, password) = self.url.credentials()?;
        match adobe_auth::challenge(description)? {
            Challenge::UserWanted if self.authentication.is_empty() => {
                Some(adobe_auth::introduce(user))
            }
            Challenge::ProofWanted(challenge) if !self.authentication.contains("&response=") => {
                Some(challenge.answer(user, password, self.seed as u32))
            }
            _ => None,
        }
    }

    fn handle_status(&mut self, command: &Command, now: Instant) {
        let Some(information) = command.arguments.first() else {
            return;
        };
        let text = |name| {
            information
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (level, code, description) = (text("level"), text("code"), text("description"));
        match code {
            "NetStream.Publish.Start" if self.purpose == Purpose::Publish => self.start(now),
            "NetStream.Play.Start" if self.purpose == Purpose::Play => self.start(now),
            // Without a URL: to the same, which the empty reference stands for.
            "NetConnection.Connect.ReconnectRequest" => {
                let url = text("tcUrl").to_owned();
                if self.stage == Stage::Live {
                    self.events.push_back(Event::ReconnectRequested { url });
                } else {
                    self.end(End::Redirected { url });
                }
            }
            "NetStream.Play.UnpublishNotify"
            | "NetStream.Play.Stop"
            | "NetStream.Play.Complete"
            | "NetStream.Unpublish.Success"
            | "NetConnection.Connect.Closed"
            | "NetConnection.Connect.AppShutdown"
            | "NetConnection.Connect.IdleTimeout" => self.over(code, description),
            _ if level == "error" || is_refusal(code) => {
                if self.stage < Stage::Live {
                    let end = self.refusal(information);
                    self.end(end);
                } else {
                    self.over(code, description);
                }
            }
            // Play.Reset, Play.PublishNotify, Data.Start and other news.
            _ => {}
        }
    }

    fn start(&mut self, now: Instant) {
        if self.stage == Stage::Start {
            self.enter(Stage::Live, now);
            self.events.push_back(Event::Started);
        }
    }

    fn over(&mut self, code: &str, description: &str) {
        let (code, description) = (self.quote(code), self.quote(description));
        self.end(End::Ended { code, description });
    }

    /// A server's words as they can go into a log.
    fn quote(&self, text: &str) -> String {
        let hidden = secrets::hide(text, &self.url, &self.authentication);
        let printable = hidden.chars().map(|c| if c.is_control() { ' ' } else { c });
        printable.take(200).collect()
    }

    pub(super) fn charge(&mut self, now: Instant, at: Location) -> Result<()> {
        if self.rate.take(now) {
            return Ok(());
        }
        let max = self.config.limits.commands_per_second.into();
        let what = "commands_per_second";
        Err(Error::LimitExceeded { what, max, at })
    }
}

/// The properties of all objects in an answer to `connect`: Enhanced RTMP leaves it to the server in which of them it says what it
/// can do. Of a name that comes twice, the first counts.
fn all_properties(command: &Command) -> Value {
    let objects = std::iter::once(&command.object).chain(&command.arguments);
    let properties = objects.filter_map(Value::properties).flatten();
    Value::Object(properties.cloned().collect())
}

/// Codes that some servers send with another level than "error".
fn is_refusal(code: &str) -> bool {
    matches!(
        code,
        "NetStream.Publish.BadName"
            | "NetStream.Publish.Denied"
            | "NetStream.Play.StreamNotFound"
            | "NetStream.Play.Failed"
            | "NetStream.Failed"
            | "NetConnection.Connect.Rejected"
            | "NetConnection.Connect.InvalidApp"
            | "NetConnection.Connect.Failed"
    )
}
