//! Every test: `cargo xtask test` is the command of the README.

use crate::failure::Result;
use crate::process::Invocation;
use crate::steps::Steps;
use crate::{readme, setup};

/// `cargo xtask test [cargo test arguments]`.
///
/// With arguments only `cargo test` runs, with these, over the whole workspace unless they choose a package.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> Result {
    if !arguments.is_empty() {
        let arguments = narrowed(arguments);
        return steps.run("cargo test", || Invocation::cargo(&arguments).run());
    }
    setup::run(steps)?;
    readme::run(steps)?;
    // Documentation tests are part of this, and with them the README's Rust blocks.
    steps.run("unit, integration and documentation tests", || {
        Invocation::cargo(&["test", "--workspace", "--all-features"]).run()
    })?;
    loom(steps)
}

/// Model-checks the frame log: every interleaving of a few threads, which takes another build of the crate.
fn loom(steps: &mut Steps) -> Result {
    steps.run("loom model of the frame log", || {
        let test = [
            "test",
            "--release",
            "--package",
            "arcly-core",
            "--test",
            "loom",
            "--target-dir",
            "target/loom",
        ];
        // A directory of its own, because the flag would otherwise rebuild everything twice, to and fro. Link-time optimisation
        // costs more than it gains here.
        Invocation::cargo(&test)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("RUSTFLAGS", &loom_flags(std::env::var("RUSTFLAGS").ok()))
            .run()
    })
}

fn loom_flags(existing: Option<String>) -> String {
    format!("{} --cfg arcly_loom", existing.unwrap_or_default())
        .trim_start()
        .to_owned()
}

fn narrowed(arguments: &[String]) -> Vec<&str> {
    let own = arguments
        .iter()
        .map(String::as_str)
        .take_while(|argument| *argument != "--");
    let chooses_package = own.into_iter().any(|argument| {
        let long = ["--package", "--workspace", "--all", "--manifest-path"];
        argument.starts_with("-p")
            || long
                .iter()
                .any(|name| argument == *name || argument.starts_with(&format!("{name}=")))
    });
    let everywhere: &[&str] = if chooses_package {
        &[]
    } else {
        &["--workspace", "--all-features"]
    };
    [&["test"], everywhere]
        .concat()
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed_words(words: &str) -> String {
        let arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
        narrowed(&arguments).join(" ")
    }

    #[test]
    fn a_filter_runs_over_the_whole_workspace() {
        assert_eq!(
            narrowed_words("join"),
            "test --workspace --all-features join"
        );
        assert_eq!(
            narrowed_words("join -- --nocapture -p"),
            "test --workspace --all-features join -- --nocapture -p"
        );
    }

    #[test]
    fn a_chosen_package_is_left_alone() {
        for chosen in [
            "-p arcly-core join",
            "-parcly-core",
            "--package arcly-core",
            "--package=arcly-core --features codec",
            "--workspace",
        ] {
            assert_eq!(narrowed_words(chosen), format!("test {chosen}"));
        }
    }

    #[test]
    fn the_models_flag_is_added_to_the_users() {
        assert_eq!(loom_flags(None), "--cfg arcly_loom");
        assert_eq!(
            loom_flags(Some("-C debuginfo=1".into())),
            "-C debuginfo=1 --cfg arcly_loom"
        );
    }
}
