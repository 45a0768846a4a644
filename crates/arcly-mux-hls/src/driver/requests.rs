//! Answering requests, and waiting for what is to come.

use super::stream::{Phase, Slot, Stream};
use super::{Container, HlsOrigin};
use crate::config::HlsConfig;
use crate::origin::{Directives, HlsRequest, HlsResponse, Media, Resource, Route};
use crate::playlist::{MultivariantPlaylist, Rendered};
use crate::presentation::{Presentation, Rendition};
use arcly_core::StreamKey;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// How long a request waits for the packaging of a stream that is live.
const BEGIN_WAIT: Duration = Duration::from_secs(1);

/// For how many target durations a response to a blocking request may be cached, and for how many one waits at most (RFC 8216bis
/// 6.2.5.2).
const BLOCKED_CACHE: u64 = 6;
const BLOCKED_WAIT: u64 = 3;

impl HlsConfig {
    /// How long [`HlsOrigin::handle`] waits at most before it answers, all waits of one request together: with the defaults 61 s. A host that limits the time of its
    /// responses allows for that.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        let longest = self.max_segment_duration.max(self.target_duration);
        let blocked = u32::try_from(BLOCKED_WAIT).unwrap_or(u32::MAX);
        let target = Duration::from_secs(longest.as_secs_f64().ceil() as u64);
        BEGIN_WAIT + self.first_segment_wait + target * blocked
    }
}

impl HlsOrigin {
    /// Answers a request for a resource of `key`.
    ///
    /// Waits where a playlist is asked for and the stream has just started, at most
    /// [`HlsConfig::first_segment_wait`](crate::HlsConfig::first_segment_wait); and in a low-latency rendition for a part that was hinted, and for the version of
    /// a playlist that `_HLS_msn` and `_HLS_part` name, at most three target durations. At most
    /// [`Limits::waiting_requests`](crate::Limits::waiting_requests) of a stream wait at a time; a waiting request is woken once a
    /// part. Dropping the future is harmless.
    pub async fn handle(&self, key: &StreamKey, request: HlsRequest<'_>) -> HlsResponse {
        let answer = async {
            let route = Route::read(request.path)?;
            if let Some(members) = self.shared.groups.get(key) {
                return self.group_index(key, members, route, &request).await;
            }
            let (index, container) = self.container(&route)?;
            let stream = self.begun(key, &request).await?;
            let slot = stream.slots.get(index)?;
            Some(self.answer(&stream, slot, container, route, &request).await)
        };
        answer
            .await
            .unwrap_or_else(|| HlsResponse::not_found(&request))
    }

    /// The container that a path names.
    fn container(&self, route: &Route<'_>) -> Option<(usize, &Container)> {
        let mut containers = self.shared.containers.iter().enumerate();
        match route.resource.folder() {
            None => containers.next(),
            Some(folder) => containers.find(|(_, container)| container.folder == folder),
        }
    }

    /// The stream, once its packaging has begun.
    async fn begun(&self, key: &StreamKey, request: &HlsRequest<'_>) -> Option<Arc<Stream>> {
        let find = || {
            let stream = self.shared.stream(key)?;
            let is_gone = |slot: &Slot| matches!(*slot.phase.borrow(), Phase::Gone);
            (!stream.slots.iter().all(is_gone)).then_some(stream)
        };
        if !request.is_live {
            return find();
        }
        let mut begun = self.shared.begun.subscribe();
        let begin = async {
            loop {
                if let Some(stream) = find() {
                    return Some(stream);
                }
                begun.changed().await.ok()?;
            }
        };
        tokio::time::timeout(BEGIN_WAIT, begin).await.ok().flatten()
    }

    async fn answer(
        &self,
        stream: &Stream,
        slot: &Slot,
        container: &Container,
        route: Route<'_>,
        request: &HlsRequest<'_>,
    ) -> HlsResponse {
        if let Resource::Media {
            rendition,
            media,
            extension,
            ..
        } = route.resource
        {
            let is_named = match media {
                Media::Init(_) => extension == "mp4",
                Media::Segment(_) | Media::Part(..) => extension == container.extension,
            };
            let response = match is_named {
                true => media_response(stream, slot, rendition, media, request).await,
                false => None,
            };
            return response.unwrap_or_else(|| HlsResponse::not_found(request));
        }
        let presentation = match self.served(stream, slot).await {
            Ok(Some(presentation)) => presentation,
            Ok(None) => return HlsResponse::not_found(request),
            Err(TooMany) => return HlsResponse::unavailable(request),
        };
        match route.resource {
            Resource::Playlist { name, .. } => {
                media_playlist(stream, slot, &presentation, name, request).await
            }
            Resource::Index => index(&presentation, container.folder, &route, request),
            _ => index(&presentation, "", &route, request),
        }
    }

