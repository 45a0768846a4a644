//! Rules about files that no compiler checks: length, names, and that each package takes the workspace's lints.

use crate::failure::{Failure, Result};
use crate::metadata::members;
use crate::process::workspace_root;
use std::fs;
use std::path::{Path, PathBuf};

/// Past this many lines, tests included, a concept is waiting to be named.
const MAX_LINES: usize = 600;

/// Files that may be longer, each with the reason.
const LONGER: &[(&str, &str)] = &[];

/// Module names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "define", "defines", "helper", "helpers", "manager", "misc", "util", "utils",
];

/// Directories that hold no source of ours.
const SKIPPED: &[&str] = &["target", "node_modules", "corpus", "artifacts"];

/// Checks every Rust file and manifest of the workspace.
pub(crate) fn check() -> Result {
    let root = workspace_root();
    let mut findings = Vec::new();
    for path in rust_files(root)? {
        let text = fs::read_to_string(&path).map_err(|source| Failure::Unreadable {
            path: path.clone(),
            source,
        })?;
        let shown = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .replace('\\', "/");
        findings.extend(name_finding(&shown));
        findings.extend(length_finding(&shown, text.lines().count()));
    }
    findings.extend(
        LONGER
            .iter()
            .filter(|(path, _)| !root.join(path).is_file())
            .map(|(path, _)| format!("{path} may be longer, but does not exist")),
    );
    for package in members()? {
        let path = package.manifest_path;
        let text = fs::read_to_string(&path).map_err(|source| Failure::Unreadable {
            path: path.clone(),
            source,
        })?;
        if !takes_workspace_lints(&text) {
            findings.push(format!(
                "{} does not take the workspace's lints: add `[lints]` with `workspace = true`",
                package.name
            ));
        }
    }
    Failure::from_findings("file rules", findings)
}

/// Every Rust file below the directory, in order.
fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Failure::Unreadable {
        path: directory.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                files.extend(rust_files(&path)?);
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn length_finding(path: &str, lines: usize) -> Option<String> {
    let excepted = LONGER.iter().any(|(longer, _)| *longer == path);
    (lines > MAX_LINES && !excepted).then(|| format!("{path} has {lines} lines, over {MAX_LINES}: which concept in it has no file of its own?"))
}

fn name_finding(path: &str) -> Option<String> {
    let empty = path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("{path}: {empty:?} does not say what is inside"))
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')) == Some("workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(length_finding("crates/a/src/lib.rs", MAX_LINES), None);
        assert!(length_finding("crates/a/src/lib.rs", MAX_LINES + 1).is_some());
    }

    #[test]
    fn an_empty_name_is_found_as_a_file_and_as_a_directory() {
        for bad in [
            "crates/a/src/utils.rs",
            "crates/a/tests/common/mod.rs",
            "crates/a/src/session/manager.rs",
        ] {
            assert!(name_finding(bad).is_some(), "{bad}");
        }
        for good in [
            "crates/a/src/session.rs",
            "crates/a/src/common_name.rs",
            "benches/benches/join.rs",
        ] {
            assert_eq!(name_finding(good), None, "{good}");
        }
    }

    #[test]
    fn the_lints_table_is_found() {
        assert!(takes_workspace_lints(
            "[package]\nname = \"a\"\n\n[lints]\n# all of them\nworkspace = true\n"
        ));
        assert!(!takes_workspace_lints(
            "[package]\nversion.workspace = true\n"
        ));
        assert!(!takes_workspace_lints(
            "[lints]\n[lints.rust]\nworkspace = true\n"
        ));
    }

    #[test]
    fn this_file_is_walked_over() {
        let files = rust_files(&workspace_root().join("xtask")).unwrap();
        assert!(
            files
                .iter()
                .any(|path| path.ends_with("src/source_rules.rs"))
        );
    }
}
