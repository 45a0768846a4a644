//! The tasks of this workspace: what a developer and CI run. `cargo xtask help` lists them.
//!
//! Everything here is a thin layer over `cargo`, and each command is printed before it runs, so that it can be repeated
//! by hand. The crate has one dependency, which reads `cargo metadata`, so that it builds in seconds on a fresh machine.

#![expect(
    clippy::print_stdout,
    reason = "a command-line tool talks on its standard output"
)]

mod bench;
mod browser;
mod ci;
mod failure;
mod features;
mod fuzz;
mod layering;
mod licences;
mod lint;
mod metadata;
mod process;
mod readme;
mod setup;
mod source_rules;
mod spdx;
mod steps;
mod test;

use failure::{Failure, Result};
use std::process::ExitCode;
use steps::Steps;

/// A command of `cargo xtask`.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&mut Steps, &[String]) -> Result,
}

const TASKS: &[Task] = &[
    Task {
        name: "setup",
        arguments: "",
        about: "install what the tests need beyond Rust (ffmpeg, Chromium, GStreamer), or say what is missing",
        run: |steps, args| no_arguments(args).and_then(|()| setup::run(steps)),
    },
    Task {
        name: "test",
        arguments: "[cargo test arguments]",
        about: "set-up, README check, every test, loom model; with arguments: only `cargo test` with these",
        run: test::run,
    },
    Task {
        name: "lint",
        arguments: "",
        about: "formatting, file rules, licences, clippy and rustdoc, all warnings denied",
        run: |steps, args| no_arguments(args).and_then(|()| lint::run(steps)),
    },
    Task {
        name: "layering",
        arguments: "",
        about: "check which crate depends on which, and that default features stay empty",
        run: |steps, args| no_arguments(args).and_then(|()| layering::run(steps)),
    },
    Task {
        name: "features",
        arguments: "[package …]",
        about: "check each package with no feature, each feature alone, and all",
        run: features::run,
    },
    Task {
        name: "readme",
        arguments: "",
        about: "check the code blocks, commands and links of the README and the guides",
        run: |steps, args| no_arguments(args).and_then(|()| readme::run(steps)),
    },
    Task {
        name: "bench",
        arguments: "[bench] [-- arguments]",
        about: "run the benches, or one of them; the arguments are criterion's",
        run: bench::run,
    },
    Task {
        name: "browser",
        arguments: "[seconds] [test]",
        about: "the page's player and hls.js in Chromium, one after the other, for 60 seconds each",
        run: browser::run,
    },
    Task {
        name: "fuzz",
        arguments: "[target] [seconds]",
        about: "run every fuzz target, or one of them, for 60 seconds each",
        run: fuzz::run,
    },
    Task {
        name: "ci",
        arguments: "",
        about: "layering, lint, features, test: what a change must pass",
        run: |steps, args| no_arguments(args).and_then(|()| ci::run(steps)),
    },
    Task {
        name: "help",
        arguments: "",
        about: "print this",
        run: |_, args| {
            no_arguments(args)?;
            println!("{}", usage());
            Ok(())
        },
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut steps = Steps::default();
    let outcome = dispatch(&mut steps, &arguments);
    steps.print_summary();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(steps: &mut Steps, arguments: &[String]) -> Result {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Failure::Usage(format!("which task?\n\n{}", usage())));
    };
    let name = if matches!(name.as_str(), "-h" | "--help") {
        "help"
    } else {
        name
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return Err(Failure::Usage(format!(
            "there is no task {name:?}\n\n{}",
            usage()
        )));
    };
    (task.run)(steps, rest)
}

fn no_arguments(arguments: &[String]) -> Result {
    match arguments.first() {
        None => Ok(()),
        Some(extra) => Err(Failure::Usage(format!(
            "this task takes no argument, but got {extra:?}"
        ))),
    }
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask <task>\n");
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        text.push_str(&format!("\n  {:<31} {}", call.trim_end(), task.about));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_named_once_and_shown_in_the_usage() {
        let text = usage();
        for task in TASKS {
            assert_eq!(
                TASKS.iter().filter(|other| other.name == task.name).count(),
                1,
                "{}",
                task.name
            );
            assert!(
                text.contains(&format!("\n  {}", task.name)),
                "{} is not in the usage",
                task.name
            );
        }
    }

    #[test]
    fn an_unknown_task_and_an_unexpected_argument_are_refused() {
        let refused = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            matches!(
                dispatch(&mut Steps::default(), &words),
                Err(Failure::Usage(_))
            )
        };
        assert!(refused(&[]));
        assert!(refused(&["lynt"]));
        assert!(refused(&["help", "me"]));
    }
}
