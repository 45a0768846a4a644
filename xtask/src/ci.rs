//! All that a change must pass.

use crate::failure::Result;
use crate::steps::Steps;
use crate::{features, layering, lint, test};

/// `cargo xtask ci`: what takes seconds first, and the checks that share their builds next to each other.
///
/// Clippy, rustdoc and the feature checks share the checked dependencies; only the tests need compiled ones. All use one target
/// directory and the same flags, except for the loom model.
pub(crate) fn run(steps: &mut Steps) -> Result {
    shown("layering");
    layering::run(steps)?;
    shown("lint");
    lint::run(steps)?;
    shown("features");
    features::run(steps, &[])?;
    shown("test");
    test::run(steps, &[])
}

/// Prints the command that would run this part alone.
fn shown(task: &str) {
    println!("\n$ cargo xtask {task}");
}
