//! What servers do that is not as RFC 2326 has it, and what we do about it: one policy a quirk, which names who has it.

/// How to get along with a server. The default suits all servers that are known; the other choices are for those that need them, and
/// exclude each other with the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Quirks {
    /// Whether OPTIONS comes first.
    pub options: OptionsPolicy,
    /// What shows the server that we are there.
    pub keepalive: KeepalivePolicy,
    /// Which of several session identifiers counts.
    pub session_id: SessionIdPolicy,
    /// What relative control URLs are relative to.
    pub base_url: BaseUrlPolicy,
    /// What PLAY asks for.
    pub play_range: PlayRangePolicy,
    /// Where datagrams may come from.
    pub source_port: SourcePortPolicy,
    /// Whether the agreed SSRC is insisted on.
    pub ssrc: SsrcPolicy,
}

/// Whether OPTIONS comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OptionsPolicy {
    /// It does, to learn by what the server wants to be kept awake. Whatever it answers, we go on: some answer 404 or 501.
    #[default]
    First,
    /// It does not: for servers that close the connection on an OPTIONS without credentials.
    Skip,
}

/// What shows the server that we are there, before its session times out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeepalivePolicy {
    /// GET_PARAMETER where OPTIONS has offered it, OPTIONS else. A server that refuses one is sent the other.
    #[default]
    AsOffered,
    /// GET_PARAMETER, whatever is offered: VLC's server.
    GetParameter,
    /// OPTIONS, whatever is offered: cameras that offer GET_PARAMETER and do not count it.
    Options,
    /// Nothing but receiver reports (RFC 2326, appendix B: these are signs of life as well): cameras that break off at a request while they play.
    None,
}

/// Which session identifier counts where a server gives several for one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SessionIdPolicy {
    /// The first: "H264DVR 1.0" (Xiongmai recorders) gives the audio track another one, and plays by that of the first track.
    #[default]
    First,
    /// The newest.
    Newest,
}

/// What relative control URLs are relative to (RFC 2326, appendix C.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BaseUrlPolicy {
    /// An absolute control URL of the whole session, `Content-Base`, `Content-Location`, the URL of the request: the first of these that is
    /// there. One without a scheme is mended: Anjvision cameras send `192.168.1.10:554/stream0/`.
    #[default]
    AsDescribed,
    /// The URL of the request, whatever else is said: cameras behind address translation that name an address of their own network.
    Request,
}

/// What PLAY asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PlayRangePolicy {
    /// `npt=0.000-`: Parrot's server insists on a range, and all take this one for "from the start, or live".
    #[default]
    Start,
    /// `npt=now-`: servers of recordings that also play live.
    Now,
    /// No range: servers that answer 457 to any.
    Unsaid,
}

/// Where datagrams may come from. They always have to come from the server's address, or from the source that SETUP named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SourcePortPolicy {
    /// From the ports that were agreed on.
    #[default]
    Agreed,
    /// From any port: servers behind address translation, and those that send from another port than they said.
    Any,
}

/// Whether the SSRC that SETUP agreed on is insisted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SsrcPolicy {
    /// It is not: "H264DVR 1.0" says `ssrc=0`, Hikvision pads it with blanks, others say one and send another.
    #[default]
    Any,
    /// It is: where several senders share a port.
    Agreed,
}
