//! Requests in, responses out: the origin's face, free of any HTTP framework.

mod request;
mod response;
mod route;

pub use request::{HlsMethod, HlsRequest};
pub use response::HlsResponse;

use crate::presentation::Presentation;
use route::Resource;

/// The name of the media playlist.
pub(crate) const MEDIA_PLAYLIST: &str = "media.m3u8";

/// What a request names, once its path is understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    request: HlsRequest<'a>,
    resource: Resource,
}

impl<'a> Wanted<'a> {
    /// Reads a request; none where its path names nothing.
    pub(crate) fn read(request: HlsRequest<'a>, extension: &str) -> Option<Self> {
        Some(Self {
            request,
            resource: Resource::at(request.path, extension)?,
        })
    }

    /// Whether it is worth waiting for: a player that comes early asks for a playlist, never for a
    /// segment.
    pub(crate) fn is_playlist(self) -> bool {
        !matches!(self.resource, Resource::Segment(_))
    }

    /// The response from what there is.
    pub(crate) fn answer(self, presentation: Option<&Presentation>) -> HlsResponse {
        let response = presentation.and_then(|presentation| self.find(presentation));
        response
            .unwrap_or_else(HlsResponse::not_found)
            .to(self.request.method)
    }

    fn find(self, presentation: &Presentation) -> Option<HlsResponse> {
        let playlist = match self.resource {
            Resource::Index => presentation.multivariant_above(),
            Resource::FolderIndex => presentation.multivariant(),
            Resource::Media => presentation.media(),
            Resource::Segment(sequence) => {
                let segment = presentation.segment(sequence)?;
                return Some(HlsResponse::segment(
                    presentation.mime_type(),
                    segment.bytes.clone(),
                ));
            }
        };
        Some(HlsResponse::playlist(match self.request.token() {
            Some(token) => playlist.with_query(token),
            None => playlist.text(),
        }))
    }
}

/// The response to what names nothing.
pub(crate) fn not_found(request: HlsRequest<'_>) -> HlsResponse {
    HlsResponse::not_found().to(request.method)
}
