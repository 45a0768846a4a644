use super::*;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

type Refusals = Arc<Mutex<Vec<ConnectionRefusal>>>;

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    refusals: Refusals,
    server: JoinHandle<Result<()>>,
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects and says hello to [`echo`].
    async fn greet(&self) -> TcpStream {
        let mut stream = self.connect().await;
        assert_eq!(exchange(&mut stream, b'h').await.unwrap(), b'h');
        stream
    }

    /// Shuts the server down and returns what it refused.
    async fn stop(self) -> Vec<ConnectionRefusal> {
        self.shutdown.cancel();
        self.server.await.unwrap().unwrap();
        std::mem::take(&mut self.refusals.lock().unwrap())
    }
}

async fn start<F, E>(
    config: TcpIngestConfig,
    handler: impl Fn(TcpConnection) -> F + Send + Sync + 'static,
) -> Running
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let refusals = Refusals::default();
    let seen = Arc::clone(&refusals);
    let config = config.on_refused(move |_, refusal| seen.lock().unwrap().push(refusal));
    let server = tokio::spawn(run_tcp_ingest_server(
        listener,
        config,
        shutdown.clone(),
        handler,
    ));
    Running {
        address,
        shutdown,
        refusals,
        server,
    }
}

/// Echoes bytes; the first completes the handshake, `!` panics, `?` fails, `.` hangs on regardless of shutdown.
async fn echo(connection: TcpConnection) -> io::Result<()> {
    let TcpConnection {
        mut stream,
        handshake,
        shutdown,
        ..
    } = connection;
    assert!(stream.nodelay()?);
    let mut handshake = Some(handshake);
    loop {
        let byte = tokio::select! {
            byte = stream.read_u8() => byte?,
            () = shutdown.cancelled() => return stream.write_all(b"b").await,
        };
        if let Some(handshake) = handshake.take() {
            handshake.complete();
        }
        match byte {
            b'!' => panic!("told to"),
            b'?' => return Err(io::Error::other("told to")),
            _ => stream.write_all(&[byte]).await?,
        }
        if byte == b'.' {
            std::future::pending::<()>().await;
        }
    }
}

async fn exchange(stream: &mut TcpStream, byte: u8) -> io::Result<u8> {
    stream.write_all(&[byte]).await?;
    stream.read_u8().await
}

/// Whether the server has closed the connection; waits for it.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.is_err() || rest.is_empty()
}