    /// What is served, waited for where the stream has just started.
    async fn served(
        &self,
        stream: &Stream,
        slot: &Slot,
    ) -> Result<Option<Arc<Presentation>>, TooMany> {
        let is_starting = |phase: &Phase| matches!(phase, Phase::Starting);
        if is_starting(&slot.phase.borrow()) {
            let _permit = permit(stream)?;
            let mut phase = slot.phase.subscribe();
            let ready = phase.wait_for(|phase| !is_starting(phase));
            // On a timeout there is nothing to serve, which is what the phase says then.
            let _ = tokio::time::timeout(self.shared.config.first_segment_wait, ready).await;
        }
        Ok(slot.presentation())
    }

    /// A multivariant playlist over the members of a group.
    async fn group_index(
        &self,
        key: &StreamKey,
        members: &[StreamKey],
        route: Route<'_>,
        request: &HlsRequest<'_>,
    ) -> Option<HlsResponse> {
        let above = match route.resource {
            Resource::Index => "../",
            Resource::FolderIndex { .. } => "../../",
            _ => return None,
        };
        let (index, container) = self.container(&route)?;
        let above = match route.session {
            Some(_) => format!("../{above}"),
            None => above.to_owned(),
        };
        let session = route.session.or(request.session);
        let session = session.map(Route::session_folder).unwrap_or_default();
        let mut playlist = MultivariantPlaylist::default();
        let mut is_empty = true;
        for member in members {
            let Some(stream) = self.shared.stream(member) else {
                continue;
            };
            let slot = stream.slots.get(index)?;
            let Ok(Some(presentation)) = self.served(&stream, slot).await else {
                continue;
            };
            is_empty = false;
            let (app, name) = (encoded(&member.app), encoded(&member.stream));
            let folder = container.folder;
            let path = if member.app == key.app {
                format!("{above}{name}/{session}{folder}/")
            } else {
                format!("{above}../{app}/{name}/{session}{folder}/")
            };
            playlist = playlist.with(&path, &format!("-{app}-{name}"), &presentation.variants);
        }
        if is_empty {
            return None;
        }
        let query = query(request, &route);
        Some(HlsResponse::playlist(
            &playlist.render(),
            query,
            None,
            request,
        ))
    }
}

/// A name as a URL's path has it (RFC 3986 3.3).
fn encoded(name: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' | b'@' | b'=' | b',' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

/// Too many requests wait already.
struct TooMany;

fn permit(stream: &Stream) -> Result<SemaphorePermit<'_>, TooMany> {
    stream.waiting.try_acquire().map_err(|_| TooMany)
}

/// The query that child URLs carry: none, where a session stands in their path.
fn query<'a>(request: &HlsRequest<'a>, route: &Route<'_>) -> Option<&'a str> {
    let has_session = route.session.or(request.session).is_some();
    request.token().filter(|_| !has_session)
}

/// The multivariant playlist of a container, whose `folder` is below the playlist, or nothing.
fn index(
    presentation: &Presentation,
    folder: &'static str,
    route: &Route<'_>,
    request: &HlsRequest<'_>,
) -> HlsResponse {
    let query = query(request, route);
    let opened = request.session.filter(|_| route.session.is_none());
    let own: Rendered;
    let playlist = match (opened, folder) {
        (None, "") => presentation.multivariant(),
        (None, folder) => presentation.multivariant_above(folder),
        (Some(session), folder) => {
            let session = Route::session_folder(session);
            let path = match (route.resource, folder) {
                (Resource::FolderIndex { folder }, _) => format!("../{session}{folder}/"),
                (_, folder) => format!("{session}{folder}/"),
            };
            let playlist = MultivariantPlaylist::default();
            own = playlist.with(&path, "", &presentation.variants).render();
            &own
        }
    };
    HlsResponse::playlist(playlist, query, None, request)
}

