//! Sessions that play a camera of two tracks, as far as it answers.

use super::camera::Camera;
use super::{Driven, start};
use arcly_rtsp::proto::client::{
    Carriage, ClientConfig, ClientSession, End, Event, RemoteUrl, Stage,
};
use arcly_rtsp::proto::message::{Method, Request, Response, StatusCode, name};

pub(crate) const URL: &str = "rtsp://user:secret@192.0.2.1/stream";

pub(crate) fn camera() -> Camera {
    Camera::new("vstarcam_describe", &[], None)
}

pub(crate) fn driven(url: &str, config: ClientConfig) -> Driven {
    let now = start();
    let url: RemoteUrl = url.parse().expect("a URL");
    Driven::new(ClientSession::play(config, &url, 7, now), now)
}

/// Asks for all tracks of the camera, once they are described.
pub(crate) fn set_up(driven: &mut Driven, carriage: Carriage) {
    let wanted = [(0, carriage), (1, carriage)];
    driven
        .session
        .setup(&wanted, driven.now)
        .expect("described");
}

/// A session that plays, by whatever `answer` says before the camera does.
pub(crate) fn playing(config: ClientConfig, carriage: Carriage) -> Driven {
    let mut driven = driven(URL, config);
    let mut camera = camera();
    driven.run(|request| Some(camera.answer(request)));
    set_up(&mut driven, carriage);
    driven.run(|request| Some(camera.answer(request)));
    assert_eq!(driven.session.stage(), Stage::Live, "{:?}", driven.error);
    driven
}

pub(crate) fn respond(request: &Request, status: u16) -> Response {
    Response::to(request, StatusCode::new(status).expect("a status"))
}

pub(crate) fn end(driven: &Driven) -> Option<&End> {
    driven.events.iter().find_map(|event| match event {
        Event::Ended(end) => Some(end),
        _ => None,
    })
}

pub(crate) fn method(driven: &Driven) -> Method {
    driven.requests.last().expect("a request").method.clone()
}

/// A response to SETUP with another transport than was asked for.
pub(crate) trait WithTransport {
    fn to_bytes_with(self, transport: &str) -> Vec<u8>;
}

impl WithTransport for Response {
    fn to_bytes_with(mut self, transport: &str) -> Vec<u8> {
        self.headers.set(name::TRANSPORT, transport);
        self.to_bytes()
    }
}
