//! The fuzz targets in `fuzz/`, run by cargo-fuzz without a sanitizer, so that a stable compiler does.

use crate::failure::{Failure, Result};
use crate::process::{Invocation, on_path, workspace_root};
use crate::steps::Steps;

/// An input that takes this long is a finding: the targets read a few kilobytes.
const HANG: &str = "-timeout=10";

/// How long each target runs where no time is given.
const SECONDS: u32 = 60;

/// `cargo xtask fuzz [target] [seconds]`.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> Result {
    let plan = Plan::parse(arguments)?;
    if !on_path("cargo-fuzz") {
        return Err(Failure::Missing(
            "cargo-fuzz is needed. Install it with:\n\n  cargo install --locked cargo-fuzz\n"
                .to_owned(),
        ));
    }
    if !workspace_root().join("fuzz/Cargo.toml").is_file() {
        return Err(Failure::Missing("there is no fuzz/Cargo.toml".to_owned()));
    }
    let list = Invocation::cargo(&["fuzz", "list"]).capture()?;
    let list = String::from_utf8_lossy(&list);
    let targets = plan.targets(&list)?;
    let limit = format!("-max_total_time={}", plan.seconds);
    targets.iter().try_for_each(|target| {
        // `-s none`: no sanitizer. This code has no `unsafe` to sanitize, and the sanitizers need a nightly compiler.
        steps.run(format!("fuzz: {target}"), || {
            Invocation::cargo(&["fuzz", "run", "-s", "none", target, "--", HANG, &limit]).run()
        })
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Plan<'a> {
    target: Option<&'a str>,
    seconds: u32,
}

impl<'a> Plan<'a> {
    /// Both arguments may be left out; a number alone is the time.
    fn parse(arguments: &'a [String]) -> Result<Self> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let seconds = |word: &str| word.parse().ok().filter(|seconds| *seconds > 0);
        let usage = || {
            Failure::Usage(format!(
                "usage: cargo xtask fuzz [target] [seconds], but got {words:?}"
            ))
        };
        match words.as_slice() {
            [] => Ok(Self {
                target: None,
                seconds: SECONDS,
            }),
            [word] => Ok(seconds(word).map_or(
                Self {
                    target: Some(word),
                    seconds: SECONDS,
                },
                |seconds| Self {
                    target: None,
                    seconds,
                },
            )),
            [target, time] => Ok(Self {
                target: Some(target),
                seconds: seconds(time).ok_or_else(usage)?,
            }),
            _ => Err(usage()),
        }
    }

    /// The targets to run out of what cargo-fuzz lists, one a line.
    fn targets<'t>(&self, list: &'t str) -> Result<Vec<&'t str>> {
        let all: Vec<&str> = list
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let chosen: Vec<&str> = all
            .iter()
            .copied()
            .filter(|name| self.target.is_none_or(|wanted| wanted == *name))
            .collect();
        if chosen.is_empty() {
            let wanted = self.target.unwrap_or("at all");
            return Err(Failure::Usage(format!(
                "no fuzz target {wanted}; there are: {}",
                all.join(", ")
            )));
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn target_and_time_may_be_left_out() {
        assert_eq!(
            Plan::parse(&[]).unwrap(),
            Plan {
                target: None,
                seconds: SECONDS
            }
        );
        assert_eq!(
            Plan::parse(&words(&["amf0"])).unwrap(),
            Plan {
                target: Some("amf0"),
                seconds: SECONDS
            }
        );
        assert_eq!(
            Plan::parse(&words(&["5"])).unwrap(),
            Plan {
                target: None,
                seconds: 5
            }
        );
        assert_eq!(
            Plan::parse(&words(&["amf0", "5"])).unwrap(),
            Plan {
                target: Some("amf0"),
                seconds: 5
            }
        );
        assert!(Plan::parse(&words(&["amf0", "0"])).is_err());
        assert!(Plan::parse(&words(&["amf0", "5", "6"])).is_err());
    }

    #[test]
    fn an_unknown_target_is_refused_with_the_known_ones() {
        let list = "adts\namf0\n";
        assert_eq!(
            Plan::parse(&[]).unwrap().targets(list).unwrap(),
            ["adts", "amf0"]
        );
        assert_eq!(
            Plan::parse(&words(&["amf0"]))
                .unwrap()
                .targets(list)
                .unwrap(),
            ["amf0"]
        );
        let error = Plan::parse(&words(&["amf3"]))
            .unwrap()
            .targets(list)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("amf3") && error.contains("adts, amf0"),
            "{error}"
        );
    }
}
