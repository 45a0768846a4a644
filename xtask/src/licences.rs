//! Whether everything that ships may be shipped: the licences and the origin of every package that the published crates are
//! built from.
//!
//! `deny.toml` says the same to `cargo-deny`, which takes minutes to build and so is not required on a CI machine.

use crate::failure::{Failure, Result};
use crate::metadata::{DependencyKind, Package, Resolution, resolution};
use crate::spdx;
use crate::steps::Steps;
use std::collections::BTreeMap;

/// Licences of code that ends up in a user's binary.
const SHIPPED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MPL-2.0",
];

/// Licences of code that only runs while a user's binary is built: build scripts, procedural macros and what these use.
const BUILD_TIME: &[&str] = &[
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages whose other licence was looked at and accepted, each with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// The platforms that the crates are meant for. What only other platforms use (WebAssembly, say) ships with nothing of ours.
const PLATFORMS: &[&str] = &[
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
];

/// How a package is used by what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    BuildTime,
    Shipped,
}

/// The licence step of `cargo xtask lint`.
pub(crate) fn run(steps: &mut Steps) -> Result {
    steps.run("lint: licences and origins", || {
        let resolution = resolution(PLATFORMS)?;
        let uses = uses(&resolution);
        println!(
            "{} packages are built into what is published, {} more only run during the build",
            count(&uses, Use::Shipped),
            count(&uses, Use::BuildTime)
        );
        Failure::from_findings("licences and origins", findings(&resolution, &uses))
    })
}

fn count(uses: &BTreeMap<&str, Use>, wanted: Use) -> usize {
    uses.values().filter(|found| **found == wanted).count()
}

/// How each package is used by the published ones; packages that only tests use are left out.
fn uses(resolution: &Resolution) -> BTreeMap<&str, Use> {
    let packages: BTreeMap<&str, &Package> = resolution
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package))
        .collect();
    let published = |id: &&str| packages.get(id).is_some_and(|package| package.published);
    let mut uses = BTreeMap::new();
    let mut pending: Vec<(&str, Use)> = resolution
        .members
        .iter()
        .map(String::as_str)
        .filter(published)
        .map(|id| (id, Use::Shipped))
        .collect();
    while let Some((id, how)) = pending.pop() {
        if uses.get(id).is_some_and(|known| *known >= how) {
            continue;
        }
        uses.insert(id, how);
        for edge in resolution.edges.get(id).into_iter().flatten() {
            let macro_crate = packages
                .get(edge.to.as_str())
                .is_some_and(|package| package.proc_macro);
            match edge.kind {
                DependencyKind::Dev => {}
                DependencyKind::Normal if !macro_crate => pending.push((&edge.to, how)),
                DependencyKind::Normal | DependencyKind::Build => {
                    pending.push((&edge.to, Use::BuildTime))
                }
            }
        }
    }
    uses
}

fn findings(resolution: &Resolution, uses: &BTreeMap<&str, Use>) -> Vec<String> {
    let used = resolution
        .packages
        .iter()
        .filter_map(|package| uses.get(package.id.as_str()).map(|how| (package, *how)));
    used.flat_map(|(package, how)| [licence_finding(package, how), origin_finding(package)])
        .flatten()
        .collect()
}

fn licence_finding(package: &Package, how: Use) -> Option<String> {
    let Package {
        name,
        version,
        license,
        ..
    } = package;
    let Some(expression) = license else {
        return Some(format!("{name} {version} names no licence"));
    };
    let excepted = |licence: &str| {
        EXCEPTIONS
            .iter()
            .any(|(package, accepted, _)| package == name && *accepted == licence)
    };
    let permitted = |licence: &str| {
        SHIPPED.contains(&licence)
            || (how == Use::BuildTime && BUILD_TIME.contains(&licence))
            || excepted(licence)
    };
    match spdx::can_be_met(expression, permitted) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{name} {version} is under {expression}, which is not permitted for what is {}",
            how.words()
        )),
        Err(error) => Some(format!(
            "{name} {version}: the licence {expression:?} is not understood: {error}"
        )),
    }
}

