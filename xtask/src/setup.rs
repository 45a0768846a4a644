//! What the tests need beyond Rust: real publishers and players.
//!
//! Nothing happens where all is there. Where something is missing and Debian's package tools can be used without a question
//! being asked, it is installed; otherwise one error names all that is missing and the command that installs it.

use crate::failure::{Failure, Result};
use crate::process::{Invocation, on_path};
use crate::steps::Steps;
use std::thread;
use std::time::Duration;

/// Something that tests call.
struct Tool {
    name: &'static str,
    package: &'static str,
    check: Check,
}

/// How to see that a tool is there.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// All of these executables are on the `PATH`.
    AllOf(&'static [&'static str]),
    /// One of these executables is on the `PATH`.
    OneOf(&'static [&'static str]),
    /// This file exists.
    File(&'static str),
    /// There is a file of bindings of this name, in Debian's folder of any architecture.
    Typelib(&'static str),
    /// GStreamer has all of these elements.
    Elements(&'static [&'static str]),
}

/// Each GStreamer package is recognised by elements that it alone brings.
const TOOLS: &[Tool] = &[
    Tool {
        name: "ffmpeg, ffplay and ffprobe",
        package: "ffmpeg",
        check: Check::AllOf(&["ffmpeg", "ffplay", "ffprobe"]),
    },
    Tool {
        name: "curl",
        package: "curl",
        check: Check::AllOf(&["curl"]),
    },
    Tool {
        name: "Chromium",
        package: "chromium",
        check: Check::OneOf(&[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ]),
    },
    Tool {
        name: "nginx",
        package: "nginx-light",
        check: Check::AllOf(&["nginx"]),
    },
    Tool {
        name: "nginx's RTMP module",
        package: "libnginx-mod-rtmp",
        check: Check::File("/usr/lib/nginx/modules/ngx_rtmp_module.so"),
    },
    Tool {
        name: "npm",
        package: "npm",
        check: Check::AllOf(&["npm"]),
    },
    Tool {
        name: "pip of Python 3",
        package: "python3-pip",
        check: Check::OneOf(&["pip3", "pip"]),
    },
    Tool {
        name: "srt-live-transmit",
        package: "srt-tools",
        check: Check::AllOf(&["srt-live-transmit"]),
    },
    Tool {
        name: "gst-launch-1.0",
        package: "gstreamer1.0-tools",
        check: Check::AllOf(&["gst-launch-1.0", "gst-inspect-1.0"]),
    },
    Tool {
        name: "Python's GObject bindings",
        package: "python3-gi",
        check: Check::File("/usr/lib/python3/dist-packages/gi/__init__.py"),
    },
    Tool {
        name: "gst-rtsp-server with its bindings",
        package: "gir1.2-gst-rtsp-server-1.0",
        check: Check::Typelib("GstRtspServer-1.0"),
    },
    Tool {
        name: "GStreamer's base plugins",
        package: "gstreamer1.0-plugins-base",
        check: Check::Elements(&["videotestsrc", "audiotestsrc"]),
    },
    Tool {
        name: "GStreamer's good plugins",
        package: "gstreamer1.0-plugins-good",
        check: Check::Elements(&["flvmux", "matroskamux", "rtspsrc", "souphttpsrc"]),
    },
    Tool {
        name: "GStreamer's RTSP publisher",
        package: "gstreamer1.0-rtsp",
        check: Check::Elements(&["rtspclientsink"]),
    },
    Tool {
        name: "GStreamer's bad plugins",
        package: "gstreamer1.0-plugins-bad",
        check: Check::Elements(&["rtmp2sink", "hlsdemux", "srtsrc", "tsdemux"]),
    },
    Tool {
        name: "GStreamer's bindings of WebRTC",
        package: "gir1.2-gst-plugins-bad-1.0",
        check: Check::Typelib("GstWebRTC-1.0"),
    },
    Tool {
        name: "GStreamer's ICE",
        package: "gstreamer1.0-nice",
        check: Check::Elements(&["nicesrc", "nicesink"]),
    },
    Tool {
        name: "GStreamer's ugly plugins",
        package: "gstreamer1.0-plugins-ugly",
        check: Check::Elements(&["x264enc"]),
    },
    Tool {
        name: "GStreamer's libav plugins",
        package: "gstreamer1.0-libav",
        check: Check::Elements(&["avdec_h264", "avenc_aac"]),
    },
];

/// Packages of npm that tests load into a browser, pinned, and where they go: below the build directory, so that nothing of them is
/// committed or shipped.
const NPM_PACKAGES: &[NpmPackage] = &[
    NpmPackage {
        name: "hls.js",
        version: "1.7.4",
    },
    NpmPackage {
        name: "mpegts.js",
        version: "1.8.2",
    },
];
const NPM_FOLDER: &str = "target/npm";

struct NpmPackage {
    name: &'static str,
    version: &'static str,
}

