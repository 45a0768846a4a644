//! What the two ends of a connection can do beyond RTMP 1.0 (Enhanced RTMP v2, "Enhancing NetConnection connect Command").

use super::target::Connect;
use crate::amf0::Value;
use crate::flv::{TagForm, four_cc};
use arcly_core::{CodecId, MediaKind};

/// `FourCcInfoMask`: the peer decodes the codec.
const CAN_DECODE: u32 = 1;
/// `FourCcInfoMask`: the peer passes the codec on.
const CAN_FORWARD: u32 = 4;

/// `CapsExMask`: the peer connects anew when asked to.
const RECONNECT: u32 = 1;
/// `CapsExMask`: the peer takes several tracks of a kind.
const MULTITRACK: u32 = 2;
/// `CapsExMask`: the peer can parse ModEx signals.
const MOD_EX: u32 = 4;
/// `CapsExMask`: the peer heeds nanosecond offsets.
const NANO_OFFSET: u32 = 8;

/// What a peer takes, as it said in `connect` or in the reply to it.
///
/// ```
/// use arcly_core::CodecId;
/// use arcly_rtmp::amf0::Value;
/// use arcly_rtmp::proto::capabilities::Capabilities;
/// use arcly_rtmp::{Limits, proto::target::Connect};
///
/// let list = Value::StrictArray(vec!["hvc1".into(), "Opus".into()]);
/// let object = Value::Object(vec![("app".into(), "live".into()), ("fourCcList".into(), list)]);
/// let peer = Capabilities::of(&Connect::parse(&object, &Limits::default())?);
/// assert!(peer.accepts(CodecId::H265) && peer.accepts(CodecId::Aac) && !peer.accepts(CodecId::Av1));
/// # Ok::<(), arcly_rtmp::Fault>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether it said anything of Enhanced RTMP.
    pub announced: bool,
    /// The codecs with a FourCC that it decodes or passes on.
    codecs: Vec<CodecId>,
    /// Whether it is taken to know all codecs with a FourCC, whatever it said.
    assumed: bool,
    /// Whether it takes several tracks of a kind.
    pub multitrack: bool,
    /// Whether it can parse ModEx signals, whatever they say.
    pub mod_ex: bool,
    /// Whether it heeds nanosecond offsets of timestamps.
    pub nano_offset: bool,
    /// Whether it connects anew when `NetConnection.Connect.ReconnectRequest` asks it to.
    pub reconnect: bool,
}

impl Capabilities {
    /// What a client says in `connect`.
    ///
    /// A codec counts as taken where `fourCcList` names it or the `videoFourCcInfoMap` or `audioFourCcInfoMap` gives it the flag
    /// CanDecode or CanForward. `*` stands for all codecs and overrides what else the map says of any.
    ///
    /// A client that says nothing at all is taken to know all codecs: ffmpeg, and the players built on it, decode them and
    /// announce none when they play (up to version 9, whose `rtmp_enhanced_codecs` is for publishing only). It gets no
    /// more than codecs of that: no further tracks and no nanoseconds.
    #[must_use]
    pub fn of(connect: &Connect) -> Self {
        let said = Self::of_server(connect);
        if said.announced {
            said
        } else {
            said.assuming_all_codecs()
        }
    }

    /// What a server says in its reply to `connect`: as [`of`](Self::of), but what it does not name it does not take. One
    /// that knows nothing of Enhanced RTMP passes such codecs on in tags that no player understands, or drops the connection.
    #[must_use]
    pub fn of_server(connect: &Connect) -> Self {
        let listed = |name: &str| {
            let mut list = connect.four_cc_list.iter();
            list.any(|entry| entry == name || entry == "*")
        };
        let mapped = |map: &[(String, u32)], name: &str| {
            let flags = |key: &str| map.iter().find(|(entry, _)| entry == key);
            flags("*")
                .or_else(|| flags(name))
                .is_some_and(|(_, mask)| mask & (CAN_DECODE | CAN_FORWARD) != 0)
        };
        let taken = |(kind, name): (MediaKind, &'static str)| {
            let map = match kind {
                MediaKind::Video => &connect.video_four_cc_info,
                _ => &connect.audio_four_cc_info,
            };
            let taken = listed(name) || mapped(map, name);
            taken.then(|| four_cc::codec_named(name)).flatten()
        };
        let names = [MediaKind::Video, MediaKind::Audio]
            .into_iter()
            .flat_map(|kind| four_cc::names(kind).map(move |name| (kind, name)));
        let has = |flag| connect.caps_ex & flag != 0;
        Self {
            announced: connect.is_enhanced(),
            codecs: names.filter_map(taken).collect(),
            assumed: false,
            multitrack: has(MULTITRACK),
            mod_ex: has(MOD_EX),
            nano_offset: has(NANO_OFFSET) && has(MOD_EX),
            reconnect: has(RECONNECT),
        }
    }