#[tokio::test]
async fn over_the_cap_connections_are_closed_and_reported() {
    let running = start(TcpIngestConfig::new("test").max_connections(2), echo).await;
    let (first, mut second) = (running.greet().await, running.greet().await);
    assert!(is_closed(&mut running.connect().await).await);
    assert_eq!(
        *running.refusals.lock().unwrap(),
        [ConnectionRefusal::TooManyConnections { limit: 2 }]
    );
    assert_eq!(
        exchange(&mut second, b'x').await.unwrap(),
        b'x',
        "the others go on"
    );
    drop(first);
    loop {
        // The server learns of the closed connection by itself, at some time soon.
        let mut third = running.connect().await;
        if matches!(exchange(&mut third, b'x').await, Ok(b'x')) {
            break;
        }
        tokio::task::yield_now().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn over_the_cap_for_one_address_connections_are_closed() {
    let running = start(TcpIngestConfig::new("test").max_connections_per_ip(1), echo).await;
    let _first = running.greet().await;
    assert!(is_closed(&mut running.connect().await).await);
    assert_eq!(
        running.stop().await,
        [ConnectionRefusal::TooManyFromAddress { limit: 1 }]
    );
}

#[tokio::test(start_paused = true)]
async fn the_handshake_deadline_closes_only_who_is_silent() {
    let running = start(TcpIngestConfig::new("test"), echo).await;
    let mut talker = running.greet().await;
    let mut silent = running.connect().await;
    assert!(is_closed(&mut silent).await);
    let timeout = TcpIngestConfig::DEFAULT_HANDSHAKE_TIMEOUT;
    tokio::time::advance(timeout * 10).await;
    assert_eq!(
        exchange(&mut talker, b'x').await.unwrap(),
        b'x',
        "no deadline after the handshake"
    );
    assert_eq!(
        running.stop().await,
        [ConnectionRefusal::HandshakeTimeout { timeout }]
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_handshake_is_not_a_completed_one() {
    let running = start(
        TcpIngestConfig::new("test"),
        |connection: TcpConnection| async move {
            let TcpConnection {
                mut stream,
                handshake,
                ..
            } = connection;
            drop(handshake);
            stream.read_u8().await.map(drop)
        },
    )
    .await;
    assert!(is_closed(&mut running.connect().await).await);
    assert_eq!(running.stop().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_silent_connections_pass_by() {
    let config = TcpIngestConfig::new("test").limit_loopback(false);
    let running = start(config, echo).await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(running.connect().await);
    }
    let mut talker = running.greet().await;
    for stream in &mut silent {
        assert!(is_closed(stream).await);
    }
    assert_eq!(exchange(&mut talker, b'x').await.unwrap(), b'x');
    assert_eq!(
        running.stop().await.len(),
        1_000,
        "each is reported, logged or not"
    );
}

#[tokio::test]
async fn a_panicking_or_failing_handler_harms_nobody_else() {
    let running = start(TcpIngestConfig::new("test").max_connections(3), echo).await;
    let mut other = running.greet().await;
    for _ in 0..5 {
        for byte in *b"!?" {
            let mut doomed = running.connect().await;
            assert!(exchange(&mut doomed, byte).await.is_err());
            assert!(is_closed(&mut doomed).await);
        }
    }
    assert_eq!(exchange(&mut other, b'x').await.unwrap(), b'x');
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_until_the_deadline() {
    let running = start(TcpIngestConfig::new("test"), echo).await;
    let (mut polite, mut stubborn) = (running.greet().await, running.greet().await);
    assert_eq!(exchange(&mut stubborn, b'.').await.unwrap(), b'.');
    let address = running.address;
    let asked = now();
    running.stop().await;
    assert_eq!(
        polite.read_u8().await.unwrap(),
        b'b',
        "who listens says goodbye"
    );
    assert!(is_closed(&mut stubborn).await);
    let took = asked.elapsed();
    let deadline = TcpIngestConfig::DEFAULT_DRAIN_DEADLINE;
    assert!((deadline..deadline * 2).contains(&took), "{took:?}");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_server_has_returned_no_handler_runs() {
    struct Running(Arc<AtomicUsize>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let handler = move |connection: TcpConnection| {
        counted.fetch_add(1, Ordering::Relaxed);
        let running = Running(Arc::clone(&counted));
        async move {
            connection.handshake.complete();
            std::future::pending::<()>().await;
            drop(running);
            Ok::<(), io::Error>(())
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    // In the test's own task, so that no other gets a turn between the return and the look.
    let served = async {
        let config = TcpIngestConfig::new("test");
        run_tcp_ingest_server(listener, config, shutdown.clone(), handler)
            .await
            .unwrap();
        count.load(Ordering::Relaxed)
    };
    let client = async {
        let streams = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        while count.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
        streams
    };
    let (left, _streams) = tokio::join!(served, client);
    assert_eq!(left, 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_when_all_are_gone() {
    let running = start(TcpIngestConfig::new("test"), echo).await;
    let _polite = running.greet().await;
    let asked = now();
    running.stop().await;
    assert!(asked.elapsed() < TcpIngestConfig::DEFAULT_DRAIN_DEADLINE);
}

/// A listener that fails in a given way before it works.
struct Failing {
    errors: VecDeque<io::Error>,
    attempts: Arc<AtomicUsize>,
    listener: TcpListener,
}

impl Accept for Failing {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        match self.errors.pop_front() {
            Some(error) => Err(error),
            None => self.listener.accept().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn accept_errors_never_end_the_loop() {
    const OUT_OF_DESCRIPTORS: i32 = 24;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let aborted = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let exhausted = || io::Error::from_raw_os_error(OUT_OF_DESCRIPTORS);
    let attempts = Arc::new(AtomicUsize::new(0));
    let errors = std::iter::repeat_with(aborted)
        .take(5)
        .chain(std::iter::repeat_with(exhausted).take(20))
        .collect();
    let failing = Failing {
        errors,
        attempts: Arc::clone(&attempts),
        listener,
    };
    let shutdown = CancellationToken::new();
    let started = now();
    let server = Server::new(TcpIngestConfig::new("test"), echo, shutdown.clone());
    let server = tokio::spawn(server.run(failing));
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(exchange(&mut stream, b'x').await.unwrap(), b'x');
    assert_eq!(
        attempts.load(Ordering::Relaxed),
        27,
        "25 errors, this connection, and waiting for the next"
    );
    // 10 + 20 + … + 640 ms, then 13 times 1 s; aborted connections cost nothing.
    let took = started.elapsed();
    assert!(
        (Duration::from_secs(13)..Duration::from_secs(16)).contains(&took),
        "{took:?}"
    );
    shutdown.cancel();
    server.await.unwrap();
}

#[tokio::test]
async fn a_hook_that_panics_does_not_end_the_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let config = TcpIngestConfig::new("test")
        .max_connections(1)
        .on_refused(|_, _| panic!("a bug in a hook"));
    let server = tokio::spawn(run_tcp_ingest_server(
        listener,
        config,
        shutdown.clone(),
        echo,
    ));
    let mut first = TcpStream::connect(address).await.unwrap();
    assert_eq!(exchange(&mut first, b'h').await.unwrap(), b'h');
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(is_closed(&mut second).await);
    assert_eq!(exchange(&mut first, b'i').await.unwrap(), b'i');
    shutdown.cancel();
    server.await.unwrap().unwrap();
}
