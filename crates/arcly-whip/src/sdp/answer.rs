//! What we answer.

use super::{Extension, Offer, OfferedCodec, OfferedMedia, Setup};
use crate::transport::{Carrier, Fingerprint, IceCredentials};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// How we are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "all of it has to be said; there is no default"
)]
pub struct LocalTransport {
    /// Our credentials.
    pub ice: IceCredentials,
    /// Our certificate's fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether we only answer checks.
    pub is_ice_lite: bool,
    /// The addresses that we tell, the preferred one first.
    pub addresses: Vec<(Carrier, SocketAddr)>,
}

impl LocalTransport {
    /// The values of our `a=candidate` lines (RFC 8839 5.1, RFC 6544 4.5).
    pub fn candidates(&self) -> impl Iterator<Item = String> {
        self.addresses
            .iter()
            .zip(0_u32..)
            .map(|(&(carrier, address), index)| {
                let (transport, type_preference, suffix) = match carrier {
                    Carrier::Udp => ("udp", 126, ""),
                    // RFC 6544 4.2: below UDP, as it is the fallback.
                    Carrier::Tcp => ("tcp", 90, " tcptype passive"),
                };
                // RFC 8445 5.1.2.1, of component 1.
                let local_preference = 65_535_u32.saturating_sub(index);
                let priority = (type_preference << 24) + (local_preference << 8) + 255;
                let (ip, port) = (address.ip(), address.port());
                let foundation = index + 1;
                format!("{foundation} 1 {transport} {priority} {ip} {port} typ host{suffix}")
            })
    }

    /// Appends what says how we are reached to a media section, or to a fragment.
    pub(crate) fn write_ice(&self, out: &mut String) {
        let IceCredentials { ufrag, pwd } = &self.ice;
        let _ = write!(out, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
    }

    pub(crate) fn write_candidates(&self, out: &mut String) {
        for candidate in self.candidates() {
            let _ = write!(out, "a=candidate:{candidate}\r\n");
        }
        out.push_str("a=end-of-candidates\r\n");
    }
}

/// A media section that is accepted.
pub(super) struct AcceptedMedia<'a> {
    /// Which of the offer's.
    pub(super) offered: &'a OfferedMedia,
    /// Whether we send; we receive otherwise.
    pub(super) sends: bool,
    /// The codecs, retransmissions included, as they were offered.
    pub(super) codecs: Vec<&'a OfferedCodec>,
    pub(super) extensions: Vec<&'a Extension>,
    /// The simulcast layers that we receive.
    pub(super) layers: &'a [String],
    /// Further attributes, each with its `a=` and line end.
    pub(super) attributes: String,
}

/// The feedback that we give and heed, of what is offered.
const FEEDBACK: &[&str] = &["nack", "nack pli", "ccm fir", "transport-cc"];

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(String);

impl Answer {
    /// Answers each section of the offer; `accepted` has `None` for those that are rejected. `session` is a number of the session's own.
    pub(super) fn new(
        offer: &Offer,
        accepted: &[Option<AcceptedMedia<'_>>],
        local: &LocalTransport,
        session: u64,
    ) -> Self {
        let mut sdp = format!("v=0\r\no=- {session} 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
        let bundled = accepted.iter().flatten();
        let mids: Vec<&str> = bundled.map(|media| media.offered.mid.as_str()).collect();
        if !offer.bundle.is_empty() && !mids.is_empty() {
            let _ = write!(sdp, "a=group:BUNDLE {}\r\n", mids.join(" "));
        }
        if local.is_ice_lite {
            sdp.push_str("a=ice-lite\r\n");
        }
        sdp.push_str("a=ice-options:trickle ice2\r\na=msid-semantic: WMS *\r\n");
        let mut is_first = true;
        for (offered, accepted) in offer.media.iter().zip(accepted) {
            match accepted {
                Some(media) => {
                    write_media(&mut sdp, media, local, offer.setup);
                    if is_first {
                        local.write_candidates(&mut sdp);
                        is_first = false;
                    }
                }
                None => write_rejected(&mut sdp, offered),
            }
        }
        Self(sdp)
    }

    /// The description.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The description.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

fn write_media(sdp: &mut String, media: &AcceptedMedia<'_>, local: &LocalTransport, setup: Setup) {
    let OfferedMedia {
        media: kind,
        protocol,
        mid,
        ..
    } = media.offered;
    let _ = write!(sdp, "m={kind} 9 {protocol}");
    for codec in &media.codecs {
        let _ = write!(sdp, " {}", codec.payload_type);
    }
    sdp.push_str("\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
    local.write_ice(sdp);
    let setup = match setup {
        Setup::Passive => "active",
        Setup::ActPass | Setup::Active => "passive",
    };
    let _ = write!(
        sdp,
        "a=fingerprint:{}\r\na=setup:{setup}\r\n",
        local.fingerprint
    );
    if !mid.is_empty() {
        let _ = write!(sdp, "a=mid:{mid}\r\n");
    }
    for Extension { id, uri } in &media.extensions {
        let _ = write!(sdp, "a=extmap:{id} {uri}\r\n");
    }
    sdp.push_str(if media.sends {
        "a=sendonly\r\n"
    } else {
        "a=recvonly\r\n"
    });
    sdp.push_str("a=rtcp-mux\r\na=rtcp-rsize\r\n");
    for codec in &media.codecs {
        write_codec(sdp, codec);
    }
    for layer in media.layers {
        let _ = write!(sdp, "a=rid:{layer} recv\r\n");
    }
    if !media.layers.is_empty() {
        let _ = write!(sdp, "a=simulcast:recv {}\r\n", media.layers.join(";"));
    }
    sdp.push_str(&media.attributes);
}

fn write_codec(sdp: &mut String, codec: &OfferedCodec) {
    let OfferedCodec {
        payload_type,
        name,
        clock_rate,
        channels,
        fmtp,
        feedback,
    } = codec;
    let _ = write!(sdp, "a=rtpmap:{payload_type} {name}/{clock_rate}");
    if *channels > 1 {
        let _ = write!(sdp, "/{channels}");
    }
    sdp.push_str("\r\n");
    for kind in FEEDBACK {
        if feedback.iter().any(|offered| offered == kind) {
            let _ = write!(sdp, "a=rtcp-fb:{payload_type} {kind}\r\n");
        }
    }
    if !fmtp.is_empty() {
        let _ = write!(sdp, "a=fmtp:{payload_type} {fmtp}\r\n");
    }
}

fn write_rejected(sdp: &mut String, offered: &OfferedMedia) {
    let OfferedMedia {
        media,
        protocol,
        formats,
        mid,
        ..
    } = offered;
    let _ = write!(
        sdp,
        "m={media} 0 {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n"
    );
    if !mid.is_empty() {
        let _ = write!(sdp, "a=mid:{mid}\r\n");
    }
}