/// A media playlist, in the version that is asked for.
async fn media_playlist(
    stream: &Stream,
    slot: &Slot,
    presentation: &Presentation,
    name: &str,
    request: &HlsRequest<'_>,
) -> HlsResponse {
    let Some(rendition) = presentation.rendition(name) else {
        return HlsResponse::not_found(request);
    };
    if rendition.facts.part_target.is_none() {
        // RFC 8216bis 6.2.5: who does not announce support ignores the directives.
        let query = request.token();
        return HlsResponse::playlist(rendition.playlist(), query, None, request);
    }
    let Ok(Directives { wanted, skip }) = Directives::read(request.query) else {
        return HlsResponse::bad_request(request);
    };
    let mut found = Arc::clone(rendition);
    let seconds = rendition.facts.target_seconds;
    if let Some(wanted) = wanted
        && !rendition.facts.ended
        && !rendition.has(wanted)
    {
        if rendition.is_too_far(wanted) {
            return HlsResponse::bad_request(request);
        }
        let is_there = |rendition: &Rendition| rendition.has(wanted) || rendition.facts.ended;
        match wait(stream, slot, name, seconds, is_there).await {
            Ok(Some(rendition)) => found = rendition,
            Ok(None) => return HlsResponse::not_found(request),
            Err(NotThere) => return HlsResponse::unavailable(request),
        }
    }
    let playlist = if skip {
        found.delta()
    } else {
        found.playlist()
    };
    let fixed_for = wanted.map(|_| seconds.saturating_mul(BLOCKED_CACHE));
    HlsResponse::playlist(playlist, request.token(), fixed_for, request)
}

/// It did not come in time, or too many wait.
struct NotThere;

/// Waits until `is_there` holds for a rendition; none where that is gone.
async fn wait(
    stream: &Stream,
    slot: &Slot,
    name: &str,
    target_seconds: u64,
    is_there: impl Fn(&Rendition) -> bool,
) -> Result<Option<Arc<Rendition>>, NotThere> {
    let _permit = permit(stream).map_err(|TooMany| NotThere)?;
    let mut phase = slot.phase.subscribe();
    let find = |phase: &Phase| match phase {
        Phase::Serving(presentation) => presentation.rendition(name).map(Arc::clone),
        Phase::Starting | Phase::Gone => None,
    };
    let came = phase.wait_for(|phase| find(phase).is_none_or(|rendition| is_there(&rendition)));
    let limit = Duration::from_secs(target_seconds.saturating_mul(BLOCKED_WAIT));
    match tokio::time::timeout(limit, came).await {
        Ok(Ok(phase)) => Ok(find(&phase)),
        // The stream is forgotten.
        Ok(Err(_)) => Ok(None),
        Err(_) => Err(NotThere),
    }
}

/// A segment, part or init segment. A part that was hinted is waited for.
async fn media_response(
    stream: &Stream,
    slot: &Slot,
    name: &str,
    media: Media,
    request: &HlsRequest<'_>,
) -> Option<HlsResponse> {
    let mut rendition = Arc::clone(slot.presentation()?.rendition(name)?);
    if let Media::Part(sequence, part) = media
        && rendition.hints(sequence, part)
    {
        let seconds = rendition.facts.target_seconds;
        let is_settled = |rendition: &Rendition| !rendition.hints(sequence, part);
        match wait(stream, slot, name, seconds, is_settled).await {
            Ok(found) => rendition = found?,
            Err(NotThere) => return Some(HlsResponse::unavailable(request)),
        }
    }
    let mime_type = rendition.mime_type();
    Some(match media {
        Media::Segment(sequence) => {
            let bytes = &rendition.segment(sequence)?.bytes;
            HlsResponse::media(mime_type, bytes, format!("\"{sequence}\""), request)
        }
        Media::Part(sequence, part) => {
            let bytes = &rendition.part(sequence, part)?.bytes;
            HlsResponse::media(mime_type, bytes, format!("\"{sequence}.{part}\""), request)
        }
        Media::Init(sequence) => {
            let bytes = std::slice::from_ref(&rendition.init(sequence)?.bytes);
            HlsResponse::media("video/mp4", bytes, format!("\"init-{sequence}\""), request)
        }
    })
}
