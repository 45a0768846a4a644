//! The whole path: ffmpeg publishes by RTMP, a player reads HLS, and what it decodes is judged picture by picture.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use support::{Process, Server, run, tool};

const WIDTH: usize = 1920;
const FRAMES: usize = 600;
const RATE: usize = 30;
/// The picture's number stands in its top rows as black and white blocks, the lowest bit on the left.
const BITS: usize = 16;
const BLOCK: usize = WIDTH / BITS;

/// The filter that writes each picture's number into it.
fn numbering() -> String {
    let bit = |k: usize| {
        let x = k * BLOCK;
        format!(
            "drawbox=x={x}:y=0:w={BLOCK}:h=64:color=white:t=fill:enable='mod(floor(n/{}),2)'",
            1 << k
        )
    };
    let black = format!("drawbox=x=0:y=0:w={WIDTH}:h=64:color=black:t=fill");
    std::iter::once(black)
        .chain((0..BITS).map(bit))
        .collect::<Vec<_>>()
        .join(",")
}

/// The number in a picture, of which one pixel a block is left.
fn number(pixels: &[u8]) -> usize {
    pixels.iter().enumerate().fold(0, |number, (k, pixel)| {
        assert!(
            !(64..192).contains(pixel),
            "block {k} is neither black nor white: {pixels:?}"
        );
        number | usize::from(*pixel >= 128) << k
    })
}

/// The times of all decoded frames, in seconds, as `framecrc` lists them.
fn times(path: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(path).expect("framecrc has run");
    let tick = text
        .lines()
        .find_map(|line| line.strip_prefix("#tb 0: "))
        .expect("a time base");
    let (numerator, denominator) = tick.split_once('/').expect("a fraction");
    let tick =
        numerator.parse::<f64>().expect("a number") / denominator.parse::<f64>().expect("a number");
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    frames
        .map(|line| {
            line.split(',')
                .nth(2)
                .expect("a PTS")
                .trim()
                .parse::<f64>()
                .expect("a number")
                * tick
        })
        .collect()
}

