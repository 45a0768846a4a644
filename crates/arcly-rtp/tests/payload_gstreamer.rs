//! Against the payloaders and depayloaders of GStreamer 1.22: what they send we read, what we send they read. Packets go through files, framed
//! as in RFC 4571.

mod payloads;
#[path = "payloads/sources.rs"]
mod sources;

use arcly_codec::pcm::{PcmCodec, PcmFormat};
use arcly_rtp::RtpPacket;
use arcly_rtp::payload::latm::LatmPacketizer;
use arcly_rtp::payload::{AacFormat, AccessUnit, PayloadFormat};
use bytes::{Buf, Bytes};
use payloads::{Unit, packets, receive};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: &str = "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
                        gstreamer1.0-plugins-bad gstreamer1.0-libav";

/// AAC LC, 44.1 kHz, stereo.
const AAC_CONFIG: &[u8] = &[0x12, 0x10];

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gstreamer-{name}"))
}

fn gst_launch(pipeline: &str) {
    let output = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(pipeline.split_whitespace())
        .output();
    let output = output.unwrap_or_else(|error| {
        panic!(
            "cannot run gst-launch-1.0 ({error}): install it, as in `apt-get install {PACKAGES}`"
        )
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("ERROR"),
        "{pipeline}\n{said}\n(it needs {PACKAGES})"
    );
}

/// What comes out of this pipeline, which ends with a payloader, and what goes into that.
fn payload(name: &str, source: &str, payloader: &str) -> (Vec<RtpPacket>, Bytes) {
    let (sent, packets) = (
        scratch(&format!("{name}.raw")),
        scratch(&format!("{name}.rtp")),
    );
    gst_launch(&format!(
        "{source} ! tee name=t ! queue ! {payloader} ! rtpstreampay ! filesink location={} t. ! queue ! filesink location={}",
        packets.display(),
        sent.display(),
    ));
    let mut rest = Bytes::from(std::fs::read(packets).expect("GStreamer wrote it"));
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let length = rest.get_u16().into();
        packets.push(RtpPacket::parse(rest.split_to(length)).expect("a valid packet"));
    }
    (
        packets,
        std::fs::read(sent).expect("GStreamer wrote it").into(),
    )
}

/// What this depayloader, which may have more elements behind it, makes of the access units; `fields` are those of the caps.
fn depayload(
    name: &str,
    format: &PayloadFormat,
    units: &[Unit],
    fields: &str,
    depayloader: &str,
) -> Bytes {
    let mut packetizer = format.packetizer(300).expect("a valid format");
    let max = if matches!(format, PayloadFormat::Mjpeg) {
        320
    } else {
        300
    };
    let mut stream = Vec::new();
    for packet in packets(packetizer.as_mut(), units, max) {
        stream.extend((12 + packet.payload.len() as u16).to_be_bytes());
        stream.extend(packet.header.to_bytes());
        stream.extend_from_slice(&packet.payload);
    }
    let (sent, received) = (
        scratch(&format!("{name}.to")),
        scratch(&format!("{name}.out")),
    );
    std::fs::write(&sent, stream).expect("a scratch directory");
    gst_launch(&format!(
        "filesrc location={} ! application/x-rtp-stream,payload=96,clock-rate={},encoding-name=(string){},{fields} ! rtpstreamdepay ! {depayloader} ! filesink location={}",
        sent.display(),
        format.clock_rate(),
        format.encoding_name().to_uppercase(),
        received.display(),
    ));
    std::fs::read(received).expect("GStreamer wrote it").into()
}

fn read(format: &PayloadFormat, packets: &[RtpPacket]) -> Vec<AccessUnit> {
    let mut depacketizer = format.depacketizer().expect("a valid format");
    receive(depacketizer.as_mut(), packets, &[])
}

fn data_of(units: &[AccessUnit]) -> Vec<Bytes> {
    units.iter().map(|unit| unit.data.clone()).collect()
}

fn sent_data(units: &[Unit]) -> Vec<Bytes> {
    units.iter().map(|unit| unit.1.clone()).collect()
}

fn joined<'a>(data: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
    data.into_iter()
        .flatten()
        .copied()
        .collect::<Vec<u8>>()
        .into()
}