impl NpmPackage {
    fn is_there(&self) -> bool {
        let manifest = format!("{NPM_FOLDER}/node_modules/{}/package.json", self.name);
        let version = format!("\"version\": \"{}\"", self.version);
        std::fs::read_to_string(manifest).is_ok_and(|text| text.contains(&version))
    }

    fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// Installs all packages where one is missing, without scripts of their own: npm removes what was not saved and is not named again.
fn install_npm_packages() -> Result {
    if NPM_PACKAGES.iter().all(NpmPackage::is_there) {
        return Ok(());
    }
    let specs: Vec<String> = NPM_PACKAGES.iter().map(NpmPackage::spec).collect();
    let options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
    let mut arguments = vec!["install", "--prefix", NPM_FOLDER];
    arguments.extend(options);
    arguments.extend(specs.iter().map(String::as_str));
    std::fs::create_dir_all(NPM_FOLDER)
        .map_err(|error| Failure::Missing(format!("{NPM_FOLDER}: {error}")))?;
    Invocation::program("npm", &arguments).run()
}

/// Packages of PyPI, pinned, and where they go: ffmpeg 9, which plays and publishes Enhanced RTMP as Debian's does not, and a WebRTC client that
/// shares no code with browsers.
const PIP_PACKAGES: &[PipPackage] = &[
    PipPackage {
        name: "imageio_ffmpeg",
        version: "0.8.1",
        needs_others: false,
    },
    PipPackage {
        name: "aiortc",
        version: "1.16.0",
        needs_others: true,
    },
];
const PIP_FOLDER: &str = "target/pip";

struct PipPackage {
    name: &'static str,
    version: &'static str,
    /// Whether the packages that it depends on are used.
    needs_others: bool,
}

impl PipPackage {
    fn install(&self) -> Result {
        let info = format!("{}-{}.dist-info", self.name, self.version);
        if std::path::Path::new(PIP_FOLDER).join(info).exists() {
            return Ok(());
        }
        let spec = format!("{}=={}", self.name, self.version);
        let mut arguments = vec!["-m", "pip", "install", "--quiet", "--only-binary", ":all:"];
        if !self.needs_others {
            arguments.push("--no-deps");
        }
        arguments.extend(["--upgrade", "--target", PIP_FOLDER, &spec]);
        Invocation::program("python3", &arguments).run()
    }
}

/// How often an installation is tried: a mirror may be in the middle of an update.
const ATTEMPTS: u32 = 3;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(5);

/// How packages can be installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Installer {
    AptAsRoot,
    AptBySudo,
    /// Not without a question or not at all. Whether there is an `apt-get` decides what to recommend.
    None {
        apt: bool,
    },
}

/// `cargo xtask setup`.
pub(crate) fn run(steps: &mut Steps) -> Result {
    steps.run("setup", || {
        install_tools()?;
        install_npm_packages()?;
        PIP_PACKAGES.iter().try_for_each(PipPackage::install)?;
        println!("all that the tests need is installed");
        Ok(())
    })
}

fn install_tools() -> Result {
    let missing = missing(is_there);
    if missing.is_empty() {
        return Ok(());
    }
    let commands = install_commands(installer(), &missing).map_err(Failure::Missing)?;
    for attempt in 1..=ATTEMPTS {
        let outcome = commands.iter().try_for_each(|command| {
            let (program, arguments) = command.split_first().unwrap_or((&"true", &[]));
            Invocation::program(program, arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run()
        });
        match outcome {
            Ok(()) => break,
            Err(failure) if attempt == ATTEMPTS => {
                return Err(failed_to_install(&failure, &missing));
            }
            Err(failure) => {
                println!("{failure}; attempt {attempt} of {ATTEMPTS}, trying again")
            }
        }
        thread::sleep(PAUSE);
    }
    let still_missing = self::missing(is_there);
    if still_missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::Missing(still_missing_text(&still_missing)))
    }
}

fn missing(is_there: impl Fn(Check) -> bool) -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| !is_there(tool.check)).collect()
}

fn is_there(check: Check) -> bool {
    match check {
        Check::AllOf(programs) => programs.iter().all(|program| on_path(program)),
        Check::OneOf(programs) => programs.iter().any(|program| on_path(program)),
        Check::File(path) => std::path::Path::new(path).exists(),
        Check::Typelib(name) => std::fs::read_dir("/usr/lib").is_ok_and(|folders| {
            folders.flatten().any(|folder| {
                let file = format!("girepository-1.0/{name}.typelib");
                folder.path().join(file).exists()
            })
        }),
        Check::Elements(elements) => elements.iter().all(|element| {
            // `--exists` would ask for a version not below GStreamer's own, which libnice's plugin has not.
            Invocation::program("gst-inspect-1.0", &[element]).succeeds()
        }),
    }
}

