//! What `cargo metadata` says about the workspace, reduced to what the checks ask for.

use crate::failure::{Failure, Result};
use crate::process::{Invocation, in_ci};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The features of a package by name, each with what it turns on.
pub(crate) type FeatureMap = BTreeMap<String, Vec<String>>;

/// A package of this workspace, or of a registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// The SPDX expression, where there is one.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` for a path.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    /// Whether it may be published to a registry.
    pub(crate) published: bool,
    pub(crate) proc_macro: bool,
    pub(crate) features: FeatureMap,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: DependencyKind,
    pub(crate) optional: bool,
    pub(crate) default_features: bool,
    /// The version requirement; `*` where the manifest gives none.
    pub(crate) requirement: String,
}

/// In which table of a manifest a dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependencyKind {
    Normal,
    Build,
    Dev,
}

/// Every package that the lock file resolves for this workspace with all features on given platforms, and who uses whom.
#[derive(Debug, Default)]
pub(crate) struct Resolution {
    pub(crate) packages: Vec<Package>,
    /// The identifiers of the workspace's own packages.
    pub(crate) members: Vec<String>,
    /// By package identifier.
    pub(crate) edges: BTreeMap<String, Vec<Edge>>,
}

/// One package's use of another.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) to: String,
    pub(crate) kind: DependencyKind,
}

/// The packages of this workspace.
pub(crate) fn members() -> Result<Vec<Package>> {
    let json = read(&["--no-deps"])?;
    list(&json, "packages")?.iter().map(package).collect()
}

/// The resolved dependency graph on these target triples. In CI this also fails where `Cargo.lock` is not up to date.
pub(crate) fn resolution(platforms: &[&str]) -> Result<Resolution> {
    let filters = platforms
        .iter()
        .flat_map(|platform| ["--filter-platform", platform]);
    let arguments: Vec<&str> = ["--all-features"].into_iter().chain(filters).collect();
    resolution_from(&read(&arguments)?)
}

fn read(arguments: &[&str]) -> Result<Value> {
    let mut all = vec!["metadata", "--format-version", "1"];
    all.extend(arguments);
    if in_ci() {
        all.push("--locked");
    }
    let json = Invocation::cargo(&all).capture()?;
    serde_json::from_slice(&json).map_err(|error| Failure::Metadata(error.to_string()))
}

fn resolution_from(json: &Value) -> Result<Resolution> {
    let packages = list(json, "packages")?
        .iter()
        .map(package)
        .collect::<Result<_>>()?;
    let members = list(json, "workspace_members")?
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let resolve = json
        .get("resolve")
        .ok_or_else(|| Failure::Metadata("no `resolve`".into()))?;
    let mut edges = BTreeMap::new();
    for node in list(resolve, "nodes")? {
        let mut out = Vec::new();
        for dependency in list(node, "deps")? {
            for kind in list(dependency, "dep_kinds")? {
                let to = text(dependency, "pkg")?;
                out.push(Edge {
                    to,
                    kind: dependency_kind(kind)?,
                });
            }
        }
        edges.insert(text(node, "id")?, out);
    }
    Ok(Resolution {
        packages,
        members,
        edges,
    })
}

fn package(json: &Value) -> Result<Package> {
    let targets = list(json, "targets")?;
    let is_proc_macro = |target: &Value| {
        list(target, "kind").is_ok_and(|kinds| kinds.iter().any(|k| k == "proc-macro"))
    };
    let features = json
        .get("features")
        .and_then(Value::as_object)
        .ok_or_else(|| Failure::Metadata("no `features`".into()))?;
    let names = |list: &Value| {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    Ok(Package {
        id: text(json, "id")?,
        name: text(json, "name")?,
        version: text(json, "version")?,
        license: optional_text(json, "license"),
        source: optional_text(json, "source"),
        manifest_path: text(json, "manifest_path")?.into(),
        // `publish` is null for "anywhere" and an empty list for `publish = false`.
        published: json
            .get("publish")
            .and_then(Value::as_array)
            .is_none_or(|registries| !registries.is_empty()),
        proc_macro: targets.iter().any(is_proc_macro),
        features: features
            .iter()
            .map(|(name, list)| (name.clone(), names(list)))
            .collect(),
        dependencies: list(json, "dependencies")?
            .iter()
            .map(dependency)
            .collect::<Result<_>>()?,
    })
}

fn dependency(json: &Value) -> Result<Dependency> {
    let flag = |name: &str| json.get(name).and_then(Value::as_bool).unwrap_or(false);
    Ok(Dependency {
        name: text(json, "name")?,
        kind: dependency_kind(json)?,
        optional: flag("optional"),
        default_features: flag("uses_default_features"),
        requirement: text(json, "req")?,
    })
}

fn dependency_kind(json: &Value) -> Result<DependencyKind> {
    match json.get("kind").and_then(Value::as_str) {
        None => Ok(DependencyKind::Normal),
        Some("build") => Ok(DependencyKind::Build),
        Some("dev") => Ok(DependencyKind::Dev),
        Some(other) => Err(Failure::Metadata(format!("a dependency of kind {other:?}"))),
    }
}

fn list<'a>(json: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    json.get(name)
        .and_then(Value::as_array)
        .ok_or_else(|| Failure::Metadata(format!("no list {name:?}")))
}

fn text(json: &Value, name: &str) -> Result<String> {
    optional_text(json, name).ok_or_else(|| Failure::Metadata(format!("no text {name:?}")))
}

fn optional_text(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{
        "workspace_members": ["a"],
        "packages": [
            {"id": "a", "name": "one", "version": "0.1.0", "license": "MIT", "source": null, "manifest_path": "/one/Cargo.toml",
             "publish": null, "targets": [{"kind": ["lib"]}], "features": {"default": [], "x": ["dep:two"]},
             "dependencies": [{"name": "two", "kind": "build", "optional": true, "uses_default_features": false, "req": "^1"}]},
            {"id": "b", "name": "two", "version": "1.0.0", "license": null, "source": "registry+r", "manifest_path": "/two/Cargo.toml",
             "publish": [], "targets": [{"kind": ["proc-macro"]}], "features": {}, "dependencies": []}
        ],
        "resolve": {"nodes": [
            {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null, "target": null}, {"kind": "dev", "target": "cfg(unix)"}]}]},
            {"id": "b", "deps": []}
        ]}
    }"#;

    #[test]
    fn a_resolution_is_read() {
        let resolution = resolution_from(&serde_json::from_str(EXAMPLE).unwrap()).unwrap();
        let [one, two] = resolution.packages.as_slice() else {
            panic!("{resolution:?}")
        };
        assert!(one.published && !one.proc_macro && one.source.is_none());
        assert_eq!(one.features["x"], ["dep:two"]);
        let [dependency] = one.dependencies.as_slice() else {
            panic!("{one:?}")
        };
        assert!(
            dependency.optional
                && !dependency.default_features
                && dependency.kind == DependencyKind::Build
        );
        assert!(!two.published && two.proc_macro && two.license.is_none());
        assert_eq!(resolution.members, ["a"]);
        assert_eq!(resolution.edges["a"].len(), 2);
        assert_eq!(resolution.edges["a"][1].kind, DependencyKind::Dev);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let unknown_kind = EXAMPLE.replace("\"build\"", "\"weird\"");
        assert!(matches!(
            resolution_from(&serde_json::from_str(&unknown_kind).unwrap()),
            Err(Failure::Metadata(_))
        ));
        assert!(matches!(
            resolution_from(&Value::Null),
            Err(Failure::Metadata(_))
        ));
    }
}
