//! gst-rtsp-server as the peer.

use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct GstServer {
    _child: Child,
    port: u16,
}

impl GstServer {
    pub(crate) async fn start(options: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/gst_server.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("Python 3: apt-get install python3");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.next_line().await.expect("its output");
        let port = line.and_then(|line| line.parse().ok()).expect(
            "gst-rtsp-server does not start: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0",
        );
        Self {
            _child: child,
            port,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn url_as(&self, user: &str, path: &str) -> String {
        format!("rtsp://{user}@127.0.0.1:{}/{path}", self.port)
    }
}
