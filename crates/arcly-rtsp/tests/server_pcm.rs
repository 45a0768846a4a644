//! Sound without frames goes through at any rate: what ffmpeg publishes is what ffmpeg plays, byte for byte.

mod server;

use arcly_rtsp::proto::message::Method;
use arcly_testkit::{fresh_folder, path_of_ffmpeg_9, run_program};
use server::peer::Peer;
use server::{Server, finished, spawn};
use std::time::Duration;

/// The samples that are in `name` are those that come out; the description says `rtpmap` of them.
async fn through(codec: &str, raw: &str, rate: &str, channels: &str, rtpmap: &str) {
    let folder = fresh_folder(env!("CARGO_TARGET_TMPDIR"), &format!("pcm-{codec}-{rate}"));
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let (source, played) = (path("source.wav"), path("played.raw"));
    let source = source.replace(".wav", ".mka");
    let quiet = ["-nostdin", "-loglevel", "error", "-y"];
    let sound = [
        "-f",
        "lavfi",
        "-i",
        "anoisesrc=r=48000:a=0.3:seed=3",
        "-t",
        "5",
    ];
    let coded = ["-ar", rate, "-ac", channels, "-c:a", codec, &source];
    let made = run_program("ffmpeg", "ffmpeg", &[&quiet[..], &sound, &coded].concat());
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let bytes = |file: &str| {
        let copy = [&quiet[..], &["-i", file, "-c", "copy", "-f", raw, "-"]].concat();
        run_program("ffmpeg", "ffmpeg", &copy).stdout
    };
    let all = bytes(&source);

    let server = Server::start().await;
    let url = server.url("sound");
    let publish = format!(
        "-nostdin -loglevel error -re -i {source} -c copy -f rtsp -rtsp_transport tcp {url}"
    );
    let publish: Vec<_> = publish.split_whitespace().collect();
    let publisher = spawn(&path_of_ffmpeg_9(), "ffmpeg", &publish);
    server.live("sound", 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut peer = Peer::connect(server.address, url.clone()).await;
    let described = peer.must(Method::Describe, "", &[]).await;
    let description = String::from_utf8_lossy(&described.body).into_owned();
    assert!(description.contains(rtpmap), "{description}");
    let play = [&quiet[..], &["-i", &url, "-c", "copy", "-f", raw, &played]].concat();
    let player = spawn(&path_of_ffmpeg_9(), "ffmpeg", &play);
    finished(publisher).await;
    finished(player).await;
    let played = std::fs::read(&played).expect("it was played");
    assert!(
        played.len() > all.len() / 2,
        "{} of {}",
        played.len(),
        all.len()
    );
    let start = all.windows(64).position(|part| part == &played[..64]);
    let start = start.expect("samples that were published");
    assert!(all[start..].starts_with(&played), "no sample is missing");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linear_samples_of_a_studio() {
    through("pcm_s16be", "s16be", "48000", "2", "L16/48000/2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g711_at_twice_the_usual_rate() {
    through("pcm_mulaw", "mulaw", "16000", "1", "PCMU/16000").await;
}
