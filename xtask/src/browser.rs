//! Players in a real browser for as long as one likes: the page's own, hls.js, and WebRTC in each codec.

use crate::failure::{Failure, Result};
use crate::process::Invocation;
use crate::steps::Steps;

/// How long each plays where nothing is said: what the project promises.
const SECONDS: &str = "60";

/// The tests that play for as long as they are told.
const TESTS: [&str; 4] = ["page_player", "hls_js", "webrtc_outputs", "webrtc_latency"];

/// `cargo xtask browser [seconds] [test]`.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> Result {
    let (seconds, filter) = read(arguments)?;
    // One after the other: what is measured is the player, not the machine.
    let mut command = vec!["test", "--package", "arcly-server"];
    for test in TESTS {
        command.extend(["--test", test]);
    }
    command.push("--");
    command.extend(["--test-threads", "1", "--nocapture"]);
    command.extend(filter);
    steps.run("players in a browser", || {
        Invocation::cargo(&command)
            .env("ARCLY_PLAY_SECONDS", seconds)
            .run()
    })
}

fn read(arguments: &[String]) -> Result<(&str, Option<&str>)> {
    let seconds = arguments.first().map_or(SECONDS, String::as_str);
    if seconds.parse::<u32>().is_err() {
        return Err(Failure::Usage(format!(
            "{seconds:?} is no number of seconds"
        )));
    }
    if let Some(extra) = arguments.get(2) {
        return Err(Failure::Usage(format!("this task takes no {extra:?}")));
    }
    Ok((seconds, arguments.get(1).map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_come_first() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            read(&words)
                .map(|(seconds, filter)| (seconds.to_owned(), filter.map(str::to_owned)))
                .ok()
        };
        assert_eq!(read(&[]), Some(("60".into(), None)));
        let both = Some(("90".into(), Some("low_latency".into())));
        assert_eq!(read(&["90", "low_latency"]), both);
        assert_eq!(read(&["low_latency"]), None);
        assert_eq!(read(&["1", "2", "3"]), None);
    }
}