    /// Takes the peer to know all codecs with a FourCC, though it did not say so.
    #[must_use]
    pub fn assuming_all_codecs(mut self) -> Self {
        self.assumed = true;
        self
    }

    /// Whether the peer takes the codec: H.264, AAC, MP3 and G.711 in any case, by their FLV numbers; those with a FourCC where it
    /// said so, or this is [assumed](Self::assuming_all_codecs).
    #[must_use]
    pub fn accepts(&self, codec: CodecId) -> bool {
        let assumed = self.assumed && four_cc::of(codec).is_some();
        is_legacy(codec) || assumed || self.accepts_four_cc(codec)
    }

    /// Whether the peer said that it takes the codec by its FourCC.
    #[must_use]
    pub fn accepts_four_cc(&self, codec: CodecId) -> bool {
        self.codecs.contains(&codec)
    }

    /// The form of tags that suits the peer best: no codec comes in it of which the peer does not know the form. Whether the peer
    /// takes a stream's codecs is for [`accepts`](Self::accepts).
    ///
    /// Nanosecond offsets ask for H.264, AAC and MP3 by their FourCCs, so the peer must take these too.
    #[must_use]
    pub fn tag_form(&self) -> TagForm {
        let mut form = TagForm::LEGACY;
        form.enhanced = self.assumed || !self.codecs.is_empty();
        form.multitrack = form.enhanced && self.multitrack;
        let by_four_cc = [CodecId::H264, CodecId::Aac, CodecId::Mp3];
        form.nano_offset =
            self.nano_offset && by_four_cc.iter().all(|&codec| self.accepts_four_cc(codec));
        form
    }

    /// The properties that tell a peer what we take: for the command object of our `connect`, and for the first object of our
    /// reply to one. We forward all codecs with a FourCC, take several tracks, and heed nanosecond offsets. `reconnect`
    /// says whether to announce that we heed requests to connect anew, which only a client does.
    #[must_use]
    pub fn own_properties(reconnect: bool) -> Vec<(String, Value)> {
        let map = |kind| {
            let names = four_cc::names(kind);
            let flags = Value::Number(CAN_FORWARD.into());
            Value::Object(names.map(|name| (name.to_owned(), flags.clone())).collect())
        };
        let all = four_cc::names(MediaKind::Video).chain(four_cc::names(MediaKind::Audio));
        let reconnect = if reconnect { RECONNECT } else { 0 };
        vec![
            (
                "fourCcList".to_owned(),
                Value::StrictArray(all.map(Value::from).collect()),
            ),
            ("videoFourCcInfoMap".to_owned(), map(MediaKind::Video)),
            ("audioFourCcInfoMap".to_owned(), map(MediaKind::Audio)),
            (
                "capsEx".to_owned(),
                Value::Number((reconnect | MULTITRACK | MOD_EX | NANO_OFFSET).into()),
            ),
        ]
    }
}

