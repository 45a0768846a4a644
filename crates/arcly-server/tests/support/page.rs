//! A page in a real browser, driven by the Chrome DevTools Protocol.

use super::{PATIENCE, Process, tool};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// The names under which Chromium is installed.
const BROWSERS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// One page of a headless browser.
pub(crate) struct Page {
    socket: WebSocket<TcpStream>,
    next_id: u64,
    _browser: Process,
    _profile: tempfile::TempDir,
}

impl Page {
    pub(crate) fn open(url: &str) -> Self {
        let installed = |name: &&&str| {
            std::env::var_os("PATH").is_some_and(|path| {
                std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
            })
        };
        let browser = BROWSERS
            .iter()
            .find(installed)
            .expect("this test needs Chromium: run `cargo xtask setup`, which installs it");
        let profile = tempfile::tempdir().expect("a folder");
        let mut process = Process::spawn(
            tool(browser)
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--window-size=1360,860",
                ])
                .args([
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--use-fake-device-for-media-stream",
                    "--use-fake-ui-for-media-stream",
                    "--remote-debugging-port=0",
                ])
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg("about:blank")
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        );
        let mut stderr = BufReader::new(process.0.stderr.take().expect("piped"))
            .lines()
            .map_while(Result::ok);
        let port = stderr
            .find_map(|line| {
                line.split_once("DevTools listening on ws://127.0.0.1:")?
                    .1
                    .split('/')
                    .next()?
                    .parse::<u16>()
                    .ok()
            })
            .expect("Chromium says on which port it listens");
        // What else it says must not fill the pipe.
        std::thread::spawn(move || stderr.for_each(drop));
        let target = first_page(port);
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("DevTools");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let (socket, _) = tungstenite::client(target, stream).expect("a websocket");
        let mut page = Self {
            socket,
            next_id: 0,
            _browser: process,
            _profile: profile,
        };
        page.call("Page.enable", json!({}));
        page.call("Page.navigate", json!({ "url": url }));
        page
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let request = json!({ "id": self.next_id, "method": method, "params": params });
        self.socket
            .send(Message::text(request.to_string()))
            .expect("the browser lives");
        loop {
            let message = self.socket.read().expect("the browser answers");
            let Ok(text) = message.to_text() else {
                continue;
            };
            let Ok(answer) = serde_json::from_str::<Value>(text) else {
                continue;
            };
            if answer["id"] == self.next_id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true }));
        result["result"]["value"].clone()
    }

    /// Writes a picture of the page to a file, in base64 as the browser gives it.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let image = self.call("Page.captureScreenshot", json!({}));
        let image = image["data"].as_str().expect("base64").to_owned();
        std::fs::write(path, image).expect("written");
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&mut self, expression: &str) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a browser cannot be handed a clock"
        )]
        let deadline = Instant::now() + PATIENCE;
        while self.evaluate(expression) != true {
            #[expect(clippy::disallowed_methods, reason = "as above")]
            let now = Instant::now();
            assert!(
                now < deadline,
                "never true: {expression}; the page says: {}",
                self.evaluate("document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The websocket of the first page that the browser has open.
fn first_page(port: u16) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("DevTools");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(
        stream,
        "GET /json/list HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).expect("a head");
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    // Not to the end of the connection, which the browser keeps open.
    let mut list = String::new();
    answer
        .take(length)
        .read_to_string(&mut list)
        .expect("a body");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let pages = list.as_array().expect("a list");
    let page = pages
        .iter()
        .find(|page| page["type"] == "page")
        .expect("a page");
    page["webSocketDebuggerUrl"]
        .as_str()
        .expect("a URL")
        .to_owned()
}