#[test]
fn every_picture_arrives_once_and_in_sync() {
    let mut server = Server::start(&[]);
    let mut publisher = Process::spawn(
        tool("ffmpeg")
            .args(["-v", "error", "-re", "-f", "lavfi", "-i"])
            .arg(format!(
                "testsrc2=size={WIDTH}x1080:rate={RATE}:duration=20,{},format=yuv420p",
                numbering()
            ))
            // A beep of 50 ms at each whole second, where the picture's number is a multiple of the rate.
            .args([
                "-f",
                "lavfi",
                "-i",
                "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.05)':sample_rate=48000:duration=20",
            ])
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "superfast",
                "-profile:v",
                "high",
                "-bf",
                "3",
            ])
            .args([
                "-x264-params",
                "b-adapt=0:keyint=60:min-keyint=60:scenecut=0",
                "-b:v",
                "4M",
            ])
            .args([
                "-c:a",
                "aac",
                "-b:a",
                "128k",
                "-f",
                "flv",
                &server.rtmp_url("live/counted"),
            ]),
    );
    server.wait_live("live/counted");

    let folder = tempfile::tempdir().expect("a folder");
    let file = |name| folder.path().join(name);
    // One row of one grey pixel a block, from the middle of the blocks.
    let blocks = format!("crop={WIDTH}:16:0:24,scale={BITS}:1:flags=area,format=gray");
    let mut player = tool("ffmpeg");
    player.args([
        "-v",
        "error",
        "-xerror",
        "-copyts",
        "-i",
        &server.url("/live/counted/index.m3u8"),
    ]);
    for (map, filter, format, name) in [
        ("0:v", Some(&*blocks), "rawvideo", "pictures"),
        ("0:v", Some(&*blocks), "framecrc", "picture-times"),
        ("0:a", None, "s16le", "sound"),
        ("0:a", None, "framecrc", "sound-times"),
    ] {
        player.args(["-map", map, "-vsync", "passthrough", "-enc_time_base", "-1"]);
        if let Some(filter) = filter {
            player.args(["-vf", filter]);
        } else {
            player.args(["-ac", "1", "-c:a", "pcm_s16le"]);
        }
        player.args(["-f", format]).arg(file(name));
    }
    // It ends by itself, some seconds after the publisher.
    let played = run(&mut player);
    assert_eq!(
        String::from_utf8_lossy(&played.stderr),
        "",
        "it decodes without a complaint"
    );
    assert!(publisher.0.wait().expect("a child").success());

    let pictures = std::fs::read(file("pictures")).expect("pictures");
    let numbers: Vec<usize> = pictures.chunks_exact(BITS).map(number).collect();
    let first = *numbers.first().expect("a picture");
    assert!(
        first < FRAMES / 2,
        "the player joined while the stream was live, at {first}"
    );
    assert_eq!(
        numbers,
        (first..FRAMES).collect::<Vec<_>>(),
        "each picture once, in order, to the last"
    );

    let picture_times = times(&file("picture-times"));
    assert_eq!(picture_times.len(), numbers.len());
    for pair in picture_times.windows(2) {
        // RTMP counts in milliseconds.
        assert!(
            (pair[1] - pair[0] - 1.0 / RATE as f64).abs() < 0.0015,
            "{pair:?}"
        );
    }
    let sound_times = times(&file("sound-times"));
    for pair in sound_times.windows(2) {
        assert!(
            (pair[1] - pair[0] - 1024.0 / 48_000.0).abs() < 0.0015,
            "{pair:?}"
        );
    }

    let seconds: BTreeMap<usize, f64> = numbers
        .iter()
        .zip(&picture_times)
        .filter(|(n, _)| **n % RATE == 0)
        .map(|(n, t)| (*n, *t))
        .collect();
    let beeps = beeps(&std::fs::read(file("sound")).expect("sound"), &sound_times);
    let mut worst = 0.0_f64;
    let mut compared = 0;
    for (number, picture) in &seconds {
        let offsets = beeps.iter().map(|beep| beep - picture);
        let Some(offset) = offsets.min_by(|a, b| a.abs().total_cmp(&b.abs())) else {
            continue;
        };
        // The last picture's beep, or the first's, may be beyond the end of the sound that was played.
        let inside =
            *picture >= sound_times[0] + 0.1 && *picture + 0.1 < sound_times[sound_times.len() - 1];
        if inside {
            assert!(
                offset.abs() < 0.020,
                "picture {number}: the beep is {offset:.4} s off"
            );
            worst = worst.max(offset.abs());
            compared += 1;
        }
    }
    assert!(compared >= 9, "only {compared} beeps to compare");
    println!(
        "{} pictures, {compared} beeps, largest A/V offset {:.1} ms",
        numbers.len(),
        worst * 1e3
    );
}

/// When each beep begins, in seconds.
fn beeps(sound: &[u8], times: &[f64]) -> Vec<f64> {
    let samples: Vec<i16> = sound
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let mut beeps = Vec::new();
    let mut quiet = 0_u32;
    for (n, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() < 3_000 {
            quiet += 1;
            continue;
        }
        if quiet > 4_800 {
            beeps.push(times[n / 1024] + (n % 1024) as f64 / 48_000.0);
        }
        quiet = 0;
    }
    beeps
}

#[test]
fn gstreamer_plays_it_to_the_end() {
    let mut server = Server::start(&[]);
    let _publisher = support::publish(&server.rtmp_url("live/short"), 8);
    server.wait_live("live/short");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name| folder.path().join(name);
    let sink = |name| format!("location={}", file(name).display());
    run(tool("gst-launch-1.0")
        .args(["-q", "souphttpsrc"])
        .arg(format!("location={}", server.url("/live/short/ts/index.m3u8")))
        .args("! hlsdemux ! tsdemux name=d".split(' '))
        .args("d. ! queue ! h264parse ! avdec_h264 ! video/x-raw,format=I420 ! filesink".split(' '))
        .arg(sink("pictures"))
        .args("d. ! queue ! aacparse ! avdec_aac ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! filesink".split(' '))
        .arg(sink("sound")));
    let size = |name| std::fs::metadata(file(name)).expect("written").len();
    assert_eq!(
        size("pictures"),
        200 * 320 * 180 * 3 / 2,
        "8 s at 25 pictures a second"
    );
    // 375 frames, and one or two more: the encoder's delay, and what fills up the last.
    let frames = size("sound") as f64 / (1024.0 * 2.0);
    assert!(
        (375.0..=377.0).contains(&frames),
        "{frames} frames of sound"
    );
}