#[test]
fn h264() {
    for file in [
        "high_bframes",
        "four_slices",
        "open_gop",
        "intra_refresh",
        "openh264",
    ] {
        let name = format!("{file}.h264");
        let (config, units) = sources::h264(sources::read(&name));
        let source = format!(
            "filesrc location={} ! h264parse",
            sources::path(&name).display()
        );
        for (mode, mtu) in [("none", 200), ("zero-latency", 1400), ("max-stap", 100)] {
            let payloader =
                format!("rtph264pay config-interval=-1 mtu={mtu} aggregate-mode={mode}");
            let (packets, _) = payload(&format!("{name}-{mode}"), &source, &payloader);
            let format = PayloadFormat::H264 {
                packetization_mode: 1,
                config: None,
            };
            let received = read(&format, &packets);
            assert_eq!(data_of(&received), sent_data(&units), "{name}, {mode}");
            let keyframes = |unit: &AccessUnit| unit.keyframe;
            assert!(
                received
                    .iter()
                    .map(keyframes)
                    .eq(units.iter().map(|unit| unit.2))
            );
            assert_eq!(received[0].config, Some(config.clone()));
        }
        let format = PayloadFormat::H264 {
            packetization_mode: 1,
            config: Some(config),
        };
        let depayloader = "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=nal";
        let stream = depayload(&name, &format, &units, "media=video", depayloader);
        assert_eq!(
            sent_data(&sources::h264(stream).1),
            sent_data(&units),
            "{name}"
        );
    }
}

#[test]
fn h265() {
    for file in ["bframes", "slices", "open_gop", "temporal_layers"] {
        let name = format!("{file}.h265");
        let (config, units) = sources::h265(sources::read(&name));
        let source = format!(
            "filesrc location={} ! h265parse",
            sources::path(&name).display()
        );
        for (mode, mtu) in [("none", 200), ("zero-latency", 1400), ("max", 100)] {
            let payloader =
                format!("rtph265pay config-interval=-1 mtu={mtu} aggregate-mode={mode}");
            let (packets, _) = payload(&format!("{name}-{mode}"), &source, &payloader);
            let format = PayloadFormat::H265 {
                donl: false,
                config: None,
            };
            let received = read(&format, &packets);
            assert_eq!(data_of(&received), sent_data(&units), "{name}, {mode}");
            assert_eq!(received[0].config, Some(config.clone()));
        }
        let format = PayloadFormat::H265 {
            donl: false,
            config: Some(config),
        };
        let depayloader = "rtph265depay ! video/x-h265,stream-format=byte-stream,alignment=nal";
        let stream = depayload(&name, &format, &units, "media=video", depayloader);
        assert_eq!(
            sent_data(&sources::h265(stream).1),
            sent_data(&units),
            "{name}"
        );
    }
}

#[test]
fn vp8_and_vp9() {
    let files = [
        ("vp8.ivf", PayloadFormat::Vp8, "", "vp8"),
        ("vp8_layers.ivf", PayloadFormat::Vp8, "", "vp8"),
        (
            "vp9.ivf",
            PayloadFormat::Vp9 { profile: 0 },
            "! vp9parse",
            "vp9",
        ),
        (
            "vp9_layers.ivf",
            PayloadFormat::Vp9 { profile: 0 },
            "! vp9parse",
            "vp9",
        ),
    ];
    for (name, format, parser, codec) in files {
        let units = sources::vpx(&sources::read(name));
        let path = sources::path(name);
        let source = format!("filesrc location={} ! ivfparse {parser}", path.display());
        for ids in ["none", "7-bit", "15-bit"] {
            let payloader = format!("rtp{codec}pay mtu=200 picture-id-mode={ids}");
            let (packets, _) = payload(&format!("{name}-{ids}"), &source, &payloader);
            let received = read(&format, &packets);
            assert_eq!(data_of(&received), sent_data(&units), "{name}, {ids}");
        }
        let depayloader = format!("rtp{codec}depay");
        let stream = depayload(name, &format, &units, "media=video", &depayloader);
        assert_eq!(stream, joined(&sent_data(&units)), "{name}");
    }
}