fn installer() -> Installer {
    if !on_path("apt-get") {
        return Installer::None { apt: false };
    }
    let is_root = Invocation::program("id", &["-u"])
        .capture()
        .is_ok_and(|user| user.trim_ascii() == b"0");
    if is_root {
        Installer::AptAsRoot
    } else if on_path("sudo") && Invocation::program("sudo", &["-n", "true"]).succeeds() {
        Installer::AptBySudo
    } else {
        Installer::None { apt: true }
    }
}

/// The commands that install what is missing, or the text that says what to do by hand.
fn install_commands(
    installer: Installer,
    missing: &[&Tool],
) -> std::result::Result<Vec<Vec<&'static str>>, String> {
    let prefix: &[&str] = match installer {
        Installer::AptAsRoot => &[],
        // sudo clears the environment, so what keeps apt from asking is set behind it.
        Installer::AptBySudo => &["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"],
        Installer::None { apt } => return Err(by_hand_text(apt, missing)),
    };
    let options = ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"];
    let apt = [prefix, &["apt-get"], &options].concat();
    let update = [apt.as_slice(), &["update"]].concat();
    let install = [
        apt.as_slice(),
        &["install", "--yes", "--no-install-recommends"],
        &packages(missing),
    ]
    .concat();
    Ok(vec![update, install])
}

fn by_hand_text(apt: bool, missing: &[&Tool]) -> String {
    let packages = packages(missing).join(" ");
    if apt {
        format!(
            "the tests need {}, and installing it takes root or sudo without a password. Install it with:\n\n  \
             sudo apt-get update && sudo apt-get install --yes --no-install-recommends {packages}\n",
            names(missing)
        )
    } else {
        format!(
            "the tests need {}, and there is no apt-get here to install it with. Install it with the package manager of \
             this system; the packages of Debian 12 are:\n\n  apt-get install --no-install-recommends {packages}\n",
            names(missing)
        )
    }
}

fn failed_to_install(failure: &Failure, missing: &[&Tool]) -> Failure {
    Failure::Missing(format!(
        "the tests need {}, and {ATTEMPTS} attempts to install it failed, the last with: {failure}\n\
         Once the package mirror can be reached, install it with:\n\n  \
         apt-get update && apt-get install --yes --no-install-recommends {}\n",
        names(missing),
        packages(missing).join(" ")
    ))
}

fn still_missing_text(missing: &[&Tool]) -> String {
    format!(
        "{} cannot be found, though installing {} succeeded",
        names(missing),
        packages(missing).join(" ")
    )
}

fn names(tools: &[&Tool]) -> String {
    tools
        .iter()
        .map(|tool| tool.name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn packages(tools: &[&Tool]) -> Vec<&'static str> {
    tools.iter().map(|tool| tool.package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with ffmpeg and nothing else.
    fn only_ffmpeg(check: Check) -> bool {
        matches!(check, Check::AllOf(programs) if programs.contains(&"ffmpeg"))
    }

    #[test]
    fn nothing_is_missing_where_all_is_there() {
        assert!(missing(|_| true).is_empty());
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let missing = missing(only_ffmpeg);
        let [update, install] = install_commands(Installer::AptAsRoot, &missing)
            .unwrap()
            .try_into()
            .unwrap();
        assert!(
            update.starts_with(&["apt-get"]) && update.ends_with(&["update"]),
            "{update:?}"
        );
        assert!(
            install.contains(&"--yes") && install.contains(&"--no-install-recommends"),
            "{install:?}"
        );
        assert!(
            install.contains(&"chromium")
                && install.contains(&"gstreamer1.0-libav")
                && !install.contains(&"ffmpeg"),
            "{install:?}"
        );
    }

    #[test]
    fn sudo_never_asks() {
        for command in install_commands(Installer::AptBySudo, &missing(|_| false)).unwrap() {
            assert!(
                command.starts_with(&[
                    "sudo",
                    "-n",
                    "env",
                    "DEBIAN_FRONTEND=noninteractive",
                    "apt-get"
                ]),
                "{command:?}"
            );
        }
    }

    #[test]
    fn without_rights_one_error_names_every_tool_and_the_command() {
        for apt in [true, false] {
            let text = install_commands(Installer::None { apt }, &missing(|_| false)).unwrap_err();
            for tool in TOOLS {
                assert!(
                    text.contains(tool.name) && text.contains(tool.package),
                    "{} is not in {text}",
                    tool.name
                );
            }
            assert!(text.contains("apt-get install"));
            assert_eq!(text.contains("sudo apt-get"), apt);
        }
    }

    #[test]
    fn a_program_that_does_not_exist_is_not_there() {
        assert!(!is_there(Check::AllOf(&["cargo", "no-such-program"])));
        assert!(is_there(Check::OneOf(&["cargo", "no-such-program"])));
        assert!(!is_there(Check::Elements(&["no-such-element"])));
    }
}
