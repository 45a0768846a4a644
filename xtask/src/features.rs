//! Whether each package builds with no feature, with each feature alone, and with all.
//!
//! Packages are checked one at a time: together, cargo would unify their features, and one package's choice would hide what
//! another one forgot to ask for. Clippy is used rather than `cargo check` because it denies the warnings of this workspace's
//! packages without rebuilding the rest, which a changed `RUSTFLAGS` would.

use crate::failure::{Failure, Result};
use crate::metadata::{FeatureMap, Package, members};
use crate::process::Invocation;
use crate::steps::Steps;
use std::collections::BTreeSet;

/// `cargo xtask features [package …]`.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> Result {
    let packages = members()?;
    if let Some(unknown) = arguments
        .iter()
        .find(|name| packages.iter().all(|package| package.name != **name))
    {
        return Err(Failure::Usage(format!(
            "there is no package {unknown:?} in this workspace"
        )));
    }
    // Without features there is nothing here that `lint` does not check already, except for what is published: features of its
    // dependencies that only other packages turn on.
    let wanted = |package: &&Package| match arguments {
        [] => package.published || !package.features.is_empty(),
        names => names.contains(&package.name),
    };
    steps.run("features", || {
        packages.iter().filter(wanted).try_for_each(check)
    })
}

fn check(package: &Package) -> Result {
    combinations(&package.features)
        .iter()
        .try_for_each(|combination| {
            let mut arguments = vec![
                "clippy",
                "--quiet",
                "--package",
                &package.name,
                "--no-default-features",
            ];
            if !combination.is_empty() {
                arguments.extend(["--features", combination]);
            }
            arguments.extend(["--", "--deny", "warnings"]);
            Invocation::cargo(&arguments).run()
        })
}

/// The values of `--features` to check: none, each alone, all; without those that turn on the same things as an earlier one.
fn combinations(features: &FeatureMap) -> Vec<String> {
    let names: Vec<&str> = features
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    let choices = [vec![]]
        .into_iter()
        .chain(names.iter().map(|name| vec![*name]))
        .chain([names.clone()]);
    let mut seen = BTreeSet::new();
    choices
        .filter(|choice| seen.insert(closure(features, choice.iter().copied())))
        .map(|choice| choice.join(","))
        .collect()
}

/// Everything that these features turn on: other features, dependencies (`dep:x`) and features of dependencies (`x/y`).
/// The name `default` itself is left out.
pub(crate) fn closure<'a>(
    features: &'a FeatureMap,
    enabled: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<&'a str> {
    let mut on = BTreeSet::new();
    let mut pending: Vec<&str> = enabled.into_iter().collect();
    while let Some(name) = pending.pop() {
        // Adding an optional dependency's feature (`x/y`, not `x?/y`) also turns on the feature `x`, where there is one.
        let implied = name
            .split_once('/')
            .map(|(dependency, _)| dependency)
            .filter(|x| features.contains_key(*x));
        if on.insert(name) {
            pending.extend(implied);
            pending.extend(features.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    on.remove("default");
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(features: &[(&str, &[&str])]) -> FeatureMap {
        features
            .iter()
            .map(|(name, on)| {
                (
                    (*name).to_owned(),
                    on.iter().map(ToString::to_string).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn no_feature_is_one_check() {
        assert_eq!(combinations(&map(&[])), [""]);
        assert_eq!(combinations(&map(&[("default", &[])])), [""]);
    }

    #[test]
    fn one_feature_is_none_and_all() {
        assert_eq!(
            combinations(&map(&[("default", &["x"]), ("x", &["dep:x"])])),
            ["", "x"]
        );
    }

    #[test]
    fn several_are_none_each_and_all() {
        assert_eq!(
            combinations(&map(&[("a", &[]), ("b", &[]), ("c", &[])])),
            ["", "a", "b", "c", "a,b,c"]
        );
    }

    #[test]
    fn a_feature_that_is_all_of_them_is_checked_once() {
        assert_eq!(
            combinations(&map(&[("a", &["b", "c"]), ("b", &[]), ("c", &[])])),
            ["", "a", "b", "c"]
        );
    }

    #[test]
    fn the_closure_follows_features_and_dependencies() {
        let features = map(&[
            ("default", &["a"]),
            ("a", &["b", "x/y"]),
            ("b", &["dep:z", "w?/v"]),
            ("x", &["dep:x"]),
            ("w", &["dep:w"]),
        ]);
        let on: Vec<&str> = closure(&features, ["default"]).into_iter().collect();
        assert_eq!(on, ["a", "b", "dep:x", "dep:z", "w?/v", "x", "x/y"]);
    }

    #[test]
    fn a_circle_of_features_ends() {
        assert_eq!(
            closure(&map(&[("a", &["b"]), ("b", &["a"])]), ["a"]).len(),
            2
        );
    }
}
