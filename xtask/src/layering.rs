//! Which crate may depend on which.
//!
//! Lowest first: `arcly-codec`, `arcly-rtp`, `arcly-core`, the protocol and mux crates, `arcly-stream`, `arcly-server`. A dependency
//! only ever points down, and a protocol or mux crate uses `arcly-core` and no other crate of this workspace, so that a third
//! party's protocol crate can do all that ours can.

use crate::failure::{Failure, Result};
use crate::features::closure;
use crate::metadata::{Dependency, DependencyKind, Package, members};
use crate::steps::Steps;

/// A layer, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Codec,
    Rtp,
    Core,
    /// Wire protocols, containers and packaging.
    Edge,
    Umbrella,
    Server,
    /// What tests are built with; unpublished, and used by dev-dependencies only.
    Testkit,
    /// Other unpublished packages: benches and tasks. Nothing may depend on them.
    Tool,
}

impl Layer {
    /// The layer of a package. A published name that is not known here is a protocol or mux crate: the strictest of the rules.
    fn of(package: &Package) -> Self {
        match (package.published, package.name.as_str()) {
            (_, "arcly-testkit") => Self::Testkit,
            (false, _) => Self::Tool,
            (true, "arcly-codec") => Self::Codec,
            (true, "arcly-rtp") => Self::Rtp,
            (true, "arcly-core") => Self::Core,
            (true, "arcly-stream") => Self::Umbrella,
            (true, "arcly-server") => Self::Server,
            (true, _) => Self::Edge,
        }
    }

    /// Whether a package of this layer may be built with one of the other.
    fn may_use(self, other: Self) -> bool {
        match self {
            Self::Codec | Self::Rtp | Self::Core | Self::Umbrella | Self::Server => other < self,
            Self::Edge => other == Self::Core,
            Self::Testkit => other <= Self::Core,
            Self::Tool => other != Self::Tool,
        }
    }

    /// Whether a package of this layer may be tested with one of the other.
    fn may_test_with(self, other: Self) -> bool {
        let down = other < self && other <= Self::Server;
        down || self.may_use(other)
            || other == Self::Testkit
            || (self == Self::Edge && other == Self::Edge)
    }
}

/// `cargo xtask layering`.
pub(crate) fn run(steps: &mut Steps) -> Result {
    steps.run("layering", || {
        Failure::from_findings("layering", findings(&members()?))
    })
}

/// Every breach of the rules in a workspace of these packages.
fn findings(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| package_findings(package, packages))
        .collect()
}

fn package_findings(package: &Package, packages: &[Package]) -> Vec<String> {
    let layer = Layer::of(package);
    let name = &package.name;
    let mut findings = Vec::new();
    if package.published && !name.starts_with("arcly-") {
        findings.push(format!(
            "{name} is published, but its name does not begin with arcly-"
        ));
    }
    if package.published && name == "arcly-testkit" {
        findings.push(format!(
            "{name} is for the tests of this workspace: set `publish = false`"
        ));
    }
    let on_by_default = closure(&package.features, ["default"]);
    if package.published && layer != Layer::Server && !on_by_default.is_empty() {
        let features = on_by_default.into_iter().collect::<Vec<_>>().join(", ");
        findings.push(format!(
            "{name} turns on {features} by default: a library's default features are empty"
        ));
    }
    for dependency in &package.dependencies {
        if let Some(target) = packages
            .iter()
            .find(|package| package.name == dependency.name)
        {
            findings.extend(edge_finding(package, dependency, target));
        }
        if package.published
            && dependency.default_features
            && dependency.kind != DependencyKind::Dev
        {
            let other = &dependency.name;
            findings.push(format!("{name} takes {other} with its default features: set `default-features = false` and name what is used"));
        }
    }
    findings
}

