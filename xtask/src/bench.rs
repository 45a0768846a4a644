//! The benches.

use crate::failure::Result;
use crate::process::Invocation;
use crate::steps::Steps;

/// `cargo xtask bench [bench] [-- criterion arguments]`.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> Result {
    if arguments.first().is_some_and(|name| name == "hls") || names_none(arguments) {
        // It measures the server itself, in a process of its own.
        let build = ["build", "--release", "--package", "arcly-server"];
        steps.run("build the server", || Invocation::cargo(&build).run())?;
    }
    let arguments = command(arguments);
    steps.run("bench", || Invocation::cargo(&arguments).run())
}

/// Whether all benches run.
fn names_none(arguments: &[String]) -> bool {
    arguments.first().is_none_or(|first| first.starts_with('-'))
}

fn command(arguments: &[String]) -> Vec<&str> {
    let mut command = vec!["bench", "--package", "arcly-benches"];
    let mut rest = arguments.iter().map(String::as_str).peekable();
    if let Some(name) = rest.next_if(|first| !first.starts_with('-')) {
        command.extend(["--bench", name]);
    }
    command.extend(rest);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_names_a_bench() {
        let of = |words: &[&str]| {
            command(&words.iter().map(ToString::to_string).collect::<Vec<_>>()).join(" ")
        };
        assert_eq!(of(&[]), "bench --package arcly-benches");
        assert_eq!(
            of(&["publish"]),
            "bench --package arcly-benches --bench publish"
        );
        assert_eq!(
            of(&["publish", "--", "4096"]),
            "bench --package arcly-benches --bench publish -- 4096"
        );
        assert_eq!(of(&["--", "4096"]), "bench --package arcly-benches -- 4096");
    }
}