#[test]
fn aac() {
    let name = "stereo_44100.aac";
    let units = sources::aac(&sources::read(name));
    let path = sources::path(name);
    let source = format!(
        "filesrc location={} ! aacparse ! audio/mpeg,stream-format=raw",
        path.display()
    );
    let config = Some(Bytes::from_static(AAC_CONFIG));
    let generic = PayloadFormat::Aac(AacFormat::high_bit_rate(44_100, 2, config));
    let latm_config = LatmPacketizer::mux_config(AAC_CONFIG).expect("a valid config");
    let latm = PayloadFormat::Latm {
        clock_rate: 44_100,
        in_band: false,
        // As its payloader announces it, cut off.
        mux_config: Some(Bytes::from_static(&[0x40, 0, 0x24, 0x20])),
    };
    let hex: String = latm_config
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let generic_fields = "media=audio,streamtype=(string)5,mode=(string)AAC-hbr,config=(string)1210,\
                          sizelength=(string)13,indexlength=(string)3,indexdeltalength=(string)3";
    let latm_fields = format!("media=audio,cpresent=(string)0,config=(string){hex}");
    for (format, fields, codec) in [
        (generic, generic_fields, "mp4g"),
        (latm, &latm_fields[..], "mp4a"),
    ] {
        for mtu in [100, 1400] {
            let payloader = format!("rtp{codec}pay mtu={mtu}");
            let (packets, _) = payload(&format!("aac-{codec}-{mtu}"), &source, &payloader);
            let received = read(&format, &packets);
            let lost = units.len() - received.len();
            // Where the first packet is a fragment of LATM, nothing tells that it is the first one.
            assert!(lost == 0 || codec == "mp4a" && mtu == 100 && lost == 1);
            assert_eq!(data_of(&received), sent_data(&units)[lost..]);
            assert_eq!(received[0].config.as_deref(), Some(AAC_CONFIG));
        }
        let depayloader = format!("rtp{codec}depay");
        let stream = depayload(codec, &format, &units, fields, &depayloader);
        // It leaves the length before the first access unit of a LATM stream, of its own payloader too.
        let odd = if codec == "mp4a" { 1 } else { 0 };
        assert_eq!(stream[odd..], joined(&sent_data(&units)), "{codec}");
    }
}

#[test]
fn mp3_and_ac3() {
    let mp3 = sources::mp3(&sources::read("audio/mpeg1_layer3.mp3"));
    let ac3 = sources::ac3(&sources::read("audio/5_1_44100.ac3"));
    let ac3_format = PayloadFormat::Ac3 {
        clock_rate: 44_100,
        channels: 6,
    };
    for (file, units, format, parser, codec) in [
        (
            "audio/mpeg1_layer3.mp3",
            mp3,
            PayloadFormat::Mp3,
            "mpegaudioparse",
            "mpa",
        ),
        ("audio/5_1_44100.ac3", ac3, ac3_format, "ac3parse", "ac3"),
    ] {
        let source = format!(
            "filesrc location={} ! {parser}",
            sources::path(file).display()
        );
        for mtu in [200, 1400] {
            let payloader = format!("rtp{codec}pay mtu={mtu}");
            let (packets, _) = payload(&format!("{codec}-{mtu}"), &source, &payloader);
            assert_eq!(
                data_of(&read(&format, &packets)),
                sent_data(&units),
                "{codec}"
            );
        }
        let depayloader = format!("rtp{codec}depay");
        let stream = depayload(codec, &format, &units, "media=audio", &depayloader);
        assert_eq!(stream, joined(&sent_data(&units)), "{codec}");
    }
}

#[test]
fn opus_and_pcm() {
    let noise = "audiotestsrc num-buffers=20 wave=pink-noise ! audioconvert !";
    let pcm = |codec, rate, channels| {
        PayloadFormat::Pcm(PcmFormat::new(codec, rate, channels).expect("a valid format"))
    };
    for (format, source, codec, fields) in [
        (
            PayloadFormat::Opus { channels: 2 },
            "audio/x-raw,rate=48000,channels=2 ! opusenc",
            "opus",
            "",
        ),
        (
            pcm(PcmCodec::Pcmu, 8000, 1),
            "audio/x-raw,rate=8000,channels=1 ! mulawenc",
            "pcmu",
            "",
        ),
        (
            pcm(PcmCodec::Pcma, 8000, 1),
            "audio/x-raw,rate=8000,channels=1 ! alawenc",
            "pcma",
            "",
        ),
        (
            pcm(PcmCodec::G722, 16_000, 1),
            "audio/x-raw,rate=16000,channels=1 ! avenc_g722",
            "g722",
            "",
        ),
        (
            pcm(PcmCodec::L16, 44_100, 2),
            "audio/x-raw,format=S16BE,layout=interleaved,rate=44100,channels=2",
            "L16",
            ",channels=2",
        ),
    ] {
        let payloader = format!("rtp{codec}pay");
        let (packets, sent) = payload(codec, &format!("{noise} {source}"), &payloader);
        let received = read(&format, &packets);
        assert_eq!(joined(&data_of(&received)), sent, "{codec}");
        assert!(!sent.is_empty());

        let units: Vec<Unit> = received
            .into_iter()
            .map(|unit| (unit.timestamp, unit.data, true))
            .filter(|unit| codec != "opus" || unit.1.len() <= 300)
            .collect();
        let depayloader = format!("rtp{codec}depay");
        let fields = format!("media=audio{fields}");
        let stream = depayload(codec, &format, &units, &fields, &depayloader);
        assert_eq!(stream, joined(&sent_data(&units)), "{codec}");
    }
}