/// What is wrong with a dependency between two packages of this workspace.
fn edge_finding(package: &Package, dependency: &Dependency, target: &Package) -> Option<String> {
    let (from, to) = (Layer::of(package), Layer::of(target));
    let (name, other) = (&package.name, &target.name);
    if dependency.kind == DependencyKind::Dev {
        if !from.may_test_with(to) {
            return Some(format!(
                "{name} may not be tested with {other}: a dev-dependency points down, to arcly-testkit, or between protocol and mux crates"
            ));
        }
        if package.published && !target.published && dependency.requirement != "*" {
            // cargo leaves a dev-dependency without a version out of what it publishes, and looks any other up in the registry.
            return Some(format!(
                "{name} could not be published: its dev-dependency {other} is not, so it must have a path and no version"
            ));
        }
        return None;
    }
    if !from.may_use(to) {
        let rule = match (from, to) {
            (_, Layer::Testkit | Layer::Tool) => {
                "it is unpublished; only dev-dependencies may point there"
            }
            (Layer::Edge, Layer::Codec | Layer::Rtp) => {
                "a protocol or mux crate uses what arcly-core re-exports, by arcly-core's feature"
            }
            (Layer::Edge, _) => {
                "a protocol or mux crate depends on arcly-core alone; arcly-stream composes them"
            }
            (Layer::Testkit, _) => {
                "the test kit serves every crate above arcly-core, so it depends on none of them"
            }
            _ => "dependencies only point down",
        };
        return Some(format!("{name} may not depend on {other}: {rule}"));
    }
    (from == Layer::Core && !dependency.optional)
        .then(|| format!("{name} must re-export {other} behind a feature that is off by default: make the dependency optional"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Package {
        let published = !matches!(name, "arcly-testkit" | "arcly-benches" | "xtask");
        Package {
            name: name.into(),
            published,
            ..Package::default()
        }
    }

    fn on(name: &str) -> Dependency {
        let (kind, requirement) = (DependencyKind::Normal, "^0.1".to_owned());
        Dependency {
            name: name.into(),
            kind,
            optional: false,
            default_features: false,
            requirement,
        }
    }

    fn optional(name: &str) -> Dependency {
        Dependency {
            optional: true,
            ..on(name)
        }
    }

    fn dev(name: &str, requirement: &str) -> Dependency {
        Dependency {
            kind: DependencyKind::Dev,
            requirement: requirement.into(),
            ..on(name)
        }
    }

    /// The workspace as it is designed, with one package replaced.
    fn workspace_with(package_name: &str, dependencies: Vec<Dependency>) -> Vec<Package> {
        let mut packages = vec![
            package("arcly-codec"),
            Package {
                dependencies: vec![on("arcly-codec")],
                ..package("arcly-rtp")
            },
            Package {
                dependencies: vec![
                    optional("arcly-codec"),
                    optional("arcly-rtp"),
                    dev("arcly-testkit", "*"),
                ],
                ..package("arcly-core")
            },
            Package {
                dependencies: vec![
                    on("arcly-core"),
                    dev("arcly-mux-ts", "^0.1"),
                    dev("arcly-codec", "^0.1"),
                ],
                ..package("arcly-srt")
            },
            Package {
                dependencies: vec![on("arcly-core")],
                ..package("arcly-mux-ts")
            },
            Package {
                dependencies: vec![optional("arcly-srt"), on("arcly-mux-ts"), on("arcly-core")],
                ..package("arcly-stream")
            },
            Package {
                dependencies: vec![
                    on("arcly-stream"),
                    on("arcly-core"),
                    dev("arcly-testkit", "*"),
                ],
                ..package("arcly-server")
            },
            Package {
                dependencies: vec![on("arcly-core"), on("arcly-codec")],
                ..package("arcly-testkit")
            },
            Package {
                dependencies: vec![on("arcly-stream"), on("arcly-testkit")],
                ..package("arcly-benches")
            },
            package("xtask"),
        ];
        if let Some(replaced) = packages
            .iter_mut()
            .find(|package| package.name == package_name)
        {
            replaced.dependencies = dependencies;
        }
        packages
    }

    fn refusal(package_name: &str, dependency: Dependency) -> String {
        let findings = findings(&workspace_with(package_name, vec![dependency]));
        let [finding] = findings.as_slice() else {
            panic!("{package_name}: {findings:?}")
        };
        finding.clone()
    }

    #[test]
    fn the_designed_workspace_passes() {
        assert_eq!(findings(&workspace_with("", vec![])), [""; 0]);
    }

    #[test]
    fn the_real_workspace_is_read() {
        let names: Vec<String> = members()
            .unwrap()
            .into_iter()
            .map(|package| package.name)
            .collect();
        assert!(
            names.contains(&"arcly-core".to_owned()) && names.contains(&"xtask".to_owned()),
            "{names:?}"
        );
    }

    #[test]
    fn a_dependency_never_points_up() {
        let layers = [
            "arcly-codec",
            "arcly-rtp",
            "arcly-core",
            "arcly-srt",
            "arcly-stream",
            "arcly-server",
        ];
        for (index, lower) in layers.iter().enumerate() {
            for upper in &layers[index + 1..] {
                assert!(
                    refusal(lower, optional(upper))
                        .starts_with(&format!("{lower} may not depend on {upper}"))
                );
                assert!(
                    refusal(lower, dev(upper, "^0.1"))
                        .starts_with(&format!("{lower} may not be tested with {upper}"))
                );
            }
        }
    }

    #[test]
    fn a_protocol_crate_depends_on_core_alone() {
        assert!(refusal("arcly-srt", on("arcly-mux-ts")).contains("depends on arcly-core alone"));
        assert!(refusal("arcly-mux-ts", on("arcly-srt")).contains("depends on arcly-core alone"));
        assert!(refusal("arcly-srt", optional("arcly-codec")).contains("re-exports"));
        assert!(refusal("arcly-srt", on("arcly-rtp")).contains("re-exports"));
        let build = Dependency {
            kind: DependencyKind::Build,
            ..on("arcly-codec")
        };
        assert!(refusal("arcly-srt", build).contains("re-exports"));
    }

    #[test]
    fn a_protocol_crate_nobody_knows_yet_keeps_the_same_rules() {
        let mut packages = workspace_with("", vec![]);
        packages.push(Package {
            dependencies: vec![on("arcly-rtp")],
            ..package("arcly-moq")
        });
        assert_eq!(findings(&packages).len(), 1);
    }

    #[test]
    fn core_re_exports_the_leaves_by_optional_features() {
        assert!(refusal("arcly-core", on("arcly-codec")).contains("optional"));
        assert!(refusal("arcly-core", on("arcly-rtp")).contains("optional"));
        let mut packages = workspace_with("", vec![]);
        packages[2]
            .features
            .insert("default".into(), vec!["codec".into()]);
        packages[2]
            .features
            .insert("codec".into(), vec!["dep:arcly-codec".into()]);
        let findings = findings(&packages);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].contains("codec") && findings[0].contains("default"),
            "{findings:?}"
        );
    }

    #[test]
    fn only_the_server_has_default_features() {
        for (index, allowed) in [(1, false), (4, false), (5, false), (6, true)] {
            let mut packages = workspace_with("", vec![]);
            packages[index]
                .features
                .insert("default".into(), vec!["x".into()]);
            packages[index].features.insert("x".into(), vec![]);
            assert_eq!(
                findings(&packages).is_empty(),
                allowed,
                "{}",
                packages[index].name
            );
        }
    }

    #[test]
    fn nothing_is_built_with_what_is_not_published() {
        assert!(refusal("arcly-server", on("arcly-testkit")).contains("unpublished"));
        assert!(refusal("arcly-srt", on("arcly-benches")).contains("unpublished"));
        assert!(refusal("arcly-testkit", on("xtask")).contains("unpublished"));
        assert!(refusal("arcly-core", dev("xtask", "*")).contains("may not be tested with"));
        let mut packages = workspace_with("", vec![]);
        packages[7].published = true;
        assert!(
            findings(&packages)
                .iter()
                .any(|finding| finding.contains("publish = false"))
        );
    }

    #[test]
    fn the_test_kit_stays_below_the_protocols() {
        assert!(refusal("arcly-testkit", on("arcly-srt")).contains("test kit"));
    }

    #[test]
    fn an_unpublished_dev_dependency_has_no_version() {
        assert!(
            refusal("arcly-core", dev("arcly-testkit", "^0.1.0"))
                .contains("could not be published")
        );
    }

    #[test]
    fn default_features_of_a_dependency_are_named_one_by_one() {
        assert!(
            refusal(
                "arcly-codec",
                Dependency {
                    default_features: true,
                    ..on("bytes")
                }
            )
            .contains("default-features = false")
        );
        let dev_only = Dependency {
            default_features: true,
            ..dev("proptest", "^1")
        };
        assert_eq!(
            findings(&workspace_with("arcly-codec", vec![dev_only])),
            [""; 0]
        );
    }

    #[test]
    fn a_published_name_tells_whose_it_is() {
        let packages = [package("helpful")];
        assert_eq!(findings(&packages).len(), 1);
    }
}
