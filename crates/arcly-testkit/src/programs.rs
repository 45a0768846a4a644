//! Programs that tests run: ffmpeg, ffprobe, GStreamer.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A new, empty folder `name` below `temporary`, which is `env!("CARGO_TARGET_TMPDIR")` of the test.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn fresh_folder(temporary: &str, name: &str) -> PathBuf {
    let folder = Path::new(temporary).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

/// Runs `program` to its end.
///
/// # Panics
/// Where it cannot be started, naming the `package` of Debian that has it.
#[must_use]
pub fn run_program(program: &str, package: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| {
        panic!("cannot run {program} ({error}): install it, as in `apt-get install {package}`")
    })
}

/// Runs ffmpeg, and returns what it writes to its standard output.
///
/// # Panics
/// Where it fails, or has so much as a warning.
pub fn ffmpeg(args: &[&str]) -> Vec<u8> {
    silent("ffmpeg", args)
}

/// [`ffmpeg`] in version 9, which PyPI has in a package: it reads and writes what Debian's does not (VVC, Enhanced RTMP).
///
/// # Panics
/// As [`ffmpeg`]; also where it is not installed.
pub fn ffmpeg_9(args: &[&str]) -> Vec<u8> {
    silent(&path_of_ffmpeg_9(), args)
}

/// Where ffmpeg 9 is.
///
/// # Panics
/// Where it is not installed, naming the command that does it.
#[must_use]
pub fn path_of_ffmpeg_9() -> String {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pip/imageio_ffmpeg/binaries");
    let mut entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let found = entries.find(|entry| entry.file_name().to_string_lossy().starts_with("ffmpeg-"));
    let found = found.unwrap_or_else(|| {
        let folder = folder.display();
        panic!("ffmpeg 9 is not in {folder}; install it: cargo xtask setup")
    });
    found.path().to_str().expect("a path in UTF-8").to_owned()
}

fn silent(program: &str, args: &[&str]) -> Vec<u8> {
    let quiet = ["-hide_banner", "-nostdin", "-loglevel", "warning"];
    let output = run_program(program, "ffmpeg", &[&quiet, args].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{program} {args:?}: {}\n{said}",
        output.status
    );
    output.stdout
}
