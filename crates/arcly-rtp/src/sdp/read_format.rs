//! From `rtpmap` and `fmtp` to a payload format.

use super::MediaFormat;
use super::parameters::Parameters;
use crate::payload::aac::AuHeaderLayout;
use crate::payload::{AacFormat, PayloadFormat};
use arcly_codec::aac::{AudioObjectType, AudioSpecificConfig};
use arcly_codec::h264::{AvcDecoderConfig, annex_b};
use arcly_codec::h265::HevcDecoderConfig;
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// What is said without `rtpmap` (RFC 3551 6): encoding, clock rate, channels.
const STATIC: &[(u8, &str, u32, u8)] = &[
    (0, "PCMU", 8_000, 1),
    (8, "PCMA", 8_000, 1),
    (9, "G722", 8_000, 1),
    (10, "L16", 44_100, 2),
    (11, "L16", 44_100, 1),
    (14, "MPA", 90_000, 1),
    (26, "JPEG", 90_000, 1),
    (33, "MP2T", 90_000, 1),
];

/// Cameras leave the padding out, or write too little.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl MediaFormat {
    /// What is said of a payload type by the value of `rtpmap` and of `fmtp` behind its number.
    ///
    /// `rtpmap` goes before what RFC 3551 says of a static payload type: cameras write `rtpmap:0 MPEG4-GENERIC/16000/2`, and mean it.
    #[must_use]
    pub fn parse(payload_type: u8, rtpmap: Option<&str>, fmtp: &str) -> Self {
        let said = rtpmap.and_then(parse_rtpmap);
        let fixed = || {
            let mut all = STATIC.iter();
            let &(_, encoding, rate, channels) =
                all.find(|(number, ..)| *number == payload_type)?;
            Some((encoding, rate, Some(channels)))
        };
        let (encoding, clock_rate, channels) = said.or_else(fixed).unwrap_or(("", 0, None));
        Self {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate,
            channels,
            parameters: fmtp.to_owned(),
            format: PayloadFormat::parse(encoding, clock_rate, channels, fmtp),
        }
    }
}

/// `<encoding>/<clock rate>[/<channels>]`.
fn parse_rtpmap(value: &str) -> Option<(&str, u32, Option<u8>)> {
    let mut parts = value.split('/').map(str::trim);
    let encoding = parts.next().filter(|encoding| !encoding.is_empty())?;
    let clock_rate = parts.next().and_then(|rate| rate.parse().ok()).unwrap_or(0);
    let channels = parts.next().and_then(|count| count.parse().ok());
    Some((encoding, clock_rate, channels.filter(|&count| count > 0)))
}

impl PayloadFormat {
    /// The format with this encoding name (whatever its case), clock rate in Hz (0 where none is said), channels, and parameters as in `fmtp`.
    ///
    /// `None` where this crate does not read it. A config that is damaged is taken for none.
    #[must_use]
    pub fn parse(
        encoding: &str,
        clock_rate: u32,
        channels: Option<u8>,
        fmtp: &str,
    ) -> Option<Self> {
        let parameters = Parameters(fmtp);
        let pcm = |codec| {
            let default = PcmFormat::default_of(codec);
            // RFC 3551 4.5.2: G.722 has a clock of 8 kHz for samples at 16; the few that write 16 there time it at 8 all the same.
            let rate = match codec {
                _ if clock_rate == 0 => default.sample_rate,
                PcmCodec::G722 => default.sample_rate,
                _ => clock_rate,
            };
            let format = PcmFormat::new(codec, rate, channels.unwrap_or(1)).ok()?;
            Some(Self::Pcm(format))
        };
        let rate_or = |usual| if clock_rate == 0 { usual } else { clock_rate };
        match encoding.to_ascii_uppercase().as_str() {
            "H264" => h264(parameters),
            "H265" => Some(Self::H265 {
                donl: parameters.number("sprop-max-don-diff").unwrap_or(0_u32) > 0,
                config: h265_config(parameters),
            }),
            "AV1" => Some(Self::Av1 { config: None }),
            "VP8" => Some(Self::Vp8),
            "VP9" => Some(Self::Vp9 {
                profile: parameters.number("profile-id").unwrap_or(0),
            }),
            "JPEG" => Some(Self::Mjpeg),
            "MPEG4-GENERIC" => aac(rate_or(44_100), channels, parameters),
            "MP4A-LATM" => Some(Self::Latm {
                clock_rate: rate_or(90_000),
                in_band: parameters.number("cpresent").unwrap_or(1_u8) != 0,
                mux_config: parameters.hex("config").map(Bytes::from),
            }),
            "OPUS" => Some(Self::Opus {
                // The encoder's channels are not in `rtpmap`, which always says 2 (RFC 7587 7).
                channels: if parameters.get("sprop-stereo") == Some("0") {
                    1
                } else {
                    2
                },
            }),
            "PCMU" => pcm(PcmCodec::Pcmu),
            "PCMA" => pcm(PcmCodec::Pcma),
            "G722" => pcm(PcmCodec::G722),
            "L16" => pcm(PcmCodec::L16),
            "MPA" => Some(Self::Mp3),
            "AC3" => Some(Self::Ac3 {
                clock_rate: rate_or(48_000),
                channels: channels.unwrap_or(2),
            }),
            "EAC3" => Some(Self::Eac3 {
                clock_rate: rate_or(48_000),
                channels: channels.unwrap_or(2),
            }),
            "SMPTE336M" => Some(Self::Klv {
                clock_rate: rate_or(90_000),
            }),
            "MP2T" => Some(Self::MpegTs),
            _ => None,
        }
    }
}

