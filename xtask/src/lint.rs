//! Checks of the text and the types: cheapest first.

use crate::failure::{Failure, Result};
use crate::process::{Invocation, in_ci, on_path};
use crate::steps::Steps;
use crate::{licences, source_rules};

/// `cargo xtask lint`.
pub(crate) fn run(steps: &mut Steps) -> Result {
    steps.run("lint: formatting", || {
        components()?;
        Invocation::cargo(&["fmt", "--all", "--check"]).run()?;
        Invocation::cargo(&["fmt", "--manifest-path", FUZZ, "--check"]).run()
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
            "--keep-going",
            "--",
            "--deny",
            "warnings",
        ])
        .run()
    })?;
    steps.run("lint: fuzz targets", fuzz_targets)?;
    steps.run("lint: documentation", || {
        Invocation::cargo(&[
            "doc",
            "--workspace",
            "--no-deps",
            "--all-features",
            "--keep-going",
        ])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()
    })
}

/// The fuzz targets are a workspace of their own, which no other step looks at.
const FUZZ: &str = "fuzz/Cargo.toml";

/// Whether the fuzz targets still fit what they test.
fn fuzz_targets() -> Result {
    let mut clippy = vec!["clippy", "--manifest-path", FUZZ, "--target-dir", "target"];
    if in_ci() {
        clippy.push("--locked");
    }
    clippy.extend(["--", "--deny", "warnings"]);
    // Nothing is linked here, so libFuzzer is not built either, which would take a C++ compiler: its build script believes that
    // this file is one.
    let never_linked = "target/libfuzzer-is-not-linked.a";
    Invocation::cargo(&clippy)
        .env("CUSTOM_LIBFUZZER_PATH", never_linked)
        .run()
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