/// The entropy-coded data of each picture in a stream of them: behind a scan header of 12 bytes.
fn scans(pictures: &[u8]) -> Vec<&[u8]> {
    let mut rest = pictures;
    let mut scans = Vec::new();
    while let Some(scan) = rest.windows(2).position(|pair| pair == [0xff, 0xda]) {
        let coded = &rest[scan + 2 + 12..];
        let end = coded
            .windows(2)
            .position(|pair| pair == [0xff, 0xd9])
            .expect("an end");
        scans.push(&coded[..end]);
        rest = &coded[end + 2..];
    }
    scans
}

#[test]
fn mjpeg() {
    for file in ["gst420", "gst422"] {
        let path = format!("{}/tests/data/{file}.mjpeg", env!("CARGO_MANIFEST_DIR"));
        let pictures = std::fs::read(&path).expect("the file is checked in");
        let source = format!("filesrc location={path} ! image/jpeg,framerate=25/1 ! jpegparse");
        let (packets, _) = payload(file, &source, "rtpjpegpay mtu=400");
        let received = read(&PayloadFormat::Mjpeg, &packets);
        assert_eq!(
            scans(&joined(&data_of(&received))),
            scans(&pictures),
            "{file}"
        );

        let unit = |unit: AccessUnit| (unit.timestamp, unit.data, true);
        let units: Vec<Unit> = received.into_iter().map(unit).collect();
        let stream = depayload(
            file,
            &PayloadFormat::Mjpeg,
            &units,
            "media=video",
            "rtpjpegdepay",
        );
        assert_eq!(scans(&stream), scans(&pictures), "{file}");
    }
}

#[test]
fn klv_and_mpeg_ts() {
    let value: Vec<u8> = (0..900_u32).map(|n| (n * 7) as u8).collect();
    let mut klv = vec![
        0x06, 0x0e, 0x2b, 0x34, 2, 11, 1, 1, 14, 1, 3, 1, 1, 0, 0, 0, 0x82, 3, 0x84,
    ];
    klv.extend(value);
    let ts: Vec<u8> = (0..30_u8)
        .flat_map(|n| [&[0x47, 0x1f, 0xff, 0x10][..], &[n; 184]].concat())
        .collect();
    for (format, data, caps, codec) in [
        (
            PayloadFormat::Klv { clock_rate: 90_000 },
            klv,
            "meta/x-klv,parsed=true",
            "klv",
        ),
        (
            PayloadFormat::MpegTs,
            ts,
            "video/mpegts,packetsize=188,systemstream=true",
            "mp2t",
        ),
    ] {
        let file = scratch(&format!("{codec}.in"));
        std::fs::write(&file, &data).expect("a scratch directory");
        let source = format!(
            "filesrc location={} blocksize=100000 ! {caps}",
            file.display()
        );
        let (packets, _) = payload(codec, &source, &format!("rtp{codec}pay mtu=500"));
        assert!(packets.len() > 1);
        assert_eq!(joined(&data_of(&read(&format, &packets))), data, "{codec}");

        let units = [(0, Bytes::from(data.clone()), true)];
        let media = if codec == "klv" {
            "media=application"
        } else {
            "media=video"
        };
        let stream = depayload(codec, &format, &units, media, &format!("rtp{codec}depay"));
        assert_eq!(stream, data, "{codec}");
    }
}