/// Whether every RTMP peer may be sent the codec.
fn is_legacy(codec: CodecId) -> bool {
    codec == CodecId::Amf0 || four_cc::number(codec).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn peer(properties: Vec<(&str, Value)>) -> Capabilities {
        let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
        let object = Value::Object(properties.into_iter().map(owned).collect());
        let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
        Capabilities::of(&connect)
    }

    fn map(entries: &[(&str, f64)]) -> Value {
        let entry = |&(name, mask): &(&str, f64)| (name.to_owned(), Value::Number(mask));
        Value::Object(entries.iter().map(entry).collect())
    }

    #[test]
    fn a_client_that_has_no_codecs_takes_what_flash_took() {
        let peer = peer(vec![("capsEx", Value::Number(1.0))]);
        for &codec in CodecId::ALL {
            let legacy = ["h264", "aac", "mp3", "pcma", "pcmu", "amf0"].contains(&codec.name());
            assert_eq!(peer.accepts(codec), legacy, "{codec}");
        }
        assert_eq!(peer.tag_form(), TagForm::LEGACY);
    }

    #[test]
    fn a_client_that_says_nothing_may_be_ffmpeg() {
        let peer = peer(vec![]);
        assert!(!peer.announced && peer.accepts(CodecId::H265) && !peer.accepts(CodecId::Mjpeg));
        let form = peer.tag_form();
        assert!(form.enhanced && !form.multitrack && !form.nano_offset);
    }

    #[test]
    fn a_server_that_says_nothing_takes_what_flash_took() {
        let said = |properties: Vec<(String, Value)>| {
            let object = Value::Object(properties);
            let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
            Capabilities::of_server(&connect)
        };
        let nothing = said(vec![]);
        assert!(!nothing.accepts(CodecId::H265) && nothing.accepts(CodecId::Aac));
        assert_eq!(nothing.tag_form(), TagForm::LEGACY);
        let assumed = nothing.assuming_all_codecs();
        assert!(assumed.accepts(CodecId::H265) && assumed.tag_form().enhanced);
        assert!(!assumed.accepts(CodecId::Mjpeg), "it has no FourCC");
        let ours = said(Capabilities::own_properties(false));
        assert!(ours.accepts(CodecId::Av1) && ours.tag_form().multitrack);
    }

    #[test]
    fn the_list_and_the_maps_count_alike() {
        let listed = peer(vec![(
            "fourCcList",
            Value::StrictArray(vec!["av01".into(), "fLaC".into(), "xxxx".into()]),
        )]);
        assert!(listed.accepts(CodecId::Av1) && listed.accepts(CodecId::Flac));
        assert!(!listed.accepts(CodecId::Vp9) && !listed.accepts(CodecId::Opus));
        let mapped = peer(vec![
            ("videoFourCcInfoMap", map(&[("hvc1", 1.0), ("vp09", 2.0)])),
            ("audioFourCcInfoMap", map(&[("Opus", 4.0), ("av01", 7.0)])),
        ]);
        assert!(mapped.accepts(CodecId::H265) && mapped.accepts(CodecId::Opus));
        assert!(!mapped.accepts(CodecId::Vp9), "it can only encode it");
        assert!(!mapped.accepts(CodecId::Av1), "in the wrong map");
    }

    #[test]
    fn the_wildcard_overrides() {
        let all = peer(vec![("fourCcList", Value::StrictArray(vec!["*".into()]))]);
        assert!(all.accepts(CodecId::Vvc) && all.accepts(CodecId::Eac3));
        assert!(!all.accepts(CodecId::Mjpeg), "it has no FourCC");
        let video = peer(vec![(
            "videoFourCcInfoMap",
            map(&[("*", 4.0), ("hvc1", 0.0)]),
        )]);
        assert!(video.accepts(CodecId::H265) && !video.accepts(CodecId::Opus));
        let none = peer(vec![(
            "videoFourCcInfoMap",
            map(&[("hvc1", 7.0), ("*", 2.0)]),
        )]);
        assert!(!none.accepts(CodecId::H265));
    }

    #[test]
    fn the_form_asks_for_no_more_than_the_peer_has() {
        let all = || ("fourCcList", Value::StrictArray(vec!["*".into()]));
        let form = |caps: f64| peer(vec![all(), ("capsEx", Value::Number(caps))]).tag_form();
        let flags = |form: TagForm| (form.enhanced, form.multitrack, form.nano_offset);
        assert_eq!(flags(form(0.0)), (true, false, false));
        assert_eq!(flags(form(2.0)), (true, true, false));
        assert_eq!(flags(form(8.0)), (true, false, false), "without ModEx");
        assert_eq!(flags(form(15.0)), (true, true, true));
        let list = Value::StrictArray(vec!["Opus".into()]);
        let opus = peer(vec![("fourCcList", list), ("capsEx", Value::Number(15.0))]);
        assert_eq!(
            flags(opus.tag_form()),
            (true, true, false),
            "H.264 comes by its number"
        );
    }

    #[test]
    fn what_we_say_is_understood() {
        let ours = |reconnect| {
            let object = Value::Object(Capabilities::own_properties(reconnect));
            let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
            Capabilities::of(&connect)
        };
        let client = ours(true);
        let four_ccs = CodecId::ALL
            .iter()
            .filter(|&&codec| four_cc::of(codec).is_some());
        for &codec in four_ccs {
            assert!(client.accepts_four_cc(codec), "{codec}");
        }
        assert!(client.multitrack && client.nano_offset && client.reconnect);
        assert!(!ours(false).reconnect);
    }
}
