//! Why a task failed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// The result of a task or a step of it.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a task failed, in words that say what to do about it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be understood.
    Usage(String),
    /// A check found faults in the workspace.
    Refused {
        check: &'static str,
        findings: Vec<String>,
    },
    /// Something is not installed, and the text says how to install it.
    Missing(String),
    /// A command ran and failed; its own output says why.
    Exit { command: String, status: ExitStatus },
    /// A command could not be started.
    NotStarted { command: String, source: io::Error },
    /// A file or directory could not be read.
    Unreadable { path: PathBuf, source: io::Error },
    /// `cargo metadata` printed something that this program does not understand.
    Metadata(String),
}

impl Failure {
    /// `Ok` where there are no findings.
    pub(crate) fn from_findings(check: &'static str, findings: Vec<String>) -> Result {
        if findings.is_empty() {
            Ok(())
        } else {
            Err(Self::Refused { check, findings })
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Missing(text) => f.write_str(text),
            Self::Refused { check, findings } => {
                write!(f, "{check}: {} to mend", findings.len())?;
                findings
                    .iter()
                    .try_for_each(|finding| write!(f, "\n  * {finding}"))
            }
            Self::Exit { command, status } => write!(f, "`{command}` failed ({status})"),
            Self::NotStarted { command, source } => {
                write!(f, "`{command}` could not be started: {source}")
            }
            Self::Unreadable { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Metadata(what) => write!(f, "cargo metadata: {what}"),
        }
    }
}
