//! Running other programs, cargo before all: shown, without standard input, and with every failure passed on.

use crate::failure::{Failure, Result};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> &'static Path {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir)
}

/// Whether this is an automatic run, where nothing may be assumed and the lock file must be right as it is.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether an executable of this name is on the `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).any(|directory| directory.join(&file).is_file())
}

/// A command to run in the root of the workspace, and how to show it.
pub(crate) struct Invocation {
    command: Command,
    /// The command as it can be typed into a shell.
    shown: String,
}

impl Invocation {
    /// A call of the cargo that runs this program.
    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut invocation = Self {
            command: Command::new(cargo),
            shown: String::from("cargo"),
        };
        // `cargo run` describes the xtask package in the environment. Passed on, it would look like a changed input to the build
        // scripts that watch these variables, and rebuild them each time cargo is called by hand in between.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            }) {
                invocation.command.env_remove(name);
            }
        }
        invocation.configure(arguments)
    }

    /// A call of another program.
    pub(crate) fn program(program: &str, arguments: &[&str]) -> Self {
        Self {
            command: Command::new(program),
            shown: program.to_owned(),
        }
        .configure(arguments)
    }

    fn configure(mut self, arguments: &[&str]) -> Self {
        self.command
            .args(arguments)
            .current_dir(workspace_root())
            .stdin(Stdio::null());
        for argument in arguments {
            self.shown.push(' ');
            self.shown.push_str(&quoted(argument));
        }
        self
    }

    /// Sets an environment variable for this call.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.shown = format!("{name}={} {}", quoted(value), self.shown);
        self
    }

    /// Shows the command, and runs it with its output passed through.
    pub(crate) fn run(mut self) -> Result {
        println!("$ {}", self.shown);
        match self.command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::Exit {
                command: self.shown,
                status,
            }),
            Err(source) => Err(Failure::NotStarted {
                command: self.shown,
                source,
            }),
        }
    }

    /// Runs the command silently, and says whether it succeeded. A program that cannot be started did not.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Runs the command and returns its standard output; its standard error is passed through.
    pub(crate) fn capture(mut self) -> Result<Vec<u8>> {
        match self.command.stderr(Stdio::inherit()).output() {
            Ok(output) if output.status.success() => Ok(output.stdout),
            Ok(output) => Err(Failure::Exit {
                command: self.shown,
                status: output.status,
            }),
            Err(source) => Err(Failure::NotStarted {
                command: self.shown,
                source,
            }),
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let invocation =
            Invocation::program("echo", &["a b", "it's", "", "-D"]).env("RUSTFLAGS", "--cfg x");
        assert_eq!(
            invocation.shown,
            r"RUSTFLAGS='--cfg x' echo 'a b' 'it'\''s' '' -D"
        );
    }

    #[test]
    fn a_failing_command_is_a_failure() {
        assert!(matches!(
            Invocation::program("false", &[]).capture(),
            Err(Failure::Exit { .. })
        ));
        assert!(matches!(
            Invocation::program("false", &[]).run(),
            Err(Failure::Exit { .. })
        ));
        assert!(!Invocation::program("false", &[]).succeeds());
        assert!(matches!(
            Invocation::program("no-such-program", &[]).run(),
            Err(Failure::NotStarted { .. })
        ));
        assert!(!Invocation::program("no-such-program", &[]).succeeds());
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(workspace_root().join("xtask/Cargo.toml").is_file());
    }
}
