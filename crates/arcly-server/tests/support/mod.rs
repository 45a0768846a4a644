//! The real binary, run as an operator runs it, and plain HTTP to talk to it.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod certificate;
pub(crate) mod packets;
pub(crate) mod page;
pub(crate) mod webrtc;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long anything may take that takes a moment.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `arcly`, not started, without what this process' environment might set.
pub(crate) fn arcly() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arcly"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ARCLY_")) {
        command.env_remove(name);
    }
    // Tests run side by side: each server on ports of its own.
    command.env("ARCLY_WEBRTC_LISTEN", "127.0.0.1:0");
    // Tests run side by side: those who want RTSP name free ports.
    command.env("ARCLY_RTSP_LISTEN", "off");
    command.env("ARCLY_RTSPS_LISTEN", "off");
    command.env("ARCLY_SRT_LISTEN", "127.0.0.1:0");
    command
}

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    log: Receiver<String>,
    /// All lines so far.
    pub(crate) lines: Vec<String>,
    pub(crate) rtmp: Option<SocketAddr>,
    pub(crate) rtsp: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
}

impl Server {
    /// Starts a server with RTMP, RTSP and HTTP on free ports.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = arcly();
        command.args([
            "--rtmp-listen",
            "127.0.0.1:0",
            "--rtsp-listen",
            "127.0.0.1:0",
            "--rtsp-media",
            "127.0.0.1:0",
            "--http-listen",
            "127.0.0.1:0",
        ]);
        let mut server = Self::spawn(command.args(arguments));
        server.rtmp = Some(server.listening("rtmp"));
        server.rtsp = Some(server.listening("rtsp"));
        server.http = Some(server.listening("http"));
        server
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("arcly starts");
        let stderr = child.stderr.take().expect("piped");
        let (send, log) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("arcly: {line}");
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            log,
            lines: Vec::new(),
            rtmp: None,
            rtsp: None,
            http: None,
        }
    }

    /// Waits for a log line with all of `words` in it.
    pub(crate) fn line(&mut self, words: &[&str]) -> String {
        let fits = |line: &str| words.iter().all(|word| line.contains(word));
        if let Some(line) = self.lines.iter().find(|line| fits(line)) {
            return line.clone();
        }
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.lines.push(line.clone());
                    if fits(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no line with {words:?} came"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!(
                        "arcly ended without a line with {words:?}: {:#?}",
                        self.lines
                    )
                }
            }
        }
    }

    /// Waits for a log line as [`line`](Self::line) does, which later calls do not find again.
    pub(crate) fn next_line(&mut self, words: &[&str]) {
        let line = self.line(words);
        self.lines.retain(|other| *other != line);
    }

    /// The address on which `protocol` listens, from the log.
    pub(crate) fn listening(&mut self, protocol: &str) -> SocketAddr {
        let line = self.line(&["listening", &format!("protocol=\"{protocol}\"")]);
        let address = line.split("local=").nth(1).expect("an address").trim();
        address.parse().expect("an address")
    }

    pub(crate) fn http_address(&self) -> SocketAddr {
        self.http.expect("HTTP is on")
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http_address())
    }

    pub(crate) fn rtmp_url(&self, path: &str) -> String {
        format!("rtmp://{}/{path}", self.rtmp.expect("RTMP is on"))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, "")
    }

    /// A request; `headers` are whole lines.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str) -> Response {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
        self.raw(head.as_bytes())
    }

    /// Whatever is answered to these bytes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.http_address()).expect("HTTP is served");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        // The server may answer before it has read everything, and hang up.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Response::parse(&answer)
    }

    /// What is answered to these bytes, up to `end`.
    pub(crate) fn raw_until(&self, bytes: &[u8], end: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.http_address()).expect("HTTP is served");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(bytes).expect("sent");
        let mut answer = Vec::new();
        let mut some = [0; 4096];
        while !answer.windows(end.len()).any(|window| window == end) {
            let length = stream.read(&mut some).expect("it answers");
            assert!(length > 0, "it ended: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..length]);
        }
        Response::parse(&answer)
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        serde_json::from_slice(&response.body).expect("JSON")
    }

    /// Waits until a stream is live.
    pub(crate) fn wait_live(&mut self, stream: &str) {
        self.line(&[&format!("{stream}: published by")]);
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill is there").success());
    }

    /// Waits for the end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let (done, ended) = channel::<()>();
        // A server that hangs is a failure, not a test that hangs.
        let watchdog = std::thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-s", "KILL", &id]).status();
            }
        });
        let status = self.child.wait().expect("a child");
        drop(done);
        watchdog.join().expect("no panic");
        status.code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.map_or(bytes.len(), |end| end + 4));
        let head = String::from_utf8_lossy(head).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Self {
            status: status.unwrap_or(0),
            headers,
            body: body.to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A tool that a test needs, quiet unless something is wrong. Where it is missing the test fails, and says what to install.
pub(crate) fn tool(name: &str) -> Command {
    let version = if name.starts_with("ff") {
        "-version"
    } else {
        "--version"
    };
    let there = Command::new(name)
        .arg(version)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(
        there.is_ok(),
        "this test needs {name}: run `cargo xtask setup`, which installs it"
    );
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{command:?} failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A process that is killed when it is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small publisher: a test picture and a tone, in real time.
pub(crate) fn publish(url: &str, seconds: u32) -> Process {
    Process::spawn(
        tool("ffmpeg")
            .args([
                "-v",
                "error",
                "-re",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=320x180:rate=25",
            ])
            .args([
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:sample_rate=48000",
                "-t",
                &seconds.to_string(),
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-g",
                "25",
                "-pix_fmt",
                "yuv420p",
                "-c:a",
                "aac",
                "-f",
                "flv",
                url,
            ]),
    )
}

/// How long players are watched: `ARCLY_PLAY_SECONDS`, which `cargo xtask browser` sets.
pub(crate) fn play_seconds() -> u64 {
    let seconds = std::env::var("ARCLY_PLAY_SECONDS").ok();
    seconds.map_or(20, |seconds| seconds.parse().expect("seconds"))
}

/// A settings file with this text, and the folder that it is gone with.
pub(crate) fn settings(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("arcly.toml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

/// ffmpeg 9, which sends several tracks by RTMP; from PyPI.
pub(crate) fn ffmpeg_9() -> Command {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/pip/imageio_ffmpeg/binaries"
    );
    let programs = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut programs = programs.map(|entry| entry.path());
    let program = programs.find(|path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("ffmpeg-")
    });
    let program = program.unwrap_or_else(|| {
        panic!("this test needs ffmpeg 9: run `cargo xtask setup`, which installs it ({folder})")
    });
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// A publisher of a test picture and two tones, each in a track.
pub(crate) fn publish_two_sounds(url: &str) -> Process {
    let mut ffmpeg = ffmpeg_9();
    ffmpeg.args([
        "-v",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=25",
    ]);
    for tone in [
        "sine=frequency=440:sample_rate=48000",
        "sine=frequency=880:sample_rate=48000",
    ] {
        ffmpeg.args(["-f", "lavfi", "-i", tone]);
    }
    ffmpeg.args("-map 0:v -map 1:a -map 2:a -t 60 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac -f flv".split(' '));
    Process::spawn(ffmpeg.arg(url))
}
