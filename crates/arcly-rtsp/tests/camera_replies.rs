//! Each reply of a real camera is understood or refused with a reason, and what can be played yields the right tracks under the right URLs.

mod client;

use arcly_core::rtp::{PayloadFormat, codec_of};
use arcly_rtsp::proto::client::{Carriage, ClientConfig, ClientSession, Event, Notice, RemoteUrl};
use arcly_rtsp::proto::message::{Message, MessageReader, Request};
use client::camera::{Camera, PLAIN, read};
use client::{Driven, start};

const URL: &str = "rtsp://user:secret@192.0.2.1:554/stream";

/// A camera, and what is to be made of what it says.
struct Case {
    name: &'static str,
    camera: Camera,
    /// Codec and control URL of each track.
    tracks: &'static [(&'static str, &'static str)],
    /// The URL that PLAY names.
    play: &'static str,
    /// What is said of tracks that are left out.
    left_out: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "Anjvision: a base without scheme, a control URL of '*'",
        camera: Camera::new("anjvision_describe", &[], None),
        tracks: &[("h265", "rtsp://192.168.1.10:554/stream0/trackID=1")],
        play: "rtsp://192.168.1.10:554/stream0/",
        left_out: &[],
    },
    Case {
        name: "Anpviz: AAC on payload type 0",
        camera: Camera::new("anpviz_sdp", &[], None),
        tracks: &[
            ("h264", "rtsp://192.0.2.1:554/stream/trackID=1"),
            ("aac", "rtsp://192.0.2.1:554/stream/trackID=2"),
        ],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
    Case {
        name: "Wowza",
        camera: Camera::new(
            "bunny_describe",
            &["bunny_setup", PLAIN],
            Some("bunny_play"),
        ),
        tracks: &[
            (
                "aac",
                "rtsp://wowzaec2demo.streamlock.net/vod/mp4:BigBuckBunny_115k.mov/trackID=1",
            ),
            (
                "h264",
                "rtsp://wowzaec2demo.streamlock.net/vod/mp4:BigBuckBunny_115k.mov/trackID=2",
            ),
        ],
        play: "rtsp://wowzaec2demo.streamlock.net/vod/mp4:BigBuckBunny_115k.mov/",
        left_out: &[],
    },
    Case {
        name: "Wowza, with an rtptime of -1",
        camera: Camera::new("response", &["bunny_setup", PLAIN], Some("bad_rtptime")),
        tracks: &[
            (
                "aac",
                "rtsp://wowzaec2demo.streamlock.net/vod/mp4:BigBuckBunny_115k.mov/trackID=1",
            ),
            (
                "h264",
                "rtsp://wowzaec2demo.streamlock.net/vod/mp4:BigBuckBunny_115k.mov/trackID=2",
            ),
        ],
        play: "rtsp://wowzaec2demo.streamlock.net/vod/mp4:BigBuckBunny_115k.mov/",
        left_out: &[],
    },
    Case {
        name: "Dahua: a base with a query, ONVIF metadata",
        camera: Camera::new(
            "dahua_describe_h264_aac_onvif",
            &["dahua_setup", PLAIN],
            Some("dahua_play"),
        ),
        tracks: &[
            (
                "h264",
                "rtsp://192.168.5.111:554/cam/realmonitor?channel=1&subtype=1&unicast=true&proto=Onvif/trackID=0",
            ),
            (
                "aac",
                "rtsp://192.168.5.111:554/cam/realmonitor?channel=1&subtype=1&unicast=true&proto=Onvif/trackID=1",
            ),
        ],
        play: "rtsp://192.168.5.111:554/cam/realmonitor?channel=1&subtype=1&unicast=true&proto=Onvif/",
        left_out: &["application: vnd.onvif.metadata is not supported"],
    },
    Case {
        name: "Dahua: H.265 and G.711",
        camera: Camera::new(
            "dahua_describe_h265_pcma",
            &["dahua_setup", PLAIN],
            Some("dahua_play"),
        ),
        tracks: &[
            (
                "h265",
                "rtsp://cam-driveway/cam/realmonitor?channel=1&subtype=2/trackID=0",
            ),
            (
                "pcma",
                "rtsp://cam-driveway/cam/realmonitor?channel=1&subtype=2/trackID=1",
            ),
        ],
        play: "rtsp://cam-driveway/cam/realmonitor?channel=1&subtype=2/",
        left_out: &[],
    },
    Case {
        name: "Foscam: G.711 without rtpmap",
        camera: Camera::new("foscam_describe", &[], None),
        tracks: &[
            ("h264", "rtsp://192.168.5.107:65534/videoMain/track1"),
            ("pcmu", "rtsp://192.168.5.107:65534/videoMain/track2"),
        ],
        play: "rtsp://192.168.5.107:65534/videoMain/",
        left_out: &[],
    },
    Case {
        name: "GeoVision: absolute control URLs, none of the session",
        camera: Camera::new("geovision_sdp", &[], None),
        tracks: &[("h264", "rtsp://192.168.5.237/media/video1/video")],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &["application: vnd.onvif.metadata is not supported"],
    },
    Case {
        name: "GW Security, main: PCMU on the number of PCMA, start codes in sprop",
        camera: Camera::new(
            "gw_main_describe",
            &["gw_main_setup_video", "gw_main_setup_audio"],
            Some("gw_main_play"),
        ),
        tracks: &[
            (
                "h264",
                "rtsp://192.168.1.110:5050/H264?channel=1&subtype=0&unicast=true&proto=Onvif/video",
            ),
            (
                "pcmu",
                "rtsp://192.168.1.110:5050/H264?channel=1&subtype=0&unicast=true&proto=Onvif/audio",
            ),
        ],
        play: "rtsp://192.168.1.110:5050/H264?channel=1&subtype=0&unicast=true&proto=Onvif",
        left_out: &[],
    },
    Case {
        name: "GW Security, sub",
        camera: Camera::new("gw_sub_describe", &["gw_sub_setup"], Some("gw_sub_play")),
        tracks: &[(
            "h264",
            "rtsp://192.168.1.110:5049/H264?channel=1&subtype=1&unicast=true&proto=Onvif/video",
        )],
        play: "rtsp://192.168.1.110:5049/H264?channel=1&subtype=1&unicast=true&proto=Onvif",
        left_out: &[],
    },
    Case {
        name: "Xiongmai: headers in another case, a blank behind rtpmap, G.711 without one",
        camera: Camera::new("h264dvr_describe", &[], Some("h264dvr_play")),
        tracks: &[
            ("h264", "rtsp://127.0.0.1:554/camera/trackID=3"),
            ("pcma", "rtsp://127.0.0.1:554/camera/trackID=4"),
        ],
        play: "rtsp://127.0.0.1:554/camera",
        left_out: &[],
    },
    Case {
        name: "Hikvision: absolute control URLs, of the session too",
        camera: Camera::new(
            "hikvision_describe",
            &["hikvision_setup"],
            Some("hikvision_play"),
        ),
        tracks: &[(
            "h264",
            "rtsp://192.168.5.106:554/Streaming/Channels/101/trackID=1?transportmode=unicast&profile=Profile_1",
        )],
        play: "rtsp://192.168.5.106:554/Streaming/Channels/101/?transportmode=unicast&profile=Profile_1",
        left_out: &["application: vnd.onvif.metadata is not supported"],
    },
    Case {
        name: "Hikvision: an SSRC with a blank",
        camera: Camera::new(
            "hikvision_describe",
            &["hikvision_setup_ssrc_space"],
            Some("hikvision_play"),
        ),
        tracks: &[(
            "h264",
            "rtsp://192.168.5.106:554/Streaming/Channels/101/trackID=1?transportmode=unicast&profile=Profile_1",
        )],
        play: "rtsp://192.168.5.106:554/Streaming/Channels/101/?transportmode=unicast&profile=Profile_1",
        left_out: &["application: vnd.onvif.metadata is not supported"],
    },
    Case {
        name: "IPCAM C9F0: parameter sets with other NAL reference indications",
        camera: Camera::new("ipcam_describe", &[], Some("laureii_play")),
        tracks: &[("h264", "rtsp://192.0.2.1:554/stream/trackID=1")],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
    Case {
        name: "Macro-video: neither origin nor level",
        camera: Camera::new("macrovideo_describe", &[], None),
        tracks: &[("h264", "rtsp://192.0.2.1:554/stream/track1")],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
    Case {
        name: "No content type, a session before SETUP",
        camera: Camera::new("missing_content_type_describe", &[], None),
        tracks: &[
            ("h264", "rtsp://192.0.2.1:554/stream/streamid=0"),
            ("aac", "rtsp://192.0.2.1:554/stream/streamid=1"),
        ],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
    Case {
        name: "Luckfox (Rockchip): nothing said of unicast",
        camera: Camera::new("macrovideo_describe", &["luckfox_rkipc_setup_tcp"], None),
        tracks: &[("h264", "rtsp://192.0.2.1:554/stream/track1")],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
    Case {
        name: "Reolink",
        camera: Camera::new(
            "reolink_describe",
            &["reolink_setup", PLAIN],
            Some("reolink_play"),
        ),
        tracks: &[
            ("h264", "rtsp://192.168.5.206/h264Preview_01_main/trackID=1"),
            ("aac", "rtsp://192.168.5.206/h264Preview_01_main/trackID=2"),
        ],
        play: "rtsp://192.168.5.206/h264Preview_01_main/",
        left_out: &[],
    },
    Case {
        name: "Reolink, its attributes in another order",
        camera: Camera::new(
            "reolink_describe_control_first",
            &["reolink_setup", PLAIN],
            Some("reolink_play"),
        ),
        tracks: &[
            ("h264", "rtsp://192.168.5.206/h264Preview_01_main/trackID=1"),
            ("aac", "rtsp://192.168.5.206/h264Preview_01_main/trackID=2"),
        ],
        play: "rtsp://192.168.5.206/h264Preview_01_main/",
        left_out: &[],
    },
    Case {
        name: "TP-Link: a track of its own protocol",
        camera: Camera::new("tplink_sdp", &[], None),
        tracks: &[
            ("h265", "rtsp://192.0.2.1:554/stream/track1"),
            ("pcma", "rtsp://192.0.2.1:554/stream/track2"),
        ],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &["application/TP-LINK: of unknown encoding"],
    },
    Case {
        name: "Ubiquiti: one payload type twice, an fmtp without parameters",
        camera: Camera::new("ubiquiti_sdp", &[], None),
        tracks: &[
            ("aac", "rtsp://192.0.2.1:554/stream/trackID=0"),
            ("opus", "rtsp://192.0.2.1:554/stream/trackID=1"),
            ("h264", "rtsp://192.0.2.1:554/stream/trackID=2"),
        ],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
    Case {
        name: "VStarcam: blanks behind the media line",
        camera: Camera::new("vstarcam_describe", &[], None),
        tracks: &[
            ("h264", "rtsp://192.0.2.1:554/stream/track0"),
            ("pcma", "rtsp://192.0.2.1:554/stream/track1"),
        ],
        play: "rtsp://192.0.2.1:554/stream",
        left_out: &[],
    },
];

/// Plays all tracks of a camera over the connection.
fn play(camera: &Camera) -> Driven {
    let mut camera = camera.clone();
    let now = start();
    let url: RemoteUrl = URL.parse().expect("a URL");
    let session = ClientSession::play(ClientConfig::default(), &url, 7, now);
    let mut driven = Driven::new(session, now);
    driven.run(|request| Some(camera.answer(request)));
    let described = driven.events.iter().find_map(|event| match event {
        Event::Described(presentation) => Some(presentation.tracks.len()),
        _ => None,
    });
    if let Some(count) = described {
        let wanted: Vec<_> = (0..count)
            .map(|track| (track, Carriage::Interleaved))
            .collect();
        driven.session.setup(&wanted, now).expect("described");
        driven.run(|request| Some(camera.answer(request)));
    }
    driven
}

#[test]
fn each_camera_is_played_with_the_right_tracks() {
    for case in CASES {
        let driven = play(&case.camera);
        let name = case.name;
        assert_eq!(driven.error, None, "{name}");
        let events = &driven.events;
        let tracks = events.iter().find_map(|event| match event {
            Event::Described(presentation) => Some(&presentation.tracks),
            _ => None,
        });
        let tracks = tracks.unwrap_or_else(|| panic!("{name}: {events:?}"));
        let codecs: Vec<_> = tracks
            .iter()
            .map(|track| codec_of(&track.format).map_or("none", |codec| codec.name()))
            .collect();
        let expected: Vec<_> = case.tracks.iter().map(|(codec, _)| *codec).collect();
        assert_eq!(codecs, expected, "{name}");
        let left_out: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Notice(Notice::LeftOut(why)) => Some(why.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(left_out, case.left_out, "{name}");
        let asked = driven.asked();
        let of = |method: &str| -> Vec<&str> {
            let asked = asked.iter().filter(|(asked, _)| asked == method);
            asked.map(|(_, uri)| uri.as_str()).collect()
        };
        let urls: Vec<_> = case.tracks.iter().map(|(_, url)| *url).collect();
        assert_eq!(of("SETUP"), urls, "{name}");
        assert_eq!(of("PLAY"), [case.play], "{name}");
        assert!(events.contains(&Event::Started), "{name}: {events:?}");
    }
}

#[test]
fn decoder_configs_are_taken_from_the_descriptions_that_have_them() {
    for case in CASES {
        let driven = play(&case.camera);
        for event in &driven.events {
            let Event::Described(presentation) = event else {
                continue;
            };
            for track in &presentation.tracks {
                let has_none = matches!(
                    track.format,
                    PayloadFormat::H264 { config: None, .. }
                        | PayloadFormat::H265 { config: None, .. }
                );
                assert!(!has_none, "{}: {track:?}", case.name);
            }
        }
    }
}

/// Cameras whose responses to SETUP speak of ports answer a client that asked for them.
#[test]
fn ports_that_are_agreed_on_are_told() {
    use arcly_rtsp::proto::transport::Pair;
    for (describe, setup, ports) in [
        (
            "macrovideo_describe",
            &["luckfox_rkipc_setup_udp"][..],
            Pair::new(49152, 49153),
        ),
        (
            "h264dvr_describe",
            &["h264dvr_setup_video", "h264dvr_setup_audio"],
            Pair::new(40004, 40005),
        ),
    ] {
        let mut camera = Camera::new(describe, &[], None);
        camera.setup = setup;
        let now = start();
        let url: RemoteUrl = URL.parse().expect("a URL");
        let session = ClientSession::play(ClientConfig::default(), &url, 7, now);
        let mut driven = Driven::new(session, now);
        driven.run(|request| Some(camera.answer(request)));
        let wanted = [(0, Carriage::Datagrams(Pair::new(50_000, 50_001)))];
        driven.session.setup(&wanted, now).expect("described");
        driven.run(|request| Some(camera.answer(request)));
        let agreed = driven.events.iter().find_map(|event| match event {
            Event::Agreed(agreement) => Some(agreement.server_port),
            _ => None,
        });
        assert_eq!(agreed, Some(Some(ports)), "{describe}");
        assert!(driven.events.contains(&Event::Started), "{describe}");
    }
}

/// "H264DVR 1.0" gives its audio track a session of its own.
#[test]
fn of_several_session_identifiers_the_first_counts() {
    let (first, second) = (
        "RTSP/1.0 200 OK\r\nSession: 231970;timeout=60\r\n\r\n",
        "RTSP/1.0 200 OK\r\nSession: 231980;timeout=60\r\n\r\n",
    );
    let mut camera = Camera::new("h264dvr_describe", &[], None);
    let now = start();
    let url: RemoteUrl = URL.parse().expect("a URL");
    let session = ClientSession::play(ClientConfig::default(), &url, 7, now);
    let mut driven = Driven::new(session, now);
    driven.run(|request| Some(camera.answer(request)));
    let wanted = [(0, Carriage::Interleaved), (1, Carriage::Interleaved)];
    driven.session.setup(&wanted, now).expect("described");
    let mut set_up = 0;
    driven.run(|request| {
        if request.method.as_str() != "SETUP" {
            return Some(camera.answer(request));
        }
        set_up += 1;
        Some(if set_up == 1 { first } else { second }.as_bytes().to_vec())
    });
    let play: &Request = driven.requests.last().expect("requests");
    assert_eq!(
        (play.method.as_str(), play.headers.get("Session")),
        ("PLAY", Some("231970"))
    );
}

/// All other replies of the corpus are messages, too.
#[test]
fn each_reply_is_a_message() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cameras"));
    let mut count = 0;
    for file in files.expect("the corpus") {
        let path = file.expect("a file").path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        if path.extension().is_none_or(|extension| extension != "txt") || stem.ends_with("_sdp") {
            continue;
        }
        let mut reader = MessageReader::new(Default::default());
        reader.push(&read(stem));
        let message = reader
            .next()
            .unwrap_or_else(|error| panic!("{stem}: {error}"));
        assert!(
            matches!(message, Some(Message::Response(_) | Message::Request(_))),
            "{stem}: {message:?}"
        );
        assert_eq!(reader.buffered(), 0, "{stem}");
        count += 1;
    }
    assert!(count > 35, "{count}");
}