/// The NAL units of a parameter: in base64, with commas between. Some cameras put start codes before or behind them.
fn nal_units(parameters: Parameters<'_>, name: &str) -> Vec<Bytes> {
    let mut units = Vec::new();
    for item in parameters.get(name).unwrap_or_default().split(',') {
        let Ok(bytes) = BASE64.decode(item.trim()) else {
            continue;
        };
        let mut stream = vec![0, 0, 1];
        stream.extend_from_slice(&bytes);
        let found = annex_b::nal_units(&stream).map(Bytes::copy_from_slice);
        units.extend(found.filter(|unit| !unit.is_empty()));
    }
    units
}

/// RFC 6184 8.1.
fn h264(parameters: Parameters<'_>) -> Option<PayloadFormat> {
    let packetization_mode = parameters.number("packetization-mode").unwrap_or(0);
    if packetization_mode > 1 {
        return None;
    }
    let units = nal_units(parameters, "sprop-parameter-sets");
    let of_type = |id: u8| {
        let is = move |unit: &&Bytes| unit.first().is_some_and(|header| header & 0x1f == id);
        units.iter().filter(is).cloned()
    };
    let config = AvcDecoderConfig::from_parameter_sets(of_type(7), of_type(8));
    Some(PayloadFormat::H264 {
        packetization_mode,
        config: config.and_then(|config| config.to_bytes()).ok(),
    })
}

/// RFC 7798 7.1.
fn h265_config(parameters: Parameters<'_>) -> Option<Bytes> {
    let sets = |name| nal_units(parameters, name);
    let config = HevcDecoderConfig::from_parameter_sets(
        sets("sprop-vps"),
        sets("sprop-sps"),
        sets("sprop-pps"),
    );
    config.ok()?.to_bytes().ok()
}

/// RFC 3640 4.1.
fn aac(clock_rate: u32, channels: Option<u8>, parameters: Parameters<'_>) -> Option<PayloadFormat> {
    let mode = parameters
        .get("mode")
        .unwrap_or_default()
        .to_ascii_lowercase();
    // Of CELP there is no frame that anything here could carry; `streamType` 5 is audio.
    if mode.starts_with("celp") || parameters.number("streamtype").unwrap_or(5_u8) != 5 {
        return None;
    }
    let config = parameters.hex("config").map(Bytes::from);
    let config = config.filter(|config| AudioSpecificConfig::parse(config).is_ok());
    let declared = || {
        let lc = AudioObjectType::LowComplexity;
        let made = AudioSpecificConfig::new(lc, clock_rate, channels.unwrap_or(1));
        made.and_then(|config| config.to_bytes()).ok()
    };
    // It is mandatory; where it is missing, `rtpmap` tells enough for the common case.
    let config = config.or_else(declared);
    let channels = channels.unwrap_or_else(|| {
        let parsed = config
            .as_ref()
            .map(|config| AudioSpecificConfig::parse(config));
        parsed
            .and_then(Result::ok)
            .map_or(1, |config| config.output_channels())
    });
    let mut format = match mode.as_str() {
        "aac-lbr" => AacFormat::low_bit_rate(clock_rate, channels, config),
        _ => AacFormat::high_bit_rate(clock_rate, channels, config),
    };
    // Cameras that name no mode and no lengths send AAC-hbr; who gives lengths, or one size for all, means them.
    if parameters.get("sizelength").is_some() || parameters.get("constantsize").is_some() {
        format.layout = au_headers(parameters)?;
    }
    Some(PayloadFormat::Aac(format))
}

/// The header section that parameters describe (RFC 3640 4.1); `None` where a field is longer than any can be.
fn au_headers(parameters: Parameters<'_>) -> Option<AuHeaderLayout> {
    let length = |name| {
        let bits = parameters.number(name).unwrap_or(0_u8);
        (bits <= 32).then_some(bits)
    };
    Some(AuHeaderLayout {
        size_length: length("sizelength")?,
        index_length: length("indexlength")?,
        index_delta_length: length("indexdeltalength")?,
        cts_delta_length: length("ctsdeltalength")?,
        dts_delta_length: length("dtsdeltalength")?,
        random_access_indication: parameters.number("randomaccessindication") == Some(1_u8),
        stream_state_indication: length("streamstateindication")?,
        auxiliary_data_size_length: length("auxiliarydatasizelength")?,
        constant_size: parameters.number("constantsize").unwrap_or(0),
        constant_duration: parameters.number("constantduration").unwrap_or(0),
    })
}
