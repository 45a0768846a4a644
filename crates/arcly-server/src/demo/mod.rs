//! `--demo`: a built-in clip, published as any other publisher's, over and over.

mod clip;

use arcly_stream::prelude::*;
use clip::Clip;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long it waits when the stream's name is taken, or its session was ended.
const RETRY: Duration = Duration::from_secs(5);

/// How far publishing may be behind, as after a suspended laptop wakes, before the rest is not made up for.
const LATEST: Duration = Duration::from_secs(2);

/// The protocol that publishes the clip.
pub(crate) struct Demo {
    key: StreamKey,
    /// Where publishing takes a token, what signs one.
    signer: Option<JwtSigner>,
}

impl Demo {
    pub(crate) fn new(key: StreamKey, signer: Option<JwtSigner>) -> Self {
        Self { key, signer }
    }

    fn request(&self, now: std::time::SystemTime) -> PublishRequest {
        let request = PublishRequest::new(self.key.clone()).protocol(self.name());
        match &self.signer {
            Some(signer) => {
                let claims = JwtClaims::expiring_at(now + Duration::from_secs(60))
                    .allow(Action::Publish, self.key.to_string());
                request.credentials(Credentials::token(signer.sign(&claims)))
            }
            None => request,
        }
    }
}

#[async_trait]
impl InboundProtocol for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let clip = Clip::built_in().map_err(|error| StreamError::protocol("demo", error))?;
        ctx.report_health(arcly_stream::health::Health::Healthy);
        loop {
            #[expect(clippy::disallowed_methods, reason = "the token's expiry")]
            let request = self.request(std::time::SystemTime::now());
            // Who refuses or ends it is in the log already.
            if let Ok(session) = ctx.open_publish_with(request).await {
                tokio::select! {
                    _ended = publish(&clip, &session) => {}
                    () = shutdown.cancelled() => return session.finish().await,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
        }
    }
}

/// Publishes round after round at the pace of the clip, until the session is ended from outside.
#[expect(clippy::disallowed_methods, reason = "the demo keeps real time")]
async fn publish(clip: &Clip, session: &PublishSession) -> Result<()> {
    for config in clip.configs() {
        session.publish_frame(config)?;
    }
    let mut begun = Instant::now();
    for round in 0.. {
        for frame in clip.round(round) {
            let due = begun
                + frame
                    .dts
                    .since(Timestamp::ZERO)
                    .to_duration()
                    .unwrap_or_default();
            sleep_until(due).await;
            let late = due.elapsed();
            if late > LATEST {
                begun += late;
            }
            session.publish_frame(frame)?;
        }
    }
    Ok(())
}
