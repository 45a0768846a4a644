use super::*;
use crate::net::Transport;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Writes a self-signed certificate for `name` and its key; they can be told apart by their dates.
fn write_pair(folder: &Path, name: &str, age: Duration) {
    let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    write(folder, "chain.pem", &pair.cert.pem(), age);
    write(folder, "key.pem", &pair.signing_key.serialize_pem(), age);
}

fn write(folder: &Path, name: &str, text: &str, age: Duration) {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a writable folder");
    let file = std::fs::File::options()
        .write(true)
        .open(path)
        .expect("it is there");
    file.set_modified(SystemTime::UNIX_EPOCH + age)
        .expect("a settable time");
}

async fn load(folder: &Path) -> Result<ReloadableCertificate, TlsError> {
    ReloadableCertificate::load(folder.join("chain.pem"), folder.join("key.pem")).await
}

fn trust(folder: &Path) -> ServerTrust {
    ServerTrust::CaFile(folder.join("chain.pem"))
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.expect("connected"), server.expect("accepted").0)
}

async fn handshake(
    config: &TlsConfig,
    trust: &ServerTrust,
    name: &str,
) -> (Result<Transport, TlsError>, Result<Transport, TlsError>) {
    let (client, server) = sockets().await;
    let connector = TlsConnector::new(trust).await.expect("readable roots");
    tokio::join!(connector.connect(name, client), config.accept(server))
}

#[tokio::test]
async fn bytes_go_both_ways_by_trying() {
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "localhost", Duration::ZERO);
    let certificate = Arc::new(load(folder.path()).await.expect("a valid pair"));
    let config = TlsConfig::new(certificate).expect("usable");
    let (client, server) = handshake(&config, &trust(folder.path()), "localhost").await;
    let (mut client, mut server) = (client.expect("trusted"), server.expect("accepted"));
    assert!(client.is_tls() && server.is_tls());

    // More than the socket and TLS hold, so that both sides have to wait.
    const LENGTH: usize = 8 << 20;
    let sending = async {
        let mut left = LENGTH;
        let block = vec![7; 100_000];
        while left > 0 {
            let slices = [
                io::IoSlice::new(&block[..left.min(1_000)]),
                io::IoSlice::new(&block[left.min(1_000)..left.min(block.len())]),
            ];
            match server.try_write_vectored(&slices) {
                Ok(written) => left -= written,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    server.writable().await.expect("a live socket");
                }
            }
        }
        while let Err(error) = server.try_flush() {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            server.writable().await.expect("a live socket");
        }
    };
    let receiving = async {
        let mut received = 0;
        let mut buffer = vec![0; 10_000];
        while received < LENGTH {
            client.readable().await.expect("a live socket");
            match client.try_read(&mut buffer) {
                Ok(0) => panic!("the end after {received} bytes"),
                Ok(length) => received += length,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
    };
    tokio::join!(sending, receiving);
    server.shutdown().await.expect("close_notify");
    let end = loop {
        client.readable().await.expect("the end");
        match client.try_read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            end => break end,
        }
    };
    assert_eq!(end.expect("a clean end"), 0);
}

#[tokio::test]
async fn the_server_has_to_be_who_it_should() {
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "localhost", Duration::ZERO);
    let certificate = Arc::new(load(folder.path()).await.expect("a valid pair"));
    let config = TlsConfig::new(certificate).expect("usable");
    let (client, _) = handshake(&config, &trust(folder.path()), "example.com").await;
    let error = client.expect_err("another name").to_string();
    assert!(error.contains("not valid for name"), "{error}");
    let none = ServerTrust::Roots(Arc::new(rustls::RootCertStore::empty()));
    let (client, server) = handshake(&config, &none, "localhost").await;
    assert!(
        matches!(client, Err(TlsError::Handshake(_))),
        "an unknown issuer"
    );
    assert!(
        matches!(server, Err(TlsError::Handshake(_))),
        "the client said no"
    );
    let any = ServerTrust::AcceptAnyCertificate;
    let (client, _) = handshake(&config, &any, "example.com").await;
    assert!(client.is_ok(), "asked for by name");
}

#[tokio::test]
async fn a_peer_without_tls_is_named_and_a_silent_one_timed_out() {
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "localhost", Duration::ZERO);
    let certificate = Arc::new(load(folder.path()).await.expect("a valid pair"));
    let config = TlsConfig::new(certificate).expect("usable");
    let config = config.handshake_timeout(Duration::from_millis(20));
    let (mut client, server) = sockets().await;
    client.write_all(&[3; 1537]).await.expect("a live socket");
    let error = config.accept(server).await.expect_err("RTMP").to_string();
    assert!(error.contains("does not speak TLS"), "{error}");
    let (_silent, server) = sockets().await;
    let error = config.accept(server).await.expect_err("too late");
    assert!(matches!(error, TlsError::TimedOut(_)), "{error}");
}

