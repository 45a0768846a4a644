//! The session descriptions of real cameras (see `tests/README.md`) give the tracks that a client can play.

use arcly_codec::aac::AudioSpecificConfig;
use arcly_codec::h264::AvcDecoderConfig;
use arcly_codec::h265::HevcDecoderConfig;
use arcly_rtp::PayloadFormat;
use arcly_rtp::sdp::{MediaDescription, SessionDescription};
use std::fs;
use std::path::Path;

fn description(name: &str) -> SessionDescription {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cameras");
    let bytes = fs::read(path.join(name)).expect("the file is part of the repository");
    SessionDescription::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A section in one line: kind, payload type, format with what its config tells, control.
fn tell(media: &MediaDescription) -> String {
    let kind = media.kind.name();
    let control = media.control.as_deref().unwrap_or("-");
    let Some(known) = media.preferred() else {
        return format!("{kind} ? {control}");
    };
    let (number, rate) = (known.payload_type, known.clock_rate);
    let format = match known.format.as_ref().expect("preferred ones are known") {
        PayloadFormat::H264 {
            packetization_mode,
            config: Some(config),
        } => {
            let config = AvcDecoderConfig::parse(config).expect("it was made of parsed sets");
            let sps = config.first_sps().expect("valid");
            let (width, height) = (sps.width, sps.height);
            format!("H264 mode {packetization_mode} {width}x{height}")
        }
        PayloadFormat::H265 {
            config: Some(config),
            ..
        } => {
            let config = HevcDecoderConfig::parse(config).expect("it was made of parsed sets");
            let (width, height) = (config.width().expect("SPS"), config.height().expect("SPS"));
            format!("H265 {width}x{height}")
        }
        PayloadFormat::Aac(aac) => {
            let config = aac.config.as_ref().expect("given, or made of rtpmap");
            let config = AudioSpecificConfig::parse(config).expect("valid");
            let (rate, channels) = (config.output_sample_rate(), config.output_channels());
            format!("AAC/{} {rate}/{channels}", aac.layout.size_length)
        }
        PayloadFormat::Pcm(pcm) => format!("{:?} {}/{}", pcm.codec, pcm.sample_rate, pcm.channels),
        other => other.encoding_name().to_owned(),
    };
    format!("{kind} {number}@{rate} {format} {control}")
}

#[track_caller]
fn check(name: &str, expected: &[&str]) {
    let told: Vec<String> = description(name).media.iter().map(tell).collect();
    assert_eq!(told, expected, "{name}");
}

#[test]
fn h264_cameras() {
    check(
        "foscam.sdp",
        &[
            "video 96@90000 H264 mode 1 1280x720 track1",
            "audio 0@8000 Pcmu 8000/1 track2",
        ],
    );
    check(
        "geovision.sdp",
        &[
            "video 105@90000 H264 mode 1 2688x1520 rtsp://192.168.5.237/media/video1/video",
            "application ? rtsp://192.168.5.237/media/video1/metadata",
        ],
    );
    check(
        "h264dvr.sdp",
        &[
            "video 96@90000 H264 mode 1 1920x1080 trackID=3",
            "audio 8@8000 Pcma 8000/1 trackID=4",
        ],
    );
    check(
        "ipcam.sdp",
        &["video 96@90000 H264 mode 1 1280x960 trackID=1"],
    );
    check(
        "macrovideo.sdp",
        &["video 96@90000 H264 mode 1 1280x720 track1"],
    );
    // A payload type with blanks behind it, a tab among them.
    check(
        "vstarcam.sdp",
        &[
            "video 96@90000 H264 mode 1 1920x1080 track0",
            "audio 8@8000 Pcma 8000/1 track1",
        ],
    );
    let hikvision = "rtsp://192.168.5.106:554/Streaming/Channels/101/trackID";
    check(
        "hikvision.sdp",
        &[
            &format!(
                "video 96@90000 H264 mode 1 1920x1080 {hikvision}=1?transportmode=unicast&profile=Profile_1"
            ),
            &format!("application ? {hikvision}=3?transportmode=unicast&profile=Profile_1"),
        ],
    );
}

/// Zeros and a start code behind each parameter set; and a static payload type that `rtpmap` gives another meaning.
#[test]
fn parameter_sets_with_start_codes() {
    check(
        "gw_main.sdp",
        &[
            "video 96@90000 H264 mode 1 1920x1080 video",
            "audio 8@8000 Pcmu 8000/1 audio",
        ],
    );
    check("gw_sub.sdp", &["video 96@90000 H264 mode 1 720x480 video"]);
}

#[test]
fn cameras_with_aac() {
    check(
        "bunny.sdp",
        &[
            "audio 96@12000 AAC/13 12000/2 trackID=1",
            "video 97@90000 H264 mode 1 240x160 trackID=2",
        ],
    );
    check(
        "dahua_h264_aac_onvif.sdp",
        &[
            "video 96@90000 H264 mode 1 704x480 trackID=0",
            "audio 97@48000 AAC/13 48000/1 trackID=1",
            "application ? trackID=4",
        ],
    );
    let reolink = [
        "video 96@90000 H264 mode 1 2560x1440 trackID=1",
        "audio 97@16000 AAC/13 16000/1 trackID=2",
    ];
    check("reolink.sdp", &reolink);
    check("reolink_control_first.sdp", &reolink);
    check(
        "missing_content_type.sdp",
        &[
            "video 96@90000 H264 mode 1 320x180 streamid=0",
            "audio 97@48000 AAC/13 48000/2 streamid=1",
        ],
    );
    // One payload type for two sections, and `fmtp` without parameters.
    check(
        "ubiquiti.sdp",
        &[
            "audio 96@48000 AAC/13 48000/1 trackID=0",
            "audio 96@48000 opus trackID=1",
            "video 97@90000 H264 mode 1 1920x1080 trackID=2",
        ],
    );
    // A static payload type for AAC, whose lengths are left out.
    check(
        "anpviz.sdp",
        &[
            "video 96@90000 H264 mode 0 704x576 trackID=1",
            "audio 0@16000 AAC/13 16000/1 trackID=2",
        ],
    );
}

#[test]
fn h265_cameras() {
    check("anjvision.sdp", &["video 96@90000 H265 1280x704 trackID=1"]);
    check(
        "dahua_h265_pcma.sdp",
        &[
            "video 98@90000 H265 704x480 trackID=0",
            "audio 8@8000 Pcma 8000/1 trackID=1",
        ],
    );
    // The third section's kind and formats are of the vendor's own grammar.
    check(
        "tplink.sdp",
        &[
            "video 96@90000 H265 2560x1440 track1",
            "audio 8@8000 Pcma 8000/1 track2",
            "application/TP-LINK ? track3",
        ],
    );
}

#[test]
fn what_belongs_to_the_session_is_not_taken_for_a_track() {
    let bunny = description("bunny.sdp");
    assert_eq!(
        (bunny.control.as_deref(), bunny.range.as_deref()),
        (Some("*"), Some("npt=0- 596.48"))
    );
    assert_eq!(bunny.name, "BigBuckBunny_115k.mov");
    assert_eq!(
        (
            bunny.origin.session_id.as_str(),
            bunny.origin.address.as_str()
        ),
        ("1642021126", "34.227.104.115")
    );
    assert_eq!(bunny.media[1].attribute("framerate"), Some("24.0"));
}

/// What is read of a camera and written again says the same.
#[test]
fn descriptions_survive_being_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cameras");
    let mut count = 0;
    for entry in fs::read_dir(path).expect("the folder is part of the repository") {
        let name = entry.expect("readable").file_name();
        let session = description(name.to_str().expect("ASCII"));
        let again = SessionDescription::parse(session.to_string().as_bytes());
        let again = again.unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert_eq!(again.media, session.media, "{name:?}");
        count += 1;
    }
    assert_eq!(count, 19);
}
