//! Real peers: programs that are run to their end, or killed.

use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What to install for the peers used here.
fn package(program: &str) -> &str {
    match program {
        "ffprobe" => "ffmpeg",
        "srt-live-transmit" => "srt-tools",
        "gst-launch-1.0" => "gstreamer1.0-tools gstreamer1.0-plugins-bad",
        other => other,
    }
}

/// Starts a program, which is killed when it is dropped.
pub(crate) fn start(program: &str, arguments: &[&str]) -> Child {
    spawn(program, arguments, Stdio::null())
}

/// Starts a program that is fed by the test, and is killed when it is dropped.
pub(crate) fn start_with_input(program: &str, arguments: &[&str]) -> Child {
    spawn(program, arguments, Stdio::piped())
}

fn spawn(program: &str, arguments: &[&str], input: Stdio) -> Child {
    Command::new(program)
        .args(arguments)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            let package = package(program);
            panic!("{program} cannot be run ({error}); install it: apt-get install {package}")
        })
}

/// Runs a program to its end: whether it succeeded, and all that it printed.
pub(crate) async fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let child = start(program, arguments);
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .expect("its output");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// What a program writes to its output until it ends by itself, and what it says.
pub(crate) async fn output(program: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let child = start(program, arguments);
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .expect("its output");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.stdout, log)
}

pub(crate) async fn ffmpeg(arguments: &[&str]) -> (bool, String) {
    let common = ["-hide_banner", "-nostdin", "-y", "-loglevel", "warning"];
    run("ffmpeg", &[&common, arguments].concat()).await
}
