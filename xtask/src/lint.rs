//! Checks of the text and the types: cheapest first.

use crate::failure::{Failure, Result};
use crate::process::{Invocation, in_ci, on_path};
use crate::steps::Steps;
use crate::{licences, source_rules};

/// `cargo xtask lint`.
pub(crate) fn run(steps: &mut Steps) -> Result {
    steps.run("lint: formatting", || {
        components()?;
        Invocation::cargo(&["fmt", "--all", "--check"]).run()
    })?;
    steps.run("lint: file rules", source_rules::check)?;
    licences::run(steps)?;
    cargo_deny(steps)?;
    steps.run("lint: clippy", || {
        Invocation::cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "--deny",
            "warnings",
        ])
        .run()
    })?;
    steps.run("lint: documentation", || {
        Invocation::cargo(&["doc", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "--deny warnings")
            .run()
    })
}

/// A minimal toolchain has neither rustfmt nor clippy; rustup adds them, where it is there.
fn components() -> Result {
    let complete = || {
        ["fmt", "clippy"]
            .iter()
            .all(|name| Invocation::cargo(&[name, "--version"]).succeeds())
    };
    if complete() {
        return Ok(());
    }
    let added = on_path("rustup")
        && Invocation::program("rustup", &["component", "add", "rustfmt", "clippy"])
            .run()
            .is_ok();
    if added && complete() {
        return Ok(());
    }
    Err(Failure::Missing("rustfmt and clippy are needed. Install them with:\n\n  rustup component add rustfmt clippy\n".to_owned()))
}

/// `deny.toml` is the second opinion on licences and origins, and adds duplicates and wildcard versions. The tool takes minutes to
/// build, so CI relies on the licence step before, which needs nothing.
fn cargo_deny(steps: &mut Steps) -> Result {
    if on_path("cargo-deny") {
        return steps.run("lint: cargo deny", || {
            Invocation::cargo(&[
                "deny",
                "--all-features",
                "check",
                "--hide-inclusion-graph",
                "licenses",
                "bans",
                "sources",
            ])
            .run()
        });
    }
    if !in_ci() {
        println!(
            "\ncargo-deny is not installed, so duplicates and wildcard versions are not checked. To have it: cargo install --locked cargo-deny"
        );
    }
    Ok(())
}
