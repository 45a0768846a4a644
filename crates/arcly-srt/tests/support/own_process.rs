//! A server in a process of its own, so that what it takes can be told from what the test takes: the test's own program, run once more.

use super::process::PATIENCE;
use arcly_core::{AppSpec, Engine};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::{Config, SrtServer};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Set for the program that is to be the server.
const ROLE: &str = "ARCLY_SRT_TEST_ROLE";
/// What it prints before its address.
const GREETING: &str = "serving at ";

/// A running server, killed when it is dropped.
pub(crate) struct OwnProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// To be called by a test named `name`, which is no test but the server: nothing happens where the program is not to be it.
pub(crate) async fn serve(config: Config) {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = SrtServer::bind(address, TsDemuxer::default, TsMuxer::default)
        .expect("a free port")
        .config(config);
    writeln!(std::io::stdout(), "\n{GREETING}{}", server.local_addr()).expect("a pipe");
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(server)
        .build();
    engine
        .serve_registered_until_signal()
        .await
        .expect("it serves");
}

impl OwnProcess {
    /// Starts the program with the test `name` alone, which is to call [`serve`].
    pub(crate) async fn start(name: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args([name, "--exact", "--nocapture"])
            .env(ROLE, "server")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let greeting = async {
            loop {
                let line = lines.next_line().await.expect("a pipe");
                let line = line.expect("it goes on");
                if let Some(address) = line.strip_prefix(GREETING) {
                    return address.parse().expect("an address");
                }
            }
        };
        let address = timeout(PATIENCE, greeting)
            .await
            .expect("it starts in time");
        Self { child, address }
    }

    fn proc(&self, file: &str) -> String {
        let id = self.child.id().expect("it runs");
        std::fs::read_to_string(format!("/proc/{id}/{file}")).expect("Linux")
    }

    /// Its resident memory, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a number of KiB")
    }

    /// The processor time that it has taken, to a hundredth of a second.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // Behind the name, which may contain spaces: utime and stime are fields 14 and 15 of the whole.
        let rest = stat.rsplit_once(')').expect("a name in brackets").1;
        let ticks: u64 = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number of ticks"))
            .sum();
        Duration::from_millis(ticks * 10)
    }
}
