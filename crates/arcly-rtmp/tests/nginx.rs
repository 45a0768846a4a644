//! nginx-rtmp as relay peer: we push to it and pull from it, and it pushes to us and pulls from us.

mod support;

use arcly_core::PublishRegistry;
use arcly_rtmp::{RelayStatus, RtmpPull, RtmpPush};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;
use support::relay::*;
use support::server::PATIENCE;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// nginx until it is dropped.
struct Nginx {
    port: u16,
    _child: Child,
    _folder: tempfile::TempDir,
}

/// Starts nginx with `live`, which relays; `onward`, which pushes to `ours`; and `inward`, which pulls from there.
async fn nginx(ours: &str) -> Nginx {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        free.local_addr().expect("an address").port()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nginx.conf");
    let ours = ours.strip_suffix("/camera").expect("its name");
    let pid = folder.path().join("pid");
    let config = format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off; master_process off; pid {};\n\
         events {{}}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port};\n\
           application live {{ live on; }}\n\
           application onward {{ live on; push {ours}; }}\n\
           application inward {{ live on; pull {ours}; }}\n\
         }} }}\n",
        pid.display()
    );
    std::fs::write(&path, config).expect("a writable folder");
    let child = Command::new("nginx")
        .args(["-e", "stderr", "-c"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("nginx cannot be run ({error}); install it: apt-get install nginx-light libnginx-mod-rtmp")
        });
    let listening = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let message =
        "nginx does not listen; is its module installed? apt-get install libnginx-mod-rtmp";
    timeout(PATIENCE, listening).await.expect(message);
    Nginx {
        port,
        _child: child,
        _folder: folder,
    }
}

impl Nginx {
    fn url(&self, app: &str) -> arcly_rtmp::proto::client::RtmpUrl {
        let url = format!("rtmp://127.0.0.1:{}/{app}/camera", self.port);
        url.parse().expect("a URL")
    }
}

fn live(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Live { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_relays_what_we_push_to_where_we_pull() {
    let (_unused, ours) = server().await;
    let nginx = nginx(&ours).await;
    let push = RtmpPush::new(key(), nginx.url("live")).backoff(quick());
    let mut pushing = push.status();
    let source = serve(builder().protocol(push).build());
    let pull = RtmpPull::new(nginx.url("live"), key()).backoff(quick());
    let mut pulling = pull.status();
    let sink = serve(builder().protocol(pull).build());
    publish_on(publish(&source.engine).await);
    wait_for(&mut pushing, live).await;
    wait_for(&mut pulling, live).await;
    check(&read(&stream(&sink.engine).await, 100).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_from_nginx_ends_with_its_publisher_and_goes_on_with_the_next() {
    let (_unused, ours) = server().await;
    let nginx = nginx(&ours).await;
    let push = RtmpPush::new(key(), nginx.url("live")).backoff(quick());
    let source = serve(builder().protocol(push).build());
    let pull = RtmpPull::new(nginx.url("live"), key()).backoff(quick());
    let mut pulling = pull.status();
    let sink = serve(builder().protocol(pull).build());
    for _ in 0..2 {
        let handle = publish(&source.engine).await;
        publish_on(handle.clone());
        wait_for(&mut pulling, live).await;
        let pulled = stream(&sink.engine).await;
        check(&read(&pulled, 50).await);
        let ended = source.engine.end_session(&key(), handle.session()).await;
        ended.expect("it is ours");
        // nginx says Stream EOF and nothing else, and keeps the connection.
        timeout(PATIENCE, pulled.ended()).await.expect("in time");
        wait_for(&mut pulling, |status| !live(status)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_pushes_to_us() {
    let (ours, url) = server().await;
    let nginx = nginx(&url).await;
    let push = RtmpPush::new(key(), nginx.url("onward")).backoff(quick());
    let source = serve(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    check(&read(&stream(&ours.engine).await, 100).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_pulls_from_us() {
    let (ours, url) = server().await;
    let nginx = nginx(&url).await;
    publish_on(publish(&ours.engine).await);
    let pull = RtmpPull::new(nginx.url("inward"), key()).backoff(quick());
    let sink = serve(builder().protocol(pull).build());
    check(&read(&stream(&sink.engine).await, 100).await);
}
