//! Log lines, for people, on standard error.

use std::io::{IsTerminal as _, stderr};
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// What is told by the server's own event log already, in one line a publish; at a level of their own, these talk again.
const TOLD_ALREADY: &[&str] = &["arcly_rtmp", "arcly_rtsp", "arcly_core::record"];

/// Whether `level` can be used.
pub(crate) fn check(level: &str) -> Result<(), String> {
    targets(level).map(|_| ())
}

/// Logs from now on what `level` asks for.
pub(crate) fn init(level: &str) -> Result<(), Box<dyn std::error::Error>> {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(level.contains("debug") || level.contains("trace"));
    let init: Result<(), TryInitError> = tracing_subscriber::registry()
        .with(layer)
        .with(targets(level)?)
        .try_init();
    Ok(init?)
}

fn targets(level: &str) -> Result<Targets, String> {
    let targets: Targets = level.parse().map_err(|error: ParseError| {
        format!("{level:?} is neither error, warn, info, debug, trace nor a list of modules with such: {error}")
    })?;
    // A word that is no level counts as a module's name: a typing error, more likely.
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    if let Some(word) = level
        .split(',')
        .find(|word| !word.contains('=') && !is_level(word.trim()))
    {
        return Err(format!(
            "{word:?} is neither error, warn, info, debug nor trace"
        ));
    }
    if targets.default_level() != Some(LevelFilter::INFO) {
        return Ok(targets);
    }
    let own: Vec<_> = targets
        .iter()
        .map(|(target, _)| target.to_owned())
        .collect();
    let quiet = TOLD_ALREADY
        .iter()
        .filter(|quiet| !own.iter().any(|own| own.starts_with(**quiet)));
    Ok(quiet.fold(targets, |targets, quiet| {
        targets.with_target(*quiet, LevelFilter::WARN)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_does_not_exist_is_refused() {
        assert!(check("info").is_ok() && check("warn,arcly_rtmp=debug").is_ok());
        assert!(check("loud").is_err() && check("info,arcly_rtmp=loud").is_err());
    }

    #[test]
    fn what_the_event_log_tells_is_not_told_twice_unless_asked_for() {
        let enabled = |level: &str| {
            targets(level)
                .expect("a level")
                .would_enable("arcly_rtmp::driver", &tracing::Level::INFO)
        };
        assert!(!enabled("info"));
        assert!(enabled("debug") && enabled("info,arcly_rtmp=debug"));
    }
}
