//! The README and the guides: code blocks that a test covers, commands that exist, links that lead somewhere.
//!
//! The Rust blocks are compiled, and run where they can be, as documentation tests of `arcly-stream`, and the shell blocks are run
//! by the tests of `arcly-server`. What is checked here is that no block escapes this.

use crate::TASKS;
use crate::failure::{Failure, Result};
use crate::process::workspace_root;
use crate::steps::Steps;
use std::fs;
use std::path::{Path, PathBuf};

/// The languages of code blocks. A block without one would count as Rust for rustdoc and as nothing for a reader.
const LANGUAGES: &[&str] = &[
    "bash", "console", "html", "json", "rust", "text", "toml", "yaml",
];

/// How the umbrella crate takes the README into its documentation tests.
const INCLUDE: &str = r#"include_str!("../../../README.md")"#;

/// `cargo xtask readme`.
pub(crate) fn run(steps: &mut Steps) -> Result {
    steps.run("README and guides", || {
        let root = workspace_root();
        let mut findings = Vec::new();
        for path in documents(root)? {
            let text = read(&path)?;
            let shown = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            let directory = path.parent().unwrap_or(root);
            let leads_somewhere = |link: &str| directory.join(link).exists();
            findings.extend(
                document_findings(&text, leads_somewhere)
                    .into_iter()
                    .map(|finding| format!("{shown}:{finding}")),
            );
        }
        findings.extend(untested_blocks(root)?);
        Failure::from_findings("README and guides", findings)
    })
}

/// The documents at the root, below `docs/`, and each crate's README.
fn documents(root: &Path) -> Result<Vec<PathBuf>> {
    let mut documents = markdown_files(root, false)?;
    documents.extend(markdown_files(&root.join("docs"), true)?);
    for directory in entries(&root.join("crates"))? {
        documents.extend(markdown_files(&directory, false)?);
    }
    Ok(documents)
}