fn origin_finding(package: &Package) -> Option<String> {
    let source = package.source.as_deref()?;
    (!source.starts_with("registry+")).then(|| {
        format!(
            "{} {} comes from {source}, not from a registry",
            package.name, package.version
        )
    })
}

impl Use {
    fn words(self) -> &'static str {
        match self {
            Self::BuildTime => "run during the build",
            Self::Shipped => "shipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Edge;

    fn package(name: &str, license: &str) -> Package {
        let source = Some("registry+index".to_owned());
        Package {
            id: name.into(),
            name: name.into(),
            version: "1.0.0".into(),
            license: Some(license.into()),
            source,
            published: true,
            ..Package::default()
        }
    }

    fn edge(to: &str, kind: DependencyKind) -> Edge {
        Edge {
            to: to.into(),
            kind,
        }
    }

    /// `ours` is built from `library` and the macro `derive`, which uses `parser`; it is tested with `checker`.
    fn resolution(licences: [&str; 4]) -> Resolution {
        let [library, derive, parser, checker] = licences;
        let derive = Package {
            proc_macro: true,
            ..package("derive", derive)
        };
        let tool = Package {
            published: false,
            ..package("tool", "MIT")
        };
        let packages = vec![
            package("ours", "MIT OR Apache-2.0"),
            package("library", library),
            derive,
            package("parser", parser),
            package("checker", checker),
            tool,
        ];
        let ours = vec![
            edge("library", DependencyKind::Normal),
            edge("derive", DependencyKind::Normal),
            edge("checker", DependencyKind::Dev),
        ];
        let edges = [
            ("ours", ours),
            ("derive", vec![edge("parser", DependencyKind::Normal)]),
            ("tool", vec![edge("checker", DependencyKind::Normal)]),
        ];
        let edges = edges
            .into_iter()
            .map(|(name, edges)| (name.to_owned(), edges))
            .collect();
        Resolution {
            packages,
            members: vec!["ours".into(), "tool".into()],
            edges,
        }
    }

    fn checked(resolution: &Resolution) -> Vec<String> {
        findings(resolution, &uses(resolution))
    }

    #[test]
    fn the_permitted_licences_pass() {
        assert_eq!(
            checked(&resolution([
                "ISC",
                "MIT",
                "(MIT OR Apache-2.0) AND Unicode-3.0",
                "GPL-3.0-only"
            ])),
            [""; 0]
        );
    }

    #[test]
    fn shipped_code_is_held_to_the_short_list() {
        let findings = checked(&resolution(["Unicode-3.0", "MIT", "MIT", "MIT"]));
        assert_eq!(
            findings,
            ["library 1.0.0 is under Unicode-3.0, which is not permitted for what is shipped"]
        );
    }

    #[test]
    fn code_that_runs_during_the_build_is_held_to_the_longer_list() {
        assert_eq!(
            checked(&resolution(["MIT", "GPL-3.0-only", "AGPL-3.0-only", "MIT"])).len(),
            2
        );
    }

    #[test]
    fn what_is_used_both_ways_counts_as_shipped() {
        let mut both = resolution(["MIT", "MIT", "Unicode-3.0", "MIT"]);
        assert_eq!(checked(&both), [""; 0]);
        both.edges.insert(
            "library".into(),
            vec![edge("parser", DependencyKind::Normal)],
        );
        assert_eq!(checked(&both).len(), 1);
    }

    #[test]
    fn no_licence_and_no_registry_are_refused() {
        let mut bad = resolution(["MIT", "MIT", "MIT", "MIT"]);
        bad.packages[1].license = None;
        bad.packages[3].source = Some("git+somewhere".into());
        assert_eq!(checked(&bad).len(), 2);
    }
}
