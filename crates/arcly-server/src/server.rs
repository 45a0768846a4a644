//! Putting the server together, running it, and winding it down.

use crate::config::{Config, OnTakeover};
use crate::demo::Demo;
use crate::event_log;
use crate::http::{Access, App, HttpServer, Viewers};
use crate::listeners::Listeners;
use crate::metrics::{Exposition, Metrics};
use crate::outputs::{self, Outputs, Storages};
use crate::relay::Relays;
use crate::{tls, welcome};
use arcly_stream::observe::Event;
use arcly_stream::prelude::*;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use tracing::info;

/// Serves until Ctrl-C or SIGTERM, or until a part fails.
pub(crate) async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let tokens = Tokens::of(&config)?;
    let metrics = Metrics::default();
    let engine = engine(&config, tokens.as_ref(), metrics.clone());

    let tls = tls::load(&config).await?;
    // All ports first: one that is taken is told before anything has happened.
    let listeners = Listeners::bind(&config, tls.as_ref()).await?;
    let bound = listeners.bound;
    let storages = Storages::open(&config).await?;
    let origin = outputs::origin(&config);
    let outputs = Outputs::start(&config, storages, &engine, &origin);

    let relays = Relays::new(
        &config,
        engine.clone(),
        tokens.as_ref().map(|tokens| tokens.signer.clone()),
    );
    let mut protocols = listeners.media;
    if let Some(webrtc) = &listeners.webrtc {
        protocols.push(Box::new(webrtc.clone()));
    }
    if listeners.http.is_some() || listeners.https.is_some() {
        let app = Arc::new(App {
            engine: engine.clone(),
            origin,
            viewers: Viewers::new(engine.clone(), config.limits.hls_viewers),
            access: Access::new(tokens.as_ref().map(|tokens| tokens.authenticator.clone())),
            exposition: Exposition::new(
                &metrics,
                engine.clone(),
                relays.clone(),
                listeners.srt.clone(),
                listeners.webrtc.clone(),
                config.limits.metrics_streams,
            ),
            metrics,
            relays: relays.clone(),
            srt: listeners.srt.clone(),
            limits: config.limits.clone(),
            pace: config.rtmp.clone(),
            play_wait: config.play_wait.0,
            hls_wait: config.hls.config(&config.limits).longest_wait(),
            webrtc: listeners.webrtc,
            bound,
        });
        if let Some(listener) = listeners.http {
            protocols.push(Box::new(HttpServer::new(listener, app.clone())));
        }
        if let Some((listener, tls)) = listeners.https.zip(tls.clone()) {
            protocols.push(Box::new(HttpServer::new(listener, app).tls(tls)));
        }
    }
    protocols.extend(relays.protocols());
    if config.demo {
        let app = config
            .app
            .iter()
            .find(|app| *app == "live")
            .or(config.app.first());
        let key = StreamKey::new(app.map_or("live", String::as_str), "demo");
        protocols.push(Box::new(Demo::new(key, tokens.map(|tokens| tokens.signer))));
    }

    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(engine.clone(), shutdown.clone()));
    if let Some(tls) = tls {
        tokio::spawn(tls::follow(tls, shutdown.clone()));
    }
    let mut stdout = std::io::stdout();
    // Whoever closed our output still wants a server.
    let _ = writeln!(stdout, "{}", welcome::text(&config, bound)).and_then(|()| stdout.flush());
    let served = engine.serve(protocols, shutdown).await;

    // The streams end, so recordings close their files.
    engine.shutdown();
    outputs.close().await;
    served?;
    info!("stopped");
    Ok(())
}

/// What checks tokens, and what signs the demo's.
struct Tokens {
    authenticator: JwtAuthenticator,
    signer: JwtSigner,
}

impl Tokens {
    /// As configured; none where no token is asked for.
    fn of(config: &Config) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(secret) = &config.auth_jwt_secret else {
            return Ok(None);
        };
        let wrong = |error| format!("auth_jwt_secret: {error}");
        let key = JwtKey::hs256(&secret.0).map_err(wrong)?;
        let authenticator = JwtAuthenticator::new([key]).map_err(wrong)?;
        let signer = JwtSigner::new(JwtAlgorithm::Hs256, &secret.0).map_err(wrong)?;
        let authenticator = authenticator.allow_anonymous_play(config.auth_anonymous_play);
        Ok(Some(Self {
            authenticator,
            signer,
        }))
    }
}

fn engine(config: &Config, tokens: Option<&Tokens>, metrics: Metrics) -> Arc<Engine> {
    let limits = &config.limits;
    let mut builder = Engine::builder()
        .max_publishers(config.max_publishers)
        .idle_timeout(config.idle_timeout.0)
        .observer(event_log::log)
        .observer(move |event: &Event| metrics.on_event(event));
    if let Some(tokens) = tokens {
        builder = builder.authenticator(tokens.authenticator.clone());
    }
    let takeover = match config.takeover {
        OnTakeover::Refuse => Takeover::Refuse,
        OnTakeover::Replace => Takeover::Replace,
    };
    for app in &config.app {
        let app = AppSpec::new(app.as_str())
            .gop_cache(config.gop_cache)
            .gop_cache_bytes(limits.gop_cache_bytes)
            .max_frame_bytes(limits.frame_bytes)
            .max_tracks(limits.tracks)
            .publisher_grace(config.publisher_grace.0)
            .takeover(takeover);
        builder = builder.application(app);
    }
    builder.build()
}

/// Begins to shut down and cancels `shutdown` at the first signal; the second ends the process at once.
async fn cancel_on_signal(engine: Arc<Engine>, shutdown: CancellationToken) {
    signalled().await;
    info!("stopping; once more to stop at once");
    engine.begin_shutdown();
    shutdown.cancel();
    signalled().await;
    std::process::exit(130);
}

/// Waits for Ctrl-C or SIGTERM.
async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        if let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