fn markdown_files(directory: &Path, deep: bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(directory)? {
        if deep && path.is_dir() {
            files.extend(markdown_files(&path, deep)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Failure::Unreadable {
        path: directory.to_owned(),
        source,
    };
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Failure::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// The README's Rust blocks are tested only where the umbrella crate includes the file.
fn untested_blocks(root: &Path) -> Result<Option<String>> {
    let has_rust = Document::parse(&read(&root.join("README.md"))?)
        .blocks
        .iter()
        .any(|block| block.language() == "rust");
    let library = read(&root.join("crates/arcly-stream/src/lib.rs"))?;
    Ok((has_rust && !library.contains(INCLUDE)).then(|| format!("README.md: its Rust blocks are not tested: arcly-stream's lib.rs does not have {INCLUDE}")))
}

/// A Markdown file, as far as it is checked.
#[derive(Debug, Default)]
struct Document<'a> {
    blocks: Vec<Block<'a>>,
    /// The lines outside of code blocks, with their numbers.
    prose: Vec<(usize, &'a str)>,
    /// The line of a code block that never ends.
    unclosed: Option<usize>,
}

#[derive(Debug)]
struct Block<'a> {
    line: usize,
    /// What stands behind the opening fence, such as `rust,no_run`.
    info: &'a str,
    lines: Vec<(usize, &'a str)>,
}

impl<'a> Block<'a> {
    fn language(&self) -> &'a str {
        self.info.split([',', ' ']).next().unwrap_or_default()
    }
}

impl<'a> Document<'a> {
    fn parse(text: &'a str) -> Self {
        let mut document = Self::default();
        let mut open: Option<(&str, Block<'_>)> = None;
        for (index, line) in text.lines().enumerate() {
            let (line_number, trimmed) = (index + 1, line.trim_start());
            open = match open.take() {
                Some((fence, block))
                    if trimmed.starts_with(fence)
                        && trimmed.trim_matches(['`', '~', ' ']).is_empty() =>
                {
                    document.blocks.push(block);
                    None
                }
                Some((fence, mut block)) => {
                    block.lines.push((line_number, line));
                    Some((fence, block))
                }
                None => {
                    let fence_length = trimmed.len() - trimmed.trim_start_matches(['`', '~']).len();
                    let (fence, info) = trimmed.split_at(fence_length);
                    if fence_length >= 3 {
                        Some((
                            fence,
                            Block {
                                line: line_number,
                                info: info.trim(),
                                lines: Vec::new(),
                            },
                        ))
                    } else {
                        document.prose.push((line_number, line));
                        None
                    }
                }
            };
        }
        document.unclosed = open.map(|(_, block)| block.line);
        document
    }
}

/// What is wrong with a document, each as `line: text`.
fn document_findings(text: &str, leads_somewhere: impl Fn(&str) -> bool) -> Vec<String> {
    let document = Document::parse(text);
    let mut findings: Vec<String> = document
        .unclosed
        .iter()
        .map(|line| format!("{line}: the code block is never closed"))
        .collect();
    for block in &document.blocks {
        let Block { line, info, .. } = block;
        if !LANGUAGES.contains(&block.language()) {
            findings.push(format!(
                "{line}: a code block names one of these languages: {}",
                LANGUAGES.join(", ")
            ));
        }
        if block.language() == "rust"
            && info
                .split(',')
                .any(|word| word.trim().starts_with("ignore"))
        {
            findings.push(format!(
                "{line}: an ignored block is tested by nothing; `no_run` at least compiles it"
            ));
        }
    }
    let block_lines = document.blocks.iter().flat_map(|block| &block.lines);
    for (line, text) in document.prose.iter().chain(block_lines) {
        findings.extend(
            tasks_in(text)
                .filter(|name| TASKS.iter().all(|task| task.name != *name))
                .map(|name| format!("{line}: there is no `cargo xtask {name}`")),
        );
    }
    for (line, text) in &document.prose {
        findings.extend(
            links_in(text)
                .filter(|link| !leads_somewhere(link))
                .map(|link| format!("{line}: the link {link} leads nowhere")),
        );
    }
    findings
}

/// The task names in `cargo xtask <name>`; placeholders are no names.
fn tasks_in(line: &str) -> impl Iterator<Item = &str> {
    line.split("cargo xtask ")
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|name| !name.is_empty())
}

/// The relative targets of inline links, without fragments.
fn links_in(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ']).next()?.split('#').next()?;
        let elsewhere =
            target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        (!elsewhere).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        document_findings(text, |link| link == "docs/testing.md")
    }

    #[test]
    fn a_good_document_passes() {
        let good = "# Title\n\n```rust,no_run\nfn main() {}\n```\n\n~~~~text\n```\n~~~~\n\n    indented\n\nSee [testing](docs/testing.md#loom), \
                    [us](https://example.org/) and [above](#title).\n\n```bash\ncargo xtask test\n```\n";
        assert_eq!(findings(good), [""; 0]);
    }

    #[test]
    fn the_guides_are_found() {
        let documents = documents(workspace_root()).unwrap();
        for expected in [
            "CONTRIBUTING.md",
            "docs/testing.md",
            "crates/arcly-core/README.md",
        ] {
            assert!(
                documents.contains(&workspace_root().join(expected)),
                "{expected}"
            );
        }
        assert!(
            documents
                .iter()
                .all(|path| path.extension().is_some_and(|e| e == "md"))
        );
    }

    #[test]
    fn a_block_names_its_language() {
        assert_eq!(findings("```\nx\n```\n").len(), 1);
        assert_eq!(findings("```rusty\nx\n```\n").len(), 1);
        assert_eq!(findings("```text\nx\n").len(), 1);
    }

    #[test]
    fn rust_that_no_test_sees_is_refused() {
        assert_eq!(findings("```rust,ignore\nx\n```\n").len(), 1);
        assert_eq!(findings("```rust, ignore-wasm32\nx\n```\n").len(), 1);
    }

    #[test]
    fn a_command_that_does_not_exist_is_refused() {
        assert_eq!(
            findings("Run `cargo xtask tset`.\n"),
            ["1: there is no `cargo xtask tset`"]
        );
        assert_eq!(
            findings("```bash\ncargo xtask lnt\n```\n"),
            ["2: there is no `cargo xtask lnt`"]
        );
        assert_eq!(
            findings("`cargo xtask <task>` and `cargo xtask`\n"),
            [""; 0]
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_refused() {
        assert_eq!(
            findings("[a](docs/testing.md) [b](docs/tasting.md)\n"),
            ["1: the link docs/tasting.md leads nowhere"]
        );
        assert_eq!(findings("```text\n[b](docs/tasting.md)\n```\n"), [""; 0]);
    }
}