#[tokio::test]
async fn new_connections_see_a_new_certificate_and_old_ones_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "old.test", Duration::ZERO);
    let certificate = Arc::new(load(folder.path()).await.expect("a valid pair"));
    let config = TlsConfig::new(Arc::clone(&certificate)).expect("usable");
    let (old, server) = handshake(&config, &trust(folder.path()), "old.test").await;
    let (mut old, mut server) = (old.expect("trusted"), server.expect("accepted"));

    write_pair(folder.path(), "new.test", Duration::from_secs(1));
    certificate.reload().await.expect("a valid pair");
    let (new, _) = handshake(&config, &trust(folder.path()), "new.test").await;
    assert!(new.is_ok(), "{new:?}");
    server.write_all(b"still").await.expect("a live connection");
    let mut word = [0; 5];
    AsyncReadExt::read_exact(&mut old, &mut word)
        .await
        .expect("a live connection");
    assert_eq!(&word, b"still");
}

#[tokio::test(start_paused = true)]
async fn files_are_watched_and_a_bad_pair_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "old.test", Duration::ZERO);
    let certificate = load(folder.path()).await.expect("a valid pair");
    let first = certificate.current();
    let outcomes = Mutex::new(Vec::new());
    let (shutdown, interval) = (CancellationToken::new(), Duration::from_secs(10));
    let steps = async {
        tokio::time::sleep(interval * 3).await;
        // The chain of another key: the pair does not belong together.
        let other = rcgen::generate_simple_self_signed(["new.test".to_owned()]).expect("a pair");
        write(
            folder.path(),
            "chain.pem",
            &other.cert.pem(),
            Duration::from_secs(1),
        );
        tokio::time::sleep(interval * 3).await;
        assert!(Arc::ptr_eq(&certificate.current(), &first));
        write(
            folder.path(),
            "key.pem",
            &other.signing_key.serialize_pem(),
            Duration::from_secs(2),
        );
        tokio::time::sleep(interval * 3).await;
        assert!(!Arc::ptr_eq(&certificate.current(), &first));
        shutdown.cancel();
    };
    let note = |outcome: Result<(), &TlsError>| {
        outcomes
            .lock()
            .expect("no panic")
            .push(outcome.map_err(ToString::to_string));
    };
    tokio::join!(
        certificate.watch_with(interval, shutdown.clone(), note),
        steps
    );
    let outcomes = outcomes.into_inner().expect("no panic");
    assert_eq!(outcomes.len(), 2, "each change is tried once: {outcomes:?}");
    assert!(outcomes[0].is_err() && outcomes[1].is_ok(), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_the_watch_began_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "old.test", Duration::ZERO);
    let certificate = load(folder.path()).await.expect("a valid pair");
    let first = certificate.current();
    write_pair(folder.path(), "new.test", Duration::from_secs(1));
    let (shutdown, interval) = (CancellationToken::new(), Duration::from_secs(10));
    let steps = async {
        tokio::time::sleep(interval * 3).await;
        shutdown.cancel();
    };
    tokio::join!(certificate.watch(interval, shutdown.clone()), steps);
    assert!(!Arc::ptr_eq(&certificate.current(), &first));
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert!(matches!(
        load(path).await,
        Err(TlsError::Read {
            what: "certificate chain",
            ..
        })
    ));
    write_pair(path, "localhost", Duration::ZERO);
    write(path, "key.pem", "no key", Duration::ZERO);
    assert!(matches!(
        load(path).await,
        Err(TlsError::InvalidFile {
            what: "private key",
            ..
        })
    ));
    write(path, "chain.pem", "", Duration::ZERO);
    assert!(matches!(
        load(path).await,
        Err(TlsError::InvalidFile { .. })
    ));
    write(
        path,
        "chain.pem",
        &"x".repeat((1 << 20) + 1),
        Duration::ZERO,
    );
    let error = load(path).await.expect_err("too long").to_string();
    assert!(error.contains("1 MiB"), "{error}");
    let none = TlsConnector::new(&ServerTrust::CaFile(path.join("none"))).await;
    assert!(matches!(
        none,
        Err(TlsError::Read {
            what: "CA file",
            ..
        })
    ));
}
